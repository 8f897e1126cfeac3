//! The node port: what the plugin does to its own host, one step per call.
//!
//! The steps are shaped by what a Linux node needs (open-iscsi, FC sysfs, dm-multipath, mkfs, mount); the
//! order of steps belongs to [`crate::fencing`], never to an adapter.

pub mod identity;
pub mod linux;
mod mount_prefix;
pub mod node_id;
pub mod registration;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use identity::{BootId, MachineId, NodeId};
pub use mount_prefix::{MountPrefix, MountPrefixError};

use crate::array::{Lun, TargetPort, Wwn};

/// Who this host is to a storage network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Initiators {
    /// iSCSI initiator name of `/etc/iscsi/initiatorname.iscsi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iqn: Option<String>,
    /// World-wide port names of the Fibre Channel adapters that are online, 16 hex digits, upper case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wwpns: Vec<String>,
}

impl fmt::Display for Initiators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iqn.iter().chain(&self.wwpns).map(String::as_str).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

/// What a node knows about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// Host name as the kernel has it.
    pub hostname: String,
    /// Tells a cloned machine from the original.
    pub machine: MachineId,
    /// `/proc/sys/kernel/random/boot_id`: changes with every boot.
    pub boot: BootId,
    /// Initiator names.
    pub initiators: Initiators,
    /// Port names of Fibre Channel adapters whose link is down: this node's as well, though nothing can be reached through them.
    pub idle_wwpns: Vec<String>,
}

/// A multipath map (or single device) that bears a volume's WWN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The WWN this device was found by.
    pub wwn: Wwn,
    /// Device node to open and mount, such as `/dev/dm-4`.
    pub path: PathBuf,
    /// Stable name, such as `/dev/disk/by-id/dm-uuid-mpath-3…`.
    pub by_id: PathBuf,
}

/// What this kernel has of one volume right now. Nothing here comes from a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalTruth {
    /// The device that bears the volume's WWN, if there is one: a map, or path devices without a map.
    pub device: Option<Device>,
    /// LUN numbers of the path devices that bear the WWN.
    pub luns: BTreeSet<Lun>,
    /// Where that device is mounted in this mount namespace.
    pub mounted_at: Vec<PathBuf>,
    /// The mounted filesystem was shut down or aborted: it must not be counted as a mount.
    pub filesystem_dead: bool,
    /// The device is mounted but has no usable path right now. That may pass: queued I/O waits for it.
    pub paths_down: bool,
}

impl LocalTruth {
    /// Nothing of the volume is left on this node.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.device.is_none() && self.mounted_at.is_empty()
    }

    /// The volume is mounted at `dir` and the filesystem is alive.
    #[must_use]
    pub fn is_mounted_at(&self, dir: &Path) -> bool {
        !self.filesystem_dead && self.mounted_at.iter().any(|at| at == dir)
    }
}

/// What to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachRequest {
    /// Identity the device must show in its fresh VPD page 0x83.
    pub wwn: Wwn,
    /// LUN number at this host.
    pub lun: Lun,
    /// Ports of the array to reach it through.
    pub ports: Vec<TargetPort>,
    /// CHAP account for the login, if the array asks for one.
    pub chap: Option<Chap>,
    /// How many paths to wait for; fewer after `patience` is accepted, none is an error.
    pub paths_wanted: usize,
    /// How long to wait for paths and map.
    pub patience: Duration,
}

/// CHAP account of an iSCSI login. The secret never shows in `Debug`.
#[derive(Debug, Clone)]
pub struct Chap {
    /// User name.
    pub user: String,
    /// Secret, 12 to 16 characters.
    pub secret: secrecy::SecretString,
}

impl PartialEq for Chap {
    fn eq(&self, other: &Self) -> bool {
        use secrecy::ExposeSecret as _;
        self.user == other.user && self.secret.expose_secret() == other.secret.expose_secret()
    }
}
impl Eq for Chap {}

/// Filesystems the plugin makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filesystem {
    /// ext4 with a journal.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
}

/// What a look at head and tail of a device found. A read error is an error, never "blank".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Head and tail read back as zeros.
    Blank,
    /// A filesystem whose type the probe names (`ext4`, `ext2`, `xfs`, …).
    Filesystem(String),
    /// Something else is there.
    Other,
}

/// Answer of the exclusive open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// `open(O_EXCL)` succeeded: no mount namespace and no other holder uses the device.
    Idle,
    /// Somebody still uses it.
    Busy,
}

