//! `/hostsets` and `/volumesets`: named groups, alike but for what is in them.

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
use crate::array::{ArrayError, SetKind};

const CREATE: [&str; 4] = ["name", "domain", "comment", "setmembers"];
const MODIFY: [&str; 6] = ["action", "setmembers", "newName", "comment", "priority", "flashCachePolicy"];
const FILTERABLE: [&str; 4] = ["setmembers", "id", "uuid", "name"];

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/hostsets", get(list_hostsets).post(create_hostset))
        .route("/api/v1/hostsets/{name}", get(one_hostset).put(modify_hostset).delete(remove_hostset))
        .route("/api/v1/volumesets", get(list_volumesets).post(create_volumeset))
        .route("/api/v1/volumesets/{name}", get(one_volumeset).put(modify_volumeset).delete(remove_volumeset))
}

/// The handlers of one kind of set.
macro_rules! handlers_of {
    ($kind:expr, $collection:literal, $list:ident, $create:ident, $one:ident, $modify:ident, $remove:ident) => {
        async fn $list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
            list(&api, $kind, query.as_deref())
        }

        async fn $create(State(api): State<Api>, body: Members) -> Answer {
            let body = body.only(&CREATE)?.decode()?;
            let name = api.change(|array, now| array.create_set(now, $kind, &body))?;
            Ok(created($collection, name.as_str()))
        }

        async fn $one(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
            Ok(object(&row_as_json(&api.read(|array| array.set_row($kind, &name))?)?))
        }

        async fn $modify(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
            let name = modify(&api, $kind, &name, body)?;
            Ok(located($collection, &name))
        }

        async fn $remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
            api.change(|array, now| array.remove_set(now, $kind, &name))?;
            Ok(empty())
        }
    };
}

handlers_of!(SetKind::Host, "hostsets", list_hostsets, create_hostset, one_hostset, modify_hostset, remove_hostset);
handlers_of!(
    SetKind::Volume,
    "volumesets",
    list_volumesets,
    create_volumeset,
    one_volumeset,
    modify_volumeset,
    remove_volumeset
);

fn list(api: &Api, kind: SetKind, query: Option<&str>) -> Answer {
    let filter = Filter::from_uri(query, &FILTERABLE)?;
    let mut rows = rows_as_json(&api.read(|array| array.set_rows(kind)))?;
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

/// Changes a set; gives its name after the change.
fn modify(api: &Api, kind: SetKind, name: &str, body: Members) -> Result<String, ArrayError> {
    let body = body.only(&MODIFY)?;
    for unsupported in ["priority", "flashCachePolicy"] {
        if body.has(unsupported) {
            return Err(ArrayError::unsupported_operation().with_ref(unsupported));
        }
    }
    let body = body.decode()?;
    api.change(|array, now| array.modify_set(now, kind, name, &body)).map(|name| name.to_string())
}
