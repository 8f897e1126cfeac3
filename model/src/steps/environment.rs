//! What array, kernels and fate do by themselves.
//!
//! Nothing is ever lost for good here: a request that waits for ever does all that a lost one does. Where the protocol
//! waits until something is too old to come, that step ends it.

use super::Steps;
use super::fencing::{hits_export_in_force, vlun_goes};
use crate::event::What;
use crate::properties::Violation;
use crate::settings::Guard;
use crate::state::{Filesystem, Kernel, Lun, LunSet, NodeId, NodeSet, Operation, Ownership, State, Step};

impl Steps<'_> {
    pub(super) fn of_environment(&mut self, node: NodeId) {
        self.late_creates(node);
        self.late_removals(node);
        self.kernel_scans(node);
        self.holders(node);
        self.plugin_restarts(node);
        self.mount_vanishes(node);
        self.node_reboots(node);
    }

    /// Requests for an export that were given up take effect.
    fn late_creates(&mut self, host: NodeId) {
        let to_another_host = self.from.exported_to() - NodeSet::of(host);
        if self.settings.one_host && !to_another_host.is_empty() {
            return;
        }
        for lun in (self.from.array.late_creates[host] - self.from.taken(host)).iter() {
            self.step_on(host, What::LateCreate, (host, lun), |state| {
                state.array.late_creates[host].remove(lun);
                state.array.vluns[host].insert(lun);
            });
        }
    }

    /// So do requests for a removal.
    fn late_removals(&mut self, host: NodeId) {
        let array = self.from.array;
        for lun in (array.late_removals[host] | array.stale_removals[host]).iter() {
            let forget = |state: &mut State| {
                state.array.late_removals[host].remove(lun);
                state.array.stale_removals[host].remove(lun);
            };
            if array.vluns[host].contains(lun) {
                let stale = array.stale_removals[host].contains(lun);
                let wrong = hits_export_in_force(&self.from, host, lun, stale);
                let early = self.settings.early_removal;
                self.push(host, What::LateRemoval, Some((host, lun)), false, wrong, |state| {
                    forget(state);
                    vlun_goes(state, host, lun, early);
                });
            } else if let Some(wrong) = self.hits_the_other(host, lun) {
                self.push(host, What::LateRemoval, Some((host, lun)), false, Some(wrong), forget);
            }
        }
    }

    /// A kernel that scans by itself finds every VLUN of its host. A number that a device is bound to already is not
    /// looked at again.
    fn kernel_scans(&mut self, node: NodeId) {
        if !self.settings.autoscan {
            return;
        }
        let bound = self.from.nodes[node].kernel.scanned | self.from.others[node].scanned;
        for lun in (self.from.array.vluns[node] - bound).iter() {
            self.step_on(node, What::KernelScans, (node, lun), |state| {
                state.nodes[node].kernel.scanned.insert(lun);
            });
        }
    }

    /// The plugin's process dies and comes back without memory of its operation.
    fn plugin_restarts(&mut self, node: NodeId) {
        if self.operation(node).step != Step::Idle {
            self.fault(node, What::PluginRestarts, None, |state| Self::idle(state, node));
        }
    }

    /// Somebody unmounts the volume by hand, which writes back what there is. Not in the middle of an operation:
    /// what a Mount has just verified it may answer.
    fn mount_vanishes(&mut self, node: NodeId) {
        let idle = self.operation(node).step == Step::Idle;
        if idle && self.from.nodes[node].kernel.filesystem == Filesystem::Mounted && self.from.is_live(node) {
            self.fault(node, What::MountVanishes, None, |state| {
                let kernel = &mut state.nodes[node].kernel;
                kernel.filesystem = if kernel.held { Filesystem::Detached } else { Filesystem::Absent };
            });
        }
    }

    /// The node boots: kernel and plugin begin anew. Booting takes longer than writes in flight live.
    fn node_reboots(&mut self, node: NodeId) {
        let here = &self.from.nodes[node];
        let other = &self.from.others[node];
        let owns = self.from.record.ownership.owner() == Some(node);
        let clean = here.operation == Operation::default() && here.kernel == Kernel::default();
        if clean && other.scanned.is_empty() && !owns {
            return;
        }
        self.fault(node, What::Reboots, None, |state| {
            state.nodes[node].kernel = Kernel::default();
            state.others[node].scanned = LunSet::default();
            state.others[node].holds_data = false;
            Self::idle(state, node);
            if let Ownership::Owned { owner, this_boot, .. } = &mut state.record.ownership
                && *owner == node
            {
                // The record itself does not change: it names the boot before.
                *this_boot = false;
            }
        });
    }
}

/// A removal of the other volume that does not name it takes an export of the volume by the same number.
pub(super) fn removes_by_number(steps: &Steps<'_>, host: NodeId, lun: Lun) -> Option<Violation> {
    let hit = steps.without(Guard::RemoveByNumber) && steps.from.array.vluns[host].contains(lun);
    hit.then_some(Violation::BystanderRemoved(host))
}
