//! The control interface: what a test harness needs and a real array does not have.
//!
//! | request | answer |
//! |---|---|
//! | `GET /identity` | account name, trust anchor, server certificate, SSH host key, addresses |
//! | `GET /state` | hosts, sets, volumes, VLUNs, sessions |
//! | `GET /ledger?after=&volume=&host=&node=&generation=&accepted=` | writes and their fate |
//! | `GET /events?after=&wait_ms=` | the log; waits for news when asked to |
//! | `GET`, `POST`, `DELETE /faults`, `DELETE /faults/<id>` | the fault plan |
//! | `POST /front-ends/<wsapi, ssh, iscsi or iscsi-N>/<pause or resume>` | cuts an interface off or opens it again |
//! | `DELETE /sessions` | ends all sessions of the REST interface |
//! | `POST /reset` | back to a new array without faults |
//!
//! It has no login and listens on loopback addresses only. Neither passwords nor session keys leave through it.

mod faults;
mod front_ends;
mod log;
mod state;

use std::sync::Arc;

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    Emulator,
    server::{Connection, FrontEnds},
};

/// How clients recognise the array.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Identity {
    /// Name of the account.
    pub(crate) user: String,
    /// Trust anchor of the REST interface, PEM; absent for plain HTTP.
    #[serde(rename = "tls_certificate")]
    pub(crate) ca_pem: Option<String>,
    /// Server certificate, PEM, for pinning.
    #[serde(rename = "server_certificate")]
    pub(crate) certificate_pem: Option<String>,
    /// `ssh-ed25519 AAAA…`.
    pub(crate) ssh_host_key: String,
}

/// What the handlers work on.
#[derive(Clone)]
pub(crate) struct Context {
    emulator: Emulator,
    identity: Arc<Identity>,
    wsapi_url: Arc<str>,
    front_ends: Arc<FrontEnds>,
}

impl Context {
    /// The control interface of an array.
    pub(crate) fn new(emulator: Emulator, identity: Identity, wsapi_url: &str, front_ends: Arc<FrontEnds>) -> Self {
        Self { emulator, identity: Arc::new(identity), wsapi_url: wsapi_url.into(), front_ends }
    }
}

/// A request that cannot be done, with a sentence that says why.
struct Unfit(StatusCode, String);

impl IntoResponse for Unfit {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

/// What a handler returns.
type Answer = Result<Json<serde_json::Value>, Unfit>;

/// The whole interface as one service.
pub(crate) fn service(context: Context) -> Router {
    Router::new()
        .route("/identity", get(state::identity))
        .route("/state", get(state::state))
        .route("/reset", post(state::reset))
        .route("/sessions", delete(state::end_sessions))
        .route("/ledger", get(log::ledger))
        .route("/events", get(log::events))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/faults/{id}", delete(faults::remove))
        .route("/front-ends/{name}/{action}", post(front_ends::switch))
        .route("/remote-copy-links/{target}/{action}", post(front_ends::switch_link))
        .fallback(|| async { Unfit(StatusCode::NOT_FOUND, "no such resource; try GET /state".to_owned()) })
        .with_state(context)
}

/// Serves one connection.
pub(crate) async fn serve(service: Router, connection: Connection) {
    let Connection { stream, peer, .. } = connection;
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "control connection ended");
    }
}
