//! S2, S5 and S9: which writes the array may accept.
//!
//! A life is one mount of a filesystem on one node in one boot. Once a later life has read the volume, a write of
//! an earlier one is a ghost, whatever node it comes from: also the node's own, issued before it lost the volume.

use std::collections::BTreeMap;

use hpe3par_docker_plugin::array::Wwn;

use super::Checker;
use super::history::{Fact, FactKind, LifeKey, WriteFact, short};
use super::violation::{Invariant, Violation};
use crate::node::{Life, NodeEvent};

/// Checks S2/S5 and S9.
#[derive(Default)]
pub struct WriteChecker {
    /// For each life: the volume it writes to, and its place in the order of mounts.
    lives: BTreeMap<LifeKey, (Wwn, u64)>,
    /// The newest mounted life of each volume.
    newest: BTreeMap<Wwn, (LifeKey, u64)>,
    begun: u64,
}

impl WriteChecker {
    fn begin(&mut self, wwn: &Wwn, life: &Life, reads: bool) {
        self.begun += 1;
        self.lives.insert(life.into(), (wwn.clone(), self.begun));
        if reads {
            self.newest.insert(wwn.clone(), (life.into(), self.begun));
        }
    }

    fn judge(&self, write: &WriteFact, fact: &Fact) -> Option<Violation> {
        let volume = write.volume.as_ref().filter(|_| write.accepted)?;
        let life = write.life.as_ref()?;
        let (meant_for, place) = self.lives.get(life)?;
        if meant_for != volume {
            let explanation = format!(
                "a write of {life} meant for volume {} was accepted by volume {} behind LUN {}: a stale device reached another volume.",
                short(meant_for),
                short(volume),
                write.lun
            );
            return Some(Violation::new(Invariant::S9RightVolume, fact.at, explanation));
        }
        let (newest, newest_place) = self.newest.get(volume)?;
        (place < newest_place).then(|| {
            let explanation = format!(
                "the array accepted a write of {life} to volume {} (byte {}, LUN {}) after {newest} had mounted it. \
                 What a former owner still has on its way, in its page cache or in a queueing map must never reach the volume again.",
                short(volume),
                write.offset,
                write.lun
            );
            Violation::new(Invariant::S2S5NoGhostWrite, fact.at, explanation)
        })
    }
}

impl Checker for WriteChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        match &fact.kind {
            FactKind::Node { event: NodeEvent::Mounted { wwn, life, .. }, .. } => self.begin(wwn, life, true),
            FactKind::Node { event: NodeEvent::FilesystemMade { wwn, life }, .. } => self.begin(wwn, life, false),
            FactKind::Write(write) => return self.judge(write, fact).into_iter().collect(),
            _ => {}
        }
        Vec::new()
    }
}
