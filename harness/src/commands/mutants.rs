//! `hpe3par-lab mutants`: each known safety defect, and what finds it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::scenarios::run::{Selection, run};
use hpe3par_harness::simulation::BrokenSeed;
use serde::Serialize;

use super::simulate::{on_all_cores, options};
use super::{spinner, usual_features};

/// Seeds run at once before a look at what they found.
const BATCH: usize = 64;

/// What each of them takes away.
fn describe(mutant: Mutant) -> &'static str {
    match mutant {
        Mutant::SkipReadBack => "exports count as gone without reading them back",
        Mutant::SkipValidation => "no look at the record between export and mount",
        Mutant::FreeBeforeDeviceDown => "the record is freed before the device is down",
        Mutant::ReuseLunNumber => "an export with unknown outcome keeps its LUN number",
        Mutant::ExportToQuarantined => "a node that is not clean gets an export",
        Mutant::AlreadyMountedIsSuccess => "\"already mounted\" is taken for success",
    }
}

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Only this one
    #[arg(long, value_name = "NAME")]
    only: Option<Mutant>,
    /// Seeds the simulation may take to find it
    #[arg(long, value_name = "N", default_value_t = 6000)]
    seeds: u64,
    /// Folder with feature files
    #[arg(long, value_name = "DIR", default_value_os_t = usual_features())]
    features: PathBuf,
    /// Print the matrix as JSON
    #[arg(long)]
    json: bool,
}

/// One line of the matrix.
#[derive(Debug, Serialize)]
struct Found {
    mutant: &'static str,
    takes_away: &'static str,
    by_scenario: Option<String>,
    by_check: Option<String>,
    by_seed: Option<u64>,
    by_invariant: Option<String>,
}

impl Mutants {
    pub(crate) async fn run(self) -> Result<bool> {
        let mutants: Vec<Mutant> = self.only.map_or_else(|| Mutant::ALL.to_vec(), |only| vec![only]);
        let mut matrix = Vec::new();
        for mutant in mutants {
            let bar = spinner(&format!("{mutant}: {}", describe(mutant)));
            matrix.push(self.hunt(mutant).await?);
            bar.finish_and_clear();
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&matrix)?);
        } else {
            print(&matrix);
        }
        Ok(matrix.iter().all(Found::by_both))
    }

    async fn hunt(&self, mutant: Mutant) -> Result<Found> {
        let selection = Selection {
            features: self.features.clone(),
            tags: Some(format!("@mutant:{mutant}")),
            mutant: Some(mutant),
            quiet: true,
            ..Selection::default()
        };
        let rows = run(&selection).await?.rows();
        let scenario = rows.into_iter().find(|row| row.failure.is_some());
        let broken = self.seed_that_finds(mutant).await?;
        let invariant = broken
            .as_ref()
            .and_then(|broken| broken.violations.first())
            .map(|violation| violation.invariant.code().to_owned());
        Ok(Found {
            mutant: mutant.name(),
            takes_away: describe(mutant),
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
    fn by_both(&self) -> bool {
        self.by_scenario.is_some() && self.by_seed.is_some()
    }
}

fn print(matrix: &[Found]) {
    for found in matrix {
        println!("{}: {}", found.mutant, found.takes_away);
        match (&found.by_scenario, &found.by_check) {
            (Some(scenario), Some(check)) => {
                println!("  killed by scenario  {scenario}\n                      {check}");
            }
            _ => println!("  SURVIVED the scenarios"),
        }
        match (found.by_seed, &found.by_invariant) {
            (Some(seed), Some(invariant)) => println!("  killed by seed      {seed} ({invariant})"),
            _ => println!("  SURVIVED the simulation"),
        }
    }
    let killed = matrix.iter().filter(|found| found.by_both()).count();
    println!("{killed} passed, {} failed", matrix.len() - killed);
}

fn first_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
    line.replace("Step panicked. Captured output: ", "")
}
