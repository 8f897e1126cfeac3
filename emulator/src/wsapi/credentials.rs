//! `/credentials`: opening and closing sessions.

use axum::{extract::State, http::StatusCode};
use serde_json::json;

use super::{
    Api,
    answer::{Answer, created, empty, object, with_status},
    body::Members,
    extract::Segments,
    resources::Resources,
};

pub(super) fn resources() -> Resources {
    Resources::new().post("/credentials", open).delete("/credentials/{key}", close)
}

/// Members other than `user` and `password` (`sessionType` for one) are taken without effect.
async fn open(State(api): State<Api>, body: Members) -> Answer {
    let (user, password) = (body.required_text("user")?, body.required_text("password")?);
    let key = api.change(|array, now| array.open_session(now, user, password))?;
    let mut answer = with_status(StatusCode::CREATED, object(&json!({"key": key.as_str()})));
    answer.headers_mut().extend(created("credentials", key.as_str()).headers().clone());
    Ok(answer)
}

async fn close(State(api): State<Api>, Segments(key): Segments<String>) -> Answer {
    api.change(|array, now| array.close_session(now, &key))?;
    Ok(empty())
}
