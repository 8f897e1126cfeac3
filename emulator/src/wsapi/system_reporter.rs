//! `/systemreporter`: statistics at a time and over time. Filters of the URI (`;name:…`, `;groupby:…`) are taken; of them only the
//! names of objects have an effect.

use std::time::Duration;

use axum::extract::State;
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, object},
    extract::Segments,
    resources::Resources,
};
use crate::array::{ArrayError, Report};

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/systemreporter/attime/{report}/{sample}", at_time)
        .get("/systemreporter/vstime/{report}/{sample}", over_time)
}

/// Report and time between samples of a URI, and what follows them.
fn wanted(report: &str, sample: &str) -> Result<(Report, Duration, Vec<String>), ArrayError> {
    let report = Report::named(report).ok_or_else(|| ArrayError::uri_not_found().with_ref("report"))?;
    let mut parts = sample.split(';');
    let seconds = match parts.next().unwrap_or_default() {
        "hires" => 300,
        "hourly" => 3600,
        "daily" => 86_400,
        _ => return Err(ArrayError::invalid_input().with_ref("samplefreq")),
    };
    let names =
        parts.find_map(|part| part.split_once(':').filter(|(kind, _)| kind.to_ascii_lowercase().ends_with("name")));
    let names = names.map(|(_, names)| names.split(',').map(str::to_owned).collect()).unwrap_or_default();
    Ok((report, Duration::from_secs(seconds), names))
}

/// Leaves only the lines about these names, when there are any.
fn only(mut report: Value, names: &[String]) -> Value {
    if let Some(members) = report["members"].as_array_mut().filter(|_| !names.is_empty()) {
        let about = |line: &Value| {
            ["name", "volumeName", "hostname"].iter().any(|key| names.iter().any(|n| line[*key] == n.as_str()))
        };
        members.retain(about);
        report["total"] = json!(report["members"].as_array().map_or(0, Vec::len));
    }
    report
}

async fn at_time(State(api): State<Api>, Segments((report, sample)): Segments<(String, String)>) -> Answer {
    let (report, _, names) = wanted(&report, &sample)?;
    Ok(object(&only(api.read(|array| array.report_at_time(report)), &names)))
}

async fn over_time(State(api): State<Api>, Segments((report, sample)): Segments<(String, String)>) -> Answer {
    let (report, step, _) = wanted(&report, &sample)?;
    Ok(object(&api.read(|array| array.report_over_time(report, step))))
}
