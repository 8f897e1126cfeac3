//! The unix socket dockerd looks for: made private, never taken from a plugin that lives.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::ops::lock_file::{LockError, LockFile};

/// Longest path of a unix socket, in bytes (`sun_path` of unix(7) without its final zero).
const LONGEST: usize = 107;

/// Why the socket could not be made.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Longer than the kernel takes.
    #[error("socket path {path} has {length} bytes; the kernel takes at most {LONGEST}")]
    TooLong {
        /// Path.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// A plugin is running there.
    #[error("another plugin is running on {path} ({who}); stop it first")]
    InUse {
        /// Path.
        path: PathBuf,
        /// What is known of it.
        who: String,
    },
    /// Something else is in the way.
    #[error("{path} exists and is no socket; remove it by hand if it is not needed")]
    NotASocket {
        /// Path.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("{step} {path} failed: {error}")]
    Failed {
        /// What was tried.
        step: &'static str,
        /// Path.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

/// The right to listen on a path, held by one process at a time. To be taken before anything else is started: a second
/// plugin on the same node must not even begin to work.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// Held for the life of the plugin. The connect test alone could be passed by two starting plugins at once.
    _lock: LockFile,
}

impl Claim {
    /// Makes the directory (mode 0700, if missing) and takes the path, removing a socket nobody listens on.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub async fn take(path: &Path) -> Result<Self, SocketError> {
        let path = std::path::absolute(path).map_err(|error| failed("finding", path, error))?;
        let length = path.as_os_str().as_bytes().len();
        if length > LONGEST {
            return Err(SocketError::TooLong { path, length });
        }
        if let Some(parent) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.map_err(|error| failed("making directory", parent, error))?;
        }
        let lock = lock(&path)?;
        clear_the_way(&path).await?;
        Ok(Self { path, _lock: lock })
    }

    /// Makes the socket (mode 0600) and listens.
    ///
    /// # Errors
    /// [`SocketError::Failed`].
    pub fn listen(self) -> Result<(Socket, UnixListener), SocketError> {
        let (listener, identity) = bind(&self.path)?;
        Ok((Socket { claim: self, identity }, listener))
    }
}

/// A listening socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Socket {
    claim: Claim,
    identity: (u64, u64),
}

impl Socket {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.claim.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let path = self.path();
        let ours = fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "socket file was not removed");
        }
    }
}

fn failed(step: &'static str, path: &Path, error: io::Error) -> SocketError {
    SocketError::Failed { step, path: path.to_owned(), error }
}

/// Locks `<socket>.pid`.
fn lock(socket: &Path) -> Result<LockFile, SocketError> {
    let mut path = socket.as_os_str().to_owned();
    path.push(".pid");
    LockFile::take(Path::new(&path)).map_err(|error| match error {
        LockError::Held { pid, .. } => SocketError::InUse { path: socket.to_owned(), who: format!("process {pid}") },
        LockError::Failed { step, path, error } => SocketError::Failed { step, path, error },
    })
}

/// Removes a socket nobody listens on; refuses everything else that is there.
async fn clear_the_way(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looking at", path, error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match timeout(Duration::from_secs(2), UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "replacing the socket of a plugin that is gone");
            fs::remove_file(path).map_err(|error| failed("removing stale socket", path, error))
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full backlog and every other error leave open whether somebody lives there, so it is not removed.
        Ok(Ok(_) | Err(_)) | Err(_) => {
            Err(SocketError::InUse { path: path.to_owned(), who: "it accepts connections".to_owned() })
        }
    }
}

/// Binds under a passing name, restricts, and moves it in place: at no moment can others connect.
fn bind(path: &Path) -> Result<(UnixListener, (u64, u64)), SocketError> {
    let passing = path.with_file_name(format!(".{}", std::process::id()));
    let _ = fs::remove_file(&passing);
    let bound = UnixListener::bind(&passing).map_err(|error| failed("listening on", path, error))?;
    let placed = fs::set_permissions(&passing, Permissions::from_mode(0o600))
        .and_then(|()| fs::symlink_metadata(&passing))
        .and_then(|made| fs::rename(&passing, path).map(|()| (made.dev(), made.ino())));
    match placed {
        Ok(identity) => Ok((bound, identity)),
        Err(error) => {
            let _ = fs::remove_file(&passing);
            Err(failed("placing socket", path, error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn listen(path: &Path) -> Result<(Socket, UnixListener), SocketError> {
        Claim::take(path).await?.listen()
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/hpe.sock");
        let (socket, _listener) = listen(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert!(UnixStream::connect(&path).await.is_ok());
        drop(socket);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left beside it");
    }

    #[tokio::test]
    async fn a_socket_nobody_listens_on_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hpe.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (first, _listener) = listen(&path).await.unwrap();
        let error = listen(&path).await.unwrap_err();
        assert!(matches!(&error, SocketError::InUse { who, .. } if who.contains(&std::process::id().to_string())));
        assert!(UnixStream::connect(first.path()).await.is_ok(), "the first one still serves");
    }

    #[tokio::test]
    async fn a_plugin_of_another_make_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hpe.sock");
        let _foreign = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(listen(&path).await.unwrap_err(), SocketError::InUse { .. }));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn other_files_are_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hpe.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(&path).await.unwrap_err(), SocketError::NotASocket { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let long = dir.path().join("x".repeat(120));
        assert!(matches!(listen(&long).await.unwrap_err(), SocketError::TooLong { .. }));
    }
}
