//! S11: fencing one volume touches no other.

use super::history::{Fact, FactKind, short};
use super::violation::{Invariant, Violation};
use super::{Checker, Rules};

/// Checks S11: exports of volumes that nobody fences stay as they are.
pub struct BystanderChecker {
    rules: Rules,
}

impl BystanderChecker {
    /// A checker for one run.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self { rules: rules.clone() }
    }
}

impl Checker for BystanderChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        let (FactKind::Exported { volume, host, lun, .. } | FactKind::Unexported { volume, host, lun, .. }) =
            &fact.kind
        else {
            return Vec::new();
        };
        if !self.rules.bystanders.contains(volume) {
            return Vec::new();
        }
        let explanation = format!(
            "the exports of volume {} (host {host}, LUN {lun}) were changed, though nobody asked for anything of that volume.",
            short(volume)
        );
        vec![Violation::new(Invariant::S11NothingElseTouched, fact.at, explanation)]
    }
}
