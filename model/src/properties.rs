//! What must never be seen, and on which evidence.

use std::fmt;

use crate::settings::{Guard, Settings};
use crate::state::{Filesystem, NodeId, Ownership, State};

/// A property that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// S1: the volume is exported to two hosts (`one-host` on), or mounted and served on two (`one-host` off).
    TwoHosts,
    /// S2: a write of an older epoch is accepted after a newer owner's Mount was answered.
    OldWriter(NodeId),
    /// S5: what a node holds of an older epoch reaches the volume after it was mounted in a later one.
    GhostWrite(NodeId),
    /// S6: ownership changed without a new epoch, or an epoch went back.
    EpochReused,
    /// S7: a Mount was answered with success without ownership in this epoch or without the mount.
    FalseSuccess(NodeId),
    /// S10: a removal of an ended epoch hit the export in force.
    StaleRemoval(NodeId),
    /// S9: what a node holds of one volume reaches another, through a device whose LUN number has changed hands.
    WrongVolume(NodeId),
    /// S9: a node takes the disk of another volume for this one's.
    WrongDisk(NodeId),
    /// S9: a device is deleted that a container or a process still holds.
    DeviceInUse(NodeId),
    /// S11: the removal of one volume's export took another volume's.
    BystanderRemoved(NodeId),
    /// A node that neither owns the volume nor is in quarantine has it mounted.
    ForgottenMount(NodeId),
}

impl Violation {
    /// Name of the property.
    #[must_use]
    pub fn property(self) -> &'static str {
        match self {
            Self::TwoHosts => "S1",
            Self::OldWriter(_) => "S2",
            Self::GhostWrite(_) => "S5",
            Self::EpochReused => "S6",
            Self::FalseSuccess(_) => "S7",
            Self::StaleRemoval(_) => "S10",
            Self::WrongVolume(_) | Self::WrongDisk(_) | Self::DeviceInUse(_) => "S9",
            Self::BystanderRemoved(_) => "S11",
            Self::ForgottenMount(_) => "Q",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.property())?;
        match self {
            Self::TwoHosts => write!(f, "two hosts have the volume at the same time"),
            Self::OldWriter(node) => {
                write!(f, "{node}, whose epoch has ended, writes to the volume that another node was given since")
            }
            Self::GhostWrite(node) => {
                write!(f, "what {node} holds of an old epoch is written over a volume that was mounted since")
            }
            Self::EpochReused => write!(f, "the owner changed without a new epoch"),
            Self::FalseSuccess(node) => {
                write!(f, "{node} was told its Mount succeeded, but it does not have the volume")
            }
            Self::StaleRemoval(node) => {
                write!(f, "a removal sent in an ended epoch took {node}'s export away, which is in force")
            }
            Self::WrongVolume(node) => {
                write!(f, "what {node} holds of one volume is written to the other, which its device leads to by now")
            }
            Self::WrongDisk(node) => write!(f, "{node} takes the disk of the other volume for the one it wants"),
            Self::DeviceInUse(node) => write!(f, "{node} deletes the device that somebody there still holds"),
            Self::BystanderRemoved(host) => {
                write!(f, "the removal of one volume's export to {host} took the other volume's away")
            }
            Self::ForgottenMount(node) => {
                write!(
                    f,
                    "{node} has the volume mounted, but the record neither names it as owner nor as in quarantine"
                )
            }
        }
    }
}

/// Checks a state.
#[must_use]
pub fn check_state(state: &State, settings: &Settings) -> Option<Violation> {
    let nodes = || NodeId::first(settings.nodes);
    for node in nodes() {
        let held_of = state.nodes[node].kernel.mounted_in;
        if state.can_write(node) && held_of < state.seen.mounted {
            let by_another = state.seen.served > held_of && state.seen.served_by != Some(node);
            return Some(if by_another { Violation::OldWriter(node) } else { Violation::GhostWrite(node) });
        }
    }
    if let Some(node) = nodes().find(|node| state.is_misled(*node)) {
        return Some(Violation::WrongVolume(node));
    }
    let served = || nodes().filter(|node| state.nodes[*node].kernel.filesystem == Filesystem::Mounted);
    let two = if settings.one_host {
        state.exported_to().len() > 1
    } else {
        served().filter(|node| state.is_live(*node)).count() > 1
    };
    if two {
        return Some(Violation::TwoHosts);
    }
    served()
        .find(|node| state.record.ownership.owner() != Some(*node) && !state.record.quarantine.contains(*node))
        .filter(|_| !settings.without(Guard::NoCleaning))
        .map(Violation::ForgottenMount)
}

/// Checks that ownership changes only with a new epoch.
#[must_use]
pub fn check_step(before: &State, after: &State) -> Option<Violation> {
    let (old, new) = (&before.record, &after.record);
    let handed_over = match (old.ownership, new.ownership) {
        (_, Ownership::Free) => false,
        (Ownership::Free, Ownership::Owned { .. }) => true,
        (Ownership::Owned { owner: from, .. }, Ownership::Owned { owner: to, .. }) => from != to,
    };
    (new.epoch < old.epoch || (handed_over && new.epoch == old.epoch)).then_some(Violation::EpochReused)
}
