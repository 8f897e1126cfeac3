//! `hpe3par-lab mutants`: each known safety defect, and what finds it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::scenarios::catalogue::{Catalogue, expression};
use hpe3par_harness::scenarios::run::{Selection, run};
use hpe3par_harness::simulation::BrokenSeed;
use serde::Serialize;

use super::simulate::{on_all_cores, options};
use super::{features, print, spinner};

/// Defects of the protocol itself: a scenario and a seed have to find each. For the others one of the two is enough, because
/// some show only against real sockets and some only in rare interleavings.
const FOUND_BY_BOTH: [Mutant; 6] = [
    Mutant::SkipReadBack,
    Mutant::SkipValidation,
    Mutant::FreeBeforeDeviceDown,
    Mutant::ReuseLunNumber,
    Mutant::ExportToQuarantined,
    Mutant::AlreadyMountedIsSuccess,
];

/// Seeds run at once before a look at what they found.
const BATCH: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Only this one
    #[arg(long, value_name = "NAME")]
    only: Option<Mutant>,
    /// Only the defects of the protocol's core, which a scenario and a seed have to find
    #[arg(long, conflicts_with = "only")]
    core: bool,
    /// Seeds the simulation may take to find it
    #[arg(long, value_name = "N", default_value_t = 6000)]
    seeds: u64,
    /// Folder with feature files [default: 'features' here or above]
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,
    /// Play every scenario against a mutant that no scenario names by a tag @mutant:NAME
    #[arg(long)]
    search: bool,
    /// Look for a seed even if a scenario has found the defect
    #[arg(long)]
    all_seeds: bool,
    /// Also write the matrix as a Markdown table
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print the matrix as JSON
    #[arg(long)]
    json: bool,
}

/// One line of the matrix.
#[derive(Debug, Serialize)]
struct Found {
    mutant: &'static str,
    does: &'static str,
    /// A scenario has its tag, and so has to fail.
    named: bool,
    /// A scenario and a seed have to find it.
    both: bool,
    by_scenario: Option<String>,
    by_check: Option<String>,
    by_seed: Option<u64>,
    by_invariant: Option<String>,
}

impl Mutants {
    pub(crate) async fn run(self) -> Result<bool> {
        let mutants: Vec<Mutant> = match self.only {
            Some(only) => vec![only],
            None if self.core => FOUND_BY_BOTH.to_vec(),
            None => Mutant::ALL.to_vec(),
        };
        let features = features(self.features.clone())?;
        // Says at once when this build has no mutants.
        options(mutants.first().copied(), 0)?;
        let mut matrix = Vec::new();
        for mutant in mutants {
            let bar = spinner(&format!("{mutant}: {}", mutant.does()));
            matrix.push(self.hunt(mutant, &features).await?);
            bar.finish_and_clear();
        }
        if let Some(file) = &self.markdown {
            std::fs::write(file, markdown(&matrix)).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if self.json {
            print(&serde_json::to_string_pretty(&matrix)?)?;
        } else {
            print(&table(&matrix))?;
        }
        Ok(matrix.iter().all(Found::is_killed))
    }

    async fn hunt(&self, mutant: Mutant, features: &Path) -> Result<Found> {
        let tag = format!("mutant:{mutant}");
        let named = Catalogue::of(features)?.tags().contains_key(tag.as_str());
        let scenario = if named || self.search {
            let tags = if named { Some(expression(&format!("@{tag}"))?) } else { None };
            let selection =
                Selection { features: features.to_path_buf(), tags, mutant: Some(mutant), ..Selection::default() };
            run(&selection).await?.rows().into_iter().find(|row| row.failure.is_some())
        } else {
            None
        };
        let both = FOUND_BY_BOTH.contains(&mutant);
        let broken =
            if both || self.all_seeds || scenario.is_none() { self.seed_that_finds(mutant).await? } else { None };
        let invariant = broken
            .as_ref()
            .and_then(|broken| broken.violations.first())
            .map(|violation| violation.invariant.code().to_owned());
        Ok(Found {
            mutant: mutant.name(),
            does: mutant.does(),
            named,
            both,
            by_check: scenario.as_ref().and_then(|row| row.failure.clone()).map(|why| first_line(&why)),
            by_scenario: scenario.map(|row| row.name),
            by_seed: broken.map(|broken| broken.seed),
            by_invariant: invariant,
        })
    }
}

impl Mutants {
    /// The first seed whose schedule breaks with the mutant and does not without it.
    async fn seed_that_finds(&self, mutant: Mutant) -> Result<Option<BrokenSeed>> {
        for first in (1..=self.seeds).step_by(BATCH) {
            let seeds = first..=(first + BATCH as u64 - 1).min(self.seeds);
            let mut broken = on_all_cores(seeds, &options(Some(mutant), 0)?).await?.broken;
            broken.sort_by_key(|broken| broken.seed);
            for found in broken {
                if on_all_cores(found.seed..=found.seed, &options(None, 0)?).await?.is_clean() {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

impl Found {
    fn is_killed(&self) -> bool {
        let (scenario, seed) = (self.by_scenario.is_some(), self.by_seed.is_some());
        if self.both { scenario && seed } else { scenario || (seed && !self.named) }
    }
}

fn markdown(matrix: &[Found]) -> String {
    let mut text = String::from(
        "# Known defects, and what finds each\n\nWritten by `hpe3par-lab mutants --markdown docs/mutants.md` (a build with `--features mutants`). Each line is a \
         defect put back into the plugin on purpose, most of them defects of the earlier plugin. No shipped program has any of them.\n\n| Defect | What it does | Scenario that fails | Seed that breaks |\n|---|---|---|---|\n",
    );
    for found in matrix {
        let seed = match (found.by_seed, &found.by_invariant) {
            (Some(seed), Some(invariant)) => format!("{seed} ({invariant})"),
            _ => "–".to_owned(),
        };
        let scenario = found.by_scenario.as_deref().unwrap_or("–");
        text += &format!("| `{}` | {} | {scenario} | {seed} |\n", found.mutant, found.does);
    }
    text
}

fn table(matrix: &[Found]) -> String {
    let mut lines = Vec::new();
    for found in matrix {
        lines.push(format!("{}: {}", found.mutant, found.does));
        match (&found.by_scenario, &found.by_check) {
            (Some(scenario), Some(check)) => {
                lines.push(format!("  killed by scenario  {scenario}\n                      {check}"));
            }
            _ => lines.push("  no scenario fails".to_owned()),
        }
        match (found.by_seed, &found.by_invariant) {
            (Some(seed), Some(invariant)) => lines.push(format!("  killed by seed      {seed} ({invariant})")),
            _ => lines.push("  no seed breaks".to_owned()),
        }
        if !found.is_killed() {
            lines.push("  SURVIVED".to_owned());
        }
    }
    let killed = matrix.iter().filter(|found| found.is_killed()).count();
    lines.push(format!("{killed} passed, {} failed", matrix.len() - killed));
    lines.join("\n")
}

fn first_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
    line.replace("Step panicked. Captured output: ", "")
}
