//! What a node's plugin is doing with the volume: one operation at a time, one external call a step.

use super::{Epoch, Lun, LunSet, NodeSet, PerNode};

/// The next step of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Step {
    /// No operation is under way.
    #[default]
    Idle,
    /// Mount: list the exports.
    AskExports,
    /// Mount: write the takeover and start its timer.
    OpenTakeover,
    /// Mount: become owner.
    Claim,
    /// Mount: the mount vanished, the device is still there; mount it again.
    Remount,
    /// Mount: record that it is mounted here already.
    AddReference,
    /// Fence: list all exports.
    ListRows,
    /// Fence: read the record again before anything that was listed is removed.
    CheckBeforeRemoval,
    /// Fence: remove the listed rows, one a step.
    RemoveRows,
    /// Fence: list again.
    ReadBack,
    /// Fence: wait until writes in flight have settled.
    Settle,
    /// Fence: wait until requests for burned numbers cannot take effect any more.
    AwaitBurned,
    /// Export: write a fresh LUN number into the record, the one before is done with.
    StartAttempt,
    /// Export: the same, the one before stays burned.
    NextAttempt,
    /// Export: request the VLUN.
    Export,
    /// Export: read the record again.
    Validate,
    /// Scan the LUN and wait for the map.
    Attach,
    /// Mount the filesystem.
    MountFilesystem,
    /// Look at the mount table and the devices.
    Verify,
    /// Write `mounted` and answer.
    Commit,
    /// Undo: read the record.
    Undo,
    /// Undo after a lost claim: remove the own export by its exact address.
    UndoExport,
    /// Release: write back.
    WriteBack,
    /// Release: unmount.
    Unmount,
    /// Cleaning: shut the filesystem down.
    ShutDown,
    /// Cleaning: fail what the map queues.
    FailQueue,
    /// Cleaning: unmount, lazily if need be.
    UnmountFenced,
    /// Delete map and SCSI devices, prove it.
    DropDevice,
    /// Release: list own exports.
    ListOwn,
    /// Release: remove them.
    RemoveOwn,
    /// Release: list again.
    ReadBackOwn,
    /// Release: free the record.
    Free,
    /// Cleaning: leave quarantine.
    ClearQuarantine,
    /// Reconciliation: remove exports that took effect late.
    RemoveLate,
}

/// What follows when the node is clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum After {
    /// The Mount decides again.
    #[default]
    Decide,
    /// The release goes on with the exports.
    Release,
    /// The node leaves quarantine.
    ClearQuarantine,
    /// The undo of a lost claim goes on with the own export.
    UndoExport,
}

/// An operation and what it remembers between steps. Idle operations remember nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Operation {
    /// What comes next.
    pub step: Step,
    /// What follows a cleaning.
    pub after: After,
    /// Epoch it works in: the claimed one, or the one that is being released.
    pub epoch: Epoch,
    /// The record is still the one this operation read.
    pub fresh: bool,
    /// Nodes that lose the volume by the claim.
    pub ended: NodeSet,
    /// Rows of the last listing that are to be removed.
    pub rows: PerNode<LunSet>,
    /// LUN number of the export under way.
    pub attempt: Option<Lun>,
    /// The fence is followed by the export of the attempt that is already written.
    pub attempt_written: bool,
    /// This node has burned numbers: it waits for them and lists once more before it exports.
    pub awaits_burned: bool,
}
