//! Reading a record, of this plugin or of the earlier one, field by field: every field that cannot be read is named.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use super::fencing::{MOVED, WrittenAttempt, WrittenFormat, WrittenStage};
use super::rest::{Beside, Rest};
use super::{Attempt, Format, Ownership, PathInfo, Quarantine, Unknown, VolumeRecord};
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

impl RecordError {
    /// The field is one of this object.
    fn within(self, object: &str) -> Self {
        Self { field: format!("{object}.{}", self.field), ..self }
    }
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
        let owned = read_ownership(&mut fields)?;
        let (mut format, beside_format) = read_format(&mut fields)?;
        if format == Format::Unknown && owned.was_mounted {
            format = Format::Formatted;
        }
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
            format,
            path_info: owned.path_info,
            epoch: owned.epoch,
            ownership: owned.ownership,
            takeover: fields.optional("takeover")?,
            quarantine: owned.quarantine,
            burned_luns: fields.optional("burned_luns")?.unwrap_or_default(),
            steps: fields.optional("steps")?.unwrap_or_default(),
            rest: fields.map,
            unknown: Unknown { fencing: owned.rest, format: beside_format, attempt: owned.beside_attempt },
        })
    }
}

/// What `fencing` and `path_info` say.
#[derive(Default)]
pub(super) struct OwnershipFields {
    pub(super) ownership: Ownership,
    pub(super) path_info: BTreeMap<NodeId, PathInfo>,
    pub(super) quarantine: BTreeMap<NodeId, Quarantine>,
    pub(super) epoch: Epoch,
    pub(super) beside_attempt: Beside<Attempt>,
    pub(super) rest: Rest,
    /// The earlier plugin had it mounted somewhere, so it has a filesystem, whatever a probe finds.
    pub(super) was_mounted: bool,
}

/// Reads `fencing` and `path_info`; a record without `fencing` was written by the earlier plugin.
fn read_ownership(fields: &mut Fields) -> Result<OwnershipFields, RecordError> {
    let Some(fencing) = fields.optional::<Map<String, Value>>("fencing")? else {
        return earlier_plugin::ownership(fields);
    };
    let mut fencing = Fields { map: fencing, key: fields.key.clone() };
    let stage: WrittenStage = fencing.required("stage").map_err(|error| error.within("fencing"))?;
    let (attempt, beside_attempt) = fencing.optional::<WrittenAttempt>("attempt")?.map(WrittenAttempt::read).unzip();
    let ownership = stage
        .ownership(attempt, fencing.optional("owner")?)
        .map_err(|missing| fencing.error("fencing.stage", format!("the {missing} that belongs to it is missing")))?;
    let epoch = fencing.required("epoch")?;
    let quarantine = fencing.optional("quarantine")?.unwrap_or_default();
    fencing.map.shift_remove("phase");
    for field in MOVED {
        if let Some(value) = fencing.map.shift_remove(field) {
            fields.map.insert(field.to_owned(), value);
        }
    }
    Ok(OwnershipFields {
        ownership,
        path_info: fields.optional("path_info")?.unwrap_or_default(),
        quarantine,
        epoch,
        beside_attempt: beside_attempt.unwrap_or_default(),
        rest: Rest::of(fencing.map),
        was_mounted: false,
    })
}

/// `format`, and unknown fields of it. A record without it does not say whether the volume has a filesystem.
fn read_format(fields: &mut Fields) -> Result<(Format, Beside<Format>), RecordError> {
    let Some(written) = fields.optional::<WrittenFormat>("format")? else { return Ok(Default::default()) };
    written.read().ok_or_else(|| fields.error("format", "epoch and filesystem of the formatting are missing"))
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
