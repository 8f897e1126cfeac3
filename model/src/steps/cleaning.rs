//! Getting the volume off a node.
//!
//! From the first step to the last of it only this node's kernel changes, and what others do meanwhile could as well be
//! done before: so it is one step here. A plugin that dies half way leaves what the steps so far have left.

use super::Steps;
use crate::event::What;
use crate::properties::Violation;
use crate::settings::Guard;
use crate::state::{Filesystem, Kernel, NodeId, Ownership, Stage, State, Step};

/// How a volume is taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Write back, unmount, delete map and devices.
    Orderly,
    /// Shut the filesystem down, fail what is queued, unmount, delete map and devices: nothing may be written back.
    Fenced,
}

impl Steps<'_> {
    /// What a Mount takes for a clean node.
    pub(super) fn counts_as_clean(&self, node: NodeId) -> bool {
        self.without(Guard::ExportToQuarantined) || self.proven_clean(node)
    }

    /// Nothing of the volume is left here, as far as the node looks.
    pub(super) fn proven_clean(&self, node: NodeId) -> bool {
        let kernel = &self.from.nodes[node].kernel;
        kernel.is_clean() || (self.without(Guard::NoCleaning) && kernel.filesystem != Filesystem::Mounted)
    }

    /// Takes the volume off this kernel and goes on; a kernel that is clean stays so. Deleting the devices aborts their
    /// tasks at the array.
    pub(super) fn clean(&mut self, node: NodeId, what: What, way: Way, goes_on: impl FnOnce(&mut State, NodeId)) {
        let kernel = self.from.nodes[node].kernel;
        let lazily = self.without(Guard::NoCleaning) && way == Way::Fenced && kernel.filesystem.holds_data();
        if !lazily {
            self.dies_half_way(node, way);
        }
        if kernel.held && !self.without(Guard::DetachHeld) {
            return self.still_held(node, way);
        }
        let wrong = kernel.held.then_some(Violation::DeviceInUse(node));
        self.push(node, what, None, false, wrong, |state| {
            let kernel = &mut state.nodes[node].kernel;
            if lazily {
                kernel.filesystem = Filesystem::Detached;
            } else {
                *kernel = Kernel::default();
            }
            goes_on(state, node);
        });
    }

    /// The plugin dies before everything is down.
    fn dies_half_way(&mut self, node: NodeId, way: Way) {
        let kernel = self.from.nodes[node].kernel;
        let unmounted = if kernel.held { Filesystem::Detached } else { Filesystem::Absent };
        let left: &[Filesystem] = match (way, kernel.filesystem) {
            (_, Filesystem::Absent) => &[],
            (Way::Orderly, _) => &[unmounted],
            (Way::Fenced, Filesystem::Mounted | Filesystem::Detached) => {
                &[Filesystem::ShutDown, Filesystem::Silenced, Filesystem::Absent]
            }
            (Way::Fenced, Filesystem::ShutDown) => &[Filesystem::Silenced, Filesystem::Absent],
            (Way::Fenced, Filesystem::Silenced) => &[Filesystem::Absent],
        };
        for half_way in left {
            self.fault(node, What::DiesWhileCleaning(*half_way), None, |state| {
                state.nodes[node].kernel.filesystem = *half_way;
                Self::idle(state, node);
            });
        }
    }

    /// The device is not idle: in order, everything is put back as it was; of a lost volume nothing is written any more,
    /// and the node stays in quarantine.
    fn still_held(&mut self, node: NodeId, way: Way) {
        let filesystem = self.from.nodes[node].kernel.filesystem;
        if way == Way::Orderly {
            return self.step(node, What::StaysMounted, |state| {
                if let Ownership::Owned { owner, stage, .. } = &mut state.record.ownership
                    && *owner == node
                    && filesystem == Filesystem::Mounted
                    && let Stage::Releasing(lun) = *stage
                {
                    *stage = Stage::Mounted(lun);
                }
                Self::idle(state, node);
            });
        }
        if filesystem != Filesystem::Absent && filesystem != Filesystem::Silenced {
            self.step(node, What::StillHeld, |state| {
                state.nodes[node].kernel.filesystem = Filesystem::Silenced;
                Self::idle(state, node);
            });
        } else if self.operation(node).step != Step::Idle {
            self.step(node, What::StillHeld, |state| Self::idle(state, node));
        }
    }

    /// A container keeps the mount in a namespace of its own; with the last holder an unmounted filesystem goes.
    pub(super) fn holders(&mut self, node: NodeId) {
        let kernel = self.from.nodes[node].kernel;
        if !self.settings.holders {
            return;
        }
        if kernel.filesystem == Filesystem::Mounted && !kernel.held {
            self.step(node, What::HolderComes, |state| state.nodes[node].kernel.held = true);
        }
        if kernel.held {
            self.step(node, What::HolderLeaves, |state| {
                let kernel = &mut state.nodes[node].kernel;
                kernel.held = false;
                if kernel.filesystem == Filesystem::Detached {
                    kernel.filesystem = Filesystem::Absent;
                }
            });
        }
    }
}
