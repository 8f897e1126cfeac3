//! What a node's plugin is doing with the volume: one operation at a time, one external call a step.

use super::{Epoch, Lun, LunSet, PerNode};

/// The next step of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Step {
    /// No operation is under way.
    #[default]
    Idle,
    /// Mount: become owner (only where the claim does not compare what was read).
    Claim,
    /// Mount: the mount vanished, the device is still there; mount it again.
    Remount,
    /// Fence, once more: list all exports and read the record again, before anything that was listed is removed.
    ListRows,
    /// Fence: remove the listed rows, one a step.
    RemoveRows,
    /// Fence: list again.
    ReadBack,
    /// Fence: wait until writes in flight have settled.
    Settle,
    /// Export: look for a free LUN number (only where that is done too early).
    LookForNumber,
    /// Export: write a fresh LUN number into the record.
    StartAttempt,
    /// Export: request the VLUN, read the record again.
    Export,
    /// Export: its outcome is unknown; write down that the number is burned.
    Burn,
    /// Scan the LUN, wait for the map, mount the filesystem.
    Attach,
    /// Look at the mount table and the devices, write `mounted` and answer.
    Commit,
    /// Undo after a lost claim: remove the own export by its exact address.
    UndoExport,
    /// Release or cleaning: remove own exports.
    RemoveOwn,
    /// Release: list own exports again, free the record. Cleaning: list them again, leave quarantine.
    ReadBackOwn,
    /// Reconciliation: remove exports that took effect late, forget the numbers of those that are gone.
    RemoveLate,
}

/// What follows when no own export is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum After {
    /// The record is freed.
    #[default]
    Free,
    /// The node leaves quarantine.
    ClearQuarantine,
}

/// An operation and what it remembers between steps. Idle operations remember nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Operation {
    /// What comes next.
    pub step: Step,
    /// What follows when no own export is left.
    pub after: After,
    /// Epoch it works in: the claimed one, or the one that is being released.
    pub epoch: Epoch,
    /// Rows of the last listing that are to be removed.
    pub rows: PerNode<LunSet>,
    /// Numbers whose exports this operation has listed and removed: nothing of them is on its way any more.
    pub seen: PerNode<LunSet>,
    /// LUN number this claim has written into the record.
    pub attempt: Option<Lun>,
    /// Numbers that were in use when it looked for a free one (only where that is done too early).
    pub avoid: LunSet,
}
