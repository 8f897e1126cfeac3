//! `/hostsets` and `/volumesets`: named groups, alike but for what is in them.

use axum::extract::{RawQuery, State};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    query::Filter,
    resources::Resources,
};
use crate::array::{ArrayError, PromoteSnapshot, SetKind};

const CREATE: [&str; 4] = ["name", "domain", "comment", "setmembers"];
const MODIFY: [&str; 6] = ["action", "setmembers", "newName", "comment", "priority", "flashCachePolicy"];
const FILTERABLE: [&str; 4] = ["setmembers", "id", "uuid", "name"];

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/hostsets", list_hostsets)
        .post("/hostsets", create_hostset)
        .get("/hostsets/{name}", one_hostset)
        .put("/hostsets/{name}", modify_hostset)
        .delete("/hostsets/{name}", remove_hostset)
        .get("/volumesets", list_volumesets)
        .post("/volumesets", create_volumeset)
        .get("/volumesets/{name}", one_volumeset)
        .put("/volumesets/{name}", modify_volumeset)
        .delete("/volumesets/{name}", remove_volumeset)
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
    if kind == SetKind::Volume
        && let Some(done) = work_on_copies(api, name, &body)?
    {
        return Ok(done);
    }
    let body = body.without("priority").decode()?;
    api.change(|array, now| array.modify_set(now, kind, name, &body)).map(|name| name.to_string())
}

/// The actions on volume sets that are about copies: 3 resynchronise and 4 stop physical copies, 5 promote virtual copies and 6 stop
/// that. Gives the name of the set when the request is one of them.
fn work_on_copies(api: &Api, name: &str, body: &Members) -> Result<Option<String>, ArrayError> {
    let promotion = PromoteSnapshot { priority: body.integer("priority")?, ..PromoteSnapshot::default() };
    api.change(|array, now| {
        match body.integer("action")? {
            Some(3) => array.resync_set(now, name).map(|_| ()),
            Some(4) => array.stop_set_copy(now, name),
            Some(5) => array.promote_set(now, name, &promotion).map(|_| ()),
            Some(6) => array.stop_set_promotion(now, name),
            _ => return Ok(None),
        }
        .map(|()| Some(name.to_owned()))
    })
}
