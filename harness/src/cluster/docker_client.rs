//! A caller of the plugin's socket that speaks like dockerd or like dory, byte for byte where it matters.
//!
//! dockerd sends no content type, ends the JSON with a newline, asks for the plugin media type and repeats a
//! call whose connection broke, by then with an empty body (moby `pkg/plugins/client.go`). dory sends JSON
//! numbers where dockerd sends strings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::overheard::Listener;

/// Media type dockerd asks for.
const PLUGIN_MEDIA_TYPE: &str = "application/vnd.docker.plugins.v1+json";

/// Who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// dockerd.
    Dockerd,
    /// dory, the FlexVolume driver for Kubernetes.
    Dory,
}

/// How a call failed.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum CallError {
    /// The plugin answered with an error text.
    #[error("the plugin refused: {0}")]
    Refused(String),
    /// The plugin answered with something that is no answer of the protocol.
    #[error("the plugin answered with status {status}: {text}")]
    NoProtocol {
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        text: String,
    },
    /// The connection could not be made, or broke.
    #[error("no connection to the plugin: {0}")]
    Transport(String),
    /// The caller's own limit passed; the plugin may still be working.
    #[error("the caller gave up after {0:?}")]
    GaveUp(Duration),
}

impl CallError {
    /// The error text of the plugin, if it answered with one.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused(text) => Some(text),
            _ => None,
        }
    }
}

/// An answer as it came: status and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Bytes,
}

/// A caller of one plugin socket.
#[derive(Debug, Clone)]
pub struct DockerClient {
    http: reqwest::Client,
    socket: PathBuf,
    dialect: Dialect,
    patience: Option<Duration>,
    repeats: bool,
    listener: Option<Listener>,
}

impl DockerClient {
    /// A caller of the plugin at `socket`. No connection is made yet.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(socket: &Path, dialect: Dialect) -> Result<Self> {
        super::install_tls_provider();
        let http = reqwest::Client::builder()
            .unix_socket(socket.to_path_buf())
            .pool_max_idle_per_host(0)
            .build()
            .context("building an HTTP client for the plugin's socket")?;
        Ok(Self { http, socket: socket.to_path_buf(), dialect, patience: None, repeats: false, listener: None })
    }

    /// The same caller, with somebody who listens to every call.
    #[must_use]
    pub fn overheard_by(mut self, listener: Listener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// The same caller with a limit of its own for every call, as `docker plugin enable --timeout` sets it.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The same caller, repeating calls whose connection broke, as dockerd does.
    #[must_use]
    pub fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// The socket it calls.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes a volume; options are sent as strings by dockerd and as JSON numbers by dory where they are numbers.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn create(&self, name: &str, options: &[(String, String)]) -> Result<(), CallError> {
        let options: Map<String, Value> =
            options.iter().map(|(key, value)| (key.clone(), self.option_value(value))).collect();
        self.call("VolumeDriver.Create", &json!({"Name": name, "Opts": options})).await.map(drop)
    }

    /// Mounts a volume and answers the mount point.
    ///
    /// # Errors
    /// See [`CallError`]; a success without a mount point is [`CallError::NoProtocol`].
    pub async fn mount(&self, name: &str, id: &str) -> Result<PathBuf, CallError> {
        let answer = self.call("VolumeDriver.Mount", &json!({"Name": name, "ID": id})).await?;
        mountpoint(&answer).ok_or_else(|| CallError::NoProtocol { status: 200, text: answer.to_string() })
    }

    /// Drops one reference.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn unmount(&self, name: &str, id: &str) -> Result<(), CallError> {
        self.call("VolumeDriver.Unmount", &json!({"Name": name, "ID": id})).await.map(drop)
    }

    /// Removes a volume.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn remove(&self, name: &str) -> Result<(), CallError> {
        self.call("VolumeDriver.Remove", &json!({"Name": name})).await.map(drop)
    }

    /// One volume as the plugin shows it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get(&self, name: &str) -> Result<Value, CallError> {
        let mut answer = self.call("VolumeDriver.Get", &json!({"Name": name})).await?;
        Ok(answer.get_mut("Volume").map_or(Value::Null, Value::take))
    }

    /// Names of all volumes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list(&self) -> Result<Vec<String>, CallError> {
        let answer = self.call("VolumeDriver.List", &json!({})).await?;
        let volumes = answer.get("Volumes").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(volumes.iter().filter_map(|volume| volume.get("Name")?.as_str().map(str::to_owned)).collect())
    }

    /// Mount point of a volume on this node, if it is mounted.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn path(&self, name: &str) -> Result<Option<PathBuf>, CallError> {
        Ok(mountpoint(&self.call("VolumeDriver.Path", &json!({"Name": name})).await?))
    }

    /// Scope the plugin claims.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn scope(&self) -> Result<String, CallError> {
        let answer = self.call("VolumeDriver.Capabilities", &json!({})).await?;
        Ok(answer.pointer("/Capabilities/Scope").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// One call, with the caller's habits: headers, limit, repetition.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, endpoint: &str, request: &Value) -> Result<Value, CallError> {
        let mut body = Bytes::from(format!("{request}\n"));
        let mut pause = Duration::from_secs(1);
        loop {
            match self.raw(endpoint, body.clone()).await {
                Err(CallError::Transport(_)) if self.repeats && pause < Duration::from_secs(30) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    body = Bytes::new();
                }
                Err(error) => return Err(error),
                Ok(answer) => return understand(&answer),
            }
        }
    }

    /// Sends these very bytes and answers what came back.
    ///
    /// # Errors
    /// [`CallError::Transport`] or [`CallError::GaveUp`].
    pub async fn raw(&self, endpoint: &str, body: Bytes) -> Result<RawAnswer, CallError> {
        let Some(listener) = &self.listener else { return self.send(endpoint, body).await };
        let number = listener.begins(self.dialect, endpoint, &body);
        let answer = self.send(endpoint, body).await;
        listener.ends(number, &answer);
        answer
    }

    async fn send(&self, endpoint: &str, body: Bytes) -> Result<RawAnswer, CallError> {
        let limit = self.patience.unwrap_or_else(|| limit_of(endpoint));
        let mut request = self.http.post(format!("http://plugin/{endpoint}")).timeout(limit).body(body);
        request = match self.dialect {
            Dialect::Dockerd => request.header(ACCEPT, PLUGIN_MEDIA_TYPE),
            Dialect::Dory => request.header(ACCEPT, "application/json").header(CONTENT_TYPE, "application/json"),
        };
        let failed = |error: reqwest::Error| {
            if error.is_timeout() { CallError::GaveUp(limit) } else { CallError::Transport(chain(&error)) }
        };
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        Ok(RawAnswer { status, body: answer.bytes().await.map_err(failed)? })
    }

    fn option_value(&self, text: &str) -> Value {
        match (self.dialect, text.parse::<u64>()) {
            (Dialect::Dory, Ok(number)) => json!(number),
            _ => json!(text),
        }
    }
}

