//! Mount up to the claim, and from the export to the answer.

use super::cleaning::Way;
use super::fencing::after_revocation;
use super::{Steps, next};
use crate::event::What;
use crate::properties::Violation;
use crate::settings::Guard;
use crate::state::{
    Epoch, Filesystem, LunSet, NodeId, NodeSet, Operation, Ownership, PerNode, Stage, State, Step, Takeover,
};

impl Steps<'_> {
    /// Reads record and kernel and decides; the production code's `next_mount_step`.
    pub(super) fn mount_begins(&mut self, node: NodeId) {
        let kernel = self.from.nodes[node].kernel;
        if self.without(Guard::AlreadyMountedIsSuccess) && kernel.filesystem == Filesystem::Mounted {
            return self.answer_at_once(node);
        }
        match self.from.record.ownership {
            Ownership::Owned { owner, this_boot, stage } if owner == node => self.own(node, this_boot, stage),
            _ if self.counts_as_clean(node) => self.contend(node),
            _ => self.clean(node, What::MountSeesLeftovers, Way::Fenced, Self::idle),
        }
    }

    /// This node owns the volume.
    fn own(&mut self, node: NodeId, this_boot: bool, stage: Stage) {
        let kernel = self.from.nodes[node].kernel;
        let through_export = stage.attempt().is_none_or(|lun| kernel.scanned.contains(lun));
        let alive = kernel.filesystem == Filesystem::Mounted && self.from.is_live(node);
        if alive && through_export && stage.was_mounted() && this_boot {
            return match stage {
                Stage::Mounted(_) => self.answer_at_once(node),
                _ => self.add_reference(node),
            };
        }
        // A filesystem that a holder keeps alive is not in the mount table either.
        let not_mounted =
            kernel.filesystem == Filesystem::Absent || (kernel.filesystem == Filesystem::Detached && kernel.held);
        let vanished = not_mounted && !kernel.scanned.is_empty() && through_export;
        if vanished && this_boot && matches!(stage, Stage::Mounted(_)) {
            return self.step(node, What::FindsMountGone, |state| {
                Self::begin(state, node, Step::Remount);
            });
        }
        if self.counts_as_clean(node) {
            return self.contend(node);
        }
        let in_order = through_export && (alive || kernel.filesystem == Filesystem::Absent);
        let way = if in_order { Way::Orderly } else { Way::Fenced };
        self.clean(node, What::MountSeesLeftovers, way, Self::idle);
    }

    /// Mounted already: success without a step, if it is true.
    fn answer_at_once(&mut self, node: NodeId) {
        if !has_the_volume(&self.from, node) {
            self.push(node, What::MountIsThere, None, false, Some(Violation::FalseSuccess(node)), |_| {});
        }
    }

    /// A further reference takes a release back that had not touched anything yet.
    fn add_reference(&mut self, node: NodeId) {
        let wrong = (!has_the_volume(&self.from, node)).then_some(Violation::FalseSuccess(node));
        self.push(node, What::AddsReference, None, false, wrong, |state| {
            if let Ownership::Owned { stage, .. } = &mut state.record.ownership
                && let Some(lun) = stage.attempt()
            {
                *stage = Stage::Mounted(lun);
            }
        });
    }

    /// An operation begins with the record just read.
    pub(super) fn begin(state: &mut State, node: NodeId, step: Step) {
        state.nodes[node].operation = Operation { step, epoch: state.record.epoch, ..Operation::default() };
    }

    /// Nothing of the volume is here: lists the exports, decides who loses the volume, and whether a timer comes first.
    fn contend(&mut self, node: NodeId) {
        let record = &self.from.record;
        let mut exporters = self.from.exported_to();
        let unexported = exporters.is_empty();
        exporters.remove(node);
        let ended = exporters - record.quarantine;
        let (ended, at_once) = match record.ownership.owner() {
            Some(owner) if owner != node => (ended | NodeSet::of(owner), unexported),
            _ => (ended, ended.is_empty()),
        };
        if !at_once && record.takeover == Takeover::Closed {
            return self.step(node, What::OpensTakeover, |state| state.record.takeover = Takeover::Open);
        }
        if self.without(Guard::ClaimUncompared) {
            return self.step(node, What::DecidesToClaim, |state| Self::begin(state, node, Step::Claim));
        }
        self.claim(node, ended, record.epoch.next());
    }

    /// Writes what it has read over whatever is there by now.
    pub(super) fn claim_uncompared(&mut self, node: NodeId) {
        let owner = self.from.record.ownership.owner().filter(|owner| *owner != node);
        let ended = owner.into_iter().collect::<NodeSet>();
        let epoch = self.operation(node).epoch.next().max(self.from.record.epoch);
        self.claim(node, ended, epoch);
    }

    /// Becomes owner in a new epoch; whoever loses the volume goes into quarantine. The number of an attempt that was open
    /// is burned. A node whose kernel finds LUNs by itself has waited until its own burned numbers are too old to come. Then it
    /// lists the exports, and reads the record again before it removes any.
    fn claim(&mut self, node: NodeId, ended: NodeSet, epoch: Epoch) {
        let settings = self.settings;
        let skips = self.without(Guard::SkipRevoke);
        let (rows, listed) = (self.from.array.vluns, !self.without(Guard::RemoveUnchecked));
        let burns = !self.without(Guard::BurnAfterwards);
        let waits = self.waits_for_late_exports();
        self.step(node, What::Claims, |state| {
            if waits {
                state.array.late_creates[node] = state.array.late_creates[node] - state.record.burned[node];
            }
            let record = &mut state.record;
            if burns {
                burn_open_attempt(record.ownership, &mut record.burned);
            }
            record.epoch = epoch;
            record.takeover = Takeover::Closed;
            record.quarantine = (record.quarantine | ended) - NodeSet::of(node);
            record.unverified = (record.unverified | ended) - NodeSet::of(node);
            record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Fencing };
            for host in NodeId::ALL {
                let array = &mut state.array;
                array.stale_removals[host] = array.stale_removals[host] | array.late_removals[host];
            }
            state.array.late_removals = PerNode::default();
            let first = match (skips, listed) {
                (true, _) => Step::StartAttempt,
                (_, false) => Step::ListRows,
                _ if rows == PerNode::default() => after_revocation(settings, &state.record, false),
                _ => Step::RemoveRows,
            };
            Self::begin(state, node, first);
            if first == Step::RemoveRows {
                state.nodes[node].operation.rows = rows;
            }
        });
    }

    /// Nobody exports beside an earlier request of its own that its kernel would find the LUN of by itself.
    pub(super) fn waits_for_late_exports(&self) -> bool {
        self.settings.autoscan && !self.without(Guard::MountBesideLateExport)
    }

    /// Mounts the device again, if it still works; the Mount then decides anew.
    pub(super) fn remount(&mut self, node: NodeId) {
        if !self.from.is_live(node) {
            return self.clean(node, What::MountFails, Way::Orderly, Self::idle);
        }
        let epoch = self.operation(node).epoch;
        self.step(node, What::MountsAgain, |state| {
            mounted(state, node, epoch);
            Self::idle(state, node);
        });
    }

    /// Clears the number of stale devices, scans exactly it, reads the WWN from what is there, waits for the map, mounts the
    /// filesystem.
    pub(super) fn attach(&mut self, node: NodeId) {
        let Some(lun) = self.operation(node).attempt else { return self.undo(node, What::AttachFails) };
        let other = self.from.others[node];
        let exported = self.from.array.vluns[node].contains(lun);
        let theirs_in_use = other.scanned.contains(lun) && other.holds_data;
        if !exported && other.vluns.contains(lun) && self.without(Guard::SkipIdentity) {
            let wrong = Some(Violation::WrongDisk(node));
            return self.push(node, What::MountsFilesystem, Some((node, lun)), false, wrong, |_| {});
        }
        if !exported || theirs_in_use {
            return self.undo(node, What::AttachFails);
        }
        let epoch = self.operation(node).epoch;
        let attached = |state: &mut State| {
            state.others[node].scanned.remove(lun);
            state.nodes[node].kernel.scanned.insert(lun);
        };
        self.fault(node, What::AttachesAndDies, Some((node, lun)), |state| {
            attached(state);
            Self::idle(state, node);
        });
        self.step_on(node, What::MountsFilesystem, (node, lun), |state| {
            attached(state);
            mounted(state, node, epoch);
            next(state, node, Step::Commit);
        });
    }

    /// Looks whether the mount is what it should be; the last transaction of a Mount, and its answer.
    pub(super) fn commit(&mut self, node: NodeId) {
        let kernel = self.from.nodes[node].kernel;
        let attempt = self.operation(node).attempt;
        let through_it_alone =
            self.without(Guard::ExportToQuarantined) || attempt.is_some_and(|lun| kernel.scanned == LunSet::of(lun));
        if kernel.filesystem != Filesystem::Mounted || !through_it_alone {
            return self.undo(node, What::VerifyFails);
        }
        let Some(lun) = attempt.filter(|_| self.still_owner(node)) else {
            return self.undo(node, What::LostOwnership);
        };
        let mut after = self.from;
        after.record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Mounted(lun) };
        after.seen.served = after.record.epoch;
        after.seen.served_by = Some(node);
        Self::idle(&mut after, node);
        let wrong = (!has_the_volume(&after, node)).then_some(Violation::FalseSuccess(node));
        self.push(node, What::AnswersSuccess, None, false, wrong, |state| *state = after);
    }

    /// A Mount that fails reads the record: it releases what is its own, and cleans up when another node owns the volume.
    pub(super) fn undo(&mut self, node: NodeId, what: What) {
        if self.still_owner(node) {
            return self.release(node, what);
        }
        let attempt = self.operation(node).attempt;
        self.clean(
            node,
            if what == What::AttachFails { what } else { What::LostOwnership },
            Way::Fenced,
            |state, node| {
                Self::idle(state, node);
                if let Some(lun) = attempt {
                    Self::begin(state, node, Step::UndoExport);
                    state.nodes[node].operation.rows[node] = LunSet::of(lun);
                }
            },
        );
    }
}

/// An owner that did not get beyond its export may still have the request on its way.
pub(super) fn burn_open_attempt(ownership: Ownership, burned: &mut PerNode<LunSet>) {
    if let Ownership::Owned { owner, stage: Stage::Attaching(lun), .. } = ownership {
        burned[owner].insert(lun);
    }
}

/// The kernel mounts the filesystem. One that is still alive in the kernel is the one that gets mounted again,
/// cache and all.
fn mounted(state: &mut State, node: NodeId, epoch: Epoch) {
    let kernel = &mut state.nodes[node].kernel;
    if kernel.filesystem == Filesystem::Absent {
        kernel.mounted_in = epoch;
    }
    kernel.filesystem = Filesystem::Mounted;
    state.seen.mounted = state.seen.mounted.max(epoch);
}

/// What a Mount's success promises: ownership in this epoch, and a mount of this epoch through the export in force.
fn has_the_volume(state: &State, node: NodeId) -> bool {
    let kernel = &state.nodes[node].kernel;
    state.record.is_owned_by(node, state.record.epoch)
        && kernel.filesystem == Filesystem::Mounted
        && kernel.mounted_in == state.record.epoch
        && state.record.ownership.attempt().is_some_and(|lun| kernel.scanned.contains(lun))
}
