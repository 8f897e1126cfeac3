//! One request, one answer: the session around it, its deadline, and what a failure on the way means.
//!
//! A request is sent a second time in one case only, and once: the array answered "invalid session key", and so did not carry it out.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue, LOCATION};
use reqwest::{Method, Url};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::answer::{Answer, INV_USER_PASS};
use super::sessions::{Lease, SessionKey, Sessions};
use super::tls;
use super::wire;
use crate::array::ArrayError;
use crate::array::operation::{Operation, Progress};
use crate::array::settings::{CertificatePin, Password, SettingsError, Trust, WsapiSettings};

/// Header that carries the session key (guide 1.2 p. 16).
const SESSION_HEADER: &str = "X-HP3PAR-WSAPI-SessionKey";
/// Longest body accepted. A list of 65,536 VLUNs, the most an array has, stays below.
const LONGEST_BODY: usize = 64 << 20;
/// Longest time for TCP and TLS together, also never more than half a call's deadline.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The REST interface of one array.
#[derive(Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    /// Ends in `/api`.
    api: Url,
    user: String,
    password: Password,
    deadline: Duration,
    sessions: Sessions,
}

/// What to ask for, below `/api/v1`.
#[derive(Debug)]
pub(super) struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Request {
    /// Reads `path`, which begins with `/` and is percent-encoded.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }

    /// Makes something below `path`.
    pub(super) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body) }
    }

    /// Changes what is at `path`.
    pub(super) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body: Some(body) }
    }

    /// Removes what is at `path`.
    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None }
    }
}

impl Transport {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`SettingsError`] when the URL is no WSAPI address or the trusted certificates cannot be read.
    pub(super) fn new(settings: &WsapiSettings, deadline: Duration) -> Result<Self, SettingsError> {
        let api = api_url(&settings.api_url)?;
        let builder = reqwest::Client::builder()
            .connect_timeout(LONGEST_CONNECT.min(deadline / 2))
            // The array closes after each answer (observed), and on a kept connection a request can get lost without trace.
            .pool_max_idle_per_host(0)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .user_agent(concat!("hpe3par-docker-plugin/", env!("CARGO_PKG_VERSION")));
        // The client wants a configuration for TLS even where it will not be used; that one accepts no certificate.
        let none = Trust::Pinned(CertificatePin::new([0; 32]));
        let trust = if api.scheme() == "https" { &settings.trust } else { &none };
        let http = builder
            .tls_backend_preconfigured(tls::client_config(trust)?)
            .build()
            .map_err(|error| SettingsError::Client { reason: causes(&error) })?;
        Ok(Self {
            http,
            api,
            user: settings.user.clone(),
            password: settings.password.clone(),
            deadline,
            sessions: Sessions::new(),
        })
    }

    /// Longest time of a call.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Carries out `request` inside a session. The answer is one of success.
    pub(super) async fn call(&self, operation: &Operation, request: &Request) -> Result<Answer, ArrayError> {
        let progress = Progress::default();
        let whole = Box::pin(self.in_session(operation, request, &progress));
        tokio::time::timeout(self.deadline, whole)
            .await
            .unwrap_or_else(|_| Err(progress.expired(operation, self.deadline)))
    }

    /// `GET /api`: version and build, without a session (guide 1.3.1 p. 128).
    pub(super) async fn version(&self, operation: &Operation) -> Result<Answer, ArrayError> {
        let whole = Box::pin(self.exchange(operation, &Method::GET, self.api.as_str(), None, None));
        match tokio::time::timeout(self.deadline, whole).await {
            Ok(answer) => answer?.accepted(operation),
            Err(_) => Err(operation.unknown(format!("no answer within {} s", self.deadline.as_secs_f64()))),
        }
    }

    async fn in_session(
        &self,
        operation: &Operation,
        request: &Request,
        progress: &Progress,
    ) -> Result<Answer, ArrayError> {
        let mut lease = self.lease(operation, progress, false).await?;
        let answer = self.on_lease(operation, request, progress, &mut lease).await?;
        if !answer.is_invalid_session() {
            return answer.accepted(operation);
        }
        lease.forget();
        let mut lease = self.lease(operation, progress, true).await?;
        let answer = self.on_lease(operation, request, progress, &mut lease).await?;
        if answer.is_invalid_session() {
            lease.forget();
            return Err(operation.unreachable("the array does not accept the session key it has just given"));
        }
        answer.accepted(operation)
    }

    async fn on_lease(
        &self,
        operation: &Operation,
        request: &Request,
        progress: &Progress,
        lease: &mut Lease<'_>,
    ) -> Result<Answer, ArrayError> {
        let Request { method, path, body } = request;
        let url = format!("{}/v1{path}", self.api);
        let since = tokio::time::Instant::now();
        // Logins and logouts, which carry secrets, do not come here.
        tracing::debug!(%method, path, body = body.as_ref().map(tracing::field::display), "to the array");
        progress.sent();
        let answer = self.exchange(operation, method, &url, body.as_ref(), lease.key()).await?;
        lease.answered();
        tracing::debug!(%method, path, status = %answer.status, ms = since.elapsed().as_millis(), "from the array");
        Ok(answer)
    }

    /// A session key: an idle one, unless `fresh`, or that of a new login.
    async fn lease(&self, operation: &Operation, progress: &Progress, fresh: bool) -> Result<Lease<'_>, ArrayError> {
        let permit = self.sessions.permit().await;
        progress.connecting();
        if let Some(key) = permit.idle_key().filter(|_| !fresh) {
            return Ok(permit.lend(key));
        }
        let _one_at_a_time = self.sessions.login.lock().await;
        if let Some(key) = permit.idle_key().filter(|_| !fresh) {
            return Ok(permit.lend(key));
        }
        let key = self.login(operation).await?;
        Ok(permit.lend(key))
    }

    /// `POST /credentials` (guide 1.3.1 p. 38). Whatever goes wrong here, the operation itself was not sent.
    async fn login(&self, operation: &Operation) -> Result<SessionKey, ArrayError> {
        let password = self.password.reveal().await.map_err(|reason| operation.unreachable(reason))?;
        let url = format!("{}/v1/credentials", self.api);
        let body = json!({ "user": self.user, "password": password.expose_secret() });
        let answer = match self.exchange(operation, &Method::POST, &url, Some(&body), None).await {
            Ok(answer) => answer,
            Err(ArrayError::Unknown { reason, .. }) => {
                return Err(operation.unreachable(format!("login at {} got lost: {reason}", self.api)));
            }
            Err(error) => return Err(error),
        };
        if answer.code() == Some(INV_USER_PASS) {
            return Err(operation.unreachable(format!(
                "{} refuses user name or password of '{}'; check hpe3par_username and hpe3par_password",
                self.api, self.user
            )));
        }
        if !answer.status.is_success() {
            return Err(match answer.refusal(operation) {
                busy @ ArrayError::Busy { .. } => busy,
                other => operation.unreachable(format!("login of '{}' at {} failed: {other}", self.user, self.api)),
            });
        }
        answer
            .body
            .and_then(|body| serde_json::from_slice::<wire::Credentials>(&body).ok())
            .and_then(|credentials| SessionKey::new(credentials.key))
            .ok_or_else(|| operation.unreachable("the array's answer to the login holds no session key"))
    }

    /// Gives idle sessions back to the array; what cannot be given back within `patience` ends by itself after its idle time.
    pub(super) async fn log_out(&self, patience: Duration) {
        let operation = Operation::change("ending", "a WSAPI session");
        let all = async {
            for key in self.sessions.drain() {
                let url = format!("{}/v1/credentials/{}", self.api, key.expose());
                if let Err(error) = self.exchange(&operation, &Method::DELETE, &url, None, Some(&key)).await {
                    tracing::debug!(%error, "WSAPI session is left to expire");
                }
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::debug!("WSAPI sessions are left to expire: the array does not answer");
        }
    }

    /// Sends one request over a connection of its own and reads the answer.
    async fn exchange(
        &self,
        operation: &Operation,
        method: &Method,
        url: &str,
        body: Option<&Value>,
        key: Option<&SessionKey>,
    ) -> Result<Answer, ArrayError> {
        let mut request = self.http.request(method.clone(), url).header(ACCEPT, "application/json");
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.expose())
                .map_err(|_| operation.unreachable("the session key is no header value"))?;
            value.set_sensitive(true);
            request = request.header(SESSION_HEADER, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| lost(operation, &self.api, error))?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok()).map(str::to_owned);
        Ok(Answer { status, location, body: read_body(response).await })
    }
}

