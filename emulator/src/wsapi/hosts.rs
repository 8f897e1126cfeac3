//! `/hosts`: who may be exported to, with their paths and CHAP accounts.

use axum::extract::{RawQuery, State};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    query::Filter,
    resources::Resources,
};
use crate::array::{HostRow, Initiator};

const CREATE: [&str; 9] =
    ["name", "domain", "persona", "FCWWNs", "iSCSINames", "NQN", "forceTearDown", "port", "descriptors"];

const MODIFY: [&str; 14] = [
    "newName",
    "persona",
    "descriptors",
    "pathOperation",
    "FCWWNs",
    "iSCSINames",
    "NQN",
    "forcePathRemoval",
    "chapOperation",
    "chapOperationMode",
    "chapName",
    "chapSecret",
    "chapSecretHex",
    "chapRemoveTargetOnly",
];

const FILTERABLE: [&str; 7] = ["name", "id", "domain", "persona", "FCPaths", "iSCSIPaths", "NVMETCPPaths"];

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/hosts", list)
        .post("/hosts", create)
        .get("/hosts/{name}", one)
        .put("/hosts/{name}", modify)
        .delete("/hosts/{name}", remove)
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &FILTERABLE)?;
    let mut rows = rows_as_json(&candidates(&api, filter.as_ref()))?;
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

/// The hosts worth looking at for a filter: those with the paths that it names, the one with a name, or all.
fn candidates(api: &Api, filter: Option<&Filter>) -> Vec<HostRow> {
    api.read(|array| {
        let Some(filter) = filter else { return array.host_rows() };
        if let Some(names) = filter.values_of("name") {
            return names.into_iter().filter_map(|name| array.host_row(name).ok()).collect();
        }
        match filter.values_in(&[("FCPaths", "wwn"), ("iSCSIPaths", "name"), ("NVMETCPPaths", "NQN")]) {
            Some(paths) => {
                let paths: Vec<Initiator> = paths.into_iter().filter_map(|path| Initiator::parse(path).ok()).collect();
                array.hosts_with_paths(&paths)
            }
            None => array.host_rows(),
        }
    })
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
