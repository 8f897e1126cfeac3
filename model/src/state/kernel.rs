//! What a node's kernel has of the volume.

use super::{Epoch, LunSet};

/// The volume's filesystem in one kernel.
///
/// A filesystem that is mounted counts as always dirty: an application may write at any moment, so "could write"
/// and "writes" are the same question and the cache needs no state of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Filesystem {
    /// Not there.
    #[default]
    Absent,
    /// Mounted; cache and queue may hold data.
    Mounted,
    /// Shut down: nothing new is issued, but requests issued before still wait in the map's queue.
    ShutDown,
    /// Shut down and the queue was failed: nothing is left to be written. Still in the mount table.
    Silenced,
    /// Gone from the plugin's mount table, alive in the kernel with its cache: unmounted lazily, or while somebody else
    /// held it.
    Detached,
}

impl Filesystem {
    /// Something of it may still be written.
    #[must_use]
    pub fn holds_data(self) -> bool {
        matches!(self, Self::Mounted | Self::ShutDown | Self::Detached)
    }
}

/// What a node's kernel has of the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Kernel {
    /// LUN numbers its SCSI devices of the volume are bound to, stale ones included. They form one map by WWN:
    /// any of them that the array serves brings the whole map alive.
    pub scanned: LunSet,
    /// The filesystem.
    pub filesystem: Filesystem,
    /// Epoch the filesystem was mounted in: what it holds is of that epoch, however late it is written.
    pub mounted_in: Epoch,
    /// A container with a mount namespace of its own, or a process, holds the filesystem or its device.
    pub held: bool,
    /// Writes were in flight when a VLUN was removed, and the array has not settled them yet.
    pub in_flight: bool,
}

impl Kernel {
    /// Something of the epoch it was mounted in may still be written.
    #[must_use]
    pub fn holds_data(&self) -> bool {
        self.filesystem.holds_data() || self.in_flight
    }

    /// Nothing of the volume is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.scanned.is_empty() && self.filesystem == Filesystem::Absent && !self.held
    }
}
