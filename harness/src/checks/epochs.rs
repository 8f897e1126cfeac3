//! S6: epochs never fall, and each has exactly one owner.

use std::collections::BTreeMap;

use hpe3par_docker_plugin::array::Wwn;

use super::Checker;
use super::history::{Fact, FactKind, short};
use super::violation::{Invariant, Violation};

#[derive(Default)]
struct Epochs {
    newest: u64,
    owners: BTreeMap<u64, (String, String)>,
}

/// Checks S6.
#[derive(Default)]
pub struct EpochChecker {
    volumes: BTreeMap<Wwn, Epochs>,
}

impl Checker for EpochChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        let FactKind::Record(record) = &fact.kind else { return Vec::new() };
        let epochs = self.volumes.entry(record.volume.clone()).or_default();
        let mut found = Vec::new();
        let mut broken = |words: String| {
            let explanation = format!("record of volume {}: {words}", short(&record.volume));
            found.push(Violation::new(Invariant::S6OneOwnerPerEpoch, fact.at, explanation));
        };
        if record.epoch < epochs.newest {
            broken(format!("epoch fell from {} to {}; a claim must add one.", epochs.newest, record.epoch));
        }
        if let Some(owner) = &record.owner {
            let first = epochs.owners.entry(record.epoch).or_insert_with(|| owner.clone());
            if first != owner {
                let ((node, boot), (other, other_boot)) = (&*first, owner);
                broken(format!(
                    "epoch {} has two owners, {node} ({boot}) and {other} ({other_boot}); a change of owner must be a new epoch.",
                    record.epoch
                ));
            }
        }
        epochs.newest = epochs.newest.max(record.epoch);
        found
    }
}
