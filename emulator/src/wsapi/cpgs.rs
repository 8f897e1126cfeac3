//! `/cpgs`: common provisioning groups.

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};

use super::{
    Api,
    answer::{Answer, collection, created, empty, object},
    body::Members,
    extract::Segments,
    query::Filter,
};

const CREATE: [&str; 7] =
    ["name", "domain", "template", "growthIncrementMiB", "growthLimitMiB", "usedLDWarningAlertMiB", "LDLayout"];

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/cpgs", get(list).post(create)).route("/api/v1/cpgs/{name}", get(one).delete(remove))
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["name", "id", "uuid", "domain"])?;
    let mut rows = api.read(|array| array.cpg_rows());
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn one(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(object(&api.read(|array| array.cpg_row(&name))?))
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    let body = body.only(&CREATE)?.without("template").decode()?;
    let name = api.change(|array, now| array.create_cpg(now, &body))?;
    Ok(created("cpgs", name.as_str()))
}

async fn remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    api.change(|array, now| array.remove_cpg(now, &name))?;
    Ok(empty())
}
