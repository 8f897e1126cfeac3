//! Adaptive flash cache: solid state disks in front of the others. It is kept and shown; it makes nothing faster.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;

/// Sizes are multiples of this, GiB.
const STEP_GIB: i64 = 16;
/// Smallest and largest size of a pair of nodes, GiB.
const SIZE_GIB: std::ops::RangeInclusive<i64> = 64..=8192;

/// The flash cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlashCache {
    /// Size, GiB.
    pub size_gib: u32,
    /// Whether it only counts what it would save.
    pub simulated: bool,
}

/// `flashCache` in the body of `POST /`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CreateFlashCache {
    /// Size, GiB (required).
    #[serde(rename = "sizeGiB")]
    pub size_gib: Option<i64>,
    /// 1 simulated, 2 real.
    pub mode: Option<i64>,
    /// 1 R0, 2 R1.
    #[serde(rename = "RAIDType")]
    pub raid_type: Option<i64>,
}

impl Array {
    /// Makes the flash cache.
    ///
    /// # Errors
    /// 40 without a size; 46 bad mode or RAID type; provisional codes when there is one (409), for a bad size (400), and on releases
    /// that have none (403).
    pub fn create_flash_cache(&mut self, now: Duration, body: &CreateFlashCache) -> Result<(), ArrayError> {
        self.advance(now);
        if self.config.personality.is_primera() {
            return Err(ArrayError::flash_cache_not_supported());
        }
        if self.flash_cache.is_some() {
            return Err(ArrayError::existent_flash_cache());
        }
        let size = body.size_gib.ok_or_else(|| ArrayError::missing_required().with_ref("sizeGiB"))?;
        if !SIZE_GIB.contains(&size) || size % STEP_GIB != 0 {
            return Err(ArrayError::invalid_flash_cache_size().with_ref("sizeGiB"));
        }
        let simulated = match body.mode {
            None | Some(2) => false,
            Some(1) => true,
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("mode")),
        };
        if !matches!(body.raid_type, None | Some(1 | 2)) {
            return Err(ArrayError::bad_enum_value().with_ref("RAIDType"));
        }
        self.flash_cache = Some(FlashCache { size_gib: u32::try_from(size).unwrap_or(u32::MAX), simulated });
        self.note(EventKind::FlashCacheChanged);
        Ok(())
    }

    /// Deletes the flash cache.
    ///
    /// # Errors
    /// 285 when there is none.
    pub fn remove_flash_cache(&mut self, now: Duration) -> Result<(), ArrayError> {
        self.advance(now);
        self.flash_cache.take().ok_or_else(ArrayError::non_existent_flash_cache)?;
        self.note(EventKind::FlashCacheChanged);
        Ok(())
    }

    /// The flash cache as the WSAPI shows it.
    ///
    /// # Errors
    /// 285 when there is none.
    pub fn flash_cache_row(&self) -> Result<Value, ArrayError> {
        let cache = self.flash_cache.ok_or_else(ArrayError::non_existent_flash_cache)?;
        let mode = if cache.simulated { 1 } else { 2 };
        Ok(json!({"mode": mode, "sizeGiB": cache.size_gib, "state": 1, "usedSizeGiB": 0}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayConfig;

    #[test]
    fn there_is_one_or_none() {
        let (mut array, now) = (Array::new(ArrayConfig::default()), Duration::ZERO);
        let of = |size_gib| CreateFlashCache { size_gib: Some(size_gib), ..CreateFlashCache::default() };
        assert_eq!(array.flash_cache_row().unwrap_err().code, 285);
        assert_eq!(
            array.create_flash_cache(now, &of(65)).unwrap_err(),
            ArrayError::invalid_flash_cache_size().with_ref("sizeGiB")
        );
        array.create_flash_cache(now, &of(64)).unwrap();
        assert_eq!(array.create_flash_cache(now, &of(64)).unwrap_err().status, 409);
        assert_eq!(array.flash_cache_row().unwrap()["sizeGiB"], 64);
        array.remove_flash_cache(now).unwrap();
        assert_eq!(array.remove_flash_cache(now).unwrap_err().code, 285);
    }
}
