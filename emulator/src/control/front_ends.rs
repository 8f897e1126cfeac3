//! Cutting management interfaces off and opening them again.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::json;

use super::{Answer, Context, Unfit};

pub(super) async fn switch(State(context): State<Context>, Path((name, action)): Path<(String, String)>) -> Answer {
    let front_end = match name.as_str() {
        "wsapi" => &context.front_ends.wsapi,
        "ssh" => &context.front_ends.ssh,
        _ => return Err(Unfit(StatusCode::NOT_FOUND, format!("no front end {name}: there are wsapi and ssh"))),
    };
    let done = match action.as_str() {
        "pause" => front_end.pause().await,
        "resume" => front_end.resume().await,
        _ => return Err(Unfit(StatusCode::NOT_FOUND, format!("cannot {action} a front end: pause or resume it"))),
    };
    done.map_err(|error| Unfit(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot {action} {name}: {error}")))?;
    Ok(Json(json!({})))
}
