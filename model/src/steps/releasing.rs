//! Unmount and every other release: write back, unmount, drop the device, remove the export, free the record last.

use super::cleaning::Way;
use super::mounting::burn_open_attempt;
use super::{Steps, next};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{After, Filesystem, NodeId, Ownership, Stage, State, Step, Takeover};

impl Steps<'_> {
    /// Unmount of the last reference writes ahead what it is about to do; from there on it is a release like any other.
    pub(super) fn unmount_begins(&mut self, node: NodeId) {
        let Ownership::Owned { owner, this_boot: true, stage: Stage::Mounted(lun) } = self.from.record.ownership else {
            return;
        };
        if owner != node {
            return;
        }
        let free_first = self.without(Guard::FreeBeforeDeviceDown);
        self.step(node, What::UnmountBegins, |state| {
            if free_first {
                freed(state);
            } else {
                state.record.ownership = Ownership::Owned { owner, this_boot: true, stage: Stage::Releasing(lun) };
            }
        });
    }

    /// Takes the volume down, in order as long as a path works, lists the own exports, and frees the record if there
    /// are none. Without a path it may also wait and try again later.
    pub(super) fn release(&mut self, node: NodeId, what: What) {
        let without_path = self.from.nodes[node].kernel.filesystem == Filesystem::Mounted && !self.from.is_live(node);
        let dead = matches!(self.from.nodes[node].kernel.filesystem, Filesystem::ShutDown | Filesystem::Silenced);
        if without_path && self.operation(node).step != Step::Idle {
            self.step(node, What::WriteBackWaits, |state| Self::idle(state, node));
        }
        let own = self.from.array.vluns[node];
        let burns = !self.without(Guard::BurnAfterwards);
        let way = if dead || without_path { Way::Fenced } else { Way::Orderly };
        self.clean(node, what, way, |state, node| {
            Self::begin(state, node, Step::RemoveOwn);
            state.nodes[node].operation.rows[node] = own;
            if own.is_empty() {
                free(state, node, burns);
            }
        });
    }

    /// Lists its own exports again, and if none is left ends what it is about: frees the record or leaves quarantine.
    pub(super) fn read_back_own(&mut self, node: NodeId) {
        let own = self.from.array.vluns[node];
        if !own.is_empty() {
            return self.step(node, What::ReadsBackOwn, |state| {
                state.nodes[node].operation.rows[node] = own;
                next(state, node, Step::RemoveOwn);
            });
        }
        let record = &self.from.record;
        let burns = !self.without(Guard::BurnAfterwards);
        match self.operation(node).after {
            After::Free if record.epoch == self.operation(node).epoch && record.ownership.owner() == Some(node) => {
                self.step(node, What::Frees, |state| free(state, node, burns));
            }
            After::ClearQuarantine if record.quarantine.contains(node) && self.proven_clean(node) => {
                self.step(node, What::LeavesQuarantine, |state| leave_quarantine(state, node));
            }
            _ => self.step(node, What::RecordChanged, |state| Self::idle(state, node)),
        }
    }
}

/// The last transaction of a release.
fn free(state: &mut State, node: NodeId, burns: bool) {
    let record = &mut state.record;
    let seen = state.nodes[node].operation.seen;
    if burns {
        burn_open_attempt(record.ownership, &mut record.burned);
    }
    for host in NodeId::ALL {
        record.burned[host] = record.burned[host] - seen[host];
    }
    freed(state);
    Steps::idle(state, node);
}

fn freed(state: &mut State) {
    state.record.ownership = Ownership::Free;
    state.record.takeover = Takeover::Closed;
}

/// The node has proven that nothing of the volume is left on it.
pub(super) fn leave_quarantine(state: &mut State, node: NodeId) {
    state.record.quarantine.remove(node);
    state.record.unverified.remove(node);
    Steps::idle(state, node);
}
