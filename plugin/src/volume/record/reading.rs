//! Reading a record, of this plugin or of the earlier one, field by field: every field that cannot be read is named.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Attempt, Ownership, PathInfo, Quarantine, Stage, VolumeRecord};
use super::{earlier_plugin, written};
use crate::node::{NodeId, RootAccess};
use crate::volume::names::{ArrayVolumeName, VolumeId};
use crate::volume::record::Epoch;

/// Why a stored text is no volume record.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("volume record {key}: field '{field}' cannot be read: {reason}; nothing was changed")]
pub struct RecordError {
    /// Key or id of the record.
    pub key: String,
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Takes known fields out of a JSON object; what is left is kept as it is.
pub(super) struct Fields {
    pub(super) map: Map<String, Value>,
    key: String,
}

impl Fields {
    #[allow(clippy::needless_pass_by_value, reason = "reads better at every call")]
    pub(super) fn error(&self, field: &str, reason: impl std::fmt::Display) -> RecordError {
        RecordError { key: self.key.clone(), field: field.to_owned(), reason: reason.to_string() }
    }

    /// A field that may be absent or null.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, field: &str) -> Result<Option<T>, RecordError> {
        match self.map.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value).map(Some).map_err(|e| self.error(field, e)),
        }
    }

    /// An optional text in which the earlier plugin also wrote "" for "not set".
    fn text(&mut self, field: &str) -> Result<Option<String>, RecordError> {
        Ok(self.optional::<String>(field)?.filter(|text| !text.is_empty()))
    }

    fn required<T: DeserializeOwned>(&mut self, field: &str) -> Result<T, RecordError> {
        self.optional(field)?.ok_or_else(|| self.error(field, "missing"))
    }

    /// An optional name, parsed.
    fn parsed<T: std::str::FromStr>(&mut self, field: &str) -> Result<Option<T>, RecordError>
    where
        T::Err: ToString,
    {
        self.text(field)?.map(|text| text.parse().map_err(|e: T::Err| self.error(field, e.to_string()))).transpose()
    }
}

impl VolumeRecord {
    /// Reads a record, of this plugin or of the earlier one.
    ///
    /// # Errors
    /// Names the record and the field that cannot be read.
    pub fn from_json(key: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        match written::read(bytes) {
            Some(record) => Ok(record),
            None => Self::read_field_by_field(key, bytes),
        }
    }

    fn read_field_by_field(key: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        let whole = |reason: String| RecordError { key: key.to_owned(), field: "(whole record)".to_owned(), reason };
        let value: Value = serde_json::from_slice(bytes).map_err(|e| whole(e.to_string()))?;
        let Value::Object(map) = value else { return Err(whole("not a JSON object".to_owned())) };
        let mut fields = Fields { map, key: key.to_owned() };
        let id: VolumeId = fields.required("id")?;
        let array_name = match fields.optional::<String>("3par_vol_name")? {
            Some(name) => ArrayVolumeName::try_from(name).map_err(|e| fields.error("3par_vol_name", e))?,
            None if earlier_plugin::is_snapshot(&fields) => ArrayVolumeName::for_snapshot(id),
            None => ArrayVolumeName::for_volume(id),
        };
        earlier_plugin::take_access_of_snapshot(&mut fields);
        let access = RootAccess { owner: read_owner(&mut fields)?, mode: read_mode(&mut fields)? };
        let (ownership, path_info, quarantine, epoch) = read_ownership(&mut fields)?;
        Ok(Self {
            id,
            display_name: fields.required("display_name")?,
            array_name,
            backend: fields.text("backend")?.unwrap_or_else(|| "DEFAULT".to_owned()),
            size_gib: fields.optional("size")?.unwrap_or(0),
            provisioning: fields.text("provisioning")?.unwrap_or_else(|| "thin".to_owned()),
            cpg: fields.parsed("cpg")?,
            snap_cpg: fields.parsed("snap_cpg")?,
            mount_conflict_delay: fields.optional("mount_conflict_delay")?,
            access,
            lifecycle: fields.optional("lifecycle")?.unwrap_or_default(),
            wwn: fields.parsed("wwn")?,
            format: fields.optional("format")?.unwrap_or_default(),
            path_info,
            epoch,
            ownership,
            takeover: fields.optional("takeover")?,
            quarantine,
            burned_luns: fields.optional("burned_luns")?.unwrap_or_default(),
            steps: fields.optional("steps")?.unwrap_or_default(),
            rest: fields.map,
        })
    }
}

pub(super) type OwnershipFields = (Ownership, BTreeMap<NodeId, PathInfo>, BTreeMap<NodeId, Quarantine>, Epoch);

/// Reads `fencing` and `path_info`; a record without `fencing` was written by the earlier plugin.
fn read_ownership(fields: &mut Fields) -> Result<OwnershipFields, RecordError> {
    let Some(fencing) = fields.optional::<Map<String, Value>>("fencing")? else {
        return earlier_plugin::ownership(fields);
    };
    let mut fencing = Fields { map: fencing, key: fields.key.clone() };
    let stage: String = fencing.required("stage")?;
    let attempt: Option<Attempt> = fencing.optional("attempt")?;
    let stage = match (stage.as_str(), attempt) {
        ("free", _) => None,
        ("fencing", _) => Some(Stage::Fencing),
        ("attaching", Some(attempt)) => Some(Stage::Attaching(attempt)),
        ("mounted", attempt) => Some(Stage::Mounted(attempt)),
        ("releasing", attempt) => Some(Stage::Releasing(attempt)),
        (other, _) => {
            return Err(fencing
                .error("fencing.stage", format!("'{other}' is no stage this version knows, or lacks its attempt")));
        }
    };
    let ownership = match stage {
        None => Ownership::Free,
        Some(stage) => Ownership::Owned { owner: fencing.required("owner")?, stage },
    };
    let epoch = fencing.required("epoch")?;
    let quarantine = fencing.optional("quarantine")?.unwrap_or_default();
    for field in ["takeover", "burned_luns", "steps"] {
        if let Some(value) = fencing.map.shift_remove(field) {
            fields.map.insert(field.to_owned(), value);
        }
    }
    Ok((ownership, fields.optional("path_info")?.unwrap_or_default(), quarantine, epoch))
}

/// `fsOwner`: `uid:gid`.
fn read_owner(fields: &mut Fields) -> Result<Option<(u32, u32)>, RecordError> {
    let Some(text) = fields.text("fsOwner")? else { return Ok(None) };
    parse_owner(&text).map(Some).ok_or_else(|| fields.error("fsOwner", "not uid:gid"))
}

/// `uid:gid`.
pub(super) fn parse_owner(text: &str) -> Option<(u32, u32)> {
    let (user, group) = text.split_once(':')?;
    Some((user.parse().ok()?, group.parse().ok()?))
}

/// `fsMode`: octal text.
fn read_mode(fields: &mut Fields) -> Result<Option<u32>, RecordError> {
    let Some(text) = fields.text("fsMode")? else { return Ok(None) };
    u32::from_str_radix(&text, 8).map(Some).map_err(|e| fields.error("fsMode", e))
}

#[cfg(test)]
mod tests;
