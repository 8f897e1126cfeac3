//! S12: a record is freed last.
//!
//! Freed while its owner's filesystem is still alive, a record tells the next node that nobody has the volume: it
//! would mount beside a live mount, or fence a node that is just writing its last pages back.

use std::collections::{BTreeMap, BTreeSet};

use hpe3par_docker_plugin::array::Wwn;

use super::Checker;
use super::history::{Fact, FactKind, LifeKey, Phase, RecordFact, short};
use super::violation::{Invariant, Violation};
use crate::node::NodeEvent;

/// Checks S12.
#[derive(Default)]
pub struct FreeingChecker {
    /// Live filesystems.
    alive: BTreeMap<Wwn, BTreeSet<LifeKey>>,
    /// The last owner each record named.
    owners: BTreeMap<Wwn, String>,
}

impl FreeingChecker {
    fn see_record(&mut self, record: &RecordFact, fact: &Fact) -> Option<Violation> {
        if let Some((owner, _)) = &record.owner {
            self.owners.insert(record.volume.clone(), owner.clone());
            return None;
        }
        let owner = self.owners.remove(&record.volume).filter(|_| record.phase == Phase::Free)?;
        let alive = self.alive.get(&record.volume)?.iter().find(|life| life.node == owner)?;
        let explanation = format!(
            "the record of volume {} was freed while its owner still had it mounted ({alive}). \
             The record must be freed last, after filesystem and device are down.",
            short(&record.volume)
        );
        Some(Violation::new(Invariant::S12FreedLast, fact.at, explanation))
    }

    fn see_node(&mut self, node: &str, event: &NodeEvent) {
        match event {
            NodeEvent::Mounted { wwn, life, .. } => {
                self.alive.entry(wwn.clone()).or_default().insert(life.into());
            }
            NodeEvent::Unmounted { wwn, life } | NodeEvent::Stopped { wwn, life, .. } => {
                self.alive.entry(wwn.clone()).or_default().remove(&life.into());
            }
            NodeEvent::PoweredOff => self.alive.values_mut().for_each(|lives| lives.retain(|life| life.node != node)),
            _ => {}
        }
    }
}

impl Checker for FreeingChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        match &fact.kind {
            FactKind::Record(record) => return self.see_record(record, fact).into_iter().collect(),
            FactKind::Node { node, event } => self.see_node(node, event),
            _ => {}
        }
        Vec::new()
    }
}