/// Limits of dockerd: 120 s for Create and Mount, 60 s for the rest (moby `daemon/volume/drivers/proxy.go`).
fn limit_of(endpoint: &str) -> Duration {
    match endpoint {
        "VolumeDriver.Create" | "VolumeDriver.Mount" => Duration::from_secs(120),
        _ => Duration::from_secs(60),
    }
}

/// dockerd takes any non-200 status and any non-empty `Err` as failure.
fn understand(answer: &RawAnswer) -> Result<Value, CallError> {
    if let Some(told) = refusal_in(&answer.body) {
        return Err(CallError::Refused(told));
    }
    match serde_json::from_slice(&answer.body).ok() {
        Some(value) if answer.status == 200 => Ok(value),
        _ => {
            let text = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            Err(CallError::NoProtocol { status: answer.status, text })
        }
    }
}

/// The error text of an answer, if it has one.
pub(super) fn refusal_in(body: &[u8]) -> Option<String> {
    let parsed: Value = serde_json::from_slice(body).ok()?;
    parsed.get("Err").and_then(Value::as_str).filter(|told| !told.is_empty()).map(str::to_owned)
}

fn mountpoint(answer: &Value) -> Option<PathBuf> {
    answer.get("Mountpoint").and_then(Value::as_str).filter(|text| !text.is_empty()).map(PathBuf::from)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_text_is_a_refusal_whatever_the_status() {
        for status in [200, 500] {
            let answer = RawAnswer { status, body: Bytes::from_static(br#"{"Err":"no such volume"}"#) };
            assert_eq!(understand(&answer), Err(CallError::Refused("no such volume".into())));
        }
    }

    #[test]
    fn success_without_a_mount_point_is_none() {
        assert_eq!(mountpoint(&json!({"Mountpoint": "", "Err": ""})), None);
        assert_eq!(mountpoint(&json!({"Mountpoint": "/m"})), Some(PathBuf::from("/m")));
    }

    #[tokio::test]
    async fn a_missing_socket_is_a_transport_error() {
        let client = DockerClient::new(Path::new("/nonexistent/plugin.sock"), Dialect::Dockerd).unwrap();
        assert!(matches!(client.list().await, Err(CallError::Transport(_))));
    }
}
