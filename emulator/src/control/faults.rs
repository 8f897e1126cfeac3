//! The fault plan over HTTP.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Context, Unfit, state::as_json};
use crate::faults::{FaultPlan, FaultRule, RuleId};

/// The rules in force with their counters.
pub(super) async fn list(State(context): State<Context>) -> Answer {
    let rules = context
        .emulator
        .with_faults(|plan| plan.rules().map(|(id, rule, counters)| (id, rule.clone(), counters)).collect::<Vec<_>>());
    let mut listed = Vec::with_capacity(rules.len());
    for (id, rule, counters) in &rules {
        listed.push(json!({"id": id.0, "rule": as_json(rule)?, "counters": as_json(counters)?}));
    }
    Ok(Json(json!({"rules": listed})))
}

/// Adds a rule; the body is a [`FaultRule`] as JSON.
pub(super) async fn add(State(context): State<Context>, body: Bytes) -> Answer {
    let unfit = |why: &dyn std::fmt::Display| Unfit(StatusCode::BAD_REQUEST, format!("not a fault rule: {why}"));
    let given: Value = serde_json::from_slice(&body).map_err(|error| unfit(&error))?;
    let rule: FaultRule = serde_json::from_value(given.clone()).map_err(|error| unfit(&error))?;
    if let Some(stranger) = unknown_member(&given, &as_json(&rule)?) {
        return Err(unfit(&format_args!("there is no member '{stranger}' in a rule of this kind")));
    }
    if !(0.0..=1.0).contains(&rule.trigger.probability) {
        return Err(unfit(&"the probability is a number from 0 to 1"));
    }
    let id = context.emulator.with_faults(|plan| plan.add(rule));
    Ok(Json(json!({"id": id.0})))
}

/// A member of what was given that the rule does not have. A misspelt one would make the rule strike everything.
fn unknown_member(given: &Value, rule: &Value) -> Option<String> {
    let (given, rule) = (given.as_object()?, rule.as_object()?);
    given.iter().find_map(|(name, value)| match rule.get(name) {
        None => Some(name.clone()),
        Some(known) => unknown_member(value, known).map(|inner| format!("{name}.{inner}")),
    })
}

pub(super) async fn clear(State(context): State<Context>) -> Answer {
    context.emulator.with_faults(FaultPlan::clear);
    Ok(Json(json!({})))
}

pub(super) async fn remove(State(context): State<Context>, Path(id): Path<String>) -> Answer {
    let id = id.parse().map_err(|_| Unfit(StatusCode::BAD_REQUEST, format!("not the number of a rule: {id}")))?;
    if context.emulator.with_faults(|plan| plan.remove(RuleId(id))) {
        Ok(Json(json!({})))
    } else {
        Err(Unfit(StatusCode::NOT_FOUND, format!("there is no fault rule {id}")))
    }
}
