//! The fence: list every export, remove, read back, settle.

use super::{Steps, next};
use crate::event::What;
use crate::properties::Violation;
use crate::settings::{Guard, Settings};
use crate::state::{Lun, NodeId, PerNode, Record, State, Step};

impl Steps<'_> {
    pub(super) fn list_rows(&mut self, node: NodeId) {
        self.listed(node, What::ListsRows, false);
    }

    pub(super) fn read_back(&mut self, node: NodeId) {
        self.listed(node, What::ReadsBack, true);
    }

    /// A listing of all exports: none is left, or these have to go, if the record still says so afterwards.
    fn listed(&mut self, node: NodeId, what: What, removed: bool) {
        let rows = self.from.array.vluns;
        if rows == PerNode::default() {
            let follows = after_revocation(self.settings, &self.from.record, removed);
            return self.step(node, what, |state| next(state, node, follows));
        }
        if !self.still_owner(node) && !self.without(Guard::RemoveUnchecked) {
            return self.undo(node, What::LostOwnership);
        }
        self.step(node, what, |state| {
            state.nodes[node].operation.rows = rows;
            next(state, node, Step::RemoveRows);
        });
    }

    /// What follows the last listed removal of a fence.
    pub(super) fn after_removal(&self) -> Step {
        if self.without(Guard::SkipReadBack) {
            after_revocation(self.settings, &self.from.record, true)
        } else {
            Step::ReadBack
        }
    }

    /// After a time nothing that was in flight when the exports went is left.
    pub(super) fn settle(&mut self, node: NodeId) {
        let follows = after_settling(self.settings);
        self.step(node, What::Settles, |state| {
            state.nodes.0.iter_mut().for_each(|node| node.kernel.in_flight = false);
            next(state, node, follows);
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
            let operation = &mut state.nodes[node].operation;
            operation.rows[host].remove(lun);
            operation.seen[host].insert(lun);
            if operation.rows == PerNode::default() {
                if operation.step == Step::RemoveLate {
                    forget_seen(state, node);
                }
                next(state, node, follows);
            }
        };
        if !self.from.array.vluns[host].contains(lun) {
            // Gone meanwhile: "not found" is as good. Unless the number is another volume's by now.
            let wrong = self.hits_the_other(host, lun);
            return self.push(node, What::Removes, Some((host, lun)), false, wrong, done);
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

impl Steps<'_> {
    /// A removal that does not name the volume takes whatever is exported by the number.
    pub(super) fn hits_the_other(&self, host: NodeId, lun: Lun) -> Option<Violation> {
        let hit = self.without(Guard::RemoveByNumber) && self.from.others[host].vluns.contains(lun);
        hit.then_some(Violation::BystanderRemoved(host))
    }
}

/// What follows when no export is left: settle, then export.
pub(super) fn after_revocation(settings: &Settings, record: &Record, removed: bool) -> Step {
    let unverified = !record.unverified.is_empty() && !settings.without(Guard::SettleOwnRemovalsOnly);
    if settings.early_removal && (removed || unverified) && !settings.without(Guard::SkipSettle) {
        return Step::Settle;
    }
    after_settling(settings)
}

fn after_settling(settings: &Settings) -> Step {
    let early = settings.volumes > 1 && settings.without(Guard::LookEarly);
    if early { Step::LookForNumber } else { Step::StartAttempt }
}

/// Exports that were listed and are gone are of no request that could still come.
fn forget_seen(state: &mut State, node: NodeId) {
    let seen = state.nodes[node].operation.seen;
    for host in NodeId::ALL {
        let gone = seen[host] - state.array.vluns[host];
        state.record.burned[host] = state.record.burned[host] - gone;
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
