//! The JSON this version writes, written and read without a detour over a tree of values.
//!
//! Every node reads every record at every change of it, so this is the busiest code of the plugin. What does not have exactly
//! this shape (a record of the earlier plugin, a field out of range) is left to [`reading`](super::reading), which says what
//! is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::fencing::{Fencing, MOVED, WrittenAttempt, WrittenFencing, WrittenFormat};
use super::reading::parse_owner;
use super::{Lifecycle, PathInfo, Unknown, VolumeRecord};
use crate::array::{CpgName, Wwn};
use crate::node::{NodeId, RootAccess};
use crate::volume::names::{ArrayVolumeName, VolumeId, VolumeName};

/// Names of the fields written here; everything else in a record is somebody else's and is written as it was read.
const WRITTEN: [&str; 17] = [
    "id",
    "name",
    "display_name",
    "3par_vol_name",
    "backend",
    "size",
    "provisioning",
    "cpg",
    "snap_cpg",
    "mount_conflict_delay",
    "fsOwner",
    "fsMode",
    "lifecycle",
    "wwn",
    "format",
    "path_info",
    "fencing",
];

impl VolumeRecord {
    /// Writes the record. Fields this plugin does not know are written as they were read.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        Text(self).to_string().into_bytes()
    }
}

/// The record as text; every name in it is a string and every value a text, a number or a list, so writing cannot fail.
struct Text<'r>(&'r VolumeRecord);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for VolumeRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.id)?;
        map.serialize_entry("display_name", &self.display_name)?;
        map.serialize_entry("3par_vol_name", self.array_name.as_str())?;
        map.serialize_entry("backend", &self.backend)?;
        map.serialize_entry("size", &self.size_gib)?;
        map.serialize_entry("provisioning", &self.provisioning)?;
        map.serialize_entry("cpg", &self.cpg)?;
        map.serialize_entry("snap_cpg", &self.snap_cpg)?;
        map.serialize_entry("mount_conflict_delay", &self.mount_conflict_delay)?;
        map.serialize_entry("fsOwner", &self.access.owner.map(|(user, group)| format!("{user}:{group}")))?;
        map.serialize_entry("fsMode", &self.access.mode.map(|mode| format!("{mode:04o}")))?;
        map.serialize_entry("lifecycle", &self.lifecycle)?;
        map.serialize_entry("wwn", &self.wwn)?;
        map.serialize_entry("format", &WrittenFormat::of(self))?;
        map.serialize_entry("path_info", &self.path_info)?;
        map.serialize_entry("fencing", &WrittenFencing::of(self))?;
        for (field, value) in self.rest.iter().filter(|(field, _)| !WRITTEN.contains(&field.as_str())) {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// A record as this version wrote it.
#[derive(Deserialize)]
struct Record {
    id: VolumeId,
    display_name: VolumeName,
    #[serde(rename = "3par_vol_name")]
    array_name: String,
    backend: String,
    size: u64,
    provisioning: String,
    cpg: Option<CpgName>,
    snap_cpg: Option<CpgName>,
    mount_conflict_delay: Option<u64>,
    #[serde(rename = "fsOwner")]
    owner: Option<String>,
    #[serde(rename = "fsMode")]
    mode: Option<String>,
    lifecycle: Lifecycle,
    wwn: Option<Wwn>,
    format: WrittenFormat,
    path_info: BTreeMap<NodeId, PathInfo>,
    fencing: Fencing,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Reads a record of exactly the shape this version writes; `None` for any other.
pub(super) fn read(bytes: &[u8]) -> Option<VolumeRecord> {
    // As text: its strings are then not looked at once more for being text.
    let record: Record = serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let texts = [&record.backend, &record.provisioning];
    if texts.iter().any(|text| text.is_empty()) || MOVED.iter().any(|field| record.rest.contains_key(*field)) {
        return None;
    }
    let owner = match &record.owner {
        Some(text) => Some(parse_owner(text)?),
        None => None,
    };
    let mode = match &record.mode {
        Some(text) => Some(u32::from_str_radix(text, 8).ok()?),
        None => None,
    };
    let fencing = record.fencing;
    let (attempt, beside_attempt) = fencing.attempt.map(WrittenAttempt::read).unzip();
    let ownership = fencing.stage.ownership(attempt, fencing.owner).ok()?;
    let (format, beside_format) = record.format.read()?;
    Some(VolumeRecord {
        id: record.id,
        display_name: record.display_name,
        array_name: ArrayVolumeName::try_from(record.array_name).ok()?,
        backend: record.backend,
        size_gib: record.size,
        provisioning: record.provisioning,
        cpg: record.cpg,
        snap_cpg: record.snap_cpg,
        mount_conflict_delay: record.mount_conflict_delay,
        access: RootAccess { owner, mode },
        lifecycle: record.lifecycle,
        wwn: record.wwn,
        format,
        path_info: record.path_info,
        epoch: fencing.epoch,
        ownership,
        takeover: fencing.takeover,
        quarantine: fencing.quarantine,
        burned_luns: fencing.burned_luns,
        steps: fencing.steps,
        rest: record.rest,
        unknown: Unknown { fencing: fencing.rest, format: beside_format, attempt: beside_attempt.unwrap_or_default() },
    })
}
