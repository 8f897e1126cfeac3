//! The page of a soak: what happened around the first violation, to look at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use hpe3par_docker_plugin::array::Wwn;

use crate::checks::{Fact, Violation};
use crate::cluster::configuration::ARRAY_PASSWORD;
use crate::report::{Finding, Outcome, Recording, Story, save};

/// What is shown before the first violation, or of the end.
const BEFORE: Duration = Duration::from_secs(45);
/// What is shown after it.
const AFTER: Duration = Duration::from_secs(10);

/// Writes the page into a directory; gives its file.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    directory: &Path,
    title: &str,
    nodes: Vec<String>,
    names: BTreeMap<Wwn, String>,
    history: &[Fact],
    violations: &[Violation],
) -> Result<PathBuf> {
    let end = history.last().map_or(Duration::ZERO, |fact| fact.at);
    let first = violations.iter().map(|violation| violation.at).filter(|at| !at.is_zero()).min().unwrap_or(end);
    let shown = first.saturating_sub(BEFORE)..=first + AFTER;
    let facts = history.iter().filter(|fact| shown.contains(&fact.at)).cloned().collect();
    let recording = Recording { nodes, names, facts, ..Recording::default() };
    let about = vec![
        ("shown".to_owned(), format!("{:.0} s to {:.0} s", shown.start().as_secs_f64(), shown.end().as_secs_f64())),
        ("of".to_owned(), format!("{:.0} s", end.as_secs_f64())),
    ];
    let story = Story {
        title: title.to_owned(),
        outcome: if violations.is_empty() { Outcome::Passed } else { Outcome::Failed },
        about,
        findings: violations.iter().map(Finding::from).collect(),
    };
    Ok(save(&recording.timeline(story), &directory.join("page.html"), &[ARRAY_PASSWORD])?.page)
}
