//! `hpe3par-lab simulate`: the fencing code under seeded schedules.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::report::{Finding, Outcome, Saved, Story, TestResult, file_name, save, write_junit};
use hpe3par_harness::simulation::{Options, Report, Topic, Trace, minimise, simulate_one};
use serde_json::{Value, json};

use super::report::{shown, usual_folder};
pub(crate) use super::seeds::on_all_cores;
use super::seeds::{Seeds, on_threads};
use super::{print, spinner};

/// Broken seeds that get a page.
const PAGES_AT_MOST: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Seeds to run, both ends included: 1..1000
    #[arg(long, value_name = "A..B", default_value = "1..300")]
    seeds: Seeds,
    /// One seed only
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Print the whole time line of the one seed
    // A conflict with `seeds` besides: clap does not ask for what an argument requires if that conflicts with one that is there.
    #[arg(long, requires = "seed", conflicts_with_all = ["seeds", "json", "coverage", "threads"])]
    trace: bool,
    /// Leave out faults and requests as long as the one seed still breaks the same invariant, and print what is left
    #[arg(long, requires = "seed", conflicts_with_all = ["seeds", "trace", "json", "coverage", "threads", "report"])]
    minimise: bool,
    /// Print everything that was counted, not only what is known to be possible
    #[arg(long)]
    coverage: bool,
    /// Threads to use [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Put a known safety defect into the plugin (needs a build with --features mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<Mutant>,
    /// Folder for the result as JSON and JUnit, and for pages: of the one seed, or of the first seeds that broke something
    /// [default: target/report of the source tree, or hpe3par-lab-report here; of broken seeds only]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(crate) async fn run(self) -> Result<bool> {
        let options = options(self.mutant, 0)?;
        if let (Some(seed), true) = (self.seed, self.trace) {
            return trace(seed, options, self.report).await;
        }
        if let (Some(seed), true) = (self.seed, self.minimise) {
            return show_minimised(seed, options).await;
        }
        let seeds = self.seed.map_or(self.seeds.0, |seed| seed..=seed);
        let bar = spinner("simulating");
        let report = on_threads(&seeds, self.threads.map(NonZero::get), &options).await?;
        bar.finish_and_clear();
        let wanted = self.seed.filter(|_| self.report.is_some());
        let seeds: BTreeSet<u64> = wanted.into_iter().chain(report.broken.iter().map(|broken| broken.seed)).collect();
        print(&if self.json { format!("{:#}", as_json(&report)) } else { as_text(&report, self.coverage) })?;
        let folder = self.report.unwrap_or_else(usual_folder);
        write_result(&folder, &report)?;
        for seed in seeds.into_iter().take(PAGES_AT_MOST) {
            let trace = play(seed, options.clone()).await?;
            say(&write_page(&trace, options.mutant(), &folder)?);
        }
        Ok(report.is_clean())
    }
}

fn as_json(report: &Report) -> Value {
    let broken: Vec<_> =
        report.broken.iter().map(|broken| json!({"seed": broken.seed, "violations": broken.violations})).collect();
    let never: BTreeMap<_, _> =
        Topic::KNOWN.into_iter().map(|topic| (topic.words(), report.coverage.never(topic))).collect();
    let mut value = json!({
        "schedules": report.schedules,
        "threads": report.threads,
        "seconds": report.elapsed.as_secs_f64(),
        "per_second": report.per_second(),
        "per_second_of_a_core": report.per_second_of_a_core(),
        "simulated_seconds": report.simulated.as_secs_f64(),
        "facts": report.facts,
        "broken": broken,
        "failed": report.failed,
        "coverage": report.coverage,
    });
    if report.schedules > 1 {
        value["never"] = json!(never);
    }
    value
}

/// The summary, the whole count if it is wanted, and how to go on from a broken seed.
fn as_text(report: &Report, coverage: bool) -> String {
    let mut text = report.to_string();
    if coverage {
        text += &report.coverage_table();
    }
    if let Some(broken) = report.broken.first() {
        text += &format!("make it smaller with: hpe3par-lab simulate --seed {} --minimise\n", broken.seed);
    }
    let bad = report.broken.len() + report.failed.len();
    text + &format!("{} passed, {bad} failed", report.schedules.saturating_sub(bad as u64))
}

