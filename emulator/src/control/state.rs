//! Who the array is, what it holds, and back to the beginning.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, Context, Unfit};
use crate::array::{SetKind, VlunFilter};

pub(super) async fn identity(State(context): State<Context>) -> Answer {
    let mut identity = as_json(&*context.identity)?;
    identity["wsapi"] = json!(&*context.wsapi_url);
    identity["ssh"] = json!(context.front_ends.ssh.address());
    identity["iscsi"] = json!(context.emulator.iscsi_portals());
    identity["name"] = json!(context.emulator.with(|array, _| array.config().name.clone()));
    Ok(Json(identity))
}

pub(super) async fn state(State(context): State<Context>) -> Answer {
    let (rows, now) = context.emulator.with(|array, now| {
        let rows = (
            array.host_rows(),
            array.volume_rows(),
            array.vlun_rows(&VlunFilter::default()),
            array.set_rows(SetKind::Host),
            array.set_rows(SetKind::Volume),
            (array.sessions_in_use(), array.events().last_seq(), array.ledger().last_seq()),
        );
        (rows, now)
    });
    let (hosts, volumes, vluns, host_sets, volume_sets, (sessions, last_event, last_write)) = rows;
    let mut exports = Vec::with_capacity(vluns.len());
    for row in &vluns {
        let mut export = as_json(row)?;
        // Not part of the REST rows, but what tells two exports with equal parameters apart.
        export["generation"] = as_json(&row.generation)?;
        exports.push(export);
    }
    Ok(Json(json!({
        "now_ms": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        "hosts": as_json(&hosts)?,
        "host_sets": as_json(&host_sets)?,
        "volumes": as_json(&volumes)?,
        "volume_sets": as_json(&volume_sets)?,
        "vluns": exports,
        "wsapi_sessions": sessions,
        "last_event": last_event,
        "last_write": last_write,
    })))
}

pub(super) async fn reset(State(context): State<Context>) -> Answer {
    context.emulator.reset();
    Ok(Json(json!({})))
}

/// Ends all sessions of the REST interface, as a restart of that service does.
pub(super) async fn end_sessions(State(context): State<Context>) -> Answer {
    let ended = context.emulator.with(|array, now| array.drop_all_sessions(now));
    Ok(Json(json!({"ended": ended})))
}

/// A row as JSON.
pub(super) fn as_json<T: Serialize + ?Sized>(row: &T) -> Result<Value, Unfit> {
    serde_json::to_value(row).map_err(|error| Unfit(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
