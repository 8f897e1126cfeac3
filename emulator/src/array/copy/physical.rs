//! Physical copies: offline into a volume that is there, online into a volume that is made; stop, resynchronise, promote.

use std::time::Duration;

use serde::Deserialize;

use super::super::error::ArrayError;
use super::super::names::VolumeName;
use super::super::task::{NewTask, TaskKind, TaskNumber, TaskPriority, TaskWork};
use super::super::volume::VolumeActivity;
use super::super::volume_create::CreateVolume;
use super::super::{Array, Wwn};
use super::CopyWork;

/// `parameters` of the action `createPhysicalCopy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreatePhysicalCopy {
    /// Volume to copy to (required): there already for an offline copy, new for an online copy.
    pub dest_volume: Option<String>,
    /// CPG of the new volume (required for an online copy, refused otherwise).
    #[serde(rename = "destCPG")]
    pub dest_cpg: Option<String>,
    /// Make a new volume that can be used at once.
    pub online: Option<bool>,
    /// World wide name of the new volume.
    #[serde(rename = "WWN")]
    pub wwn: Option<String>,
    /// Make the new volume thin.
    pub tpvv: Option<bool>,
    /// Make it thin with deduplication.
    pub tdvv: Option<bool>,
    /// Make it deduplicated and compressed (Primera).
    pub reduce: Option<bool>,
    /// Compress it.
    pub compression: Option<bool>,
    /// CPG of its snapshot space.
    #[serde(rename = "snapCPG")]
    pub snap_cpg: Option<String>,
    /// Do not copy zeros; of no effect here, where zeros take no space.
    pub skip_zero: Option<bool>,
    /// Keep the virtual copy of the source that a later resynchronisation starts from.
    pub save_snapshot: Option<bool>,
    /// Priority of the task.
    pub priority: Option<i64>,
    /// Volume set to add the new volume to; made when it does not exist (online copy).
    pub add_to_set: Option<String>,
}

impl CreatePhysicalCopy {
    /// An offline copy into a volume that is there.
    #[must_use]
    pub fn offline(target: &str) -> Self {
        Self { dest_volume: Some(target.to_owned()), ..Self::default() }
    }

    /// An online copy into a new thin volume.
    #[must_use]
    pub fn online(target: &str, cpg: &str) -> Self {
        let (dest_volume, dest_cpg) = (Some(target.to_owned()), Some(cpg.to_owned()));
        Self { dest_volume, dest_cpg, online: Some(true), tpvv: Some(true), ..Self::default() }
    }
}

/// A copy that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedCopy {
    /// Task of the copy.
    pub task: TaskNumber,
    /// Volume that is copied to.
    pub target: VolumeName,
}

