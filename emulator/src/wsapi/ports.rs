//! `/ports` and `/portdevices`: the target ports and who is logged in on them.

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    query::Filter,
    resources::Resources,
};
use crate::array::{ArrayError, PortPos};

const PORT: [&str; 6] = ["ipAddr", "netmask", "gateway", "mtu", "iSNSPort", "iSNSAddr"];
const VLAN: [&str; 8] = ["ipAddr", "netmask", "vlanTag", "gateway", "mtu", "stgt", "iSNSPort", "iSNSAddr"];

/// Action that resets a port.
const RESET: i64 = 2;

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/ports", list)
        .get("/ports/{position}", one)
        .put("/ports/{position}", modify)
        .post("/ports/{position}", act)
        .get("/ports/{position}/iSCSIVlans", vlans)
        .post("/ports/{position}/iSCSIVlans", create_vlan)
        .put("/ports/{position}/iSCSIVlans/{tag}", modify_vlan)
        .delete("/ports/{position}/iSCSIVlans/{tag}", remove_vlan)
        .get("/portdevices", devices)
        .get("/portdevices/all/{position}", devices_of)
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["type", "protocol", "mode", "linkState", "portPos"])?;
    let mut rows = rows_as_json(&api.read(|array| array.port_rows()))?;
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn one(State(api): State<Api>, Segments(position): Segments<String>) -> Answer {
    let position: PortPos = position.parse()?;
    Ok(object(&row_as_json(&api.read(|array| array.port_row(position))?)?))
}

/// Changes the settings of an iSCSI port.
async fn modify(State(api): State<Api>, Segments(position): Segments<String>, body: Members) -> Answer {
    let position: PortPos = position.parse()?;
    let body = body.only(&PORT)?.decode()?;
    api.change(|array, now| array.modify_iscsi_port(now, position, &body))?;
    Ok(located("ports", &position.to_string()))
}

/// `{"action": 2}` resets a port.
async fn act(State(api): State<Api>, Segments(position): Segments<String>, body: Members) -> Answer {
    let position: PortPos = position.parse()?;
    match body.only(&["action"])?.required_integer("action")? {
        RESET => api.change(|array, now| array.reset_port(now, position))?,
        _ => return Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
    Ok(empty())
}

/// The VLANs of a port. Clients ask only when `iSCSIPortInfo.vlan` is 1.
async fn vlans(State(api): State<Api>, Segments(position): Segments<String>) -> Answer {
    let position: PortPos = position.parse()?;
    let row = api.read(|array| array.port_row(position))?;
    Ok(object(&json!({"iSCSIVlans": rows_as_json(&row.iscsi_vlans)?})))
}

async fn create_vlan(State(api): State<Api>, Segments(position): Segments<String>, body: Members) -> Answer {
    let position: PortPos = position.parse()?;
    let body = body.only(&VLAN)?.decode()?;
    let tag = api.change(|array, now| array.create_vlan(now, position, &body))?;
    Ok(created(&format!("ports/{position}/iSCSIVlans"), &tag.to_string()))
}

/// Port and tag of a URI.
fn vlan_of(position: &str, tag: &str) -> Result<(PortPos, u16), ArrayError> {
    Ok((position.parse()?, tag.parse().map_err(|_| ArrayError::wrong_type().with_ref("vlanTag"))?))
}

async fn modify_vlan(
    State(api): State<Api>,
    Segments((position, tag)): Segments<(String, String)>,
    body: Members,
) -> Answer {
    let (position, tag) = vlan_of(&position, &tag)?;
    let body = body.only(&VLAN)?.decode()?;
    api.change(|array, now| array.modify_vlan(now, position, tag, &body))?;
    Ok(empty())
}

async fn remove_vlan(State(api): State<Api>, Segments((position, tag)): Segments<(String, String)>) -> Answer {
    let (position, tag) = vlan_of(&position, &tag)?;
    api.change(|array, now| array.remove_vlan(now, position, tag))?;
    Ok(empty())
}

async fn devices(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["portPos"])?;
    let mut rows = all_devices(&api)?;
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn devices_of(State(api): State<Api>, Segments(position): Segments<String>) -> Answer {
    let position: PortPos = position.parse()?;
    api.read(|array| array.port_row(position).map(|_| ()))?;
    let here = Filter::Equals("portPos".to_owned(), position.to_string());
    let mut rows = all_devices(&api)?;
    rows.retain(|row| here.fits(row));
    Ok(collection(&rows))
}

/// One row per path that is logged in.
fn all_devices(api: &Api) -> Result<Vec<Value>, ArrayError> {
    let mut rows = Vec::new();
    for host in api.read(|array| array.host_rows()) {
        for path in &host.fc_paths {
            if let Some(position) = path.port_pos {
                rows.push(json!({"portPos": row_as_json(&position)?, "host": host.name, "wwn": path.wwn}));
            }
        }
        for path in &host.iscsi_paths {
            if let Some(position) = path.port_pos {
                rows.push(json!({"portPos": row_as_json(&position)?, "host": host.name, "name": path.name}));
            }
        }
    }
    Ok(rows)
}