/// The whole body, or `None` if it broke off or is too long.
async fn read_body(mut response: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > LONGEST_BODY {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// What a request without an answer means: no connection, no effect; else nobody knows.
fn lost(operation: &Operation, api: &Url, error: reqwest::Error) -> ArrayError {
    // The URL of a logout holds the session key.
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        operation.unreachable(format!("{api}: {}", causes(&error)))
    } else {
        operation.unknown(causes(&error))
    }
}

/// The chain of causes in one line, without the repetitions that wrapping makes.
fn causes(error: &reqwest::Error) -> String {
    if let Some(refusal) = tls::certificate_refusal(error) {
        return refusal;
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let line = inner.to_string();
        if !text.contains(&line) {
            text = format!("{text}: {line}");
        }
        cause = inner.source();
    }
    text
}

/// The part of the configured URL up to and with `/api`.
fn api_url(text: &str) -> Result<Url, SettingsError> {
    let wrong = |url: &str, reason: &str| SettingsError::Url { url: url.to_owned(), reason: reason.to_owned() };
    let Ok(mut url) = Url::parse(text.trim()) else {
        return Err(wrong("(unreadable)", "it is no URL"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("(with an account)", "user name and password belong into their own settings"));
    }
    let shown = url.to_string();
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(wrong(&shown, "it is neither https nor http"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let Some(api) = path.strip_suffix("/v1").filter(|p| p.ends_with("/api")) else {
        return Err(wrong(&shown, "its path does not end in /api/v1"));
    };
    url.set_path(api);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_cut_to_api() {
        assert_eq!(
            api_url("https://10.0.0.1:8080/api/v1/").map(|u| u.to_string()),
            Ok("https://10.0.0.1:8080/api".into())
        );
        for bad in ["", "array", "ftp://a/api/v1", "https://a/api", "https://a/", "https://a/xapi/v2"] {
            assert!(api_url(bad).is_err(), "{bad}");
        }
        let error = api_url("https://me:hidden@a/api/v1").map(|_| ()).unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
    }
}
