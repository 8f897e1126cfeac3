//! Unmount and every other release: write back, unmount, drop the device, remove the export, free the record last.

use super::{Steps, next, wrote_record};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{After, Filesystem, LunSet, NodeId, Ownership, PerNode, Stage, State, Step, Takeover};

impl Steps<'_> {
    /// Unmount of the last reference.
    pub(super) fn unmount_begins(&mut self, node: NodeId) {
        let Ownership::Owned { owner, this_boot: true, stage: Stage::Mounted(lun) } = self.from.record.ownership else {
            return;
        };
        if owner != node {
            return;
        }
        let free_first = self.without(Guard::FreeBeforeDeviceDown);
        self.step(node, What::UnmountBegins, |state| {
            Self::begin(state, node, After::Release);
            if free_first {
                freed(state);
            } else {
                state.record.ownership = Ownership::Owned { owner, this_boot: true, stage: Stage::Releasing(lun) };
            }
            wrote_record(state, node);
            Self::release(state, node);
        });
    }

    /// Looks at the kernel and begins to take the volume down.
    pub(super) fn release(state: &mut State, node: NodeId) {
        state.nodes[node].operation.after = After::Release;
        state.nodes[node].operation.attempt = None;
        let dead = match state.nodes[node].kernel.filesystem {
            Filesystem::Absent | Filesystem::Detached => false,
            Filesystem::Mounted => !state.is_live(node),
            Filesystem::ShutDown | Filesystem::Silenced => true,
        };
        if dead { Self::clean_fenced(state, node) } else { Self::take_down(state, node) }
    }

    /// The orderly way down.
    pub(super) fn take_down(state: &mut State, node: NodeId) {
        let kernel = state.nodes[node].kernel;
        if kernel.filesystem == Filesystem::Mounted {
            next(state, node, Step::WriteBack);
        } else if kernel.scanned.is_empty() {
            Self::when_clean(state, node);
        } else {
            next(state, node, Step::DropDevice);
        }
    }

    /// Without a path it waits and tries again, or the kernel gives up.
    pub(super) fn write_back(&mut self, node: NodeId) {
        if self.from.is_live(node) {
            return self.step(node, What::WritesBack, |state| next(state, node, Step::Unmount));
        }
        self.step(node, What::WriteBackFails, |state| next(state, node, Step::Unmount));
        self.step(node, What::WriteBackWaits, |state| Self::idle(state, node));
    }

    /// Unmounting writes back what is left, as far as a path works.
    pub(super) fn unmount(&mut self, node: NodeId) {
        if !self.from.is_live(node) {
            self.step(node, What::UnmountWaits, |state| Self::idle(state, node));
        }
        self.step(node, What::Unmounts, |state| {
            state.nodes[node].kernel.filesystem = Filesystem::Absent;
            next(state, node, Step::DropDevice);
        });
    }

    pub(super) fn list_own(&mut self, node: NodeId) {
        self.own_listed(node, What::ListsOwn);
    }

    pub(super) fn read_back_own(&mut self, node: NodeId) {
        self.own_listed(node, What::ReadsBackOwn);
    }

    fn own_listed(&mut self, node: NodeId, what: What) {
        let own = self.from.array.vluns[node];
        let last = match self.operation(node).after {
            After::ClearQuarantine => Step::ClearQuarantine,
            _ => Step::Free,
        };
        self.step(node, what, |state| {
            state.nodes[node].operation.rows[node] = own;
            next(state, node, if own.is_empty() { last } else { Step::RemoveOwn });
        });
    }

    /// The last transaction of a release; nothing to do if the volume was taken meanwhile.
    pub(super) fn free(&mut self, node: NodeId) {
        let ours =
            self.from.record.epoch == self.operation(node).epoch && self.from.record.ownership.owner() == Some(node);
        if !ours {
            return self.step(node, What::RecordChanged, |state| Self::idle(state, node));
        }
        self.step(node, What::Frees, |state| {
            freed(state);
            wrote_record(state, node);
            Self::idle(state, node);
        });
    }

    /// Rows to remove that consist of one number.
    pub(super) fn only(host: NodeId, luns: LunSet) -> PerNode<LunSet> {
        let mut rows = PerNode::default();
        rows[host] = luns;
        rows
    }
}

fn freed(state: &mut State) {
    state.record.ownership = Ownership::Free;
    state.record.takeover = Takeover::Closed;
}
