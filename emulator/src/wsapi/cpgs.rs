//! `/cpgs`: common provisioning groups, and `/spacereporter`: what they can still take.

use axum::extract::{RawQuery, State};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object},
    body::Members,
    extract::Segments,
    query::Filter,
    resources::Resources,
};

const CREATE: [&str; 7] =
    ["name", "domain", "template", "growthIncrementMiB", "growthLimitMiB", "usedLDWarningAlertMiB", "LDLayout"];

const MODIFY: [&str; 8] = [
    "newName",
    "disableAutoGrow",
    "rmGrowthLimit",
    "rmWarningAlert",
    "growthIncrementMiB",
    "growthLimitMiB",
    "usedLDWarningAlertMiB",
    "LDLayout",
];

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/cpgs", list)
        .post("/cpgs", create)
        .get("/cpgs/{name}", one)
        .put("/cpgs/{name}", modify)
        .delete("/cpgs/{name}", remove)
        .post("/spacereporter", report)
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
    let body = body.only(&CREATE)?.decode()?;
    let name = api.change(|array, now| array.create_cpg(now, &body))?;
    Ok(created("cpgs", name.as_str()))
}

async fn modify(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body = body.only(&MODIFY)?.decode()?;
    let name = api.change(|array, now| array.modify_cpg(now, &name, &body))?;
    Ok(located("cpgs", name.as_str()))
}

/// The space reporter: what a CPG can still take.
async fn report(State(api): State<Api>, body: Members) -> Answer {
    let body = body.only(&["cpg", "LDLayout"])?;
    let cpg = body.text("cpg")?;
    let report = api.read(|array| array.space_report(cpg, body.raw("LDLayout")))?;
    Ok(object(&report.to_json()))
}

async fn remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    api.change(|array, now| array.remove_cpg(now, &name))?;
    Ok(empty())
}
