//! Mount up to the claim, and from the export to the answer.

use super::{Steps, next, wrote_record};
use crate::event::What;
use crate::properties::Violation;
use crate::settings::Guard;
use crate::state::{
    After, Epoch, Filesystem, Kernel, LunSet, NodeId, NodeSet, Operation, Ownership, PerNode, Stage, State, Step,
    Takeover,
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
            _ if self.counts_as_clean(node) => self.ask_exports(node),
            _ => self.step(node, What::MountSeesLeftovers, |state| {
                Self::begin(state, node, After::Decide);
                Self::clean_fenced(state, node);
            }),
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
                _ => self.step(node, What::MountIsThere, |state| {
                    Self::begin(state, node, After::Decide);
                    next(state, node, Step::AddReference);
                }),
            };
        }
        let vanished = kernel.filesystem == Filesystem::Absent && !kernel.scanned.is_empty() && through_export;
        if vanished && this_boot && matches!(stage, Stage::Mounted(_)) {
            return self.step(node, What::FindsMountGone, |state| {
                Self::begin(state, node, After::Decide);
                next(state, node, Step::Remount);
            });
        }
        if self.counts_as_clean(node) {
            return self.ask_exports(node);
        }
        let in_order = through_export && (alive || kernel.filesystem == Filesystem::Absent);
        self.step(node, What::MountSeesLeftovers, |state| {
            Self::begin(state, node, After::Decide);
            if in_order { Self::take_down(state, node) } else { Self::clean_fenced(state, node) }
        });
    }

    /// Mounted already: success without a step, if it is true.
    fn answer_at_once(&mut self, node: NodeId) {
        if !has_the_volume(&self.from, node) {
            self.push(node, What::MountIsThere, None, false, Some(Violation::FalseSuccess(node)), |_| {});
        }
    }

    fn ask_exports(&mut self, node: NodeId) {
        self.step(node, What::MountBegins, |state| {
            Self::begin(state, node, After::Decide);
            next(state, node, Step::AskExports);
        });
    }

    /// An operation begins with the record just read.
    pub(super) fn begin(state: &mut State, node: NodeId, after: After) {
        state.nodes[node].operation =
            Operation { after, epoch: state.record.epoch, fresh: true, ..Operation::default() };
    }

    /// Lists the exports and decides who loses the volume, and whether a timer comes first.
    pub(super) fn list_for_decision(&mut self, node: NodeId) {
        let record = &self.from.record;
        let mut exporters = self.from.exported_to();
        let unexported = exporters.is_empty();
        exporters.remove(node);
        let ended = exporters - record.quarantine;
        let (ended, at_once) = match record.ownership.owner() {
            Some(owner) if owner == node => (ended, true),
            Some(owner) => (ended | NodeSet::of(owner), unexported),
            None => (ended, ended.is_empty()),
        };
        let takeover = record.takeover;
        if !at_once && takeover == Takeover::Running {
            return self.step(node, What::WaitsForTimer, |state| Self::idle(state, node));
        }
        let claims = at_once || takeover == Takeover::Expired;
        self.step(node, What::ListsForDecision, |state| {
            state.nodes[node].operation.ended = ended;
            next(state, node, if claims { Step::Claim } else { Step::OpenTakeover });
        });
    }

    pub(super) fn open_takeover(&mut self, node: NodeId) {
        if !self.operation(node).fresh {
            return self.step(node, What::RecordChanged, |state| Self::idle(state, node));
        }
        self.step(node, What::OpensTakeover, |state| {
            state.record.takeover = Takeover::Running;
            wrote_record(state, node);
            Self::idle(state, node);
        });
    }

    /// Becomes owner in a new epoch; whoever loses the volume goes into quarantine.
    pub(super) fn claim(&mut self, node: NodeId) {
        if !self.operation(node).fresh {
            return self.step(node, What::RecordChanged, |state| Self::idle(state, node));
        }
        let ended = self.operation(node).ended;
        let first = if self.without(Guard::SkipRevoke) { Step::StartAttempt } else { Step::ListRows };
        self.step(node, What::Claims, |state| {
            let record = &mut state.record;
            record.epoch = record.epoch.next();
            record.takeover = Takeover::Closed;
            record.quarantine = (record.quarantine | ended) - NodeSet::of(node);
            record.unverified = (record.unverified | ended) - NodeSet::of(node);
            record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Fencing };
            let epoch = record.epoch;
            let outstanding = !record.burned[node].is_empty();
            wrote_record(state, node);
            for host in NodeId::ALL {
                let array = &mut state.array;
                array.stale_removals[host] = array.stale_removals[host] | array.late_removals[host];
            }
            state.array.late_removals = PerNode::default();
            state.nodes[node].operation =
                Operation { step: first, epoch, awaits_burned: outstanding, ..Operation::default() };
        });
    }

    /// Mounts the device again, if it still works; the Mount then decides anew.
    pub(super) fn remount(&mut self, node: NodeId) {
        if !self.from.is_live(node) {
            return self.step(node, What::MountFails, |state| next(state, node, Step::DropDevice));
        }
        let epoch = self.operation(node).epoch;
        self.step(node, What::MountsAgain, |state| {
            mounted(state, node, epoch);
            Self::idle(state, node);
        });
    }

    pub(super) fn add_reference(&mut self, node: NodeId) {
        if !self.still_owner(node) {
            return self.step(node, What::RecordChanged, |state| Self::idle(state, node));
        }
        let wrong = (!has_the_volume(&self.from, node)).then_some(Violation::FalseSuccess(node));
        self.push(node, What::AddsReference, None, false, wrong, |state| {
            if let Ownership::Owned { stage, .. } = &mut state.record.ownership
                && let Some(lun) = stage.attempt()
            {
                *stage = Stage::Mounted(lun);
            }
            wrote_record(state, node);
            Self::idle(state, node);
        });
    }

    /// Scans exactly the exported number and waits for the map.
    pub(super) fn attach(&mut self, node: NodeId) {
        let Some(lun) = self.operation(node).attempt else { return self.mount_failed(node, What::AttachFails) };
        if !self.from.array.vluns[node].contains(lun) {
            return self
                .push(node, What::AttachFails, Some((node, lun)), false, None, |state| next(state, node, Step::Undo));
        }
        self.step_on(node, What::Attaches, (node, lun), |state| {
            state.nodes[node].kernel.scanned.insert(lun);
            next(state, node, Step::MountFilesystem);
        });
    }

    pub(super) fn mount_filesystem(&mut self, node: NodeId) {
        if !self.from.is_live(node) {
            return self.mount_failed(node, What::MountFails);
        }
        let epoch = self.operation(node).epoch;
        self.step(node, What::MountsFilesystem, |state| {
            mounted(state, node, epoch);
            next(state, node, Step::Verify);
        });
    }

    pub(super) fn verify(&mut self, node: NodeId) {
        let Kernel { scanned, filesystem, .. } = self.from.nodes[node].kernel;
        let as_it_should = filesystem == Filesystem::Mounted
            && self.from.is_live(node)
            && (self.without(Guard::ExportToQuarantined)
                || self.operation(node).attempt.is_some_and(|lun| scanned == LunSet::of(lun)));
        if !as_it_should {
            return self.mount_failed(node, What::VerifyFails);
        }
        self.step(node, What::VerifiesMount, |state| next(state, node, Step::Commit));
    }

    /// The last transaction of a Mount, and its answer.
    pub(super) fn commit(&mut self, node: NodeId) {
        let Some(lun) = self.operation(node).attempt.filter(|_| self.still_owner(node)) else {
            return self.step(node, What::LostOwnership, |state| next(state, node, Step::Undo));
        };
        let mut after = self.from;
        after.record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Mounted(lun) };
        after.record.burned[node].remove(lun);
        after.seen.served = after.record.epoch;
        after.seen.served_by = Some(node);
        wrote_record(&mut after, node);
        Self::idle(&mut after, node);
        let wrong = (!has_the_volume(&after, node)).then_some(Violation::FalseSuccess(node));
        self.push(node, What::AnswersSuccess, None, false, wrong, |state| *state = after);
    }

    fn mount_failed(&mut self, node: NodeId, what: What) {
        self.step(node, what, |state| next(state, node, Step::Undo));
    }

    /// A failed Mount: releases what is its own, cleans up when another node owns the volume.
    pub(super) fn undo(&mut self, node: NodeId) {
        if self.still_owner(node) {
            return self.step(node, What::Undoes, |state| Self::release(state, node));
        }
        self.step(node, What::LostOwnership, |state| {
            state.nodes[node].operation.after = After::UndoExport;
            Self::leave(state, node);
        });
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