/// The result as JSON, and as JUnit: a line for each seed that broke something, and one for all others.
fn write_result(folder: &Path, report: &Report) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let file = folder.join("simulation.json");
    std::fs::write(&file, format!("{:#}", as_json(report))).with_context(|| format!("writing {}", file.display()))?;
    let line = |name: String, took, failure| TestResult { group: "simulation".to_owned(), name, took, failure };
    let bad = report.broken.len() + report.failed.len();
    let good = report.schedules.saturating_sub(bad as u64);
    let mut results = vec![line(format!("{good} schedules"), report.elapsed, None)];
    for broken in &report.broken {
        let words: Vec<String> = broken.violations.iter().map(ToString::to_string).collect();
        results.push(line(format!("seed {}", broken.seed), Duration::ZERO, Some(words.join("\n"))));
    }
    for (seed, reason) in &report.failed {
        results.push(line(format!("seed {seed}"), Duration::ZERO, Some(reason.clone())));
    }
    write_junit(&folder.join("simulation-junit.xml"), "simulation", &results)
}

async fn play(seed: u64, options: Options) -> Result<Trace> {
    let trace = tokio::task::spawn_blocking(move || simulate_one(seed, &options));
    Ok(trace.await.context("the simulation panicked")??)
}

/// Writes the page of one seed.
///
/// # Errors
/// When a file cannot be written.
fn write_page(trace: &Trace, mutant: Option<Mutant>, folder: &Path) -> Result<Saved> {
    let defect = mutant.map(|mutant| format!(" --mutant {mutant}")).unwrap_or_default();
    let findings: Vec<Finding> = trace.violations.iter().map(Finding::from).collect();
    let story = Story {
        title: format!("Simulation, seed {}{}", trace.seed, mutant.map(|m| format!(", {m}")).unwrap_or_default()),
        outcome: if findings.is_empty() { Outcome::Passed } else { Outcome::Failed },
        about: vec![
            ("simulated".to_owned(), format!("{:.1} s", trace.simulated.as_secs_f64())),
            ("repeat with".to_owned(), format!("hpe3par-lab simulate --seed {}{defect} --trace", trace.seed)),
        ],
        findings,
    };
    let file = folder.join(file_name(&story.title));
    save(&trace.recording.timeline(story), &file, &[])
}

/// To stderr: stdout may be JSON that somebody reads.
fn say(saved: &Saved) {
    let _ = writeln!(std::io::stderr(), "page: {}", shown(&saved.page));
}

/// Options of a batch.
///
/// # Errors
/// When the build has no mutants and one is asked for.
pub(crate) fn options(mutant: Option<Mutant>, stop_after: usize) -> Result<Options> {
    #[cfg(feature = "mutants")]
    {
        Ok(Options { mutant, stop_after })
    }
    #[cfg(not(feature = "mutants"))]
    match mutant {
        None => Ok(Options { stop_after }),
        Some(mutant) => anyhow::bail!("this build has no mutant {mutant}; build with --features mutants"),
    }
}

/// Makes the schedule of a seed smaller and shows what is left of it.
async fn show_minimised(seed: u64, options: Options) -> Result<bool> {
    let bar = spinner("leaving out what is not needed");
    let smallest = tokio::task::spawn_blocking(move || minimise(seed, &options));
    let smallest = smallest.await.context("the simulation panicked")??;
    bar.finish_and_clear();
    let Some(smallest) = smallest else {
        print(&format!("seed {seed} breaks nothing"))?;
        print("1 passed, 0 failed")?;
        return Ok(true);
    };
    print(&smallest.trace.lines.join("\n"))?;
    print(&format!("\nseed {seed} {smallest}"))?;
    smallest.trace.violations.iter().try_for_each(|violation| print(&violation.to_string()))?;
    print("0 passed, 1 failed")?;
    Ok(false)
}

async fn trace(seed: u64, options: Options, folder: Option<PathBuf>) -> Result<bool> {
    let mutant = options.mutant();
    let trace = play(seed, options).await?;
    print(&trace.lines.join("\n"))?;
    print(&format!(
        "\nseed {seed}: {} lines, hash {:016x}, {:.1} simulated seconds",
        trace.lines.len(),
        trace.hash,
        trace.simulated.as_secs_f64()
    ))?;
    trace.violations.iter().try_for_each(|violation| print(&violation.to_string()))?;
    print(if trace.violations.is_empty() { "1 passed, 0 failed" } else { "0 passed, 1 failed" })?;
    if folder.is_some() || !trace.violations.is_empty() {
        say(&write_page(&trace, mutant, &folder.unwrap_or_else(usual_folder))?);
    }
    Ok(trace.violations.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        simulate: Simulate,
    }

    #[test]
    fn what_is_of_one_seed_is_refused_for_several() {
        let refused = |line: &str| Line::try_parse_from(format!("simulate {line}").split(' ')).is_err();
        assert!(refused("--trace --seeds 1..3") && refused("--seeds 1..3 --minimise") && refused("--trace"));
        assert!(refused("--seed 3 --trace --json") && refused("--seed 3 --minimise --trace"));
        assert!(!refused("--seed 3 --trace") && !refused("--seed 3 --minimise") && !refused("--seeds 1..3 --json"));
    }
}
