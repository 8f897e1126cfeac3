//! `/volumes`: virtual volumes, their growth, and everything that a `PUT` with an action does. Copies are in `copies`.

use axum::extract::{RawQuery, State};
use serde::Deserialize as _;
use serde_json::json;

use super::{
    Api,
    answer::{Answer, chunked_collection, collection, created, empty, located, object, row_as_json, rows_as_json},
    body::Members,
    copies,
    extract::Segments,
    query::Filter,
    resources::Resources,
};
use crate::array::{ArrayError, SetObjectKey, TaskNumber, VolumeRow, Wwn};

const CREATE: [&str; 18] = [
    "name",
    "cpg",
    "sizeMiB",
    "id",
    "comment",
    "policies",
    "snapCPG",
    "ssSpcAllocWarningPct",
    "ssSpcAllocLimitPct",
    "usrSpcAllocWarningPct",
    "usrSpcAllocLimitPct",
    "tpvv",
    "tdvv",
    "compression",
    "reduce",
    "expirationHours",
    "retentionHours",
    "objectKeyValues",
];

const MODIFY: [&str; 17] = [
    "newName",
    "comment",
    "WWN",
    "snapCPG",
    "userCPG",
    "policies",
    "ssSpcAllocWarningPct",
    "ssSpcAllocLimitPct",
    "usrSpcAllocWarningPct",
    "usrSpcAllocLimitPct",
    "expirationHours",
    "retentionHours",
    "rmSsSpcAllocWarning",
    "rmSsSpcAllocLimit",
    "rmUsrSpcAllocWarning",
    "rmUsrSpcAllocLimit",
    "rmExpTime",
];

const FILTERABLE: [&str; 8] = ["name", "wwn", "userCPG", "snapCPG", "copyOf", "provisioningType", "id", "uuid"];

/// Members of the action TUNE_VOLUME.
const TUNE: [&str; 7] =
    ["action", "tuneOperation", "userCPG", "snapCPG", "conversionOperation", "keepVV", "compression"];

/// The actions of `PUT /volumes/<name>` (1.3.1 guide p. 62).
mod action {
    pub(super) const STOP_PHYSICAL_COPY: i64 = 1;
    pub(super) const RESYNC_PHYSICAL_COPY: i64 = 2;
    pub(super) const GROW_VOLUME: i64 = 3;
    pub(super) const PROMOTE_VIRTUAL_COPY: i64 = 4;
    pub(super) const STOP_PROMOTE_VIRTUAL_COPY: i64 = 5;
    pub(super) const TUNE_VOLUME: i64 = 6;
    pub(super) const UPDATE_VIRTUAL_COPY: i64 = 7;
}

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/volumes", list)
        .post("/volumes", create)
        .get("/volumes/{name}", one)
        .put("/volumes/{name}", modify)
        .delete("/volumes/{name}", remove)
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &FILTERABLE)?;
    let Some(filter) = filter else {
        return Ok(chunked_collection(&rows_as_json(&api.read(|array| array.volume_rows()))?));
    };
    let mut rows = rows_as_json(&candidates(&api, &filter))?;
    rows.retain(|row| filter.fits(row));
    Ok(collection(&rows))
}

/// The volumes worth looking at for a filter; the filter itself still decides about every row.
fn candidates(api: &Api, filter: &Filter) -> Vec<VolumeRow> {
    api.read(|array| {
        if let Some(names) = filter.values_of("name") {
            names.into_iter().filter_map(|name| array.volume_row(name).ok()).collect()
        } else if let Some(names) = filter.values_of("wwn") {
            let names = names.into_iter().filter_map(|name| Wwn::new(name).ok());
            names.flat_map(|wwn| array.volume_rows_with_wwn(&wwn)).collect()
        } else if let Some(names) = filter.values_of("copyOf") {
            names.into_iter().flat_map(|name| array.snapshot_rows_of(name).unwrap_or_default()).collect()
        } else if let Some(names) = filter.values_of("userCPG") {
            names.into_iter().flat_map(|name| array.volume_rows_in_cpg(name)).collect()
        } else {
            array.volume_rows()
        }
    })
}

async fn one(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(object(&row_as_json(&api.read(|array| array.volume_row(&name))?)?))
}

/// Makes a volume, or does what an action says.
async fn create(State(api): State<Api>, body: Members) -> Answer {
    if body.has("action") {
        return copies::of_several(&api, body);
    }
    let body = body.only(&CREATE)?;
    let keys: Vec<SetObjectKey> = match body.raw("objectKeyValues") {
        None => Vec::new(),
        Some(list) => Vec::deserialize(list).map_err(|_| ArrayError::wrong_type().with_ref("objectKeyValues"))?,
    };
    let body = body.without("objectKeyValues").decode()?;
    let name = api.change(|array, now| array.create_volume_with_keys(now, &body, &keys))?;
    Ok(created("volumes", name.as_str()))
}

/// 200 with the URI of a volume and the task that works on it.
pub(super) fn with_task(name: &str, task: TaskNumber) -> Answer {
    let mut answer = object(&json!({"taskid": task}));
    answer.headers_mut().extend(located("volumes", name).headers().clone());
    Ok(answer)
}

async fn modify(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let Some(action) = body.integer("action")? else {
        let body = body.only(&MODIFY)?.decode()?;
        let name = api.change(|array, now| array.modify_volume(now, &name, &body))?;
        return Ok(located("volumes", name.as_str()));
    };
    match action {
        action::STOP_PHYSICAL_COPY => {
            body.only(&["action"])?;
            api.change(|array, now| array.stop_physical_copy(now, &name))?;
            Ok(located("volumes", &name))
        }
        action::RESYNC_PHYSICAL_COPY => {
            body.only(&["action"])?;
            with_task(&name, api.change(|array, now| array.resync_physical_copy(now, &name))?)
        }
        action::GROW_VOLUME => {
            let more = body.only(&["action", "sizeMiB"])?.required_integer("sizeMiB")?;
            api.change(|array, now| array.grow_volume(now, &name, more))?;
            Ok(located("volumes", &name))
        }
        action::PROMOTE_VIRTUAL_COPY => {
            let body = body.only(&["action", "online", "priority", "allowRemoteCopyParent"])?.without("action");
            let body = body.decode()?;
            with_task(&name, api.change(|array, now| array.promote_snapshot(now, &name, &body))?)
        }
        action::STOP_PROMOTE_VIRTUAL_COPY => {
            body.only(&["action"])?;
            api.change(|array, now| array.stop_promotion(now, &name))?;
            Ok(located("volumes", &name))
        }
        action::TUNE_VOLUME => {
            let body = body.only(&TUNE)?.without("action").decode()?;
            with_task(&name, api.change(|array, now| array.tune_volume(now, &name, &body))?)
        }
        action::UPDATE_VIRTUAL_COPY => {
            let read_only = body.only(&["action", "readOnly"])?.boolean("readOnly")?.unwrap_or(false);
            api.change(|array, now| array.update_snapshots(now, std::slice::from_ref(&name), read_only))?;
            Ok(located("volumes", &name))
        }
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}

async fn remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    api.change(|array, now| array.remove_volume(now, &name))?;
    Ok(empty())
}
