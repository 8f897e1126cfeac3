//! The fence: list every export, remove, read back, settle.

use super::{Steps, next};
use crate::event::What;
use crate::properties::Violation;
use crate::settings::Guard;
use crate::state::{Lun, LunSet, NodeId, Operation, PerNode, State, Step};

impl Steps<'_> {
    pub(super) fn list_rows(&mut self, node: NodeId) {
        let rows = self.from.array.vluns;
        self.listed(node, What::ListsRows, rows, false);
    }

    pub(super) fn read_back(&mut self, node: NodeId) {
        let rows = self.from.array.vluns;
        self.listed(node, What::ReadsBack, rows, true);
    }

    /// A listing of all exports: none is left, or these have to go.
    fn listed(&mut self, node: NodeId, what: What, rows: PerNode<LunSet>, removed: bool) {
        let follows = if rows == PerNode::default() {
            self.after_revocation(node, removed)
        } else if self.without(Guard::RemoveUnchecked) {
            Step::RemoveRows
        } else {
            Step::CheckBeforeRemoval
        };
        self.step(node, what, |state| {
            state.nodes[node].operation.rows = rows;
            next(state, node, follows);
        });
    }

    pub(super) fn check_before_removal(&mut self, node: NodeId) {
        if self.still_owner(node) {
            return self.step(node, What::ReadsRecordBeforeRemoval, |state| next(state, node, Step::RemoveRows));
        }
        self.step(node, What::LostOwnership, |state| {
            state.nodes[node].operation.rows = PerNode::default();
            next(state, node, Step::Undo);
        });
    }

    /// What follows the last listed removal of a fence.
    pub(super) fn after_removal(&self, node: NodeId) -> Step {
        if self.without(Guard::SkipReadBack) { self.after_revocation(node, true) } else { Step::ReadBack }
    }

    /// What follows when no export is left: settle, wait for burned numbers, export.
    fn after_revocation(&self, node: NodeId, removed: bool) -> Step {
        let unverified = !self.from.record.unverified.is_empty() && !self.without(Guard::SettleOwnRemovalsOnly);
        if self.settings.early_removal && (removed || unverified) && !self.without(Guard::SkipSettle) {
            return Step::Settle;
        }
        self.after_settling(node)
    }

    fn after_settling(&self, node: NodeId) -> Step {
        let Operation { awaits_burned, attempt_written, .. } = *self.operation(node);
        if awaits_burned && !self.without(Guard::MountBesideLateExport) {
            return Step::AwaitBurned;
        }
        if attempt_written { Step::Export } else { Step::StartAttempt }
    }

    pub(super) fn settle(&mut self, node: NodeId) {
        if NodeId::ALL.into_iter().any(|other| self.from.nodes[other].kernel.in_flight) {
            return;
        }
        let follows = self.after_settling(node);
        self.step(node, What::Settles, |state| next(state, node, follows));
    }

    /// Requests do not live for ever: after a time none of this node's burned numbers can take effect any more.
    pub(super) fn await_burned(&mut self, node: NodeId) {
        if !self.from.array.late_creates[node].is_empty() {
            return;
        }
        self.step(node, What::AwaitsBurned, |state| {
            state.nodes[node].operation.awaits_burned = false;
            next(state, node, Step::ListRows);
        });
    }

    /// Removes a listed row, any of them first.
    pub(super) fn remove_row(&mut self, node: NodeId, follows: Step) {
        let rows = self.operation(node).rows;
        for host in NodeId::ALL {
            for lun in rows[host].iter() {
                self.remove(node, (host, lun), follows);
            }
        }
    }

    /// Removes an export by its exact address; the removal may be on its way still when it is answered.
    fn remove(&mut self, node: NodeId, (host, lun): (NodeId, Lun), follows: Step) {
        let done = |state: &mut State| {
            let rows = &mut state.nodes[node].operation.rows;
            rows[host].remove(lun);
            if *rows == PerNode::default() {
                next(state, node, follows);
            }
        };
        if !self.from.array.vluns[host].contains(lun) {
            // Gone meanwhile: "not found" is as good.
            return self.step_on(node, What::Removes, (host, lun), done);
        }
        let stale = host != node && !self.still_owner(node);
        let early = self.settings.early_removal;
        let wrong = hits_export_in_force(&self.from, host, lun, stale);
        self.push(node, What::Removes, Some((host, lun)), false, wrong, |state| {
            vlun_goes(state, host, lun, early);
            done(state);
        });
        let send = |state: &mut State| {
            let late = if stale { &mut state.array.stale_removals } else { &mut state.array.late_removals };
            late[host].insert(lun);
        };
        self.fault(node, What::RemovesLate, Some((host, lun)), |state| {
            send(state);
            done(state);
        });
        self.fault(node, What::RemovesAndDies, Some((host, lun)), |state| {
            send(state);
            next(state, node, Step::Idle);
        });
    }
}

/// The VLUN goes. On an array that answers early, writes of that host may still be in flight.
pub(super) fn vlun_goes(state: &mut State, host: NodeId, lun: Lun, early: bool) {
    state.array.vluns[host].remove(lun);
    let kernel = &mut state.nodes[host].kernel;
    if early && kernel.scanned.contains(lun) && kernel.filesystem.holds_data() {
        kernel.in_flight = true;
    }
}

/// A removal of an ended epoch must not hit the export in force.
pub(super) fn hits_export_in_force(state: &State, host: NodeId, lun: Lun, stale: bool) -> Option<Violation> {
    let in_force = state.record.ownership.owner() == Some(host) && state.record.ownership.attempt() == Some(lun);
    (stale && in_force).then_some(Violation::StaleRemoval(host))
}
