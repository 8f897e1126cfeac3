//! `hpe3par-lab liveness`: how soon, for every bound.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use hpe3par_harness::liveness::{
    Bound, ProcessPlan, RackPlan, Row, VirtualPlan, json, markdown, measure_processes, measure_virtual, table,
};

use super::seeds::Seeds;
use super::{print, spinner};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Liveness {
    /// Only these bounds, L1 to L11; may be given several times
    #[arg(long, value_name = "BOUND")]
    bound: Vec<Bound>,
    /// Only what is measured in virtual time, or on real processes
    #[arg(long, value_enum)]
    tier: Option<Tier>,
    /// Seeds of what is measured in virtual time: each draws other latencies
    #[arg(long, value_name = "A..B", default_value = "1..50")]
    seeds: Seeds,
    /// How often each thing is done on real processes
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Nodes of the site that loses a rack
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..=256))]
    nodes: u16,
    /// Nodes of the rack
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=255))]
    rack: u16,
    /// Volumes of that site
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    volumes: u16,
    /// REST sessions that the array of that site grants: 36 on a small one, 72 to 144 on one of four nodes
    #[arg(long, value_name = "N", default_value_t = 72)]
    rest_sessions: usize,
    /// Also write the table as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  hpe3par-lab liveness                              all bounds, some minutes
  hpe3par-lab liveness --bound L11                  the loss of a rack only
  hpe3par-lab liveness --tier processes --json      what is measured on real processes, as JSON

Exits with 1 if a bound is missed.";

/// On what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tier {
    /// The production fencing code in the simulation's virtual time
    Virtual,
    /// Three etcd members, the array and three workers, each a process
    Processes,
}

impl Liveness {
    pub(crate) async fn run(self) -> Result<bool> {
        ensure!(self.rack < self.nodes, "--rack {}: fewer than --nodes {}", self.rack, self.nodes);
        let bar = spinner("measuring");
        let mut rows = Vec::new();
        // What is about real latency comes first, while nothing else computes.
        if self.tier != Some(Tier::Virtual) {
            let plan = ProcessPlan { bounds: self.bound.clone(), rounds: usize::from(self.rounds) };
            rows.extend(measure_processes(&plan, &|step| bar.set_message(step.to_owned())).await?);
        }
        if self.tier != Some(Tier::Processes) {
            let (plan, bar) = (self.virtual_plan(), bar.clone());
            let measured =
                tokio::task::spawn_blocking(move || measure_virtual(&plan, &|step| bar.set_message(step.to_owned())));
            rows.extend(measured.await.context("the measurement panicked")?);
        }
        bar.finish_and_clear();
        rows.sort_by_key(|row| row.bound);
        self.show(&rows)?;
        Ok(!rows.is_empty() && rows.iter().all(Row::is_met))
    }

    fn virtual_plan(&self) -> VirtualPlan {
        let usual = RackPlan::default();
        let mut limits = usual.limits.clone();
        limits.rest = self.rest_sessions;
        let rack = RackPlan {
            nodes: usize::from(self.nodes),
            lost: usize::from(self.rack),
            volumes: usize::from(self.volumes),
            limits,
            ..usual
        };
        VirtualPlan { seeds: self.seeds.0.clone(), bounds: self.bound.clone(), rack }
    }

    fn show(&self, rows: &[Row]) -> Result<()> {
        if let Some(file) = &self.markdown {
            std::fs::write(file, markdown(rows)).with_context(|| format!("writing {}", file.display()))?;
        }
        if self.json {
            return print(&format!("{:#}", json(rows)?));
        }
        print(table(rows).trim_end())?;
        let met = rows.iter().filter(|row| row.is_met()).count();
        print(&format!("{met} passed, {} failed", rows.len() - met))
    }
}
