//! What a Mount does next, as a pure function of facts.
//!
//! The driver gathers the facts, asks [`next_mount_step`], carries out one step and starts again from fresh
//! facts, so a step with unknown outcome needs no case of its own. Facts that cost an array call are gathered
//! only when the decision asks for them: a further Mount of a volume that is really mounted here needs none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::mutants::{Defects, Mutant};
use super::policy::{ConflictPolicy, Policy};
use super::refusal::Refusal;
use crate::array::{HostName, VlunRow};
use crate::node::{BootId, LocalTruth, NodeId};
use crate::volume::record::{Lifecycle, Owner, Stage, VolumeRecord};

/// This node in this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Node id.
    pub node: NodeId,
    /// Boot.
    pub boot: BootId,
}

/// State of a takeover's delay timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DelayClock {
    /// Still running: nobody may force.
    Running,
    /// It has run out and the permission is fresh.
    Expired,
    /// It ran out so long ago that nobody waited for it: it permits nothing.
    Stale,
}

/// What the array lists of the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportsSeen {
    /// This node's host on the array.
    pub my_host: HostName,
    /// All rows of the volume.
    pub rows: Vec<VlunRow>,
    /// Hosts of the array that are nodes of this cluster.
    pub node_hosts: BTreeMap<HostName, NodeId>,
}

/// What is known about the other owner and the contest for the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContestSeen {
    /// The owner's plugin keeps its registration alive, in the boot that owns.
    pub owner_alive: bool,
    /// Delay timer of the takeover in the record.
    pub clock: DelayClock,
    /// Takeovers of this volume within the thrash window.
    pub recent_takeovers: usize,
}

/// Facts for one decision. `None` means "not asked yet".
#[derive(Debug)]
pub struct MountFacts<'a> {
    /// This node.
    pub me: &'a Me,
    /// The record as just read.
    pub record: &'a VolumeRecord,
    /// What this kernel has of the volume.
    pub local: &'a LocalTruth,
    /// Where the volume belongs on this node.
    pub mount_dir: &'a Path,
    /// Exports on the array.
    pub exports: Option<&'a ExportsSeen>,
    /// The contest.
    pub contest: Option<&'a ContestSeen>,
    /// Settings.
    pub policy: &'a Policy,
    /// Conflict delay in seconds that applies to this volume.
    pub delay: u64,
    /// Defects put in by a test.
    pub defects: Defects,
}

/// One step of a Mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountStep {
    /// Read the exports, then decide again.
    AskExports,
    /// Read owner registration, delay timer and recent takeovers, then decide again.
    AskContest,
    /// Really mounted here by the owner, which is this node: record one more reference. No array call.
    AddReference,
    /// The volume is still mounted here though this node lost it: shut down, drop, prove clean.
    CleanFenced,
    /// Ours, through our own export, but the mount vanished: mount the same device again and keep the references.
    Remount,
    /// Device or mount of an interrupted attempt or an automatic scan: take it down in order.
    TearDown,
    /// Tell the owner that somebody waits: write the takeover and start its delay timer.
    OpenTakeover,
    /// Wait until the record changes or the timer ends.
    Wait,
    /// Become owner in a new epoch. `ended` is who loses the volume by it.
    Claim {
        /// Owners and exporters that lose the volume and go into quarantine.
        ended: Vec<Owner>,
        /// The takeover's timer must be gone when the claim commits.
        after_clock: bool,
    },
    /// Do nothing and say why.
    Refuse(Refusal),
}

/// What a Mount does next.
#[must_use]
pub fn next_mount_step(facts: &MountFacts<'_>) -> MountStep {
    let record = facts.record;
    match record.lifecycle {
        Lifecycle::Available => {}
        Lifecycle::Creating => return MountStep::Refuse(Refusal::StillCreating),
        Lifecycle::Removing => return MountStep::Refuse(Refusal::BeingRemoved),
    }
    if facts.defects.has(Mutant::AlreadyMountedIsSuccess) && !facts.local.mounted_at.is_empty() {
        return MountStep::AddReference;
    }
    match record.ownership.owner() {
        Some(owner) if owner.node == facts.me.node => own(facts, owner),
        Some(owner) => match leftovers(facts) {
            Some(step) => step,
            None => contested(facts, owner),
        },
        None => match leftovers(facts) {
            Some(step) => step,
            None => unowned(facts),
        },
    }
}

