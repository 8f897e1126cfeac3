//! A machine's console: what whoever stands before it can ask of kernel, containers and plugin. One line of JSON each way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::application::AppReport;

/// What is asked of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// How it is.
    Status,
    /// Starts a container on what is mounted at a directory.
    RunContainer {
        /// The mount point that the plugin answered.
        dir: PathBuf,
    },
    /// Stops a container.
    StopContainer {
        /// Its number.
        container: u64,
    },
    /// What a container's application has done.
    Application {
        /// Number of the container.
        container: u64,
    },
    /// Starts the plugin and waits until it answers.
    StartPlugin,
    /// Kills the plugin (SIGKILL); the kernel goes on.
    KillPlugin,
    /// Freezes the plugin (SIGSTOP); the kernel goes on.
    FreezePlugin,
    /// Lets a frozen plugin go on.
    ThawPlugin,
    /// How many of the writes sent from now on are slow on their way, in percent.
    SlowWrites {
        /// Percent.
        percent: u64,
    },
    /// Ends the plugin in good order, and the machine with it.
    ShutDown,
}

/// What a machine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// Done.
    Done,
    /// How it is.
    Status(Status),
    /// A container runs.
    Container(u64),
    /// What an application has done.
    Application(AppReport),
    /// It could not be done.
    Failed(String),
}

/// How a machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The plugin runs.
    pub plugin: bool,
    /// What its kernel still has of any volume, in words; empty when clean.
    pub leftovers: String,
    /// Files of the plugin's journal.
    pub journal: Vec<String>,
}

/// Why a machine's console gave no answer.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ConsoleError {
    /// The machine is off, frozen, or died meanwhile.
    #[error("no answer from the machine: {0}")]
    Silent(String),
    /// It answered that it could not.
    #[error("{0}")]
    Failed(String),
}

/// The console of one machine, seen from outside.
#[derive(Debug, Clone)]
pub struct Console {
    socket: PathBuf,
}

impl Console {
    /// The console at this socket.
    #[must_use]
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Gives an order and waits for the report.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub async fn order(&self, order: &Order, patience: Duration) -> Result<Report, ConsoleError> {
        match timeout(patience, self.exchange(order)).await {
            Ok(Ok(Report::Failed(why))) => Err(ConsoleError::Failed(why)),
            Ok(Ok(report)) => Ok(report),
            Ok(Err(error)) => Err(ConsoleError::Silent(error.to_string())),
            Err(_) => Err(ConsoleError::Silent(format!("nothing within {patience:?}"))),
        }
    }

    /// How the machine is.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub async fn status(&self, patience: Duration) -> Result<Status, ConsoleError> {
        match self.order(&Order::Status, patience).await? {
            Report::Status(status) => Ok(status),
            other => Err(ConsoleError::Failed(format!("another answer: {other:?}"))),
        }
    }

    async fn exchange(&self, order: &Order) -> std::io::Result<Report> {
        let (from, mut to) = UnixStream::connect(&self.socket).await?.into_split();
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        to.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(from).read_line(&mut answer).await?;
        Ok(serde_json::from_str(&answer)?)
    }
}
