//! Keys and values kept with a volume (`/volumes/<name>/objectKeyValues`): the metadata of plugins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;
use super::names::{ObjectKey, VolumeName};
use super::timestamp::Timestamp;
use super::volume_create::CreateVolume;

/// Longest value. The limit of real arrays is not documented; the mock of the vendor's own client stops at 31.
pub const VALUE_MAX: usize = 511;

/// A value. It may be a CHAP secret, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ObjectKeyValue {
    value: String,
    created: Timestamp,
}

impl std::fmt::Debug for ObjectKeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectKeyValue(…)")
    }
}

/// Body of `POST` and `PUT` on keys and values. `Debug` is not offered: the value may be a secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SetObjectKey {
    /// Key (required with `POST`).
    pub key: Option<String>,
    /// Value (required).
    pub value: Option<String>,
}

/// A row of `GET /volumes/<name>/objectKeyValues`. `Debug` is not offered: the value may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKeyRow {
    /// Key.
    pub key: ObjectKey,
    /// Value.
    pub value: String,
    /// When it was made.
    pub creation_time_sec: u64,
    /// The same as text.
    pub creation_time8601: String,
}

impl ObjectKeyRow {
    fn of(key: &ObjectKey, held: &ObjectKeyValue) -> Self {
        Self {
            key: key.clone(),
            value: held.value.clone(),
            creation_time_sec: held.created.0,
            creation_time8601: held.created.to_string(),
        }
    }
}

impl Array {
    /// Makes a volume together with keys: all or nothing.
    ///
    /// # Errors
    /// Those of [`Array::create_volume`] and [`Array::create_object_key`].
    pub fn create_volume_with_keys(
        &mut self,
        now: Duration,
        body: &CreateVolume,
        keys: &[SetObjectKey],
    ) -> Result<VolumeName, ArrayError> {
        let name = self.create_volume(now, body)?;
        for key in keys {
            if let Err(refused) = self.create_object_key(now, name.as_str(), key) {
                self.take_volume(name.as_str());
                return Err(refused);
            }
        }
        Ok(name)
    }

    /// Adds a key.
    ///
    /// # Errors
    /// 23 unknown volume, 40 without key or value, 45/57/69 bad key, 57 value too long, 181 when the key exists.
    pub fn create_object_key(
        &mut self,
        now: Duration,
        volume: &str,
        body: &SetObjectKey,
    ) -> Result<ObjectKey, ArrayError> {
        self.advance(now);
        let held = &self.volume(volume)?.object_keys;
        let text = body.key.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("key"))?;
        let key = ObjectKey::new(text).map_err(|e| e.refusal("key"))?;
        if held.contains_key(&key) {
            return Err(ArrayError::existent_object_key());
        }
        let value = checked_value(body)?;
        self.put_object_key(volume, key.clone(), value);
        Ok(key)
    }

    /// Changes the value of a key.
    ///
    /// # Errors
    /// 23 unknown volume, 180 unknown key, 40 without value, 57 value too long.
    pub fn modify_object_key(
        &mut self,
        now: Duration,
        volume: &str,
        key: &str,
        body: &SetObjectKey,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let held = &self.volume(volume)?.object_keys;
        let (key, _) = held.get_key_value(key).ok_or_else(ArrayError::non_existent_object_key)?;
        let (key, value) = (key.clone(), checked_value(body)?);
        self.put_object_key(volume, key, value);
        Ok(())
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// 23 unknown volume, 180 unknown key.
    pub fn remove_object_key(&mut self, now: Duration, volume: &str, key: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let (id, volume) = (self.volume(volume)?.id, self.volume(volume)?.name.clone());
        let removed = self.volumes.get_mut(id).and_then(|v| v.object_keys.remove(key));
        removed.ok_or_else(ArrayError::non_existent_object_key)?;
        self.note(EventKind::ObjectKeyChanged { volume, key: key.to_owned() });
        Ok(())
    }

    /// All keys and values of a volume.
    ///
    /// # Errors
    /// 23 unknown volume.
    pub fn object_key_rows(&self, volume: &str) -> Result<Vec<ObjectKeyRow>, ArrayError> {
        Ok(self.volume(volume)?.object_keys.iter().map(|(k, v)| ObjectKeyRow::of(k, v)).collect())
    }

    /// One key with its value.
    ///
    /// # Errors
    /// 23 unknown volume, 180 unknown key.
    pub fn object_key_row(&self, volume: &str, key: &str) -> Result<ObjectKeyRow, ArrayError> {
        let held = &self.volume(volume)?.object_keys;
        held.get_key_value(key).map(|(k, v)| ObjectKeyRow::of(k, v)).ok_or_else(ArrayError::non_existent_object_key)
    }

    /// Sets a checked key; the time of its making stays when it exists.
    fn put_object_key(&mut self, volume: &str, key: ObjectKey, value: String) {
        let created = self.timestamp(self.now);
        let Some(volume) = self.volumes.id_of(volume).and_then(|id| self.volumes.get_mut(id)) else { return };
        let text = key.to_string();
        volume
            .object_keys
            .entry(key)
            .and_modify(|held| held.value.clone_from(&value))
            .or_insert(ObjectKeyValue { value, created });
        let volume = volume.name.clone();
        self.note(EventKind::ObjectKeyChanged { volume, key: text });
    }
}

/// The value of a request.
fn checked_value(body: &SetObjectKey) -> Result<String, ArrayError> {
    let value = body.value.clone().ok_or_else(|| ArrayError::missing_required().with_ref("value"))?;
    if value.chars().count() > VALUE_MAX {
        return Err(ArrayError::exceeds_length().with_ref("value"));
    }
    Ok(value)
}
