//! The volume record in the metadata store: the JSON of the earlier plugin, extended by ownership.
//!
//! Unknown fields survive every rewrite, at every depth: they go only with the part they came with (an owner, a mount, a
//! step). What must never happen: a secret in a record, or a record that
//! names an owner without an epoch.

mod earlier_plugin;
mod fencing;
mod ownership;
mod reading;
mod rest;
mod written;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use ownership::{Attempt, Epoch, Format, Owner, Ownership, Quarantine, Stage, Step, Takeover};
pub use reading::RecordError;
pub use rest::Rest;

use self::rest::Beside;
use crate::array::{CpgName, HostName, Lun, Wwn};
use crate::node::{BootId, NodeId, RootAccess};
use crate::volume::names::{ArrayVolumeName, VolumeId, VolumeName};

/// Where and how a volume is mounted on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathInfo {
    /// Docker name of the volume.
    pub name: String,
    /// Device node, such as `/dev/dm-24`.
    pub path: PathBuf,
    /// Identity of the device.
    pub device_info: DeviceInfo,
    /// How the device was reached; never holds a secret.
    #[serde(default, deserialize_with = "rest::value_without_secrets")]
    pub connection_info: Value,
    /// Where it is mounted.
    pub mount_dir: PathBuf,
    /// Mount ids that hold it, with multiplicity.
    #[serde(default)]
    pub mount_ids: Vec<String>,
    /// Boot of the node this was written in.
    #[serde(default = "BootId::unknown")]
    pub boot_id: BootId,
    /// Fields this version does not know, such as `remote_connection_info` of the earlier plugin; never a secret.
    #[serde(flatten, deserialize_with = "rest::rest_without_secrets")]
    pub rest: Rest,
}

/// Identity of a device in a [`PathInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Stable name under `/dev/disk/by-id`.
    pub path: PathBuf,
    /// WWN as `scsi_id` prints it: `3` and 32 hex digits.
    pub scsi_wwn: String,
    /// Always `block`.
    #[serde(rename = "type", default = "block")]
    pub kind: String,
    /// Multipath map name.
    #[serde(default, deserialize_with = "text_or_null")]
    pub multipath_id: String,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// The earlier plugin wrote null where it found no map.
fn text_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn block() -> String {
    "block".to_owned()
}

/// Where a volume stands between Create and Remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// The record is written, the volume on the array perhaps not yet.
    Creating,
    /// Usable.
    #[default]
    Available,
    /// Being removed: nothing but Remove is accepted.
    Removing,
}

/// The record of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRecord {
    /// Id of the volume.
    pub id: VolumeId,
    /// Docker name.
    pub display_name: VolumeName,
    /// Name on the array.
    pub array_name: ArrayVolumeName,
    /// Section of `hpe.conf` whose array holds it.
    pub backend: String,
    /// Size in GiB.
    pub size_gib: u64,
    /// `thin`, `full` or `dedup`.
    pub provisioning: String,
    /// CPG.
    pub cpg: Option<CpgName>,
    /// Snapshot CPG.
    pub snap_cpg: Option<CpgName>,
    /// Seconds a Mount waits for another owner before it forces; `None`: the backend's setting.
    pub mount_conflict_delay: Option<u64>,
    /// Owner and mode of the mounted root.
    pub access: RootAccess,
    /// Create, available, remove.
    pub lifecycle: Lifecycle,
    /// WWN, known once the array has made the volume.
    pub wwn: Option<Wwn>,
    /// Whether a filesystem was ever made.
    pub format: Format,
    /// Mounts by node.
    pub path_info: BTreeMap<NodeId, PathInfo>,
    /// Epoch of ownership: grows with every claim, never falls.
    pub epoch: Epoch,
    /// Who owns the volume and how far it is.
    pub ownership: Ownership,
    /// A node that waits to take the volume over.
    pub takeover: Option<Takeover>,
    /// Nodes that lost the volume and have not proven that they are clean.
    pub quarantine: BTreeMap<NodeId, Quarantine>,
    /// LUN numbers of exports whose outcome is unknown: they may still appear on the array.
    pub burned_luns: BTreeMap<NodeId, Vec<(HostName, Lun)>>,
    /// The last steps, written ahead of what they describe.
    pub steps: Vec<Step>,
    /// Everything else the JSON held.
    pub rest: Map<String, Value>,
    /// Unknown fields of the parts that have no room for their own.
    pub unknown: Unknown,
}

/// Unknown fields of `fencing`, and of parts that are replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unknown {
    fencing: Rest,
    format: Beside<Format>,
    attempt: Beside<Attempt>,
}

impl VolumeRecord {
    /// How many steps a record keeps.
    pub const KEPT: usize = 24;

    /// A record of a volume that nobody owns, with everything else unset.
    #[must_use]
    pub fn new(id: VolumeId, display_name: VolumeName) -> Self {
        Self {
            id,
            display_name,
            array_name: ArrayVolumeName::for_volume(id),
            backend: "DEFAULT".to_owned(),
            size_gib: 0,
            provisioning: "thin".to_owned(),
            cpg: None,
            snap_cpg: None,
            mount_conflict_delay: None,
            access: RootAccess::default(),
            lifecycle: Lifecycle::Available,
            wwn: None,
            format: Format::Unknown,
            path_info: BTreeMap::new(),
            epoch: Epoch(0),
            ownership: Ownership::Free,
            takeover: None,
            quarantine: BTreeMap::new(),
            burned_luns: BTreeMap::new(),
            steps: Vec::new(),
            rest: Map::new(),
            unknown: Unknown::default(),
        }
    }

    /// Writes a step ahead.
    pub fn note(&mut self, node: &NodeId, what: impl Into<String>) {
        self.steps.push(Step { epoch: self.epoch, node: node.clone(), what: what.into(), rest: Rest::default() });
        let surplus = self.steps.len().saturating_sub(Self::KEPT);
        self.steps.drain(..surplus);
    }

    /// Remembers a LUN number of a host whose export may still take effect. None is dropped for a newer one: a number goes when its
    /// export was seen, or by age.
    pub fn burn(&mut self, node: &NodeId, host: &HostName, lun: Lun) {
        let burned = self.burned_luns.entry(node.clone()).or_default();
        burned.retain(|known| *known != (host.clone(), lun));
        burned.push((host.clone(), lun));
    }

    /// An unmount of the earlier plugin stopped half way on a node it did not write down, and nobody mounted the volume
    /// since.
    #[must_use]
    pub fn has_unfinished_unmount(&self) -> bool {
        self.ownership == Ownership::Free && self.rest.contains_key(earlier_plugin::UNFINISHED_UNMOUNT)
    }

    /// Somebody mounts the volume: what the earlier plugin left half done is over.
    pub fn forget_unfinished_unmount(&mut self) {
        self.rest.shift_remove(earlier_plugin::UNFINISHED_UNMOUNT);
    }

    /// The node owns the volume in this very boot.
    #[must_use]
    pub fn is_owned_by(&self, node: &NodeId, boot: &BootId) -> bool {
        self.ownership.owner().is_some_and(|owner| owner.node == *node && owner.boot == *boot)
    }

    /// Mount ids held on a node in a boot.
    #[must_use]
    pub fn references(&self, node: &NodeId, boot: &BootId) -> &[String] {
        self.path_info.get(node).filter(|info| info.boot_id == *boot).map_or(&[], |info| &info.mount_ids)
    }
}
