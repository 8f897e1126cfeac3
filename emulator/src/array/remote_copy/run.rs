//! Starting, stopping and synchronising groups.

use std::time::Duration;

use serde::Deserialize;

use super::super::Array;
use super::super::error::ArrayError;
use super::super::event::EventKind;
use super::super::task::{NewTask, TaskKind, TaskNumber, TaskWork};
use super::{Partners, RcopyGroup, RcopyRole, RcopyState, SyncStatus};

/// Body of the action that starts a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StartGroup {
    /// Take the mirrors for equal.
    pub skip_initial_sync: Option<bool>,
    /// Target; all when absent.
    pub target_name: Option<String>,
}

/// Body of the actions that stop and synchronise a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StopGroup {
    /// Target; all when absent.
    pub target_name: Option<String>,
    /// Keep no snapshots; of no difference here.
    pub no_snapshot: Option<bool>,
}

impl Array {
    /// The group `name` on its primary side.
    fn primary_group(&self, name: &str) -> Result<&RcopyGroup, ArrayError> {
        let group = self.rcopy_group(name)?;
        if group.role == RcopyRole::Primary { Ok(group) } else { Err(ArrayError::rcopy_only_on_primary()) }
    }

    /// Starts a group; its mirrors are filled by a task.
    ///
    /// # Errors
    /// 187 unknown group; 215 when it is started; provisional codes for a group without volumes (400), on the secondary side (403), after
    /// the other side took over (403), for a target that is not in the group (403) or cannot be reached (403).
    pub fn start_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        name: &str,
        body: &StartGroup,
    ) -> Result<Vec<TaskNumber>, ArrayError> {
        self.advance(now);
        let group = self.primary_group(name)?.clone();
        let targets = group.targets_for(body.target_name.as_deref())?;
        let state_of = |name: &str| group.target(name).map(|target| target.state);
        if targets.iter().all(|name| state_of(name) == Some(RcopyState::Started)) {
            return Err(ArrayError::rcopy_group_started());
        }
        if group.volumes.is_empty() {
            return Err(ArrayError::rcopy_group_empty());
        }
        for target in &targets {
            let partner = partners.get(target)?;
            let there = group.target(target).and_then(|t| partner.remote_copy.groups.named(t.remote_group.as_str()));
            if there.is_some_and(|there| there.role == RcopyRole::Primary) {
                return Err(ArrayError::rcopy_in_failover());
            }
        }
        let mut tasks = Vec::new();
        for target in targets.iter().filter(|name| state_of(name) != Some(RcopyState::Started)) {
            self.set_target_state(partners, group.id, target, RcopyState::Started);
            let equal = body.skip_initial_sync == Some(true);
            tasks.extend(self.start_filling(partners, group.id, target, equal, TaskKind::RemoteCopySync));
        }
        self.note(EventKind::RcopyGroupChanged { group: group.name });
        Ok(tasks)
    }

    /// Starts to fill the mirrors on one target, or takes them for equal.
    pub(super) fn start_filling(
        &mut self,
        partners: &mut Partners<'_>,
        id: u32,
        target: &str,
        equal: bool,
        kind: TaskKind,
    ) -> Option<TaskNumber> {
        let group = self.remote_copy.groups.get(id)?;
        let name = group.name.clone();
        let mib = group.volumes.keys().filter_map(|v| self.volume_by_id(*v)).map(|v| v.written_mib()).sum();
        if equal {
            self.set_mirror_status(partners, id, target, SyncStatus::Synced);
            return None;
        }
        let work = TaskWork::RemoteSync { group: id, target: target.to_owned() };
        let task = self.start_task(NewTask { kind, name, mib, priority: None, work });
        self.set_mirror_status(partners, id, target, SyncStatus::Syncing);
        if let Some(part) = self.group_mut(id).and_then(|group| group.target_mut(target)) {
            part.syncing = Some(task);
        }
        self.push_data(partners, id, target);
        Some(task)
    }

    /// Ends a synchronisation whose time has come; the partner hears of it with the next [`Array::replicate`].
    pub(crate) fn finish_remote_sync(&mut self, id: u32, target: &str) -> bool {
        let now = self.now;
        let Some(group) = self.group_mut(id) else { return false };
        group.set_status(target, SyncStatus::Synced, Some(now));
        let Some(part) = group.target_mut(target) else { return false };
        (part.syncing, part.last_sync) = (None, Some(now));
        self.remote_copy.waiting.insert(id);
        true
    }

    /// Stops a group.
    ///
    /// # Errors
    /// 187 unknown group; provisional codes when it is not started (403), or for a target that is not in the group (403).
    pub fn stop_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        name: &str,
        body: &StopGroup,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let group = self.rcopy_group(name)?.clone();
        let targets = group.targets_for(body.target_name.as_deref())?;
        if !group.is_started() {
            return Err(ArrayError::rcopy_group_not_started());
        }
        for target in &targets {
            self.stop_target(partners, group.id, target);
        }
        self.note(EventKind::RcopyGroupChanged { group: group.name });
        Ok(())
    }

    /// Stops mirroring to one target; what is under way is left as it is.
    pub(super) fn stop_target(&mut self, partners: &mut Partners<'_>, id: u32, target: &str) {
        let syncing = self.remote_copy.groups.get(id).and_then(|g| g.target(target)).and_then(|t| t.syncing);
        if let Some(task) = syncing {
            // It runs, so it can be cancelled.
            let _ = self.cancel_task(self.now, task);
        }
        self.set_target_state(partners, id, target, RcopyState::Stopped);
        self.set_mirror_status(partners, id, target, SyncStatus::Stopped);
        if let Some(part) = self.group_mut(id).and_then(|group| group.target_mut(target)) {
            part.syncing = None;
        }
    }

    /// Synchronises a started group once; gives the tasks.
    ///
    /// # Errors
    /// 187 unknown group; provisional codes on the secondary side (403), when it is not started (403), while a synchronisation runs (403),
    /// for a target that is not in the group (403) or cannot be reached (403).
    pub fn sync_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        name: &str,
        target: Option<&str>,
    ) -> Result<Vec<TaskNumber>, ArrayError> {
        self.advance(now);
        let group = self.primary_group(name)?.clone();
        let targets = group.targets_for(target)?;
        if !group.is_started() {
            return Err(ArrayError::rcopy_group_not_started());
        }
        for target in &targets {
            partners.get(target)?;
            if group.target(target).is_some_and(|target| target.syncing.is_some()) {
                return Err(ArrayError::rcopy_group_busy());
            }
        }
        let mut start =
            |target: &String| self.start_filling(partners, group.id, target, false, TaskKind::RemoteCopySync);
        Ok(targets.iter().filter_map(&mut start).collect())
    }

    /// Gives a group a state on a target, and the other half the same, as far as it can be reached.
    pub(super) fn set_target_state(&mut self, partners: &mut Partners<'_>, id: u32, target: &str, state: RcopyState) {
        self.on_both_sides(partners, id, target, |group, part| {
            if let Some(part) = group.target_mut(part) {
                part.state = state;
            }
        });
    }

    /// Gives every mirror of a group on a target a status, on both sides as far as the other one can be reached.
    pub(super) fn set_mirror_status(&mut self, partners: &mut Partners<'_>, id: u32, target: &str, status: SyncStatus) {
        let at = (status == SyncStatus::Synced).then_some(self.now);
        self.on_both_sides(partners, id, target, |group, part| {
            group.set_status(part, status, at);
            if let Some(part) = group.target_mut(part).filter(|_| at.is_some()) {
                part.last_sync = at;
            }
        });
    }

    /// Changes a group and its other half; the second argument of `change` is the name of the target on the side that is changed.
    pub(super) fn on_both_sides(
        &mut self,
        partners: &mut Partners<'_>,
        id: u32,
        target: &str,
        change: impl Fn(&mut RcopyGroup, &str),
    ) {
        let system = self.config.system_id;
        let Some(group) = self.group_mut(id) else { return };
        change(group, target);
        let Some(there) = group.target(target).map(|part| part.remote_group.clone()) else { return };
        let Ok(partner) = partners.get(target) else { return };
        let back = partner.target_of_system(system).unwrap_or_default();
        let other = partner.remote_copy.groups.id_of(there.as_str());
        if let Some(other) = other.and_then(|id| partner.group_mut(id)) {
            change(other, &back);
        }
    }
}
