//! The ledger of writes and the log of events.

use std::time::Duration;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Context, Unfit, state::as_json};
use crate::{array::VlunGeneration, datapath::LedgerQuery};

/// Longest time that a request waits for news.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Parameters of `GET /ledger`; every one given must fit.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LedgerWish {
    after: u64,
    volume: Option<String>,
    host: Option<String>,
    node: Option<String>,
    generation: Option<u64>,
    accepted: Option<bool>,
}

/// Parameters of `GET /events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EventWish {
    after: u64,
    wait_ms: u64,
}

fn unfit(rejection: &QueryRejection) -> Unfit {
    Unfit(StatusCode::BAD_REQUEST, rejection.body_text())
}

pub(super) async fn ledger(State(context): State<Context>, wish: Result<Query<LedgerWish>, QueryRejection>) -> Answer {
    let Query(wish) = wish.map_err(|rejection| unfit(&rejection))?;
    let query = LedgerQuery {
        after_seq: wish.after,
        volume: wish.volume,
        host: wish.host,
        node: wish.node,
        generation: wish.generation.map(VlunGeneration),
        accepted: wish.accepted,
    };
    let (last, entries, folded) = context.emulator.with(|array, _| {
        let ledger = array.ledger();
        let folded: Vec<_> = ledger.query_folded(&query).cloned().collect();
        (ledger.last_seq(), ledger.query(&query).collect::<Vec<_>>(), folded)
    });
    Ok(Json(json!({"last_seq": last, "entries": as_json(&entries)?, "folded": as_json(&folded)?})))
}

pub(super) async fn events(State(context): State<Context>, wish: Result<Query<EventWish>, QueryRejection>) -> Answer {
    let Query(wish) = wish.map_err(|rejection| unfit(&rejection))?;
    let wait = Duration::from_millis(wish.wait_ms).min(LONGEST_WAIT);
    if !wait.is_zero() {
        // Running out of time is an answer too: no news.
        let _ = tokio::time::timeout(wait, context.emulator.event_after(wish.after)).await;
    }
    let (last, events) =
        context.emulator.with(|array, _| (array.events().last_seq(), array.events().since(wish.after).to_vec()));
    Ok(Json(json!({"last_seq": last, "events": as_json(&events)?})))
}
