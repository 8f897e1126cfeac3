//! The running plugin: a socket, the API on it, and an end that leaves mounts alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::docker::api::{Api, Deadlines};
use crate::docker::driver::VolumeDriver;
use crate::docker::operations::Operations;
use crate::docker::socket::{Claim, Socket, SocketError};
use crate::tasks::Tasks;

/// How long running operations get when the plugin stops. Docker kills a plugin 10 s after it asked it to end.
const GRACE: Duration = Duration::from_secs(8);
/// How long open connections get to read their last answer.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What a daemon is made of.
pub struct Parts {
    /// The volume logic.
    pub driver: Arc<dyn VolumeDriver>,
    /// Where operations run.
    pub tasks: Arc<dyn Tasks>,
    /// How long requests wait.
    pub deadlines: Deadlines,
    /// Where dockerd looks for the plugin.
    pub socket: PathBuf,
}

/// Why the plugin could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The socket could not be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// The plugin as a server.
pub struct Daemon;

impl Daemon {
    /// Listens and serves until [`RunningDaemon::shutdown`].
    ///
    /// # Errors
    /// [`StartError`], most often because another plugin is running.
    pub async fn start(parts: Parts) -> Result<RunningDaemon, StartError> {
        let claim = Claim::take(&parts.socket).await?;
        Self::start_on(claim, parts)
    }

    /// The same on a path that was taken before; `parts.socket` is not looked at.
    ///
    /// # Errors
    /// [`StartError`] when the kernel refuses.
    pub fn start_on(claim: Claim, parts: Parts) -> Result<RunningDaemon, StartError> {
        let (socket, listener) = claim.listen()?;
        let operations = Operations::new(parts.tasks);
        let router = Api::new(parts.driver, operations.clone(), parts.deadlines).router();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the server ended");
            }
        });
        Ok(RunningDaemon { socket, operations, stop, server })
    }
}

/// A plugin that serves.
pub struct RunningDaemon {
    socket: Socket,
    operations: Operations,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl RunningDaemon {
    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.socket.path()
    }

    /// Stops listening, gives running operations 8 s, answers whoever still waits, removes the socket. Volumes stay
    /// mounted. Ends within 10 s.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for unfinished in self.operations.stop(GRACE).await {
            tracing::warn!(operation = unfinished.operation, "not finished; the next start goes on with it");
        }
        if timeout(LAST_ANSWERS, &mut self.server).await.is_err() {
            self.server.abort();
        }
        drop(self.socket);
    }
}
