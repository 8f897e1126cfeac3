//! `/tasks`: what the array does in the background.

use axum::extract::{RawQuery, State};

use super::{
    Api,
    answer::{Answer, collection, empty, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    query::Filter,
    resources::Resources,
};
use crate::array::{ArrayError, TaskNumber};

/// Numbers that clients send to cancel a task: HPE's Python client 1, HPE's PowerShell toolkit 4.
const CANCEL: [i64; 2] = [1, 4];

pub(super) fn resources() -> Resources {
    Resources::new().get("/tasks", list).get("/tasks/{id}", one).put("/tasks/{id}", change)
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["id", "name", "type", "status", "user"])?;
    let mut rows = rows_as_json(&api.read(|array| array.task_rows()))?;
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

/// The number of a task in a URI.
fn number(text: &str) -> Result<TaskNumber, ArrayError> {
    TaskNumber::new(text.parse().map_err(|_| ArrayError::wrong_type().with_ref("id"))?)
}

async fn one(State(api): State<Api>, Segments(id): Segments<String>) -> Answer {
    let number = number(&id)?;
    Ok(object(&row_as_json(&api.read(|array| array.task_row(number))?)?))
}

async fn change(State(api): State<Api>, Segments(id): Segments<String>, body: Members) -> Answer {
    let number = number(&id)?;
    let action = body.only(&["action"])?.required_integer("action")?;
    if !CANCEL.contains(&action) {
        return Err(ArrayError::bad_enum_value().with_ref("action").into());
    }
    api.change(|array, now| array.cancel_task(now, number))?;
    Ok(empty())
}
