//! Tuning: a volume moves to another CPG or changes its provisioning, while hosts use it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::super::Array;
use super::super::error::ArrayError;
use super::super::names::{CpgName, VolumeName};
use super::super::task::{NewTask, TaskKind, TaskNumber, TaskWork};
use super::super::volume::{Provisioning, Volume, VolumeActivity};
use super::CopyWork;
use crate::scsi::UnitState;

/// Body of the action TUNE_VOLUME.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TuneVolume {
    /// 1 user space, 2 snapshot space (required).
    pub tune_operation: Option<i64>,
    /// CPG for the user space (required with 1).
    #[serde(rename = "userCPG")]
    pub user_cpg: Option<String>,
    /// CPG for the snapshot space (required with 2).
    #[serde(rename = "snapCPG")]
    pub snap_cpg: Option<String>,
    /// 1 thin, 2 full, 3 thin with deduplication, 4 deduplicated and compressed.
    pub conversion_operation: Option<i64>,
    /// Name under which the former volume is kept with its virtual copies.
    #[serde(rename = "keepVV")]
    pub keep_vv: Option<String>,
    /// Whether the converted volume is compressed.
    pub compression: Option<bool>,
}

/// What a volume becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    cpg: Option<CpgName>,
    snap_cpg: Option<CpgName>,
    provisioning: Option<Provisioning>,
    compressed: Option<bool>,
    keep: Option<VolumeName>,
}

impl Array {
    /// Starts to move or convert a volume; gives the task.
    ///
    /// # Errors
    /// 23 unknown volume; 40 without operation, CPG or, for a conversion of a volume with virtual copies, `keepVV`; 46 bad numbers;
    /// 15 unknown CPG; 22 `keepVV` exists; 12 deduplication without solid state disks; 151 when the volume is being tuned; 120 when a
    /// volume to convert is in a remote copy group; provisional codes for a virtual copy (403), another domain (403), and other work
    /// in progress (409).
    pub fn tune_volume(&mut self, now: Duration, name: &str, body: &TuneVolume) -> Result<TaskNumber, ArrayError> {
        self.advance(now);
        let volume = self.volume(name)?;
        if volume.is_snapshot() {
            return Err(ArrayError::non_base_volume());
        }
        volume.refuse_if_busy()?;
        let to = self.conversion_in_request(volume, body)?;
        let converts = to.provisioning.is_some();
        let (id, name, mib) = (volume.id, volume.name.to_string(), volume.reserved_mib());
        let kind = if converts { TaskKind::ConvertVv } else { TaskKind::MoveRegions };
        let work = TaskWork::Copy(CopyWork::Tune { volume: id, to });
        let task = self.start_task(NewTask { kind, name, mib, priority: None, work });
        let activity = if converts { VolumeActivity::Converting } else { VolumeActivity::Tuning };
        self.change_volume(id, |volume| volume.activity = Some((activity, task)));
        Ok(task)
    }

