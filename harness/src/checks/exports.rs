//! S1 and S10: who a volume is exported to, and who takes an export away.

use std::collections::{BTreeMap, BTreeSet};

use hpe3par_docker_plugin::array::Wwn;

use super::history::{Fact, FactKind, LifeKey, Phase, RecordFact, short};
use super::violation::{Invariant, Violation};
use super::{Checker, Rules};
use crate::node::NodeEvent;

/// How strict the set of exporting hosts is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportRule {
    /// Never two hosts. Holds where the array itself refuses a second host (policy `oneHost`).
    #[default]
    Strict,
    /// Two hosts only while at most one of them can write: has a live filesystem and a device at the exported number.
    /// An export whose request was given up may still take effect; only the node's lack of that device makes it harmless.
    OneWriter,
}

#[derive(Default)]
struct Volume {
    /// Templates: generation to host and LUN number.
    templates: BTreeMap<u64, (String, u32)>,
    /// Live filesystems by life.
    alive: BTreeMap<LifeKey, ()>,
    /// LUN numbers of devices by node.
    devices: BTreeMap<String, BTreeSet<u32>>,
    record: Option<RecordFact>,
    reported: bool,
}

/// Checks S1 and S10.
pub struct ExportChecker {
    rules: Rules,
    volumes: BTreeMap<Wwn, Volume>,
}

impl ExportChecker {
    /// A checker for one run.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self { rules: rules.clone(), volumes: BTreeMap::new() }
    }

    fn node_of<'a>(&'a self, host: &'a str) -> &'a str {
        self.rules.node_of_host.get(host).map_or(host, String::as_str)
    }

    fn judge(&mut self, wwn: &Wwn, fact: &Fact) -> Option<Violation> {
        let volume = self.volumes.get(wwn)?;
        let strict = self.rules.exports == ExportRule::Strict;
        let of_cluster = volume.templates.values().filter(|(host, _)| !self.rules.strangers.contains(host));
        let counted = of_cluster.filter(|(host, lun)| strict || self.can_write(volume, host, *lun));
        let hosts: BTreeSet<String> = counted.map(|(host, _)| host.clone()).collect();
        let broken = hosts.len() > 1;
        let volume = self.volumes.get_mut(wwn)?;
        if !broken || std::mem::replace(&mut volume.reported, broken) {
            volume.reported = broken;
            return None;
        }
        let list = hosts.into_iter().collect::<Vec<_>>().join(" and ");
        let how = if strict { "is exported to" } else { "can be written by" };
        let explanation = format!(
            "volume {} {how} {list} at the same time. Every other export must be read back as gone before a new one is made.",
            short(wwn)
        );
        Some(Violation::new(Invariant::S1OneHost, fact.at, explanation))
    }

    fn can_write(&self, volume: &Volume, host: &str, lun: u32) -> bool {
        let node = self.node_of(host);
        let alive = volume.alive.keys().any(|life| life.node == node);
        alive && volume.devices.get(node).is_some_and(|luns| luns.contains(&lun))
    }

    /// The export in force of an owner that really is mounted was taken away. An owner that has put the filesystem away
    /// may remove its own export while the store cannot be told, and a rebooted one before it tells.
    fn stale_fencer(&self, wwn: &Wwn, host: &str, lun: u32, fact: &Fact) -> Option<Violation> {
        let record = self.volumes.get(wwn)?.record.as_ref()?;
        let (owner, _) = record.owner.as_ref()?;
        let mounted = self.volumes.get(wwn)?.alive.keys().any(|life| life.node == *owner);
        let in_force = record.phase == Phase::Mounted
            && mounted
            && self.node_of(host) == owner
            && record.lun.is_some_and(|l| l.number() == lun);
        let by_hand = self.rules.exports_removed_by_hand;
        (in_force && !by_hand).then(|| {
            let explanation = format!(
                "the export of volume {} to its owner {owner} (epoch {}, LUN {lun}) was removed while the record says mounted. \
                 A removal decided in an earlier epoch must not hit a later one.",
                short(wwn),
                record.epoch
            );
            Violation::new(Invariant::S10NoStaleFencer, fact.at, explanation)
        })
    }

    fn see_node(&mut self, node: &str, event: &NodeEvent) -> Option<Wwn> {
        match event {
            NodeEvent::Mounted { wwn, life, .. } => {
                self.volumes.entry(wwn.clone()).or_default().alive.insert(life.into(), ());
                Some(wwn.clone())
            }
            NodeEvent::Unmounted { wwn, life } | NodeEvent::Stopped { wwn, life, .. } => {
                self.volumes.entry(wwn.clone()).or_default().alive.remove(&life.into());
                None
            }
            NodeEvent::DeviceAdded { wwn, lun } => {
                let volume = self.volumes.entry(wwn.clone()).or_default();
                volume.devices.entry(node.to_owned()).or_default().insert(lun.number());
                Some(wwn.clone())
            }
            NodeEvent::DeviceDeleted { wwn, lun } => {
                let devices = self.volumes.entry(wwn.clone()).or_default().devices.get_mut(node);
                devices.into_iter().for_each(|luns| {
                    luns.remove(&lun.number());
                });
                None
            }
            NodeEvent::PoweredOff => {
                for volume in self.volumes.values_mut() {
                    volume.alive.retain(|life, ()| life.node != node);
                    volume.devices.remove(node);
                }
                None
            }
            _ => None,
        }
    }
}

impl Checker for ExportChecker {
    fn see(&mut self, fact: &Fact) -> Vec<Violation> {
        match &fact.kind {
            FactKind::Exported { volume, host, lun, generation } => {
                let templates = &mut self.volumes.entry(volume.clone()).or_default().templates;
                templates.insert(*generation, (host.clone(), *lun));
                self.judge(volume, fact).into_iter().collect()
            }
            FactKind::Unexported { volume, host, lun, generation } => {
                let stale = self.stale_fencer(volume, host, *lun, fact);
                self.volumes.entry(volume.clone()).or_default().templates.remove(generation);
                self.judge(volume, fact);
                stale.into_iter().collect()
            }
            FactKind::Node { node, event } => {
                let touched = self.see_node(node, event);
                touched.and_then(|wwn| self.judge(&wwn, fact)).into_iter().collect()
            }
            FactKind::Record(record) => {
                self.volumes.entry(record.volume.clone()).or_default().record = Some(record.clone());
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}