impl Array {
    /// Starts a physical copy of the volume `of`.
    ///
    /// # Errors
    /// 23 unknown source or offline target; 40 without target, or without CPG online; 44 members of an online copy offline; 46 bad
    /// priority; the codes of [`Array::create_volume`] for an online target; 120 when the target is in a remote copy group; provisional
    /// codes for a target that is the source (403), a virtual copy (403), exported (403), smaller (409), or when the array is busy with
    /// one of the two (409).
    pub fn create_physical_copy(
        &mut self,
        now: Duration,
        of: &str,
        body: &CreatePhysicalCopy,
    ) -> Result<StartedCopy, ArrayError> {
        self.advance(now);
        let source = self.volume(of)?;
        if source.is_being_filled() {
            source.refuse_if_busy()?;
        }
        let target =
            body.dest_volume.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("destVolume"))?;
        let priority = body.priority.map_or(Ok(TaskPriority::default()), TaskPriority::from_wsapi)?;
        let source = source.id;
        if body.online == Some(true) {
            self.start_online_copy(now, source, target, body)
        } else {
            self.refuse_online_members(body)?;
            self.start_offline_copy(source, target, priority, body.save_snapshot == Some(true))
        }
    }

    /// Refuses what only an online copy can be told.
    fn refuse_online_members(&self, body: &CreatePhysicalCopy) -> Result<(), ArrayError> {
        let given = [
            ("destCPG", body.dest_cpg.is_some()),
            ("snapCPG", body.snap_cpg.is_some()),
            ("tpvv", body.tpvv.is_some()),
            ("tdvv", body.tdvv.is_some()),
            ("reduce", body.reduce.is_some()),
            ("compression", body.compression.is_some()),
            ("WWN", body.wwn.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((member, _)) => Err(ArrayError::parameter_conflict().with_ref(*member)),
            None => Ok(()),
        }
    }

    fn start_offline_copy(
        &mut self,
        source: u32,
        target: &str,
        priority: TaskPriority,
        keep: bool,
    ) -> Result<StartedCopy, ArrayError> {
        let copy = self.volume(target)?;
        if copy.id == source {
            return Err(ArrayError::copy_to_self());
        }
        if copy.is_snapshot() {
            return Err(ArrayError::non_base_volume());
        }
        copy.refuse_if_busy()?;
        if self.vluns.names_volume(copy.id) {
            return Err(ArrayError::volume_exported());
        }
        if copy.rcopy_group.is_some() {
            return Err(ArrayError::volume_in_remote_copy());
        }
        let (target, id) = (copy.name.clone(), copy.id);
        if self.volume_by_id(source).is_some_and(|source| source.size_mib > copy.size_mib) {
            return Err(ArrayError::copy_parent_too_big());
        }
        let task = self.fill_offline(TaskKind::VvCopy, source, id, priority, keep)?;
        Ok(StartedCopy { task, target })
    }

    /// Starts to fill a volume from a virtual copy that is made of the source now.
    fn fill_offline(
        &mut self,
        kind: TaskKind,
        source: u32,
        target: u32,
        priority: TaskPriority,
        keep: bool,
    ) -> Result<TaskNumber, ArrayError> {
        let parent = self.volume_by_id(source).ok_or_else(ArrayError::no_parent)?;
        let (read_only, mib) = (!parent.read_only, parent.written_mib());
        let name = self.volume_by_id(target).map(|v| v.name.to_string()).unwrap_or_default();
        let snapshot = self.put_intermediate(source, read_only).ok_or_else(ArrayError::internal)?;
        let work = TaskWork::Copy(CopyWork::Physical { target, snapshot, keep });
        let task = self.start_task(NewTask { kind, name, mib, priority: Some(priority), work });
        let activity = if kind == TaskKind::VvCopy { VolumeActivity::CopyTarget } else { VolumeActivity::ResyncTarget };
        self.change_volume(target, |copy| {
            copy.copied_from = Some(source);
            copy.activity = Some((activity, task));
        });
        Ok(task)
    }

    /// Ends an offline copy.
    pub(super) fn finish_physical_copy(&mut self, target: u32, snapshot: u32, keep: bool) -> bool {
        let filled = self.fill_from(target, snapshot);
        let former = self.volume_by_id(target).and_then(|v| v.saved_snapshot);
        if !keep {
            self.drop_intermediate(snapshot);
        }
        if let Some(former) = former {
            self.drop_intermediate(former);
        }
        self.change_volume(target, |copy| copy.saved_snapshot = keep.then_some(snapshot));
        filled
    }

    fn start_online_copy(
        &mut self,
        now: Duration,
        source: u32,
        target: &str,
        body: &CreatePhysicalCopy,
    ) -> Result<StartedCopy, ArrayError> {
        let parent = self.volume_by_id(source).ok_or_else(ArrayError::no_parent)?;
        let (size_mib, blocks, mib) = (parent.size_mib, parent.blocks.clone(), parent.written_mib());
        if body.dest_cpg.is_none() {
            return Err(ArrayError::missing_required().with_ref("destCPG"));
        }
        let wwn = body.wwn.as_deref().map(Wwn::new).transpose()?;
        let new = CreateVolume {
            name: Some(target.to_owned()),
            cpg: body.dest_cpg.clone(),
            size_mib: i64::try_from(size_mib).ok(),
            snap_cpg: body.snap_cpg.clone(),
            tpvv: body.tpvv,
            tdvv: body.tdvv,
            reduce: body.reduce,
            compression: body.compression,
            ..CreateVolume::default()
        };
        let read_only = !parent.read_only;
        let target = self.create_volume(now, &new)?;
        let id = self.volume(target.as_str())?.id;
        // A read-only copy of the source, and a copy of that which can be written: the new volume hangs below both while it is filled.
        let first = self.put_intermediate(source, read_only).ok_or_else(ArrayError::internal)?;
        let second = self.put_intermediate(first, false).ok_or_else(ArrayError::internal)?;
        let task = self.start_task(NewTask {
            kind: TaskKind::OnlineCopy,
            name: target.to_string(),
            mib,
            priority: None,
            work: TaskWork::Copy(CopyWork::Online { target: id, between: [second, first] }),
        });
        self.change_volume(id, |copy| {
            copy.wwn = wwn.unwrap_or_else(|| copy.wwn.clone());
            copy.blocks = blocks;
            copy.copy_of = Some(second);
            copy.activity = Some((VolumeActivity::OnlineCopyTarget, task));
        });
        self.add_to_set(body.add_to_set.as_deref(), &[target.to_string()])?;
        Ok(StartedCopy { task, target })
    }

    /// Stops an offline copy that runs; its target is a base volume again, with the data it had.
    ///
    /// # Errors
    /// 23 unknown volume; a provisional code (404) when no copy into it runs.
    pub fn stop_physical_copy(&mut self, now: Duration, target: &str) -> Result<(), ArrayError> {
        self.advance(now);
        match self.volume(target)?.activity {
            Some((VolumeActivity::CopyTarget | VolumeActivity::ResyncTarget, task)) => self.cancel_task(now, task),
            _ => Err(ArrayError::non_existent_copy()),
        }
    }

    /// Fills a physical copy again from its source; gives the task.
    ///
    /// # Errors
    /// 23 unknown volume; provisional codes when it is no physical copy (404), was made without keeping a virtual copy of the source
    /// (404), is exported (403), or the array is busy with it (409).
    pub fn resync_physical_copy(&mut self, now: Duration, target: &str) -> Result<TaskNumber, ArrayError> {
        self.advance(now);
        let copy = self.volume(target)?;
        let source = copy.copied_from.ok_or_else(ArrayError::non_existent_copy)?;
        copy.refuse_if_busy()?;
        if copy.saved_snapshot.is_none_or(|id| self.volume_by_id(id).is_none()) {
            return Err(ArrayError::non_existent_snapshot());
        }
        if self.vluns.names_volume(copy.id) {
            return Err(ArrayError::volume_exported());
        }
        let parent = self.volume_by_id(source).ok_or_else(ArrayError::no_parent)?;
        if parent.size_mib > copy.size_mib {
            return Err(ArrayError::copy_parent_too_big());
        }
        let id = copy.id;
        self.fill_offline(TaskKind::PhysCopyResync, source, id, TaskPriority::default(), true)
    }

    /// Makes a physical copy a base volume of its own (`promotevvcopy`).
    ///
    /// # Errors
    /// 23 unknown volume; provisional codes when it is no physical copy (404) or being filled (409).
    pub fn promote_physical_copy(&mut self, now: Duration, target: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let copy = self.volume(target)?;
        if copy.copied_from.is_none() {
            return Err(ArrayError::non_existent_copy());
        }
        copy.refuse_if_busy()?;
        let (id, saved) = (copy.id, copy.saved_snapshot);
        self.change_volume(id, |copy| (copy.copied_from, copy.saved_snapshot) = (None, None));
        if let Some(saved) = saved {
            self.drop_intermediate(saved);
        }
        Ok(())
    }
}
