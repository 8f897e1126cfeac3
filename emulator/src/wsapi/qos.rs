//! `/qos`: QoS rules of volume sets and of everything else.

use axum::extract::{RawQuery, State};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object},
    body::Members,
    extract::Segments,
    query::Filter,
    resources::Resources,
};

const RULE: [&str; 14] = [
    "name",
    "type",
    "priority",
    "bwMinGoalKB",
    "bwMaxLimitKB",
    "ioMinGoal",
    "ioMaxLimit",
    "enable",
    "bwMinGoalOP",
    "bwMaxLimitOP",
    "ioMinGoalOP",
    "ioMaxLimitOP",
    "latencyGoal",
    "defaultLatency",
];

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/qos", list)
        .post("/qos", create)
        .get("/qos/{target}", one)
        .put("/qos/{target}", modify)
        .delete("/qos/{target}", remove)
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["name", "type", "id", "enabled"])?;
    let mut rows = api.read(|array| array.qos_rows());
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn one(State(api): State<Api>, Segments(target): Segments<String>) -> Answer {
    Ok(object(&api.read(|array| array.qos_row(&target))?))
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    let body = body.only(&RULE)?.decode()?;
    let target = api.change(|array, now| array.create_qos_rule(now, &body))?;
    Ok(created("qos", &target))
}

async fn modify(State(api): State<Api>, Segments(target): Segments<String>, body: Members) -> Answer {
    let body = body.only(&RULE)?.decode()?;
    api.change(|array, now| array.modify_qos_rule(now, &target, &body))?;
    Ok(located("qos", &target))
}

async fn remove(State(api): State<Api>, Segments(target): Segments<String>) -> Answer {
    api.change(|array, now| array.remove_qos_rule(now, &target))?;
    Ok(empty())
}
