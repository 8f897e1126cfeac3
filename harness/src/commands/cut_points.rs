//! `hpe3par-lab cut-points`: every call of every operation, cut in every way.

use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Args;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::cut_points::{
    Cell, Operation, Options, Pairs, PairsWanted, Strike, Sweep, failures, replay, sweep, sweep_pairs,
};
use serde_json::json;

use super::{print, spinner};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CutPoints {
    /// Only the calls of this operation
    #[arg(long, value_name = "NAME")]
    operation: Option<Operation>,
    /// One cell only, with its whole time line: the number of a call in the table, and what happens to it; a pair as
    /// 12:crash-after+3:answer-lost, where the second number counts the calls after the first
    #[arg(long, value_name = "CALL:FAULT", requires = "operation")]
    only: Option<Strikes>,
    /// Also strike a second time: so many pairs, a sample that is always the same, or all of them
    #[arg(long, value_name = "N|all", conflicts_with = "only")]
    pairs: Option<PairsWanted>,
    /// Threads to use [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Put a known safety defect into the plugin (needs a build with --features mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<Mutant>,
    /// Also write the tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print the totals only
    #[arg(long, conflicts_with = "json")]
    totals: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  hpe3par-lab cut-points                            every single fault
  hpe3par-lab cut-points --pairs 500                and 500 pairs of faults
  hpe3par-lab cut-points --operation unmount        the calls of the last Unmount only
  hpe3par-lab cut-points --operation unmount --only 7:crash-after
                                                    one cell, line by line

The calls are those that the production code makes: an undisturbed run of each operation is recorded first. After the
fault a Mount on another node and on the same one has to succeed within 60 s of virtual time, with every acknowledged
record, and nothing may be left on the array, on a node or in etcd. Exits with 1 if a cell is broken.";

/// Strikes of one run, joined by `+`.
#[derive(Debug, Clone)]
struct Strikes(Vec<Strike>);

impl FromStr for Strikes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split('+').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl CutPoints {
    pub(crate) async fn run(self) -> Result<bool> {
        let options = options(self.mutant, self.threads)?;
        if let (Some(operation), Some(strikes)) = (self.operation, self.only.clone()) {
            return self.show_one(Cell { operation, strikes: strikes.0 }, options).await;
        }
        let operations = self.operation.map_or_else(|| Operation::ALL.to_vec(), |operation| vec![operation]);
        let (wanted, at_work) = (self.pairs, options.clone());
        let bar = spinner("cutting");
        let swept = tokio::task::spawn_blocking(move || {
            let swept = sweep(&operations, &at_work)?;
            let pairs = wanted.map(|wanted| sweep_pairs(&swept, wanted, &at_work)).transpose()?;
            Ok::<_, anyhow::Error>((swept, pairs))
        });
        let (swept, pairs) = swept.await.context("the sweep panicked")??;
        bar.finish_and_clear();
        if let Some(file) = &self.markdown {
            std::fs::write(file, swept.markdown()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        self.show(&swept, pairs.as_ref(), &options)?;
        Ok(swept.broken().is_empty() && pairs.is_none_or(|pairs| pairs.broken().count() == 0))
    }

    fn show(&self, swept: &Sweep, pairs: Option<&Pairs>, options: &Options) -> Result<()> {
        if self.json {
            let pairs = pairs.map(|pairs| pairs.json(options));
            return print(&format!("{:#}", json!({"singles": swept.json(options), "pairs": pairs})));
        }
        if !self.totals {
            print(&swept.table())?;
        }
        let broken_pairs = pairs.into_iter().flat_map(Pairs::broken).map(|(cell, verdict)| (cell.clone(), verdict));
        print(&failures(swept.broken().into_iter().chain(broken_pairs), options))?;
        print(&swept.totals())?;
        print(&swept.sentence())?;
        let mut counts = (swept.cells().count(), swept.broken().len());
        if let Some(pairs) = pairs {
            print(&pairs.sentence())?;
            counts = (counts.0 + pairs.played.len(), counts.1 + pairs.broken().count());
        }
        print(&format!("{} passed, {} failed", counts.0 - counts.1, counts.1))
    }

    async fn show_one(&self, cell: Cell, options: Options) -> Result<bool> {
        let played = cell.clone();
        let outcome = tokio::task::spawn_blocking(move || replay(&played, &options, true));
        let outcome = outcome.await.context("the run panicked")??;
        if self.json {
            let waits: Vec<_> =
                outcome.waits.iter().map(|(wait, time)| json!({"wait": wait, "seconds": time.as_secs_f64()})).collect();
            let lines: Vec<String> = outcome.facts.iter().map(ToString::to_string).collect();
            print(&format!(
                "{:#}",
                json!({"answer": outcome.answer, "waits": waits, "violations": outcome.violations, "lines": lines})
            ))?;
            return Ok(outcome.is_healed());
        }
        for fact in &outcome.facts {
            print(&fact.to_string())?;
        }
        print("")?;
        anyhow::ensure!(
            outcome.struck == cell.strikes.len(),
            "only {} of {} strikes found their call: {} made {} calls",
            outcome.struck,
            cell.strikes.len(),
            cell.operation,
            outcome.calls.len()
        );
        match &outcome.answer {
            Ok(()) => print(&format!("{} was answered with success", cell.operation))?,
            Err(reason) => print(&format!("{} was answered: {reason}", cell.operation))?,
        }
        for (wait, time) in &outcome.waits {
            print(&format!("  {:>5.1} s  {}", time.as_secs_f64(), wait.words()))?;
        }
        outcome.violations.iter().try_for_each(|violation| print(&violation.to_string()))?;
        print(if outcome.is_healed() { "1 passed, 0 failed" } else { "0 passed, 1 failed" })?;
        Ok(outcome.is_healed())
    }
}

/// Options of a sweep.
///
/// # Errors
/// When the build has no mutants and one is asked for.
fn options(mutant: Option<Mutant>, threads: Option<NonZero<usize>>) -> Result<Options> {
    #[cfg(feature = "mutants")]
    {
        Ok(Options { mutant, threads })
    }
    #[cfg(not(feature = "mutants"))]
    match mutant {
        None => Ok(Options { threads }),
        Some(mutant) => anyhow::bail!("this build has no mutant {mutant}; build with --features mutants"),
    }
}
