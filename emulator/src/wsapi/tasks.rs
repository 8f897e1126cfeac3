//! `/tasks`: what the array does in the background. The emulated array has only the periodic checks that every
//! array lists, because clients expect the list never to be empty.

use axum::{Router, extract::State, routing::get};
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, collection, object},
    extract::Segments,
};
use crate::array::ArrayError;

/// Largest task number that is accepted in a URI.
const LARGEST_ID: i64 = 65_535;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/tasks", get(list)).route("/api/v1/tasks/{id}", get(one))
}

async fn list(State(api): State<Api>) -> Answer {
    Ok(collection(&tasks(&api)))
}

async fn one(State(api): State<Api>, Segments(id): Segments<String>) -> Answer {
    let id: i64 = id.parse().map_err(|_| ArrayError::wrong_type().with_ref("id"))?;
    if id <= 0 {
        return Err(ArrayError::below_range().with_ref("id").into());
    }
    if id > LARGEST_ID {
        return Err(ArrayError::exceeds_range().with_ref("id").into());
    }
    match tasks(&api).into_iter().find(|task| task["id"] == id) {
        Some(task) => Ok(object(&task)),
        None => Err(ArrayError::non_existent_task().into()),
    }
}

/// The finished checks: type 15 is background_command, status 1 is done (observed on real arrays).
fn tasks(api: &Api) -> Vec<Value> {
    let started = api.read(|array| array.started_at().with_zone_name());
    let task = |id: u32, name: &str| {
        json!({
            "id": id, "type": 15, "name": name, "status": 1, "startTime": started, "finishTime": started,
            "priority": -1, "user": "3parsvc",
        })
    };
    vec![task(1, "check_slow_disk"), task(2, "remove_expired_vvs")]
}
