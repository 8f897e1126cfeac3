//! The export: a fresh LUN number, the request, and reading the record again.

use super::{Steps, next};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{Lun, LunSet, NodeId, NodeSet, Ownership, Stage, State, Step};

impl Steps<'_> {
    /// Writes a fresh number into the record. Not beside a request of its own that may still take effect: it waits until
    /// that is too old to come, or gives up.
    pub(super) fn start_attempt(&mut self, node: NodeId) {
        if !self.still_owner(node) {
            return self.undo(node, What::LostOwnership);
        }
        let outstanding = self.from.record.burned[node] - self.operation(node).seen[node];
        let waits = self.waits_for_late_exports() && !outstanding.is_empty();
        if waits {
            self.undo(node, What::ExportOnItsWay);
        }
        for (lun, what) in self.numbers_for_the_volume(node) {
            self.step_on(node, what, (node, lun), |state| {
                if waits {
                    state.array.late_creates[node] = state.array.late_creates[node] - outstanding;
                }
                write_attempt(state, node, lun);
            });
        }
    }

    /// Requests the VLUN, and reads the record again once it is there.
    pub(super) fn export(&mut self, node: NodeId) {
        let Some(lun) = self.operation(node).attempt else { return };
        self.export_answered(node, lun);
        let repeats = self.without(Guard::ReuseLunNumber);
        self.fault(node, What::ExportUnknown, Some((node, lun)), |state| {
            state.array.late_creates[node].insert(lun);
            next(state, node, if repeats { Step::Export } else { Step::Burn });
        });
        self.fault(node, What::ExportsAndDies, Some((node, lun)), |state| {
            state.array.late_creates[node].insert(lun);
            Self::idle(state, node);
        });
    }

    fn export_answered(&mut self, node: NodeId, lun: Lun) {
        let to_another_host = self.from.exported_to() - NodeSet::of(node);
        let refused = self.settings.one_host && !to_another_host.is_empty();
        if refused || self.from.taken(node).contains(lun) {
            return self.step_on(node, What::ExportRefused, (node, lun), |state| next(state, node, Step::ListRows));
        }
        let is_owner = self.still_owner(node) || self.without(Guard::SkipValidation);
        self.step_on(node, What::Exports, (node, lun), |state| {
            state.array.vluns[node].insert(lun);
            if is_owner {
                next(state, node, Step::Attach);
            } else {
                // Nothing of the volume is in this kernel yet: its export is all there is to undo.
                Self::begin(state, node, Step::UndoExport);
                state.nodes[node].operation.rows[node].insert(lun);
            }
        });
    }

    /// The request may still take effect: its number is burned, and everything is listed again before the next.
    pub(super) fn burn(&mut self, node: NodeId) {
        let Some(lun) = self.operation(node).attempt.filter(|_| self.still_owner(node)) else {
            return self.undo(node, What::LostOwnership);
        };
        self.step_on(node, What::Burns, (node, lun), |state| {
            state.record.burned[node].insert(lun);
            state.record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Fencing };
            state.nodes[node].operation.attempt = None;
            next(state, node, Step::ListRows);
        });
    }
}

/// From here on everybody who was fenced is verified to have no export.
fn write_attempt(state: &mut State, node: NodeId, lun: Lun) {
    let operation = &mut state.nodes[node].operation;
    operation.attempt = Some(lun);
    operation.avoid = LunSet::default();
    operation.step = Step::Export;
    let seen = operation.seen;
    let record = &mut state.record;
    for host in NodeId::ALL {
        record.burned[host] = record.burned[host] - seen[host];
    }
    record.unverified = NodeSet::default();
    record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Attaching(lun) };
}
