//! One command on one channel: sent once, its output collected, its end recognised.

use std::sync::Arc;
use std::time::Duration;

use russh::ChannelMsg;
use tokio::sync::{Mutex, Semaphore};

use super::command::Command;
use super::connection::{Connection, next};
use super::host_key::KnownHost;
use crate::array::ArrayError;
use crate::array::operation::{Operation, Progress};
use crate::array::settings::SshSettings;

/// Longest output accepted: some ten thousand VLUN rows.
const LONGEST_OUTPUT: usize = 4 << 20;
/// Attempts at opening a channel: the kept connection may turn out dead, a new one must not.
const CHANNELS: usize = 2;

/// What a command printed, and how it ended. Only made for commands that did end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// Both streams, as they came.
    pub(super) text: String,
    /// Exit status, if the array sent one.
    pub(super) exit: Option<u32>,
}

/// The array's command line.
#[derive(Debug)]
pub(super) struct Shell {
    settings: SshSettings,
    known: KnownHost,
    deadline: Duration,
    sessions: Semaphore,
    /// Locked over connecting, so that one connection is made however many commands wait for it.
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Shell {
    pub(super) fn new(settings: SshSettings, deadline: Duration) -> Self {
        let sessions = settings.sessions.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            known: KnownHost::new(&settings),
            settings,
            deadline,
            sessions: Semaphore::new(sessions),
            connection: Mutex::default(),
        }
    }

    pub(super) fn has_known_host_key(&self) -> Result<bool, String> {
        self.known.is_known().map_err(|error| error.to_string())
    }

    /// Carries out `command`. An error other than unknown means that it was not carried out.
    pub(super) async fn run(&self, operation: &Operation, command: &Command) -> Result<Output, ArrayError> {
        let progress = Progress::default();
        let whole = Box::pin(self.run_unbounded(operation, command, &progress));
        tokio::time::timeout(self.deadline, whole)
            .await
            .unwrap_or_else(|_| Err(progress.expired(operation, self.deadline)))
    }

    /// Closes the connection.
    pub(super) async fn close(&self, patience: Duration) {
        // The lock may be held by somebody who connects. Too late is the same as closed: the process ends.
        let closed = async {
            if let Some(connection) = self.connection.lock().await.take() {
                connection.close().await;
            }
        };
        let _ = tokio::time::timeout(patience, closed).await;
    }

    async fn run_unbounded(
        &self,
        operation: &Operation,
        command: &Command,
        progress: &Progress,
    ) -> Result<Output, ArrayError> {
        // The semaphore is never closed.
        let _session = self.sessions.acquire().await.ok();
        progress.connecting();
        let (connection, channel) = self.channel(operation).await?;
        // Dropped with the future when the deadline passes: a command may hang on this connection for ever.
        let mut suspicion = Suspicion(Some(&connection));
        tracing::debug!(%command, "to the array's command line");
        progress.sent();
        let output = converse(operation, channel, command).await;
        if let Ok(output) = &output {
            suspicion.0 = None;
            tracing::debug!(%command, exit = output.exit, output = output.text, "from the array's command line");
        }
        output
    }

    async fn channel(
        &self,
        operation: &Operation,
    ) -> Result<(Arc<Connection>, russh::Channel<russh::client::Msg>), ArrayError> {
        let mut last = String::new();
        for _ in 0..CHANNELS {
            let connection = self.connection(operation).await?;
            match connection.channel().await {
                Ok(channel) => return Ok((connection, channel)),
                Err(russh::Error::ChannelOpenFailure(reason)) => {
                    return Err(operation.busy(format!("the array opens no further command session ({reason:?})")));
                }
                Err(error) => {
                    connection.abandon();
                    last = error.to_string();
                }
            }
        }
        Err(operation.unreachable(format!("{} opens no command session: {last}", self.known.address())))
    }

    async fn connection(&self, operation: &Operation) -> Result<Arc<Connection>, ArrayError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|connection| connection.is_usable()) {
            return Ok(Arc::clone(connection));
        }
        *kept = None;
        let connection = Connection::open(&self.settings, &self.known)
            .await
            .map(Arc::new)
            .map_err(|error| operation.unreachable(error.to_string()))?;
        *kept = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

/// Abandons a connection when dropped, unless the command on it ended properly.
struct Suspicion<'a>(Option<&'a Arc<Connection>>);

impl Drop for Suspicion<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.abandon();
        }
    }
}

/// Sends the command and listens until the array closes the channel. Everything but a proper end is an unknown outcome.
async fn converse(
    operation: &Operation,
    mut channel: russh::Channel<russh::client::Msg>,
    command: &Command,
) -> Result<Output, ArrayError> {
    if let Err(error) = channel.exec(true, command.line()).await {
        return Err(operation.unknown(format!("connection lost while '{command}' was sent: {error}")));
    }
    let mut bytes = Vec::new();
    let mut exit = None;
    let mut ended = false;
    // Some servers never close the channel: end of output and an exit status are an end as well.
    while !(ended && exit.is_some()) {
        let Some(message) = next(&mut channel).await else { break };
        match message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                if bytes.len() + data.len() > LONGEST_OUTPUT {
                    return Err(operation.unknown(format!("'{command}' printed more than {LONGEST_OUTPUT} bytes")));
                }
                bytes.extend_from_slice(&data);
            }
            ChannelMsg::Failure => {
                return Err(operation.busy(format!("the array did not start '{command}'")));
            }
            ChannelMsg::ExitStatus { exit_status } => exit = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                return Err(operation.unknown(format!("'{command}' was killed by {signal_name:?}")));
            }
            ChannelMsg::Eof | ChannelMsg::Close => ended = true,
            _ => {}
        }
    }
    if !ended {
        return Err(operation.unknown(format!("connection lost while '{command}' was running")));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { text, exit })
}
