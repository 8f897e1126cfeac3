//! S3 and S4: what was acknowledged stays, and the log is one path.

use std::collections::BTreeMap;

use hpe3par_docker_plugin::array::Wwn;

use super::Checker;
use super::history::{Fact, FactKind, LifeKey, short};
use super::violation::{Invariant, Violation};
use crate::node::NodeEvent;
use crate::node::format::RecordId;

#[derive(Default)]
struct Log {
    /// Acknowledged last records, by number, with who was promised it.
    acknowledged: BTreeMap<u64, (RecordId, LifeKey)>,
    /// The longest chain a mount has read, and whose mount.
    read: Vec<RecordId>,
    read_by: Option<LifeKey>,
}

/// Checks S3 and S4.
#[derive(Default)]
pub struct ChainChecker {
    logs: BTreeMap<Wwn, Log>,
}

impl Log {
    fn judge(&self, wwn: &Wwn, life: &LifeKey, chain: &[RecordId], fact: &Fact) -> Vec<Violation> {
        let mut found = Vec::new();
        let lost = self.acknowledged.values().find(|(record, _)| !holds(chain, *record));
        if let Some((record, writer)) = lost {
            let explanation = format!(
                "{life} mounted volume {} and found a log of {} records in which record {} {} is missing, although fsync of {writer} \
                 had acknowledged it. Acknowledged data is lost.",
                short(wwn),
                chain.len(),
                record.number,
                record.link
            );
            found.push(Violation::new(Invariant::S3NothingAcknowledgedLost, fact.at, explanation));
        }
        let forked = self.read.iter().find(|record| !holds(chain, **record));
        if let (Some(record), Some(reader)) = (forked, &self.read_by) {
            let explanation = format!(
                "{life} mounted volume {} and found another log than {reader} had read there: record {} {} is not in it. \
                 Two writers have worked on the volume.",
                short(wwn),
                record.number,
                record.link
            );
            found.push(Violation::new(Invariant::S4OneChain, fact.at, explanation));
        }
        found
    }
}

fn holds(chain: &[RecordId], record: RecordId) -> bool {
    let index = usize::try_from(record.number).unwrap_or(usize::MAX);
    chain.get(index) == Some(&record)
}

impl Checker for ChainChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        match &fact.kind {
            FactKind::Node { event: NodeEvent::Acknowledged { wwn, life, record }, .. } => {
                let log = self.logs.entry(wwn.clone()).or_default();
                log.acknowledged.insert(record.number, (*record, life.into()));
                Vec::new()
            }
            FactKind::Node { event: NodeEvent::Mounted { wwn, life, chain, .. }, .. } => {
                let log = self.logs.entry(wwn.clone()).or_default();
                let found = log.judge(wwn, &life.into(), chain, fact);
                // After a loss the judgement goes on from what is there, so that one loss is told once.
                log.acknowledged.retain(|_, (record, _)| holds(chain, *record));
                (log.read, log.read_by) = (chain.clone(), Some(life.into()));
                found
            }
            _ => Vec::new(),
        }
    }
}
