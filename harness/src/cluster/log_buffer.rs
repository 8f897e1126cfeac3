//! What one worker's plugin wrote to its log, kept so that it can be searched: in memory, or in a file where the memory
//! of the process is measured.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The log of one worker, over all its restarts; clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Kept>>);

/// Where the log is.
#[derive(Debug)]
enum Kept {
    InMemory(Vec<u8>),
    InFile(File, PathBuf),
}

impl Default for Kept {
    fn default() -> Self {
        Self::InMemory(Vec::new())
    }
}

impl LogBuffer {
    /// A log that is appended to a file.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn in_file(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(Kept::InFile(file, path.to_owned())))))
    }

    /// Everything written so far; nothing of a file that is gone.
    #[must_use]
    pub fn text(&self) -> String {
        match &*self.kept() {
            Kept::InMemory(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Kept::InFile(_, path) => {
                std::fs::read(path).map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }

    /// The last lines, for an error message.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let skipped = text.lines().count().saturating_sub(lines);
        text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    /// A subscriber that writes here, at the level of a plugin with `logging = DEBUG`.
    #[must_use]
    pub fn subscriber(&self) -> Dispatch {
        let filter = EnvFilter::new("info,hpe3par_docker_plugin=debug,russh=info");
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(self.clone()).finish();
        Dispatch::new(subscriber)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogBuffer {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match &mut *self.kept() {
            Kept::InMemory(bytes) => bytes.write(piece),
            Kept::InFile(file, _) => file.write(piece),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogBuffer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_a_file_goes_on_where_it_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.log");
        LogBuffer::in_file(&path).unwrap().write_all(b"one\ntwo\n").unwrap();
        let mut log = LogBuffer::in_file(&path).unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(log.tail(2), "two\nthree");
    }
}
