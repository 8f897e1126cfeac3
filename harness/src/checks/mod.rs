//! The invariants of fencing, as checkers over a history of facts.
//!
//! A checker knows nothing of the plugin's decisions: it sees what the array exported and accepted, what the nodes
//! had mounted, what applications were promised, and what records said. The same checkers judge the simulation and
//! the scenarios against real processes. Names of invariants (`S1`, `C9`, …) are explained at [`Invariant`].

mod answers;
mod bystanders;
mod chain;
mod epochs;
mod exports;
mod freeing;
mod history;
mod leaks;
mod secrets;
mod sectors;
mod violation;
mod writes;

#[cfg(test)]
mod tests;

pub use answers::{AnswerChecker, FormatChecker};
pub use bystanders::BystanderChecker;
pub use chain::ChainChecker;
pub use epochs::EpochChecker;
pub use exports::{ExportChecker, ExportRule};
pub use freeing::FreeingChecker;
pub(crate) use history::short;
pub use history::{Fact, FactKind, LifeKey, Phase, RecordFact, SectorFact, SectorOperation, WriteFact};
pub use leaks::{Remains, check_leaks};
pub use secrets::scan_for_secrets;
pub use sectors::check_sectors;
pub use violation::{Invariant, Violation};
pub use writes::WriteChecker;

use std::collections::{BTreeMap, BTreeSet};

use hpe3par_docker_plugin::array::Wwn;

/// What a run's checkers need to know beforehand.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// How strict the set of exporting hosts is judged.
    pub exports: ExportRule,
    /// Volumes nobody may touch: their exports must stay as they are.
    pub bystanders: BTreeSet<Wwn>,
    /// Node behind each host of the array.
    pub node_of_host: BTreeMap<String, String>,
    /// Somebody outside the plugin removes exports by hand, so an owner may lose its export.
    pub exports_removed_by_hand: bool,
    /// Hosts outside the cluster to which somebody exports by hand: not the plugin's doing.
    pub strangers: BTreeSet<String>,
    /// Volumes whose content their record does not expect: nothing may be written to them.
    pub never_written: BTreeSet<Wwn>,
}

/// One invariant that looks at every fact.
pub trait Checker {
    /// Looks at the next fact; says what it broke.
    fn see(&mut self, fact: &Fact) -> Vec<Violation>;
}

/// How many facts before a violation are kept with it.
pub const AROUND: usize = 60;

/// All checkers together.
pub struct Checkers(Vec<Box<dyn Checker + Send>>);

impl Checkers {
    /// Checkers for one run.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self(vec![
            Box::new(ExportChecker::new(rules)),
            Box::new(WriteChecker::default()),
            Box::new(ChainChecker::default()),
            Box::new(EpochChecker::default()),
            Box::new(AnswerChecker::new(rules)),
            Box::new(FormatChecker::new(rules)),
            Box::new(FreeingChecker::default()),
            Box::new(BystanderChecker::new(rules)),
        ])
    }

    /// Looks at the next fact.
    pub fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        self.0.iter_mut().flat_map(|checker| checker.see(fact)).collect()
    }
}

/// Judges a whole history; every violation carries the facts just before it.
#[must_use]
pub fn check(history: &[Fact], rules: &Rules) -> Vec<Violation> {
    let mut checkers = Checkers::new(rules);
    let mut found = Vec::new();
    for (index, fact) in history.iter().enumerate() {
        for mut violation in checkers.see(fact) {
            violation.around = lines_before(history, index + 1);
            found.push(violation);
        }
    }
    found
}

/// The last lines of the time line that ends before `end`.
#[must_use]
pub fn lines_before(history: &[Fact], end: usize) -> Vec<String> {
    let end = end.min(history.len());
    history[end.saturating_sub(AROUND)..end].iter().map(Fact::to_string).collect()
}