/// This node owns the volume, in this boot or an earlier one.
fn own(facts: &MountFacts<'_>, owner: &Owner) -> MountStep {
    let export = facts.record.ownership.stage().and_then(Stage::attempt);
    let through_export =
        export.is_none_or(|attempt| facts.local.luns.is_empty() || facts.local.luns.contains(&attempt.lun));
    let vouched = facts.defects.has(Mutant::RecordVouchesForMount);
    let mounted = vouched || facts.local.is_mounted_at(facts.mount_dir) && through_export;
    let this_boot = owner.boot == facts.me.boot;
    let adoptable = owner.boot == BootId::unknown();
    let complete = matches!(facts.record.ownership.stage(), Some(Stage::Mounted(_) | Stage::Releasing(_)));
    if mounted && complete && (this_boot || adoptable || vouched) {
        if !facts.local.paths_down {
            return MountStep::AddReference;
        }
        // No path right now. If the export is still there that will pass, and the mount is good; if not, it never will.
        let Some(exports) = facts.exports else { return MountStep::AskExports };
        let exported =
            |row: &VlunRow| row.host() == Some(&exports.my_host) && export.is_none_or(|a| row.lun() == a.lun);
        return if exports.rows.iter().any(exported) { MountStep::AddReference } else { MountStep::CleanFenced };
    }
    let vanished = facts.local.mounted_at.is_empty() && !facts.local.luns.is_empty() && through_export;
    if this_boot && vanished && matches!(facts.record.ownership.stage(), Some(Stage::Mounted(Some(_)))) {
        return MountStep::Remount;
    }
    if !facts.local.is_clean() && !skips_cleaning(facts) {
        return if facts.local.mounted_at.is_empty() || this_boot {
            // A mount through another LUN is of another life: nothing of it may be written back.
            if facts.local.filesystem_dead || !through_export { MountStep::CleanFenced } else { MountStep::TearDown }
        } else {
            MountStep::Refuse(Refusal::MountedByOthers { at: facts.local.mounted_at.clone() })
        };
    }
    let Some(exports) = facts.exports else { return MountStep::AskExports };
    match strangers(facts, exports) {
        Some(refusal) => MountStep::Refuse(refusal),
        None => {
            let ended = exporters_ended(facts, exports, Some(owner));
            // An export to another node that no record explains is a conflict with that node.
            if ended.is_empty() { MountStep::Claim { ended, after_clock: false } } else { after_delay(facts, ended) }
        }
    }
}

/// What is left here of an earlier life, when this node is not the owner.
fn leftovers(facts: &MountFacts<'_>) -> Option<MountStep> {
    if facts.local.is_clean() || skips_cleaning(facts) {
        return None;
    }
    if facts.local.mounted_at.is_empty() {
        return Some(MountStep::TearDown);
    }
    let lost_here = facts.record.quarantine.contains_key(&facts.me.node);
    if !lost_here && facts.record.has_unfinished_unmount() && facts.local.is_mounted_at(facts.mount_dir) {
        // An unmount of the earlier plugin that stopped half way: nobody took the volume, so it is written back in order.
        return Some(MountStep::TearDown);
    }
    Some(if lost_here || facts.local.is_mounted_at(facts.mount_dir) || facts.local.filesystem_dead {
        MountStep::CleanFenced
    } else {
        MountStep::Refuse(Refusal::MountedByOthers { at: facts.local.mounted_at.clone() })
    })
}

fn skips_cleaning(facts: &MountFacts<'_>) -> bool {
    facts.defects.has(Mutant::ExportToQuarantined)
}

/// Nobody owns the volume: normal mount, unless the array exports it to somebody all the same.
fn unowned(facts: &MountFacts<'_>) -> MountStep {
    if facts.defects.has(Mutant::RecordAloneSaysFree) {
        return MountStep::Claim { ended: Vec::new(), after_clock: false };
    }
    let Some(exports) = facts.exports else { return MountStep::AskExports };
    if let Some(refusal) = strangers(facts, exports) {
        return MountStep::Refuse(refusal);
    }
    let ended = exporters_ended(facts, exports, None);
    if ended.is_empty() {
        return MountStep::Claim { ended, after_clock: false };
    }
    // Exported to a node without a record of it: a conflict with that node (it may have died in an unmount).
    after_delay(facts, ended)
}

