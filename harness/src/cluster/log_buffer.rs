//! What one worker's plugin wrote to its log, kept in memory so that it can be searched.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The log of one worker, over all its restarts; clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    /// Everything written so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
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

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogBuffer {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(piece);
        Ok(piece.len())
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
