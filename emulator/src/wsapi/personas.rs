//! `/hostpersonas`: what hosts can be.

use axum::extract::{RawQuery, State};

use super::{
    Api,
    answer::{Answer, collection, object},
    extract::Segments,
    query::Filter,
    resources::Resources,
};
use crate::array::{ArrayError, Persona};

pub(super) fn resources() -> Resources {
    Resources::new().get("/hostpersonas", list).get("/hostpersonas/{id}", one)
}

async fn list(State(_): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["wsapiAssignedId", "id", "name"])?;
    let mut rows = Persona::rows();
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn one(State(_): State<Api>, Segments(id): Segments<String>) -> Answer {
    let number: u64 = id.parse().map_err(|_| ArrayError::wrong_type().with_ref("id"))?;
    let found = Persona::rows().into_iter().find(|row| row["wsapiAssignedId"] == number);
    found.map(|row| object(&row)).ok_or_else(|| ArrayError::uri_not_found().with_ref("id").into())
}
