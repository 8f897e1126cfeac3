//! `/eventlog`: what happened, as the array's own log tells it. The members of an entry are not documented where we looked.

use std::time::Duration;

use axum::extract::State;
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, collection},
    extract::Segments,
    resources::Resources,
};
use crate::array::{Array, ArrayError, Event};

/// Entries in one answer.
const ENTRIES_MAX: usize = 1000;

pub(super) fn resources() -> Resources {
    Resources::new().get("/eventlog", all).get("/eventlog/{range}", some)
}

async fn all(State(api): State<Api>) -> Answer {
    Ok(collection(&api.read(|array| entries(array, Duration::ZERO))))
}

/// `minutes:<n>`: the entries of the last minutes.
async fn some(State(api): State<Api>, Segments(range): Segments<String>) -> Answer {
    let minutes = range.strip_prefix("minutes:").and_then(|n| n.parse::<u32>().ok());
    let minutes = minutes.ok_or_else(|| ArrayError::invalid_input().with_ref("minutes"))?;
    let back = Duration::from_secs(u64::from(minutes) * 60);
    Ok(collection(&api.read(|array| entries(array, array.now().saturating_sub(back)))))
}

/// The last entries since a time, the oldest first. Entries are in the order of their times, so the newest are at the end.
fn entries(array: &Array, since: Duration) -> Vec<Value> {
    let events = array.events().all();
    let first = events.partition_point(|event| event.at < since).max(events.len().saturating_sub(ENTRIES_MAX));
    events[first..].iter().map(|event| entry(array, event)).collect()
}

fn entry(array: &Array, event: &Event) -> Value {
    let at = array.time_of(event.at);
    let mut detail = serde_json::to_value(&event.kind).unwrap_or_default();
    let kind = detail.as_object_mut().and_then(|members| members.remove("event")).unwrap_or_default();
    json!({
        "id": event.seq, "timeSecs": at.0, "time8601": at.to_string(), "severity": 5, "type": kind,
        "description": detail.to_string(),
    })
}