    /// What a request wants a volume to become.
    fn conversion_in_request(&self, volume: &Volume, body: &TuneVolume) -> Result<Conversion, ArrayError> {
        let mut to = Conversion::default();
        match body.tune_operation {
            Some(1) => {
                let cpg = self.cpg_in_request(body.user_cpg.as_deref(), "userCPG")?;
                if cpg.domain != volume.domain {
                    return Err(ArrayError::cpg_not_in_same_domain());
                }
                to.cpg = Some(cpg.name.clone());
            }
            Some(2) => {
                let text = body.snap_cpg.as_deref();
                let text = text.ok_or_else(|| ArrayError::missing_required().with_ref("snapCPG"))?;
                to.snap_cpg = Some(self.snap_cpg_beside(text, self.cpg(volume.cpg.as_str())?)?);
                return if body.conversion_operation.is_some() {
                    Err(ArrayError::parameter_conflict().with_ref("conversionOperation"))
                } else {
                    Ok(to)
                };
            }
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("tuneOperation")),
            None => return Err(ArrayError::missing_required().with_ref("tuneOperation")),
        }
        to.provisioning = match body.conversion_operation {
            None => return Ok(to),
            Some(1) => Some(Provisioning::Thin),
            Some(2) => Some(Provisioning::Full),
            Some(3) => Some(Provisioning::Deduplicated),
            Some(4) => Some(Provisioning::Reduced),
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("conversionOperation")),
        };
        self.check_conversion(volume, &to)?;
        to.compressed = Some(body.compression == Some(true) || to.provisioning == Some(Provisioning::Reduced));
        to.keep = body.keep_vv.as_deref().map(|text| self.free_volume_name(Some(text), "keepVV")).transpose()?;
        if to.keep.is_none() && self.volume_index.has_children(volume.id) {
            return Err(ArrayError::missing_keep_vv().with_ref("keepVV"));
        }
        Ok(to)
    }

    /// Refuses a conversion to what the volume is, or that the CPG or remote copy stands against.
    fn check_conversion(&self, volume: &Volume, to: &Conversion) -> Result<(), ArrayError> {
        if to.provisioning == Some(volume.provisioning) {
            return Err(match volume.provisioning {
                Provisioning::Full => ArrayError::already_full(),
                Provisioning::Thin | Provisioning::Snapshot => ArrayError::already_thin(),
                Provisioning::Deduplicated | Provisioning::Reduced => ArrayError::already_deduplicated(),
            });
        }
        if volume.rcopy_group.is_some() {
            return Err(ArrayError::volume_in_remote_copy());
        }
        let cpg = self.cpg(to.cpg.as_ref().unwrap_or(&volume.cpg).as_str())?;
        let dedup = matches!(to.provisioning, Some(Provisioning::Deduplicated));
        if dedup && cpg.disk_type != super::super::DiskType::Ssd {
            return Err(ArrayError::invalid_input().with_ref("conversionOperation"));
        }
        if to.provisioning == Some(Provisioning::Full) && volume.provisioning != Provisioning::Full {
            let more = if to.cpg.as_ref() == Some(&volume.cpg) { 0 } else { volume.size_mib };
            self.refuse_full_cpg(cpg, more)?;
        }
        Ok(())
    }

    /// Ends a move or conversion.
    pub(super) fn finish_conversion(&mut self, id: u32, to: &Conversion) -> bool {
        if let Some(keep) = &to.keep
            && !self.keep_former(id, keep)
        {
            return false;
        }
        let changed = self.change_volume(id, |volume| {
            volume.cpg = to.cpg.clone().unwrap_or_else(|| volume.cpg.clone());
            volume.snap_cpg = to.snap_cpg.clone().or_else(|| volume.snap_cpg.clone());
            volume.provisioning = to.provisioning.unwrap_or(volume.provisioning);
            volume.compressed = to.compressed.unwrap_or(volume.compressed);
            if to.keep.is_some() {
                volume.copied_on_write = 0;
            }
        });
        changed.is_some()
    }

    /// Keeps the former volume, with the virtual copies, under another name; gives whether that name was still free.
    fn keep_former(&mut self, id: u32, keep: &VolumeName) -> bool {
        let Some(former) = self.volume_by_id(id).filter(|_| self.volumes.named(keep).is_none()).cloned() else {
            return false;
        };
        let kept = self.volumes.next_id();
        let (wwn, uuid) = (self.wwn_for(kept), self.random.uuid());
        self.put_volume(Volume {
            id: kept,
            name: keep.clone(),
            wwn,
            uuid,
            activity: None,
            unit: UnitState::default(),
            object_keys: BTreeMap::new(),
            sets: BTreeSet::new(),
            rcopy_group: None,
            ..former
        });
        let children: Vec<u32> = self.volume_index.children(id).collect();
        for child in children {
            self.change_volume(child, |copy| copy.copy_of = Some(kept));
        }
        true
    }
}
