//! S7 and S8: what a successful Mount promises, and when a filesystem may be made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hpe3par_docker_plugin::array::Wwn;

use super::history::{Fact, FactKind, LifeKey, Phase, short};
use super::violation::{Invariant, Violation};
use super::{Checker, Rules};
use crate::node::NodeEvent;

/// What a node was, while a Mount of it was running.
#[derive(Default)]
struct Running {
    owned: bool,
    exported: bool,
    mounted_at: BTreeSet<PathBuf>,
}

/// Checks S7. Ownership and mount must have been there at some instant of the request: another node may take the volume
/// while the answer is on its way. A node that cannot read the record may answer for a mount it still has, as long as
/// the array exports the volume to it: then nobody else has it.
pub struct AnswerChecker {
    rules: Rules,
    /// Templates: generation to volume and node.
    exports: BTreeMap<u64, (Wwn, String)>,
    owner: BTreeMap<Wwn, String>,
    mounts: BTreeMap<(String, Wwn), BTreeMap<LifeKey, PathBuf>>,
    running: BTreeMap<u64, (String, Wwn, Running)>,
}

impl AnswerChecker {
    /// A checker for one run.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.clone(),
            exports: BTreeMap::new(),
            owner: BTreeMap::new(),
            mounts: BTreeMap::new(),
            running: BTreeMap::new(),
        }
    }

    /// Notes what holds now for every running request.
    fn note(&mut self) {
        for (node, volume, running) in self.running.values_mut() {
            running.owned |= self.owner.get(volume) == Some(node);
            running.exported |= self.exports.values().any(|(exported, to)| exported == volume && to == node);
            let mounts = self.mounts.get(&(node.clone(), volume.clone()));
            running.mounted_at.extend(mounts.into_iter().flat_map(|m| m.values().cloned()));
        }
    }

    fn answered(&mut self, request: u64, answer: &Result<PathBuf, String>, fact: &Fact) -> Option<Violation> {
        self.note();
        let (node, volume, running) = self.running.remove(&request)?;
        let dir = answer.as_ref().ok()?;
        let broken = |words: &str| {
            let explanation =
                format!("Mount #{request} of volume {} on {node} answered success, but {words}.", short(&volume));
            Some(Violation::new(Invariant::S7AnswersAreTrue, fact.at, explanation))
        };
        if dir.as_os_str().is_empty() {
            return broken("with an empty mount point: the container would write into the plugin's own root");
        }
        if !running.owned && !running.exported {
            return broken("at no instant of the request did this node own the volume or have it exported");
        }
        if !running.mounted_at.contains(dir) {
            return broken("at no instant of the request was the volume mounted there in this node's kernel");
        }
        None
    }
}

impl Checker for AnswerChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        match &fact.kind {
            FactKind::Record(record) => {
                match (&record.owner, record.phase) {
                    (Some((node, _)), Phase::Mounted) => self.owner.insert(record.volume.clone(), node.clone()),
                    _ => self.owner.remove(&record.volume),
                };
                self.note();
            }
            FactKind::Node { node, event } => match event {
                NodeEvent::Mounted { wwn, life, dir, .. } => {
                    self.mounts.entry((node.clone(), wwn.clone())).or_default().insert(life.into(), dir.clone());
                    self.note();
                }
                NodeEvent::Unmounted { wwn, life } | NodeEvent::Stopped { wwn, life, .. } => {
                    self.mounts.entry((node.clone(), wwn.clone())).or_default().remove(&life.into());
                }
                NodeEvent::PoweredOff => self.mounts.retain(|(of, _), _| of != node),
                _ => {}
            },
            FactKind::Exported { volume, host, generation, .. } => {
                let node = self.rules.node_of_host.get(host).unwrap_or(host).clone();
                self.exports.insert(*generation, (volume.clone(), node));
                self.note();
            }
            FactKind::Unexported { generation, .. } => {
                self.exports.remove(generation);
            }
            FactKind::MountAsked { node, volume, request } => {
                self.running.insert(*request, (node.clone(), volume.clone(), Running::default()));
                self.note();
            }
            FactKind::MountAnswered { request, answer, .. } => {
                return self.answered(*request, answer, fact).into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }
}

/// Checks S8: no write of a mkfs is accepted by a volume that was mounted before the mkfs began, and none at all by one
/// that holds what its record does not expect.
#[derive(Default)]
pub struct FormatChecker {
    mounted: BTreeSet<Wwn>,
    /// Lives of mkfs that began too late.
    late: BTreeMap<LifeKey, Wwn>,
    never_written: BTreeSet<Wwn>,
}

impl FormatChecker {
    /// A checker for one run.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self { never_written: rules.never_written.clone(), ..Self::default() }
    }

    /// A write to a volume that holds what its record does not expect.
    fn unexpected(&self, volume: Option<&Wwn>, fact: &Fact) -> Option<Violation> {
        let wwn = volume.filter(|wwn| self.never_written.contains(*wwn))?;
        let explanation = format!(
            "the array accepted a write to volume {}, whose content is not what its record says. It must be left as it is.",
            short(wwn)
        );
        Some(Violation::new(Invariant::S8FormatOnce, fact.at, explanation))
    }
}

impl Checker for FormatChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        match &fact.kind {
            FactKind::Node { event: NodeEvent::Mounted { wwn, .. }, .. } => {
                self.mounted.insert(wwn.clone());
            }
            FactKind::Node { event: NodeEvent::FilesystemMade { wwn, life }, .. } if self.mounted.contains(wwn) => {
                self.late.insert(life.into(), wwn.clone());
            }
            FactKind::Write(write) if write.accepted => {
                if let Some(violation) = self.unexpected(write.volume.as_ref(), fact) {
                    return vec![violation];
                }
                let Some(wwn) = write.life.as_ref().and_then(|life| self.late.remove(life)) else { return Vec::new() };
                let node = write.life.as_ref().map_or("a node", |life| life.node.as_str());
                let explanation = format!(
                    "{node} made a filesystem on volume {}, which had one and was mounted before. Everything on it is gone.",
                    short(&wwn)
                );
                return vec![Violation::new(Invariant::S8FormatOnce, fact.at, explanation)];
            }
            _ => {}
        }
        Vec::new()
    }
}
