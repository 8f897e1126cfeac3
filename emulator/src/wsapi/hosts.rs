//! `/hosts`: who may be exported to, with their paths and CHAP accounts.

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    query::Filter,
};

const CREATE: [&str; 8] = ["name", "domain", "persona", "FCWWNs", "iSCSINames", "forceTearDown", "port", "descriptors"];

const MODIFY: [&str; 13] = [
    "newName",
    "persona",
    "descriptors",
    "pathOperation",
    "FCWWNs",
    "iSCSINames",
    "forcePathRemoval",
    "chapOperation",
    "chapOperationMode",
    "chapName",
    "chapSecret",
    "chapSecretHex",
    "chapRemoveTargetOnly",
];

const FILTERABLE: [&str; 6] = ["name", "id", "domain", "persona", "FCPaths", "iSCSIPaths"];

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/hosts", get(list).post(create))
        .route("/api/v1/hosts/{name}", get(one).put(modify).delete(remove))
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &FILTERABLE)?;
    let mut rows = rows_as_json(&api.read(|array| array.host_rows()))?;
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn one(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    let row = api.read(|array| array.host_row(&name))?;
    Ok(object(&row_as_json(&row)?))
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    // Fixed ports of paths are taken and have no effect: a path is usable on every port it is logged in on.
    let body = body.only(&CREATE)?.without("port").decode()?;
    let name = api.change(|array, now| array.create_host(now, &body))?;
    Ok(created("hosts", name.as_str()))
}

async fn modify(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body = body.only(&MODIFY)?.decode()?;
    let name = api.change(|array, now| array.modify_host(now, &name, &body))?;
    Ok(located("hosts", name.as_str()))
}

async fn remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    api.change(|array, now| array.remove_host(now, &name))?;
    Ok(empty())
}
