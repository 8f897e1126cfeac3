//! `/ports` and `/portdevices`: the target ports and who is logged in on them.

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, collection, object, row_as_json, rows_as_json},
    extract::Segments,
    query::Filter,
};
use crate::array::{ArrayError, PortPos};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/ports", get(list))
        .route("/api/v1/ports/{position}", get(one))
        .route("/api/v1/ports/{position}/iSCSIVlans", get(vlans))
        .route("/api/v1/portdevices", get(devices))
        .route("/api/v1/portdevices/all/{position}", get(devices_of))
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

/// No port has VLANs. Clients ask only when `iSCSIPortInfo.vlan` is 1.
async fn vlans(State(api): State<Api>, Segments(position): Segments<String>) -> Answer {
    let position: PortPos = position.parse()?;
    api.read(|array| array.port_row(position).map(|_| ()))?;
    Ok(object(&json!({"iSCSIVlans": []})))
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
