//! Reconciliation: finish what was interrupted, clean what was lost, take late exports away, forget burned numbers.

use super::{Steps, next, wrote_record};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{After, Filesystem, LunSet, NodeId, Ownership, PerNode, Stage, Step};

impl Steps<'_> {
    /// What is here comes first; only when nothing is left to be done here are late exports looked for.
    pub(super) fn reconcile_begins(&mut self, node: NodeId) {
        let in_order = match self.from.record.ownership {
            Ownership::Owned { owner, this_boot: true, stage: Stage::Mounted(_) } if owner == node => true,
            Ownership::Owned { owner, .. } if owner == node => {
                self.step(node, What::ReconcileReleases, |state| {
                    Self::begin(state, node, After::Release);
                    Self::release(state, node);
                });
                false
            }
            _ => self.reconcile_lost(node),
        };
        if in_order {
            self.find_late_exports(node);
        }
        self.forget_burned(node);
    }

    /// This node does not own the volume. Returns whether nothing of it is left here.
    fn reconcile_lost(&mut self, node: NodeId) -> bool {
        let clean = self.proven_clean(node);
        let lost = self.from.record.quarantine.contains(node);
        let what = match (clean, lost) {
            (true, true) => What::ReconcileClears,
            (false, true) => What::ReconcileCleans,
            // A mount of a volume that this node never had is somebody else's.
            (false, false) if self.from.nodes[node].kernel.filesystem == Filesystem::Absent => What::ReconcileCleans,
            _ => return clean,
        };
        self.step(node, what, |state| {
            Self::begin(state, node, After::ClearQuarantine);
            if clean { Self::when_clean(state, node) } else { Self::leave(state, node) }
        });
        clean
    }

    /// Exports of given-up requests that took effect: own ones, and as owner those of every node.
    fn find_late_exports(&mut self, node: NodeId) {
        let record = &self.from.record;
        let owned = record.is_owned_by(node, record.epoch);
        let mut rows: PerNode<LunSet> = PerNode::default();
        for host in NodeId::ALL.into_iter().filter(|host| owned || *host == node) {
            rows[host] = record.burned[host] & self.from.array.vluns[host];
            if let Some(current) = record.ownership.attempt().filter(|_| record.ownership.owner() == Some(host)) {
                rows[host].remove(current);
            }
        }
        if rows != PerNode::default() {
            self.step(node, What::FindsLateExports, |state| {
                Self::begin(state, node, After::Decide);
                state.nodes[node].operation.rows = rows;
                next(state, node, Step::RemoveLate);
            });
        }
    }

    /// A request does not live for ever: after a time its number need not be looked for any more.
    fn forget_burned(&mut self, node: NodeId) {
        let record = &self.from.record;
        let everybodys = self.without(Guard::OwnerForgetsBurned) && record.is_owned_by(node, record.epoch);
        let whose = || NodeId::ALL.into_iter().filter(move |host| everybodys || *host == node);
        let any = whose().any(|host| !record.burned[host].is_empty());
        let alive = whose().any(|host| !(record.burned[host] & self.from.array.late_creates[host]).is_empty());
        if !any || alive {
            return;
        }
        self.step(node, What::ForgetsBurned, |state| {
            for host in whose() {
                state.record.burned[host] = LunSet::default();
            }
            wrote_record(state, node);
        });
    }
}
