//! What the fault plan does to requests, and the log of requests.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use percent_encoding::percent_decode_str;
use tokio::task::JoinHandle;

use super::{
    Api,
    answer::{Refusal, empty, with_status},
    body::read_bytes,
};
use crate::{
    array::{ArrayError, Channel, CommandOutcome, RemovalAnomaly},
    faults::{Call, FaultKind, Moment, Verdict},
    server::Cut,
};

/// Judges a request, runs it as the plan wants, and writes it into the log.
pub(super) async fn apply(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let cut = parts.extensions.get::<Cut>().cloned();
    let bytes = match read_bytes(body).await {
        Ok(bytes) => bytes,
        Err(error) => return Refusal(error).into_response(),
    };
    let call = describe(&parts.method, parts.uri.path(), parts.uri.query(), &bytes);
    let has_effect = parts.method != Method::GET;
    let run = Run {
        api: api.clone(),
        name: loggable(&call.operation),
        request: Request::from_parts(parts, Body::from(bytes)),
        next,
    };
    match api.emulator.judge(&call) {
        Verdict::Pass => run.run(RemovalAnomaly::None).await,
        Verdict::Fault { rule, when, fault } => {
            tracing::debug!(%rule, call = run.name, ?fault, ?when, "fault");
            note(&api, &run.name, CommandOutcome::Faulted { fault: format!("{fault}, {when}") });
            strike(run, cut, when, fault, has_effect).await
        }
    }
}

/// How the fault plan and the log see a request. The query counts as text to look for objects in.
fn describe(method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Call {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let text = format!("{}\n{}", query.map(decoded).unwrap_or_default(), String::from_utf8_lossy(body));
    Call::wsapi(method.as_str(), &decoded(path), &text)
}

/// The operation as it may stand in a log: a session key in a URI is a secret.
fn loggable(operation: &str) -> String {
    match operation.split_once("/credentials/") {
        Some((method, _key)) => format!("{method}/credentials/..."),
        None => operation.to_owned(),
    }
}

fn note(api: &Api, name: &str, outcome: CommandOutcome) {
    api.change(|array, now| array.note_command(now, Channel::Wsapi, name, outcome));
}

/// A request that has not run yet.
struct Run {
    api: Api,
    name: String,
    request: Request,
    next: Next,
}

impl Run {
    /// Runs it. `anomaly` is how removals of VLUNs deviate.
    async fn run(mut self, anomaly: RemovalAnomaly) -> Response {
        self.request.extensions_mut().insert(anomaly);
        let response = self.next.run(self.request).await;
        let outcome = match response.extensions().get::<ArrayError>() {
            Some(error) => CommandOutcome::Refused { code: error.code, desc: error.desc.clone() },
            None => CommandOutcome::Done,
        };
        note(&self.api, &self.name, outcome);
        response
    }

    /// Runs it when the fault strikes after the effect, and forgets the answer.
    async fn run_if(self, when: Moment) {
        if when == Moment::After {
            self.run(RemovalAnomaly::None).await;
        }
    }
}

/// Does to a request what a fault wants.
async fn strike(run: Run, cut: Option<Cut>, when: Moment, fault: FaultKind, has_effect: bool) -> Response {
    match fault {
        FaultKind::Error { code, status, desc } => {
            run.run_if(when).await;
            Refusal(ArrayError::new(code, status, desc)).into_response()
        }
        FaultKind::HttpStatus { status } => {
            run.run_if(when).await;
            with_status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), empty())
        }
        FaultKind::Delay { delay_ms } => {
            let delay = Duration::from_millis(delay_ms);
            match when {
                Moment::Before => {
                    let late = run_later(run, delay);
                    late.await.unwrap_or_else(|_| Refusal(ArrayError::internal()).into_response())
                }
                Moment::After => {
                    let response = run.run(RemovalAnomaly::None).await;
                    tokio::time::sleep(delay).await;
                    response
                }
            }
        }
        FaultKind::Hang => {
            run.run_if(when).await;
            never(cut).await
        }
        FaultKind::Reset => {
            run.run_if(when).await;
            reset(cut).await
        }
        // An answer to cut short exists only when the request runs.
        FaultKind::Truncate { .. } if when == Moment::Before && has_effect => reset(cut).await,
        FaultKind::Truncate { bytes } => truncate(run.run(RemovalAnomaly::None).await, bytes, cut).await,
        FaultKind::ApplyLater { delay_ms } => {
            run_later(run, Duration::from_millis(delay_ms));
            never(cut).await
        }
        ref removal @ (FaultKind::SlowRemoval { .. } | FaultKind::PartialRemoval | FaultKind::LyingRemoval) => {
            run.run(removal.removal_anomaly().unwrap_or_default()).await
        }
        // Prompts are a matter of the command line.
        FaultKind::WrongPrompt { .. } => run.run(RemovalAnomaly::None).await,
    }
}

/// Runs a request after a delay, also when its client has given up by then: an array does not notice that either.
fn run_later(run: Run, delay: Duration) -> JoinHandle<Response> {
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        run.run(RemovalAnomaly::None).await
    })
}

/// Keeps the client waiting until the connection ends.
async fn never(cut: Option<Cut>) -> Response {
    match cut {
        Some(cut) => cut.severed().await,
        None => std::future::pending().await,
    }
    empty()
}

/// Breaks the connection without an answer.
async fn reset(cut: Option<Cut>) -> Response {
    if let Some(cut) = &cut {
        cut.sever();
    }
    never(cut).await
}

/// Sends the first bytes of the body and breaks the connection.
async fn truncate(response: Response, bytes: usize, cut: Option<Cut>) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = match axum::body::to_bytes(body, usize::MAX).await {
        Ok(whole) if bytes < whole.len() => whole,
        // Nothing of the body is left to hold back, so the connection breaks before the answer.
        _ => return reset(cut).await,
    };
    // The length announced is that of the whole body, unless it goes out in chunks.
    if parts.headers.get(header::TRANSFER_ENCODING).is_none() {
        parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    }
    let sent = stream::iter([Ok::<Bytes, std::io::Error>(whole.slice(..bytes))]);
    // Let the first piece reach the wire before the failure ends the connection.
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Response::from_parts(parts, Body::from_stream(sent.chain(broken)))
}
