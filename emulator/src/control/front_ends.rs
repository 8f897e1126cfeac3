//! Cutting interfaces and remote copy links off, and opening them again.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::json;

use super::{Answer, Context, Unfit};
use crate::server::FrontEnd;

pub(super) async fn switch(State(context): State<Context>, Path((name, action)): Path<(String, String)>) -> Answer {
    let portals = &context.front_ends.iscsi;
    let chosen: Vec<&FrontEnd> = match name.as_str() {
        "wsapi" => vec![&context.front_ends.wsapi],
        "ssh" => vec![&context.front_ends.ssh],
        "iscsi" => portals.iter().collect(),
        _ => name
            .strip_prefix("iscsi-")
            .and_then(|number| number.parse::<usize>().ok()?.checked_sub(1))
            .and_then(|place| portals.get(place))
            .into_iter()
            .collect(),
    };
    if chosen.is_empty() {
        let there = format!("there are wsapi, ssh, and iscsi with {} portals (iscsi-1 is the first)", portals.len());
        return Err(Unfit(StatusCode::NOT_FOUND, format!("no front end {name}: {there}")));
    }
    for front_end in chosen {
        switch_one(front_end, &name, &action).await?;
    }
    Ok(Json(json!({})))
}

async fn switch_one(front_end: &FrontEnd, name: &str, action: &str) -> Result<(), Unfit> {
    let done = match action {
        "pause" => front_end.pause().await,
        "resume" => front_end.resume().await,
        _ => return Err(Unfit(StatusCode::NOT_FOUND, format!("cannot {action} a front end: pause or resume it"))),
    };
    done.map_err(|error| Unfit(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot {action} {name}: {error}")))
}

/// Cuts the links to a remote copy target, or mends them, in both directions.
pub(super) async fn switch_link(
    State(context): State<Context>,
    Path((target, action)): Path<(String, String)>,
) -> Answer {
    let up = match action.as_str() {
        "cut" => false,
        "mend" => true,
        _ => return Err(Unfit(StatusCode::NOT_FOUND, format!("cannot {action} a link: cut or mend it"))),
    };
    if context.emulator.set_link(&target, up) {
        return Ok(Json(json!({})));
    }
    let targets = context.emulator.with(|array, _| array.rcopy_targets().map(|t| t.name.clone()).collect::<Vec<_>>());
    let there = if targets.is_empty() { "there are none; start with --partner".to_owned() } else { targets.join(", ") };
    Err(Unfit(StatusCode::NOT_FOUND, format!("no remote copy target {target}: {there}")))
}
