//! `/vluns`: exports of volumes, templates and active ones.

use axum::{
    Extension,
    extract::{RawQuery, State},
};

use super::{
    Api,
    answer::{Answer, chunked_collection, collection, created, empty, rows_as_json},
    body::Members,
    extract::Segments,
    query::{Filter, parameter},
    resources::Resources,
};
use crate::array::{ArrayError, CreateVlun, Lun, RemovalAnomaly, VlunAddress, VlunFilter, VlunRow};

const CREATE: [&str; 8] =
    ["volumeName", "lun", "hostname", "portPos", "noVcn", "overrideLowerPriority", "autoLun", "maxAutoLun"];

const FILTERABLE: [&str; 8] =
    ["volumeName", "hostname", "volumeWWN", "remoteName", "serial", "lun", "portPos", "active"];

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/vluns", list)
        .post("/vluns", create)
        .get("/vluns/{address}", some)
        .delete("/vluns/{address}", remove)
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &FILTERABLE)?;
    let Some(filter) = filter else {
        return Ok(chunked_collection(&rows_as_json(&api.read(|array| array.vlun_rows(&VlunFilter::default())))?));
    };
    let mut rows = rows_as_json(&api.read(|array| array.vlun_rows(&narrowed(&filter))))?;
    rows.retain(|row| filter.fits(row));
    Ok(collection(&rows))
}

/// What of a query the array can look up directly; the query itself still decides about every row.
fn narrowed(filter: &Filter) -> VlunFilter {
    match filter {
        Filter::Equals(member, value) if member == "volumeName" => VlunFilter::volume(value),
        Filter::Equals(member, value) if member == "hostname" => VlunFilter::host(value),
        Filter::Equals(member, value) if member == "volumeWWN" => {
            VlunFilter { volume_wwn: Some(value.clone()), ..VlunFilter::default() }
        }
        Filter::Equals(member, value) if member == "remoteName" => {
            VlunFilter { remote_name: Some(value.clone()), ..VlunFilter::default() }
        }
        _ => VlunFilter::default(),
    }
}

/// `GET /vluns/<volume>,<lun>[,<host>][,<n:s:p>]`: the template and its active VLUNs, never chunked.
async fn some(State(api): State<Api>, Segments(address): Segments<String>) -> Answer {
    let address: VlunAddress = address.parse()?;
    let filter =
        VlunFilter { volume: Some(address.volume.clone()), lun: Some(Lun::new(address.lun)?), ..VlunFilter::default() };
    let mut rows = api.read(|array| array.vlun_rows(&filter));
    rows.retain(|row| is_addressed(row, &address));
    if rows.is_empty() {
        return Err(ArrayError::non_existent_vlun().into());
    }
    Ok(collection(&rows_as_json(&rows)?))
}

fn is_addressed(row: &VlunRow, address: &VlunAddress) -> bool {
    let host = address.host.as_ref().is_none_or(|host| row.hostname.as_ref() == Some(host));
    let port = address.port.is_none_or(|port| row.port_pos == Some(port));
    host && port
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    let body: CreateVlun = body.only(&CREATE)?.decode()?;
    let made = api.change(|array, now| array.create_vlun(now, &body))?;
    Ok(created("vluns", &made.address.to_string()))
}

/// Removes the template made with exactly these parameters, and every active VLUN it made.
async fn remove(
    State(api): State<Api>,
    Segments(address): Segments<String>,
    RawQuery(query): RawQuery,
    Extension(anomaly): Extension<RemovalAnomaly>,
) -> Answer {
    let address: VlunAddress = address.parse()?;
    match query.as_deref().and_then(|query| parameter(query, "noVcn")) {
        None | Some("true" | "false") => {}
        Some(_) => return Err(ArrayError::wrong_type().with_ref("noVcn").into()),
    }
    api.change(|array, now| array.remove_vlun_as(now, &address, anomaly))?;
    Ok(empty())
}
