//! `/volumes`: virtual volumes, their growth, their virtual copies.

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};

use super::{
    Api,
    answer::{Answer, chunked_collection, collection, created, empty, located, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    query::Filter,
};
use crate::array::ArrayError;

const CREATE: [&str; 17] = [
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

const SNAPSHOT: [&str; 6] = ["name", "id", "comment", "readOnly", "expirationHours", "retentionHours"];

const FILTERABLE: [&str; 8] = ["name", "wwn", "userCPG", "snapCPG", "copyOf", "provisioningType", "id", "uuid"];

/// Number of the action GROW_VOLUME (1.3.1 guide p. 62).
const GROW_VOLUME: i64 = 3;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/volumes", get(list).post(create))
        .route("/api/v1/volumes/{name}", get(one).put(modify).post(copy).delete(remove))
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &FILTERABLE)?;
    let mut rows = rows_as_json(&api.read(|array| array.volume_rows()))?;
    let Some(filter) = filter else { return Ok(chunked_collection(&rows)) };
    rows.retain(|row| filter.fits(row));
    Ok(collection(&rows))
}

async fn one(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(object(&row_as_json(&api.read(|array| array.volume_row(&name))?)?))
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    if body.has("action") {
        return Err(ArrayError::unsupported_operation().with_ref("action").into());
    }
    let body = body.only(&CREATE)?.decode()?;
    let name = api.change(|array, now| array.create_volume(now, &body))?;
    Ok(created("volumes", name.as_str()))
}

async fn modify(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let Some(action) = body.integer("action")? else {
        let body = body.only(&MODIFY)?.decode()?;
        let name = api.change(|array, now| array.modify_volume(now, &name, &body))?;
        return Ok(located("volumes", name.as_str()));
    };
    match action {
        GROW_VOLUME => {
            let more = body.only(&["action", "sizeMiB"])?.required_integer("sizeMiB")?;
            api.change(|array, now| array.grow_volume(now, &name, more))?;
            Ok(located("volumes", &name))
        }
        // Physical copies, promotion and tuning are documented, but not played by this emulator.
        1..=8 => Err(ArrayError::unsupported_operation().with_ref("action").into()),
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}

/// `createSnapshot` and, not played, `createPhysicalCopy`.
async fn copy(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body = body.only(&["action", "parameters"])?;
    match body.required_text("action")? {
        "createSnapshot" => {
            let parameters = body.object("parameters")?;
            let parameters = parameters.ok_or_else(|| ArrayError::missing_required().with_ref("parameters"))?;
            let parameters = parameters.only(&SNAPSHOT)?.decode()?;
            let copy = api.change(|array, now| array.create_snapshot(now, &name, &parameters))?;
            Ok(created("volumes", copy.as_str()))
        }
        "createPhysicalCopy" => Err(ArrayError::unsupported_operation().with_ref("action").into()),
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}

async fn remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    api.change(|array, now| array.remove_volume(now, &name))?;
    Ok(empty())
}
