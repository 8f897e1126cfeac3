//! What array, kernels, timers and fate do by themselves.

use super::Steps;
use super::fencing::{hits_export_in_force, vlun_goes};
use crate::event::What;
use crate::state::{Filesystem, Kernel, NodeId, NodeSet, Operation, Ownership, State, Step, Takeover};

impl Steps<'_> {
    pub(super) fn of_environment(&mut self, node: NodeId) {
        self.late_requests(node);
        self.kernel_scans(node);
        if self.from.nodes[node].kernel.in_flight {
            self.step(node, What::ArraySettles, |state| state.nodes[node].kernel.in_flight = false);
        }
        self.plugin_restarts(node);
        self.mount_vanishes(node);
        self.node_reboots(node);
    }

    pub(super) fn of_timer(&mut self) {
        if self.from.record.takeover == Takeover::Running {
            self.step(NodeId::A, What::TimerRunsOut, |state| state.record.takeover = Takeover::Expired);
        }
    }

    /// Requests that were given up take effect, or never will.
    fn late_requests(&mut self, host: NodeId) {
        let array = self.from.array;
        for lun in array.late_creates[host].iter() {
            let to_another_host = self.from.exported_to() - NodeSet::of(host);
            let refused = array.vluns[host].contains(lun) || (self.settings.one_host && !to_another_host.is_empty());
            self.step_on(host, What::CreateLost, (host, lun), |state| state.array.late_creates[host].remove(lun));
            if !refused {
                self.step_on(host, What::LateCreate, (host, lun), |state| {
                    state.array.late_creates[host].remove(lun);
                    state.array.vluns[host].insert(lun);
                });
            }
        }
        for lun in (array.late_removals[host] | array.stale_removals[host]).iter() {
            let forget = |state: &mut State| {
                state.array.late_removals[host].remove(lun);
                state.array.stale_removals[host].remove(lun);
            };
            self.step_on(host, What::RemovalLost, (host, lun), forget);
            if array.vluns[host].contains(lun) {
                let stale = array.stale_removals[host].contains(lun);
                let wrong = hits_export_in_force(&self.from, host, lun, stale);
                let early = self.settings.early_removal;
                self.push(host, What::LateRemoval, Some((host, lun)), false, wrong, |state| {
                    forget(state);
                    vlun_goes(state, host, lun, early);
                });
            }
        }
    }

    /// A kernel that scans by itself finds every VLUN of its host.
    fn kernel_scans(&mut self, node: NodeId) {
        if !self.settings.autoscan {
            return;
        }
        for lun in (self.from.array.vluns[node] - self.from.nodes[node].kernel.scanned).iter() {
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
                state.nodes[node].kernel.filesystem = Filesystem::Absent;
            });
        }
    }

    /// The node boots: kernel and plugin begin anew. Booting takes longer than writes in flight live.
    fn node_reboots(&mut self, node: NodeId) {
        let here = &self.from.nodes[node];
        let owns = self.from.record.ownership.owner() == Some(node);
        if here.operation == Operation::default() && here.kernel == Kernel::default() && !owns {
            return;
        }
        self.fault(node, What::Reboots, None, |state| {
            state.nodes[node].kernel = Kernel::default();
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
