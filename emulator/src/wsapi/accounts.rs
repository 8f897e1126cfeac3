//! `/users` and `/roles`: who may log in and what they may do.

use axum::extract::State;
use serde_json::Value;

use super::{
    Api,
    answer::{Answer, collection, object},
    extract::Segments,
    resources::Resources,
};
use crate::array::ArrayError;

pub(super) fn resources() -> Resources {
    Resources::new().get("/users", users).get("/users/{name}", user).get("/roles", roles).get("/roles/{name}", role)
}

async fn users(State(api): State<Api>) -> Answer {
    Ok(collection(&api.read(|array| array.user_rows())))
}

async fn user(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    named(api.read(|array| array.user_rows()), &name)
}

async fn roles(State(api): State<Api>) -> Answer {
    Ok(collection(&api.read(|array| array.role_rows())))
}

async fn role(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    named(api.read(|array| array.role_rows()), &name)
}

/// The row with this name. What arrays answer when there is none is not known.
fn named(rows: Vec<Value>, name: &str) -> Answer {
    let found = rows.into_iter().find(|row| row["name"] == name);
    found.map(|row| object(&row)).ok_or_else(|| ArrayError::uri_not_found().with_ref("name").into())
}
