//! The REST interface of the array: WSAPI over HTTP or HTTPS.
//!
//! One file per resource; the rules are in [`crate::array`], here is only the form: URIs, members, status codes,
//! headers. The contract follows the WSAPI 1.2 and 1.3.1 developer's guides and captures of real arrays.

mod accounts;
mod answer;
mod body;
mod copies;
mod cpgs;
mod credentials;
mod event_log;
mod extract;
mod faults;
mod flash_cache;
mod hosts;
mod object_keys;
mod personas;
mod ports;
mod qos;
mod query;
mod remote_copy;
mod request_line;
mod resources;
mod sets;
mod system;
mod system_reporter;
mod tasks;
mod transport;
mod vluns;
mod volumes;

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};

use self::answer::Refusal;
use self::resources::Resources;
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

/// Every resource that needs a session.
fn resources() -> Resources {
    Resources::new()
        .merge(system::resources())
        .merge(cpgs::resources())
        .merge(ports::resources())
        .merge(hosts::resources())
        .merge(sets::resources())
        .merge(volumes::resources())
        .merge(copies::resources())
        .merge(object_keys::resources())
        .merge(vluns::resources())
        .merge(tasks::resources())
        .merge(qos::resources())
        .merge(remote_copy::resources())
        .merge(personas::resources())
        .merge(flash_cache::resources())
        .merge(accounts::resources())
        .merge(event_log::resources())
        .merge(system_reporter::resources())
}

/// Every route below `/api/v1`.
#[cfg(test)]
fn routes() -> Vec<resources::Route> {
    resources().merge(credentials::resources()).into_parts().1
}

/// The whole interface as one service; `port` is where it is reached.
pub(crate) fn service(emulator: Emulator, port: u16) -> Router {
    let api = Api { emulator, port };
    let (inside, _) = resources().into_parts();
    let (outside, _) = credentials::resources().into_parts();
    let inside = inside.route_layer(middleware::from_fn_with_state(api.clone(), require_session));
    Router::new()
        .merge(inside)
        .merge(outside)
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
        Ok(user) => {
            let may = request.method() == Method::GET || api.read(|array| array.role_of(&user).may_change());
            if may { next.run(request).await } else { Refusal(ArrayError::permission_denied()).into_response() }
        }
        Err(error) => Refusal(error).into_response(),
    }
}

#[cfg(test)]
mod fidelity_tests;
#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;
