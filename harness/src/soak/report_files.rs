//! What a soak leaves for people and machines, whatever came of it: a page, its time line, the report as JSON, and JUnit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::array::Wwn;
use serde::Serialize;

use super::report::SoakReport;
use crate::checks::{Fact, Invariant};
use crate::cluster::configuration::ARRAY_PASSWORD;
use crate::report::{Finding, Outcome, Recording, Story, TestResult, rule_of, save, write_junit};

/// The files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportFiles {
    /// The page; its time line is beside it, with the ending `.json`.
    pub page: PathBuf,
    /// The report.
    pub json: PathBuf,
    /// What was looked at and how it came out.
    pub junit: PathBuf,
}

impl ReportFiles {
    /// The files in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            page: folder.join("soak.html"),
            json: folder.join("soak-report.json"),
            junit: folder.join("soak-junit.xml"),
        }
    }
}

/// What a page is made of besides the report.
pub struct Seen {
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// Docker names of the volumes.
    pub names: BTreeMap<Wwn, String>,
    /// Everything that happened.
    pub history: Vec<Fact>,
}

/// Writes all of them into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, report: &SoakReport, seen: Seen) -> Result<ReportFiles> {
    let files = ReportFiles::in_folder(folder);
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let recording = Recording { nodes: seen.nodes, names: seen.names, facts: seen.history, ..Recording::default() };
    save(&recording.timeline(story(report)), &files.page, &[ARRAY_PASSWORD])?;
    let text = serde_json::to_string_pretty(report).context("writing the report as JSON")?;
    std::fs::write(&files.json, text).with_context(|| format!("writing {}", files.json.display()))?;
    write_junit(&files.junit, "soak", &results(report))?;
    Ok(files)
}

fn story(report: &SoakReport) -> Story {
    let about = [
        ("seed", report.seed.to_string()),
        ("length", format!("{} s", report.lasted.as_secs())),
        ("faults", report.faults.values().sum::<u64>().to_string()),
        ("takeovers", report.takeovers.to_string()),
        ("writes", format!("{} accepted, {} rejected by the array", report.writes[0], report.writes[1])),
    ];
    Story {
        title: format!("Soak, seed {}", report.seed),
        outcome: if report.is_clean() { Outcome::Passed } else { Outcome::Failed },
        about: about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        findings: report.violations.iter().map(Finding::from).collect(),
    }
}

/// A line for each invariant: it held, or what broke it.
fn results(report: &SoakReport) -> Vec<TestResult> {
    let of = |invariant: Invariant| {
        let broken: Vec<String> =
            report.violations.iter().filter(|v| v.invariant == invariant).map(ToString::to_string).collect();
        TestResult {
            group: "soak".to_owned(),
            name: format!("{}: {}", invariant.code(), rule_of(invariant)),
            took: if invariant == Invariant::L1Liveness {
                report.healed_in.unwrap_or_default()
            } else {
                Duration::ZERO
            },
            failure: (!broken.is_empty()).then(|| broken.join("\n")),
        }
    };
    Invariant::ALL.into_iter().map(of).collect()
}
