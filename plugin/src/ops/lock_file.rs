//! A file that one process holds at a time, with its process id in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// How often a file that its holder removes at this very moment is made anew.
const TRIES: usize = 16;

/// Why the file is not held.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{path} is held by process {pid}")]
    Held {
        /// The file.
        path: PathBuf,
        /// The process, by its own words.
        pid: String,
    },
    /// The kernel refused.
    #[error("{step} {path} failed: {error}")]
    Failed {
        /// What was tried.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

/// The held file. Removed when this is dropped; what a killed process leaves behind is held by nobody and taken over.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    file: File,
}

impl LockFile {
    /// Takes the file, making it if needed.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |step, error| LockError::Failed { step, path: path.to_owned(), error };
        for _ in 0..TRIES {
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let mut file = opened.map_err(|error| failed("opening", error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(held(path)),
                Err(error) => return Err(failed("locking", error.into())),
            }
            // The former holder may have removed it between the opening and the lock: then it is not this one others will see.
            if !is_at(&file, path) {
                continue;
            }
            let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            written.map_err(|error| failed("writing", error))?;
            return Ok(Self { path: path.to_owned(), file });
        }
        Err(failed("locking", io::Error::other("it keeps being removed")))
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Still locked: whoever has it open already will find that it is not there any more.
        if is_at(&self.file, &self.path)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "lock file was not removed");
        }
    }
}

fn held(path: &Path) -> LockError {
    let pid = fs::read_to_string(path).unwrap_or_default();
    let pid = pid.chars().filter(char::is_ascii_digit).take(10).collect();
    LockError::Held { path: path.to_owned(), pid }
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_is_held_once_and_gone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = LockFile::take(&path).unwrap();
        let error = LockFile::take(&path).unwrap_err();
        assert!(matches!(&error, LockError::Held { pid, .. } if *pid == std::process::id().to_string()), "{error}");
        drop(first);
        assert!(!path.exists());
        fs::write(&path, "1\n").unwrap();
        let again = LockFile::take(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap().trim(),
            std::process::id().to_string(),
            "left by one that was killed"
        );
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        drop(again);
        assert!(path.exists(), "not ours any more");
    }

    #[test]
    fn of_many_that_take_and_drop_it_two_never_hold_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, holders) = (dir.path().join("lock"), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(held) = LockFile::take(&path) {
                            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                            holders.fetch_sub(1, Ordering::SeqCst);
                            drop(held);
                        }
                    }
                });
            }
        });
    }
}
