//! Copies of volumes and of volume sets: `createSnapshot` and `createPhysicalCopy`, and the group actions of `POST /volumes`.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use super::{
    Api,
    answer::{Answer, created, empty, located, object, with_status},
    body::Members,
    extract::Segments,
    resources::Resources,
};
use crate::array::ArrayError;

const SNAPSHOT: [&str; 7] = ["name", "id", "comment", "readOnly", "expirationHours", "retentionHours", "addToSet"];

const PHYSICAL_COPY: [&str; 13] = [
    "destVolume",
    "destCPG",
    "online",
    "WWN",
    "tpvv",
    "tdvv",
    "reduce",
    "compression",
    "snapCPG",
    "skipZero",
    "saveSnapshot",
    "priority",
    "addToSet",
];

const GROUP: [&str; 8] =
    ["volumeGroup", "comment", "readOnly", "match", "expirationHours", "retentionHours", "skipBlock", "addToSet"];

/// Actions of `POST /volumes`.
const UPDATE_VIRTUAL_COPIES: i64 = 7;
const CREATE_GROUP_SNAPSHOT: i64 = 8;

pub(super) fn resources() -> Resources {
    Resources::new().post("/volumes/{name}", of_volume).post("/volumesets/{name}", of_set)
}

/// The object `parameters` of a body, whose members are all known.
fn parameters(body: &Members, known: &[&str]) -> Result<Members, ArrayError> {
    let parameters = body.object("parameters")?;
    parameters.ok_or_else(|| ArrayError::missing_required().with_ref("parameters"))?.only(known)
}

async fn of_volume(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body = body.only(&["action", "parameters"])?;
    match body.required_text("action")? {
        "createSnapshot" => {
            let wanted = parameters(&body, &SNAPSHOT)?.decode()?;
            let copy = api.change(|array, now| array.create_snapshot(now, &name, &wanted))?;
            Ok(created("volumes", copy.as_str()))
        }
        "createPhysicalCopy" => {
            let wanted = parameters(&body, &PHYSICAL_COPY)?.decode()?;
            let started = api.change(|array, now| array.create_physical_copy(now, &name, &wanted))?;
            let mut answer = with_status(StatusCode::CREATED, object(&json!({"taskid": started.task})));
            answer.headers_mut().extend(located("volumes", started.target.as_str()).headers().clone());
            Ok(answer)
        }
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}

async fn of_set(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body = body.only(&["action", "parameters"])?;
    match body.required_text("action")? {
        "createSnapshot" => {
            let wanted = parameters(&body, &SNAPSHOT)?.decode()?;
            api.change(|array, now| array.create_set_snapshot(now, &name, &wanted))?;
            Ok(created("volumesets", &name))
        }
        "createPhysicalCopy" => {
            let wanted = parameters(&body, &PHYSICAL_COPY)?.decode()?;
            let started = api.change(|array, now| array.create_set_copy(now, &name, &wanted))?;
            let tasks: Vec<_> = started.iter().map(|copy| json!({"taskid": copy.task})).collect();
            let mut answer = with_status(StatusCode::CREATED, object(&json!({"tasks": tasks})));
            answer.headers_mut().extend(located("volumesets", &name).headers().clone());
            Ok(answer)
        }
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}

/// The actions of `POST /volumes` that are about several volumes.
pub(super) fn of_several(api: &Api, body: Members) -> Answer {
    let body = body.only(&["action", "parameters"])?;
    match body.required_integer("action")? {
        CREATE_GROUP_SNAPSHOT => {
            let wanted = parameters(&body, &GROUP)?.decode()?;
            let copies = api.change(|array, now| array.create_group_snapshot(now, &wanted))?;
            let first = copies.first().map(ToString::to_string).unwrap_or_default();
            Ok(created("volumes", &first))
        }
        UPDATE_VIRTUAL_COPIES => {
            let wanted = parameters(&body, &["volumeSnapshotList", "readOnly"])?;
            let names = wanted.texts("volumeSnapshotList")?.unwrap_or_default();
            let read_only = wanted.boolean("readOnly")?.unwrap_or(false);
            api.change(|array, now| array.update_snapshots(now, &names, read_only))?;
            Ok(empty())
        }
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}
