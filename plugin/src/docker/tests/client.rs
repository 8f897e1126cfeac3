//! A client that can also say what no proper client says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::counting_driver::CountingDriver;
use crate::daemon::{Daemon, Parts, RunningDaemon};
use crate::docker::api::Deadlines;
use crate::tasks::TokioTasks;

/// A plugin in a directory of its own.
pub(super) struct Plugin {
    pub(super) daemon: RunningDaemon,
    pub(super) driver: Arc<CountingDriver>,
    _dir: tempfile::TempDir,
}

pub(super) async fn plugin() -> Plugin {
    plugin_with(Deadlines::default()).await
}

pub(super) async fn plugin_with(deadlines: Deadlines) -> Plugin {
    let dir = tempfile::tempdir().unwrap();
    let driver = CountingDriver::new();
    let parts =
        Parts { driver: driver.clone(), tasks: Arc::new(TokioTasks), deadlines, socket: dir.path().join("hpe.sock") };
    Plugin { daemon: Daemon::start(parts).await.unwrap(), driver, _dir: dir }
}

impl Plugin {
    /// POST as dockerd does it: no content type, an empty host.
    pub(super) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answered {
        self.send(&post_request(path, body.as_ref())).await
    }

    /// Sends these bytes and reads the answer.
    pub(super) async fn send(&self, request: &[u8]) -> Answered {
        exchange(self.daemon.socket(), request).await
    }

    pub(super) async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.daemon.socket()).await.unwrap()
    }
}

/// The bytes of a POST.
pub(super) fn post_request(path: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: \r\nAccept: application/vnd.docker.plugins.v1.2+json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: String,
    pub(super) body: String,
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `Err` of the answer.
    pub(super) fn err(&self) -> String {
        self.json()["Err"].as_str().unwrap_or_else(|| panic!("no Err: {self:?}")).to_owned()
    }
}

/// Sends these bytes to a socket and reads the answer to the end.
pub(super) async fn exchange(socket: &Path, request: &[u8]) -> Answered {
    let answer = timeout(Duration::from_secs(30), async {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    })
    .await
    .unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    Answered { head: head.to_owned(), body: body.to_owned() }
}
