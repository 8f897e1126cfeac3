//! `hpe3par-lab soak`: real processes under load and faults, for as long as one likes.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::soak::run::{Progress, SoakPlan, run};

use super::report::usual_folder;
use super::simulate::options;
use super::{print, spinner};

/// How often a line is written where there is no spinner.
const BETWEEN_LINES: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How long the load lasts, in minutes; 0.5 is half a minute
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// Seed of faults and load
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Worker nodes, 2 to 16
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=16))]
    workers: u8,
    /// Volumes at a time, 1 to 32
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=32))]
    volumes: u8,
    /// The array does not refuse to export a volume to two hosts: only the plugins keep them apart
    #[arg(long)]
    several_hosts: bool,
    /// Put a known safety defect into every plugin (needs a build with --features mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<Mutant>,
    /// An older build of this program: every second worker runs it in every second of its boots, the others run this one
    #[arg(long, value_name = "PROGRAM")]
    older: Option<PathBuf>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the last scene out, in which etcd is put back to an old backup
    #[arg(long)]
    without_backup: bool,
    /// Folder for the page, the report as JSON, and JUnit [default: soak in target/report of the source tree, or in
    /// hpe3par-lab-report here]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Keep logs, facts and time line, also when nothing is wrong
    #[arg(long)]
    keep: bool,
    /// Only print what would go wrong when
    #[arg(long)]
    plan: bool,
}

impl Soak {
    pub(crate) async fn run(self) -> Result<bool> {
        ensure!(self.minutes > 0.0 && self.minutes <= 24.0 * 60.0, "--minutes {}: 0.1 to 1440", self.minutes);
        if let Some(older) = &self.older {
            ensure!(older.is_file(), "--older {}: there is no such program", older.display());
        }
        // Says at once when this build has no mutants.
        options(self.mutant, 0)?;
        let plan = SoakPlan {
            length: Duration::from_secs_f64(self.minutes * 60.0),
            seed: self.seed,
            workers: usize::from(self.workers),
            volumes: usize::from(self.volumes),
            one_host: !self.several_hosts,
            mutant: self.mutant.map(|mutant| mutant.to_string()),
            older: self.older,
            without_backup: self.without_backup,
            keep: self.keep,
            report: self.report.unwrap_or_else(|| usual_folder().join("soak")),
        };
        if self.plan {
            for fault in plan.faults() {
                print(&fault.to_string())?;
            }
            return Ok(true);
        }
        let bar = spinner("starting three etcd members, the array and the workers");
        let lines = ProgressLines::default();
        let report = run(&plan, |progress| {
            let line = line(&progress, plan.length);
            lines.sometimes(&progress, &line);
            bar.set_message(line);
        })
        .await?;
        bar.finish_and_clear();
        if let Some(file) = &self.json {
            let text = serde_json::to_string_pretty(&report).context("writing the report as JSON")?;
            std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        print(report.to_string().trim_end())?;
        print(if report.is_clean() { "1 passed, 0 failed" } else { "0 passed, 1 failed" })?;
        Ok(report.is_clean())
    }
}

/// Lines on a stderr that is no terminal, where nobody sees a spinner.
#[derive(Debug, Default)]
struct ProgressLines {
    last: Cell<Option<Duration>>,
}

impl ProgressLines {
    fn sometimes(&self, progress: &Progress, line: &str) {
        let due = self.last.get().is_none_or(|last| progress.elapsed >= last + BETWEEN_LINES);
        if due && !std::io::stderr().is_terminal() {
            self.last.set(Some(progress.elapsed));
            // A closed stderr is no reason to end.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

fn line(progress: &Progress, length: Duration) -> String {
    format!(
        "{} of {} s, {} mounts, {} takeovers, {} faults ({} at the moment)",
        progress.elapsed.as_secs(),
        length.as_secs(),
        progress.mounts,
        progress.takeovers,
        progress.faults,
        progress.running
    )
}
