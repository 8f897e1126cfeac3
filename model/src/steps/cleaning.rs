//! Getting a lost volume off a node: shut down, fail what is queued, unmount, drop the device, leave quarantine.

use super::{Steps, next, wrote_record};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{After, Filesystem, Kernel, LunSet, NodeId, State, Step};

impl Steps<'_> {
    /// What a Mount takes for a clean node.
    pub(super) fn counts_as_clean(&self, node: NodeId) -> bool {
        self.without(Guard::ExportToQuarantined) || self.proven_clean(node)
    }

    /// Nothing of the volume is left here, as far as the node looks.
    pub(super) fn proven_clean(&self, node: NodeId) -> bool {
        let kernel = &self.from.nodes[node].kernel;
        kernel.is_clean() || (self.without(Guard::NoCleaning) && kernel.filesystem != Filesystem::Mounted)
    }

    /// This node does not own the volume: whatever is here goes.
    pub(super) fn leave(state: &mut State, node: NodeId) {
        if state.nodes[node].kernel.is_clean() {
            Self::when_clean(state, node);
        } else {
            Self::clean_fenced(state, node);
        }
    }

    /// The way down for a volume that was taken: nothing may be written back.
    pub(super) fn clean_fenced(state: &mut State, node: NodeId) {
        let mounted = state.nodes[node].kernel.filesystem != Filesystem::Absent;
        next(state, node, if mounted { Step::ShutDown } else { Step::DropDevice });
    }

    pub(super) fn shut_down(&mut self, node: NodeId) {
        if self.without(Guard::NoCleaning) {
            return self.step(node, What::LazilyUnmounts, |state| {
                state.nodes[node].kernel.filesystem = Filesystem::Detached;
                Self::when_clean(state, node);
            });
        }
        self.step(node, What::ShutsDown, |state| {
            let filesystem = &mut state.nodes[node].kernel.filesystem;
            if *filesystem == Filesystem::Mounted {
                *filesystem = Filesystem::ShutDown;
            }
            next(state, node, Step::FailQueue);
        });
    }

    pub(super) fn fail_queue(&mut self, node: NodeId) {
        self.step(node, What::FailsQueue, |state| {
            state.nodes[node].kernel.filesystem = Filesystem::Silenced;
            next(state, node, Step::UnmountFenced);
        });
    }

    pub(super) fn unmount_fenced(&mut self, node: NodeId) {
        self.step(node, What::UnmountsFenced, |state| {
            state.nodes[node].kernel.filesystem = Filesystem::Absent;
            next(state, node, Step::DropDevice);
        });
    }

    /// Deletes map and SCSI devices; that aborts their tasks at the array.
    pub(super) fn drop_device(&mut self, node: NodeId) {
        self.step(node, What::DropsDevice, |state| {
            state.nodes[node].kernel = Kernel::default();
            Self::when_clean(state, node);
        });
    }

    /// Nothing is left here; the operation goes on.
    pub(super) fn when_clean(state: &mut State, node: NodeId) {
        let operation = &mut state.nodes[node].operation;
        match operation.after {
            After::Decide => Self::idle(state, node),
            After::Release => operation.step = Step::ListOwn,
            // Where nobody has finished revoking, no own export is left behind either.
            After::ClearQuarantine if state.record.unverified.contains(node) => operation.step = Step::ListOwn,
            After::ClearQuarantine => operation.step = Step::ClearQuarantine,
            After::UndoExport => match operation.attempt {
                None => Self::idle(state, node),
                Some(lun) => {
                    operation.rows = Self::only(node, LunSet::of(lun));
                    operation.step = Step::UndoExport;
                }
            },
        }
    }

    pub(super) fn clear_quarantine(&mut self, node: NodeId) {
        let lost = self.from.record.quarantine.contains(node);
        if !lost || !self.proven_clean(node) {
            return self.step(node, What::RecordChanged, |state| Self::idle(state, node));
        }
        self.step(node, What::LeavesQuarantine, |state| {
            state.record.quarantine.remove(node);
            state.record.unverified.remove(node);
            wrote_record(state, node);
            Self::idle(state, node);
        });
    }
}
