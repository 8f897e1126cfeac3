//! The node's own memory: what is mounted here, so that running containers do not depend on the store.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::array::{Lun, Wwn};
use crate::node::BootId;
use crate::volume::names::{ArrayVolumeName, VolumeId, VolumeName};
use crate::volume::record::Epoch;

/// A volume that is mounted on this node, or whose release is not finished in the store or on the array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Volume.
    pub id: VolumeId,
    /// Docker name.
    pub name: VolumeName,
    /// Section of `hpe.conf`.
    pub backend: String,
    /// Name on the array: with the backend it tells whether the array still exports the volume, when the record is gone.
    pub array_name: ArrayVolumeName,
    /// Device identity.
    pub wwn: Wwn,
    /// Epoch it was mounted in.
    pub epoch: Epoch,
    /// Boot it was mounted in.
    pub boot: BootId,
    /// LUN number it is exported with.
    pub lun: Option<Lun>,
    /// Mount point.
    pub mount_dir: PathBuf,
    /// Device node.
    pub device: PathBuf,
    /// Mount ids, with multiplicity.
    pub mount_ids: Vec<String>,
    /// Size in GiB, for Get while the store is away.
    pub size_gib: u64,
    /// The last reference is gone; unmounted here, not yet written to the store.
    #[serde(default)]
    pub released: bool,
    /// References taken or dropped while the store was away; the record is to be brought in line.
    #[serde(default)]
    pub ahead_of_store: bool,
    /// Its filesystem was about to be shut down here because no path came back: never again a good mount, whatever the
    /// kernel shows of it.
    #[serde(default)]
    pub given_up: bool,
}

/// Why the journal could not be written or read.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("journal {path}: {reason}; check disk space and permissions of state_dir")]
pub struct JournalError {
    /// File or directory.
    pub path: String,
    /// What the kernel said.
    pub reason: String,
}

/// Durable memory of this node, one entry per volume. Writes are on disk (fsync, rename) when they return.
#[async_trait]
pub trait Journal: Send + Sync {
    /// All entries.
    async fn entries(&self) -> Result<Vec<JournalEntry>, JournalError>;
    /// Writes one entry.
    async fn write(&self, entry: &JournalEntry) -> Result<(), JournalError>;
    /// Forgets one volume; absent is no error.
    async fn forget(&self, id: VolumeId) -> Result<(), JournalError>;
}
