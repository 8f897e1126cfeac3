//! `hpe3par-lab simulate`: the fencing code under seeded schedules.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Args;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::report::{Finding, Outcome, Saved, Story, file_name, save};
use hpe3par_harness::simulation::{Options, Report, Trace, simulate, simulate_one};
use serde_json::json;

use super::report::{shown, usual_folder};
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
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Put a known safety defect into the plugin (needs a build with --features mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<Mutant>,
    /// Folder for pages: of the one seed, or of the first seeds that broke something [default: of broken seeds only, in
    /// target/report of the source tree, or in hpe3par-lab-report here]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A range of seeds.
#[derive(Debug, Clone)]
struct Seeds(RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |text: &str| text.parse().map_err(|_| format!("'{text}' is no seed"));
        let (first, last) = text.split_once("..").ok_or_else(|| format!("'{text}' is no range such as 1..1000"))?;
        let (first, last) = (parse(first)?, parse(last.trim_start_matches('='))?);
        if first > last { Err(format!("{first} is after {last}")) } else { Ok(Self(first..=last)) }
    }
}

impl Simulate {
    pub(crate) async fn run(self) -> Result<bool> {
        let options = options(self.mutant, 0)?;
        if let (Some(seed), true) = (self.seed, self.trace) {
            return trace(seed, options, self.report).await;
        }
        let seeds = self.seed.map_or(self.seeds.0, |seed| seed..=seed);
        let bar = spinner("simulating");
        let report = on_all_cores(seeds, &options).await?;
        bar.finish_and_clear();
        let wanted = self.seed.filter(|_| self.report.is_some());
        let seeds: BTreeSet<u64> = wanted.into_iter().chain(report.broken.iter().map(|broken| broken.seed)).collect();
        show(&report, self.json);
        let folder = self.report.unwrap_or_else(usual_folder);
        for seed in seeds.into_iter().take(PAGES_AT_MOST) {
            let trace = play(seed, options.clone()).await?;
            say(&write_page(&trace, options.mutant(), &folder)?);
        }
        Ok(report.is_clean())
    }
}

fn show(report: &Report, json: bool) {
    if json {
        let broken: Vec<_> =
            report.broken.iter().map(|broken| json!({"seed": broken.seed, "violations": broken.violations})).collect();
        println!(
            "{:#}",
            json!({"schedules": report.schedules, "per_second": report.per_second(), "facts": report.facts, "broken": broken, "failed": report.failed, "coverage": report.coverage})
        );
    } else {
        print!("{report}");
        let bad = report.broken.len() + report.failed.len();
        println!("{} passed, {bad} failed", report.schedules.saturating_sub(bad as u64));
    }
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

/// Runs seeds on as many threads as there are cores, each a part of the range.
///
/// # Errors
/// When a thread panicked.
pub(crate) async fn on_all_cores(seeds: RangeInclusive<u64>, options: &Options) -> Result<Report> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let (first, count) = (*seeds.start(), seeds.end() - seeds.start() + 1);
    let share = count.div_ceil(threads);
    let parts = (0..threads).map(|part| first + part * share..=(first + (part + 1) * share - 1).min(*seeds.end()));
    let runs: Vec<_> = parts
        .filter(|part| !part.is_empty())
        .map(|part| {
            let options = options.clone();
            tokio::task::spawn_blocking(move || simulate(part, &options))
        })
        .collect();
    let mut report = Report::default();
    for run in runs {
        report.merge(run.await.context("a simulation thread panicked")?);
    }
    Ok(report)
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
