//! The REST interface of the array: WSAPI over HTTP or HTTPS.
//!
//! One file per resource; the rules are in [`crate::array`], here is only the form: URIs, members, status codes,
//! headers. The contract follows the WSAPI 1.2 and 1.3.1 developer's guides and captures of real arrays.

mod answer;
mod body;
mod cpgs;
mod credentials;
mod extract;
mod faults;
mod hosts;
mod object_keys;
mod ports;
mod query;
mod request_line;
mod sets;
mod system;
mod tasks;
mod transport;
mod vluns;
mod volumes;

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};

use self::answer::Refusal;
pub(crate) use self::transport::serve;
use crate::{
    Emulator,
    array::{Array, ArrayError},
};

/// Header that names the session (1.3.1 guide p. 38).
const SESSION_HEADER: &str = "x-hp3par-wsapi-sessionkey";

/// What every handler works on.
#[derive(Clone)]
pub(crate) struct Api {
    emulator: Emulator,
    /// The TCP port in use.
    port: u16,
}

impl Api {
    /// Looks at the array.
    fn read<T>(&self, look: impl FnOnce(&Array) -> T) -> T {
        self.emulator.with(|array, _| look(array))
    }

    /// Runs a command of the array at the current time.
    fn change<T>(&self, command: impl FnOnce(&mut Array, Duration) -> T) -> T {
        self.emulator.with(command)
    }
}

/// The whole interface as one service; `port` is where it is reached.
pub(crate) fn service(emulator: Emulator, port: u16) -> Router {
    let api = Api { emulator, port };
    let inside = Router::new()
        .merge(system::routes())
        .merge(cpgs::routes())
        .merge(ports::routes())
        .merge(hosts::routes())
        .merge(sets::routes())
        .merge(volumes::routes())
        .merge(object_keys::routes())
        .merge(vluns::routes())
        .merge(tasks::routes())
        .route_layer(middleware::from_fn_with_state(api.clone(), require_session));
    Router::new()
        .merge(inside)
        .merge(credentials::routes())
        .route("/api", get(system::version))
        .fallback(|| async { Refusal(ArrayError::uri_not_found()) })
        .method_not_allowed_fallback(|| async { Refusal(ArrayError::unsupported_operation()) })
        .layer(middleware::from_fn_with_state(api.clone(), faults::apply))
        .with_state(api)
}

/// Lets a request pass that names a live session.
async fn require_session(State(api): State<Api>, request: Request, next: Next) -> Response {
    let key = request.headers().get(SESSION_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match api.change(|array, now| array.use_session(now, key)) {
        Ok(_) => next.run(request).await,
        Err(error) => Refusal(error).into_response(),
    }
}

#[cfg(test)]
mod tests;
