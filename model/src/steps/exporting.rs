//! The export: a fresh LUN number, the request, and reading the record again.

use super::{Steps, next, wrote_record};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{Lun, NodeId, NodeSet, Ownership, Stage, Step};

impl Steps<'_> {
    /// Writes a fresh number into the record, burned from now on until it is known to be done with.
    pub(super) fn write_attempt(&mut self, node: NodeId) {
        if !self.still_owner(node) {
            return self.step(node, What::LostOwnership, |state| next(state, node, Step::Undo));
        }
        let answered = self.operation(node).step == Step::StartAttempt;
        let before = self.from.record.ownership.attempt();
        let ahead = !self.without(Guard::BurnAfterwards);
        let Some(lun) = self.from.numbers_in_play(node).first_absent() else {
            self.cut = true;
            return;
        };
        self.step_on(node, What::WritesAttempt, (node, lun), |state| {
            let record = &mut state.record;
            match before {
                Some(before) if answered => record.burned[node].remove(before),
                Some(before) => record.burned[node].insert(before),
                None => {}
            }
            if ahead {
                record.burned[node].insert(lun);
            }
            record.unverified = NodeSet::default();
            record.ownership = Ownership::Owned { owner: node, this_boot: true, stage: Stage::Attaching(lun) };
            wrote_record(state, node);
            let operation = &mut state.nodes[node].operation;
            operation.attempt = Some(lun);
            operation.attempt_written = !answered;
            operation.step = if answered { Step::Export } else { Step::ListRows };
        });
    }

    /// Requests the VLUN.
    pub(super) fn export(&mut self, node: NodeId) {
        let Some(lun) = self.operation(node).attempt else { return };
        self.export_answered(node, lun);
        let repeats = self.without(Guard::ReuseLunNumber);
        self.fault(node, What::ExportUnknown, Some((node, lun)), |state| {
            state.array.late_creates[node].insert(lun);
            state.nodes[node].operation.awaits_burned = true;
            next(state, node, if repeats { Step::Export } else { Step::NextAttempt });
        });
        self.fault(node, What::ExportsAndDies, Some((node, lun)), |state| {
            state.array.late_creates[node].insert(lun);
            Self::idle(state, node);
        });
    }

    fn export_answered(&mut self, node: NodeId, lun: Lun) {
        let to_another_host = self.from.exported_to() - NodeSet::of(node);
        let refused = self.settings.one_host && !to_another_host.is_empty();
        if refused || self.from.array.vluns[node].contains(lun) {
            return self.step_on(node, What::ExportRefused, (node, lun), |state| {
                state.nodes[node].operation.attempt_written = false;
                next(state, node, Step::ListRows);
            });
        }
        let follows = if self.without(Guard::SkipValidation) { Step::Attach } else { Step::Validate };
        self.step_on(node, What::Exports, (node, lun), |state| {
            state.array.vluns[node].insert(lun);
            next(state, node, follows);
        });
    }

    /// Reads the record again after the export.
    pub(super) fn validate(&mut self, node: NodeId) {
        if self.still_owner(node) {
            return self.step(node, What::Validates, |state| next(state, node, Step::Attach));
        }
        self.step(node, What::LostOwnership, |state| next(state, node, Step::Undo));
    }
}
