//! Reconciliation: finish what was interrupted, clean what was lost, take late exports away, forget burned numbers.

use super::Steps;
use super::cleaning::Way;
use super::releasing::leave_quarantine;
use crate::event::What;
use crate::settings::Guard;
use crate::state::{After, Filesystem, LunSet, NodeId, Ownership, PerNode, Stage, Step};

impl Steps<'_> {
    /// What is here comes first; only when nothing is left to be done here are late exports looked for.
    pub(super) fn reconcile_begins(&mut self, node: NodeId) {
        let in_order = match self.from.record.ownership {
            Ownership::Owned { owner, this_boot: true, stage: Stage::Mounted(_) } if owner == node => true,
            Ownership::Owned { owner, .. } if owner == node => {
                self.release(node, What::ReconcileReleases);
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
        match (clean, lost) {
            (true, true) => self.reconcile_clears(node),
            (false, true) => self.clean(node, What::ReconcileCleans, Way::Fenced, Self::idle),
            // A mount of a volume that this node never had is somebody else's.
            (false, false) if self.from.nodes[node].kernel.filesystem == Filesystem::Absent => {
                self.clean(node, What::ReconcileCleans, Way::Fenced, Self::idle);
            }
            _ => {}
        }
        clean
    }

    /// Where nobody has finished revoking, no own export is left behind either.
    fn reconcile_clears(&mut self, node: NodeId) {
        let own = self.from.array.vluns[node];
        if own.is_empty() || !self.from.record.unverified.contains(node) {
            return self.step(node, What::ReconcileClears, |state| leave_quarantine(state, node));
        }
        self.step(node, What::ListsOwn, |state| {
            Self::begin(state, node, Step::RemoveOwn);
            let operation = &mut state.nodes[node].operation;
            operation.after = After::ClearQuarantine;
            operation.rows[node] = own;
        });
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
                Self::begin(state, node, Step::RemoveLate);
                state.nodes[node].operation.rows = rows;
            });
        }
    }

    /// A request does not live for ever: after a time its number need not be looked for any more. What is listed is no
    /// request that never came.
    fn forget_burned(&mut self, node: NodeId) {
        let record = &self.from.record;
        let everybodys = self.without(Guard::OwnerForgetsBurned) && record.is_owned_by(node, record.epoch);
        let whose = || NodeId::ALL.into_iter().filter(move |host| everybodys || *host == node);
        if whose().all(|host| (record.burned[host] - self.from.array.vluns[host]).is_empty()) {
            return;
        }
        self.step(node, What::ForgetsBurned, |state| {
            for host in whose() {
                let burned = &mut state.record.burned[host];
                let requests = &mut state.array.late_creates[host];
                *requests = *requests - *burned;
                *burned = *burned & state.array.vluns[host];
            }
        });
    }
}
