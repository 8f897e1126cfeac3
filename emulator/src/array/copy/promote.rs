//! Promoting a virtual copy: its base volume gets the data back that the copy has.

use std::time::Duration;

use serde::Deserialize;

use super::super::Array;
use super::super::error::ArrayError;
use super::super::task::{NewTask, TaskKind, TaskNumber, TaskPriority, TaskWork};
use super::super::volume::VolumeActivity;
use super::CopyWork;

/// Body of the action PROMOTE_VIRTUAL_COPY.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromoteSnapshot {
    /// Let hosts go on using the base volume; it shows the data of the copy at once.
    pub online: Option<bool>,
    /// Priority of the task.
    pub priority: Option<i64>,
    /// Allow it although the base volume is in a remote copy group.
    pub allow_remote_copy_parent: Option<bool>,
    /// Ancestor to promote to instead of the base volume (command line only).
    #[serde(skip)]
    pub target: Option<String>,
}

impl Array {
    /// Starts to promote a virtual copy; gives the task.
    ///
    /// # Errors
    /// 23 unknown copy; 44 `online` with a priority; 46 bad priority; 120 when the base is in a remote copy group, 215 when that is started; provisional codes for a volume that is no copy (409), exported volumes (403), a base that has grown (409) or that the
    /// array is busy with (409).
    pub fn promote_snapshot(
        &mut self,
        now: Duration,
        name: &str,
        body: &PromoteSnapshot,
    ) -> Result<TaskNumber, ArrayError> {
        self.advance(now);
        let online = body.online == Some(true);
        if online && body.priority.is_some() {
            return Err(ArrayError::parameter_conflict().with_ref("online,priority"));
        }
        let priority = body.priority.map_or(Ok(TaskPriority::default()), TaskPriority::from_wsapi)?;
        let copy = self.volume(name)?;
        if !copy.is_snapshot() {
            return Err(ArrayError::base_volume());
        }
        copy.refuse_if_busy()?;
        let target = self.promotion_target(copy.id, body.target.as_deref())?;
        let base = self.volume_by_id(target).ok_or_else(ArrayError::no_parent)?;
        base.refuse_if_busy()?;
        if base.size_mib != copy.size_mib {
            return Err(ArrayError::parent_size_has_increased());
        }
        if !online && (self.vluns.names_volume(base.id) || self.vluns.names_volume(copy.id)) {
            return Err(ArrayError::volume_exported());
        }
        if base.rcopy_group.is_some() && body.allow_remote_copy_parent != Some(true) {
            return Err(ArrayError::volume_in_remote_copy());
        }
        if self.is_in_started_group(base) {
            return Err(ArrayError::rcopy_group_started());
        }
        let (snapshot, mib) = (copy.id, copy.written_mib());
        let task = self.start_task(NewTask {
            kind: TaskKind::PromoteSv,
            name: copy.name.to_string(),
            mib,
            priority: Some(priority),
            work: TaskWork::Copy(CopyWork::Promote { target, snapshot }),
        });
        self.change_volume(target, |base| base.activity = Some((VolumeActivity::Promoting, task)));
        if online {
            self.fill_from(target, snapshot);
            // Hosts may write from now on, so the end of the task must not bring the old data again.
            self.replace_task_work(task, TaskWork::Copy(CopyWork::Promote { target, snapshot: target }));
        }
        Ok(task)
    }

    /// The volume to promote to: the base of the tree, or the ancestor that was asked for.
    fn promotion_target(&self, copy: u32, wish: Option<&str>) -> Result<u32, ArrayError> {
        let wish = wish.map(|name| self.volume(name)).transpose()?;
        let mut at = self.volume_by_id(copy).and_then(|v| v.copy_of);
        let mut base = None;
        while let Some(volume) = at.and_then(|id| self.volume_by_id(id)) {
            if wish.is_some_and(|wish| wish.id == volume.id) {
                return if volume.read_only { Err(ArrayError::non_base_volume()) } else { Ok(volume.id) };
            }
            base = Some(volume.id);
            at = volume.copy_of;
        }
        base.filter(|_| wish.is_none()).ok_or_else(ArrayError::no_parent)
    }

    /// Stops a promotion that runs; `name` is the virtual copy or its base volume.
    ///
    /// # Errors
    /// 23 unknown volume, 185 when no promotion runs.
    pub fn stop_promotion(&mut self, now: Duration, name: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let volume = self.volume(name)?;
        let base = self.volume_by_id(self.base_of(volume));
        let running = [Some(volume), base].into_iter().flatten().find_map(|v| v.activity);
        match running {
            Some((VolumeActivity::Promoting, task)) => self.cancel_task(now, task),
            _ => Err(ArrayError::promote_not_in_progress()),
        }
    }
}