/// Owner and mode of the root of a mounted filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RootAccess {
    /// Numeric user and group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// Why a step on the node failed.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum NodeError {
    /// The step failed; the kernel or the tool said why.
    #[error("{step} of {object} failed on this node: {reason}")]
    Failed {
        /// What was tried.
        step: &'static str,
        /// Device, directory or portal.
        object: String,
        /// What the kernel or tool said.
        reason: String,
    },
    /// The step did not end within its deadline; it may still end later.
    #[error("{step} of {object} did not end within {seconds} s on this node; a thread may hang in the kernel")]
    TimedOut {
        /// What was tried.
        step: &'static str,
        /// Device, directory or portal.
        object: String,
        /// The deadline.
        seconds: u64,
    },
    /// An earlier step on the same volume or directory has run out of its time and not ended yet.
    #[error(
        "{step} of {object} was not begun on this node: an earlier step, {earlier}, still runs after {seconds} s; a thread may hang in the kernel. If it does not end, reboot the node"
    )]
    StillRunning {
        /// What was wanted.
        step: &'static str,
        /// Device, directory or volume.
        object: String,
        /// The earlier step and its object.
        earlier: String,
        /// How long it has been running.
        seconds: u64,
    },
    /// The device that appeared is another volume: a re-used LUN number or a stale device.
    #[error(
        "the device at LUN {lun} shows WWN {found}, not {wanted}: a stale device or a re-used LUN number; nothing was mounted"
    )]
    WrongDevice {
        /// LUN number that was attached.
        lun: Lun,
        /// WWN read from VPD page 0x83.
        found: String,
        /// WWN of the volume.
        wanted: Wwn,
    },
    /// Somebody still uses the device or the mount.
    #[error("{object} is busy on this node")]
    Busy {
        /// Device or directory.
        object: String,
    },
    /// This build or host cannot do the step.
    #[error("{step} is not possible on this node: {reason}")]
    Unsupported {
        /// What was tried.
        step: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
}

/// What the plugin can do to its own node. Each call is one step, idempotent, with a deadline of its own.
#[async_trait]
pub trait Node: Send + Sync {
    /// Identity of this host and boot.
    async fn facts(&self) -> Result<NodeFacts, NodeError>;
    /// What this kernel has of the volume with this WWN: map, path devices, mounts.
    async fn inspect(&self, wwn: &Wwn) -> Result<LocalTruth, NodeError>;
    /// LUN numbers of all SCSI devices of the array on this node, stale ones included.
    async fn luns_present(&self) -> Result<BTreeSet<Lun>, NodeError>;
    /// WWNs of all volumes of the array this node has devices of or mounts of.
    async fn volumes_present(&self) -> Result<BTreeSet<Wwn>, NodeError>;
    /// Logs in where needed, scans exactly the LUN, waits for the map and checks VPD page 0x83 of every path.
    async fn attach(&self, request: &AttachRequest) -> Result<Device, NodeError>;
    /// Reads head and tail of the device.
    async fn probe(&self, device: &Device) -> Result<Content, NodeError>;
    /// Makes a filesystem. The caller has proven the device blank.
    async fn make_filesystem(&self, device: &Device, kind: Filesystem) -> Result<(), NodeError>;
    /// Mounts the device at `dir`, making the directory. Replays the journal. "Already mounted" is an error.
    async fn mount(&self, device: &Device, dir: &Path) -> Result<(), NodeError>;
    /// Sets owner and mode of the mounted root.
    async fn set_root_access(&self, dir: &Path, access: RootAccess) -> Result<(), NodeError>;
    /// Writes back everything dirty of the filesystem at `dir`.
    async fn sync_filesystem(&self, dir: &Path) -> Result<(), NodeError>;
    /// Unmounts `dir`, never lazily, and removes the empty directory. Not mounted is no error.
    async fn unmount(&self, dir: &Path) -> Result<(), NodeError>;
    /// Opens the device exclusively, to learn whether anybody on this host still uses it.
    async fn device_use(&self, device: &Device) -> Result<Use, NodeError>;
    /// Removes the multipath map through multipathd, writing back what it holds. Absent is no error.
    async fn flush_map(&self, device: &Device) -> Result<(), NodeError>;
    /// Deletes every SCSI path device that bears the WWN: their tasks are aborted. Absent is no error.
    async fn delete_paths(&self, wwn: &Wwn) -> Result<(), NodeError>;
    /// Shuts the filesystem at `dir` down so that nothing of it is ever written back.
    async fn shutdown_filesystem(&self, dir: &Path) -> Result<(), NodeError>;
    /// Makes exactly this map fail its queued I/O instead of waiting for a path.
    async fn fail_queued_io(&self, device: &Device) -> Result<(), NodeError>;
    /// Unmounts `dir` of a filesystem that was shut down; here a lazy unmount is allowed.
    async fn unmount_fenced(&self, dir: &Path) -> Result<(), NodeError>;
    /// The device is mounted anywhere but at `dir` in this mount namespace: by a container, or somewhere else. In doubt
    /// the answer is yes.
    async fn is_mounted_elsewhere(&self, device: &Device, dir: &Path) -> Result<bool, NodeError>;
    /// This kernel attaches LUNs nobody asked it to scan: Fibre Channel does whenever a port comes back, unless
    /// `scsi_mod.scan=manual`; iSCSI does unless `node.session.scan=manual`.
    async fn finds_luns_by_itself(&self) -> Result<bool, NodeError>;
    /// Deletes SCSI devices at this LUN number behind these ports of the array that belong to no map in use. Another array's
    /// devices, behind other ports, are left alone.
    async fn purge_stale_lun(&self, lun: Lun, ports: &[TargetPort]) -> Result<(), NodeError>;
}
