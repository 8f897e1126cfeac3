//! The array's REST interface (WSAPI) over HTTPS.
//!
//! No request whose outcome is unknown is repeated. What an answer, or its absence, lets the caller conclude is decided in
//! `answer` and `transport` alone; the other files only know paths and bodies.

mod answer;
mod hosts;
mod ports;
mod query;
mod sessions;
mod tls;
mod transport;
mod vluns;
mod volumes;
mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::OnceCell;

use super::ArrayError;
use super::operation::Operation;
use super::settings::{SettingsError, WsapiSettings};
use transport::Transport;

/// Client of one array's REST interface.
#[derive(Debug)]
pub(super) struct Wsapi {
    transport: Transport,
    build: OnceCell<u64>,
}

impl Wsapi {
    /// Prepares the client; nothing is sent before the first call.
    ///
    /// # Errors
    /// [`SettingsError`] when the URL is no WSAPI address or the trusted certificates cannot be read.
    pub(super) fn new(settings: &WsapiSettings, deadline: Duration) -> Result<Self, SettingsError> {
        Ok(Self { transport: Transport::new(settings, deadline)?, build: OnceCell::new() })
    }

    /// Build number of the interface, such as 30301460: which requests the array knows. Read once, before the first request that depends on it.
    async fn build(&self) -> Result<u64, ArrayError> {
        let read = || async {
            let operation = Operation::read("version of the WSAPI");
            let answer = self.transport.version(&operation).await?;
            wire::object::<wire::Version>(&operation, &answer).map(|version| version.build)
        };
        self.build.get_or_try_init(read).await.copied().map_err(|error| match error {
            // The request that wanted to know was not sent, so its outcome is not unknown.
            ArrayError::Unknown { operation, reason } => ArrayError::Unreachable { operation, reason },
            other => other,
        })
    }

    /// Ends the sessions on the array, as far as it answers within `patience`.
    pub(super) async fn log_out(&self, patience: Duration) {
        self.transport.log_out(patience).await;
    }

    /// Longest time of one call.
    pub(super) fn deadline(&self) -> Duration {
        self.transport.deadline()
    }
}