/// Another node owns the volume.
fn contested(facts: &MountFacts<'_>, owner: &Owner) -> MountStep {
    let Some(contest) = facts.contest else { return MountStep::AskContest };
    let names = || (owner.node.clone(), facts.me.node.clone());
    match facts.policy.conflict {
        ConflictPolicy::Refuse => {
            return MountStep::Refuse(Refusal::OwnedElsewhere {
                owner: owner.node.clone(),
                alive: contest.owner_alive,
            });
        }
        ConflictPolicy::StealIfDead if contest.owner_alive => {
            return MountStep::Refuse(Refusal::OwnedElsewhere { owner: owner.node.clone(), alive: true });
        }
        ConflictPolicy::Steal | ConflictPolicy::StealIfDead => {}
    }
    let thrashing = contest.owner_alive && contest.recent_takeovers >= facts.policy.takeover_limit;
    if thrashing && !facts.defects.has(Mutant::NoThrashLimit) {
        let (owner, asking) = names();
        return MountStep::Refuse(Refusal::Thrashing {
            owner,
            asking,
            takeovers: contest.recent_takeovers,
            window: facts.policy.takeover_window.as_secs(),
        });
    }
    let Some(exports) = facts.exports else { return MountStep::AskExports };
    if let Some(refusal) = strangers(facts, exports) {
        return MountStep::Refuse(refusal);
    }
    let ended = exporters_ended(facts, exports, Some(owner));
    let was_mounted = matches!(facts.record.ownership.stage(), Some(Stage::Mounted(_) | Stage::Releasing(_)));
    if exports.rows.is_empty() && (was_mounted || !contest.owner_alive) {
        // Already fenced: a takeover that stopped half way, or an owner that died before it exported.
        return MountStep::Claim { ended, after_clock: false };
    }
    after_delay(facts, ended)
}

/// The conflict delay: open it, wait for it, or force once it has run out.
fn after_delay(facts: &MountFacts<'_>, ended: Vec<Owner>) -> MountStep {
    if facts.delay == 0 {
        return MountStep::Claim { ended, after_clock: false };
    }
    let Some(contest) = facts.contest else { return MountStep::AskContest };
    let running = facts.record.takeover.as_ref().is_some_and(|t| t.of_epoch == facts.record.epoch);
    match contest.clock {
        DelayClock::Running if running => MountStep::Wait,
        DelayClock::Expired if running || facts.defects.has(Mutant::StalePermitCounts) => {
            MountStep::Claim { ended, after_clock: true }
        }
        _ => MountStep::OpenTakeover,
    }
}

/// Everybody who loses the volume by a claim: the owner, and nodes the array still exports to.
fn exporters_ended(facts: &MountFacts<'_>, exports: &ExportsSeen, owner: Option<&Owner>) -> Vec<Owner> {
    let mut ended: Vec<Owner> = owner.filter(|o| o.node != facts.me.node).cloned().into_iter().collect();
    let hosts: BTreeSet<&HostName> =
        exports.rows.iter().filter_map(VlunRow::host).filter(|host| **host != exports.my_host).collect();
    for host in hosts {
        let Some(node) = exports.node_hosts.get(host) else { continue };
        let known = *node == facts.me.node
            || ended.iter().any(|e| e.node == *node)
            || facts.record.quarantine.contains_key(node);
        if !known {
            ended.push(Owner::new(node.clone(), BootId::unknown(), Some(host.clone())));
        }
    }
    ended
}

/// Exports to somebody who is no node of this cluster. Touched only when the configuration says so.
fn strangers(facts: &MountFacts<'_>, exports: &ExportsSeen) -> Option<Refusal> {
    if facts.policy.fence_unknown_hosts {
        return None;
    }
    let unknown: Vec<String> =
        exports.rows.iter().filter(|row| !is_ours(facts.record, exports, row)).map(ToString::to_string).collect();
    (!unknown.is_empty()).then_some(Refusal::ExportedToStrangers { rows: unknown })
}

/// The row exports to this node, the owner, a node in quarantine or a registered node.
pub(super) fn is_ours(record: &VolumeRecord, exports: &ExportsSeen, row: &VlunRow) -> bool {
    let Some(host) = row.host() else { return false };
    named(record, exports, host) || exports_of_migrated_owner(record, exports) == Some(host)
}

fn named(record: &VolumeRecord, exports: &ExportsSeen, host: &HostName) -> bool {
    *host == exports.my_host
        || exports.node_hosts.contains_key(host)
        || record.ownership.owner().is_some_and(|owner| owner.host.as_ref() == Some(host))
        || record.quarantine.values().any(|q| q.host.as_ref() == Some(host))
        || record.burned_luns.values().flatten().any(|(burned, _)| burned == host)
}

/// The earlier plugin did not write which host an owner is. If just one host is left unexplained, it is that one.
fn exports_of_migrated_owner<'e>(record: &VolumeRecord, exports: &'e ExportsSeen) -> Option<&'e HostName> {
    let is_known = |node: &NodeId| exports.node_hosts.values().any(|known| known == node);
    let lost = record.quarantine.iter().any(|(node, q)| q.host.is_none() && !q.revoked && !is_known(node));
    if !lost && record.ownership.owner().is_none_or(|owner| owner.host.is_some() || is_known(&owner.node)) {
        return None;
    }
    let unexplained = exports.rows.iter().filter_map(VlunRow::host).filter(|host| !named(record, exports, host));
    let hosts: BTreeSet<&HostName> = unexplained.collect();
    hosts.first().copied().filter(|_| hosts.len() == 1)
}

#[cfg(test)]
mod tests;
