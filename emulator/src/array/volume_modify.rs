//! Changing, growing and deleting volumes.

use std::time::Duration;

use serde::Deserialize;

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;
use super::identity::Wwn;
use super::names::{VolumeName, check_comment};
use super::volume::{Provisioning, Volume, VolumeActivity};
use super::volume_create::{PolicyChange, read_percent, read_times};

/// Body of `PUT /volumes/<name>` without an action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModifyVolume {
    /// Name to give it.
    pub new_name: Option<String>,
    /// Comment to set; the empty text removes it.
    pub comment: Option<String>,
    /// World wide name to give it; refused while it is exported.
    #[serde(rename = "WWN")]
    pub wwn: Option<String>,
    /// CPG of the snapshot space.
    #[serde(rename = "snapCPG")]
    pub snap_cpg: Option<String>,
    /// CPG of the user space.
    #[serde(rename = "userCPG")]
    pub user_cpg: Option<String>,
    /// Policies.
    pub policies: Option<PolicyChange>,
    /// Warning for snapshot space, percent.
    pub ss_spc_alloc_warning_pct: Option<i64>,
    /// Limit of snapshot space, percent.
    pub ss_spc_alloc_limit_pct: Option<i64>,
    /// Warning for user space, percent.
    pub usr_spc_alloc_warning_pct: Option<i64>,
    /// Limit of user space, percent.
    pub usr_spc_alloc_limit_pct: Option<i64>,
    /// Hours until the array may delete it.
    pub expiration_hours: Option<i64>,
    /// Hours during which it cannot be deleted.
    pub retention_hours: Option<i64>,
    /// Remove the expiration.
    pub rm_exp_time: Option<bool>,
    /// Remove the warning for snapshot space.
    pub rm_ss_spc_alloc_warning: Option<bool>,
    /// Remove the limit of snapshot space.
    pub rm_ss_spc_alloc_limit: Option<bool>,
    /// Remove the warning for user space.
    pub rm_usr_spc_alloc_warning: Option<bool>,
    /// Remove the limit of user space.
    pub rm_usr_spc_alloc_limit: Option<bool>,
}

impl Array {
    /// Changes a volume; gives its name after the change. Either everything asked for is done or nothing.
    ///
    /// # Errors
    /// 23 unknown volume; 22 new name taken; 45/57/69 bad names; 15 unknown CPG; a provisional code (403) when `oneHost` is set on
    /// a volume exported to several hosts, or the WWN of an exported volume is changed; and the codes of the other members.
    pub fn modify_volume(&mut self, now: Duration, name: &str, body: &ModifyVolume) -> Result<VolumeName, ArrayError> {
        self.advance(now);
        let mut changed = self.volume(name)?.clone();
        let before = changed.name.clone();
        if !matches!(changed.activity, Some((VolumeActivity::OnlineCopyTarget, _))) {
            changed.refuse_if_busy()?;
        }
        if let Some(text) = &body.new_name
            && before != text.as_str()
        {
            if changed.rcopy_group.is_some() {
                return Err(ArrayError::volume_in_remote_copy());
            }
            changed.name = self.free_volume_name(Some(text), "newName")?;
        }
        if let Some(comment) = &body.comment {
            check_comment(comment)?;
            changed.comment = Some(comment.clone()).filter(|c| !c.is_empty());
        }
        if let Some(policies) = body.policies {
            changed.policies = policies.apply(changed.policies)?;
            if changed.policies.zero_detect && changed.provisioning == Provisioning::Full {
                return Err(ArrayError::zero_detect_needs_tpvv());
            }
            if changed.policies.one_host
                && self.vluns.reaches_several_hosts(changed.id, |set| self.members_of_host_set(set))
            {
                return Err(ArrayError::one_host_policy());
            }
        }
        if let Some(text) = &body.wwn {
            if self.vluns.names_volume(changed.id) {
                return Err(ArrayError::volume_exported());
            }
            changed.wwn = Wwn::new(text)?;
        }
        self.change_cpgs(&mut changed, body)?;
        change_marks(&mut changed, body)?;
        change_times(&mut changed, self.timestamp(now), body)?;
        Ok(self.replace_volume(&before, changed))
    }

    /// Puts a changed volume in the place of the one that was called `before`.
    fn replace_volume(&mut self, before: &VolumeName, changed: Volume) -> VolumeName {
        let now_named = changed.name.clone();
        self.change_volume(changed.id, |slot| *slot = changed);
        self.note(EventKind::VolumeModified { volume: before.clone(), now: now_named.clone() });
        now_named
    }

    /// Does the CPG part of a change.
    fn change_cpgs(&self, volume: &mut Volume, body: &ModifyVolume) -> Result<(), ArrayError> {
        if let Some(text) = &body.user_cpg {
            let cpg = self.cpg_in_request(Some(text), "userCPG")?;
            if volume.provisioning != Provisioning::Full && cpg.name != volume.cpg {
                return Err(ArrayError::modify_user_cpg_of_thin());
            }
            if cpg.domain != volume.domain {
                return Err(ArrayError::cpg_not_in_same_domain());
            }
            volume.cpg = cpg.name.clone();
        }
        if let Some(text) = &body.snap_cpg {
            let user = self.cpg(volume.cpg.as_str())?;
            volume.snap_cpg = Some(self.snap_cpg_beside(text, user)?);
        }
        Ok(())
    }

    /// Grows a volume by `more_mib`; gives its size after that, MiB. Real arrays round up to 256 MiB.
    ///
    /// # Errors
    /// 23 unknown volume; 152 when `more_mib` is not positive; 150 for a virtual copy; 28 above the largest size; 153 above the
    /// limit of the CPG.
    pub fn grow_volume(&mut self, now: Duration, name: &str, more_mib: i64) -> Result<u64, ArrayError> {
        self.advance(now);
        let volume = self.volume(name)?;
        if more_mib <= 0 {
            return Err(ArrayError::invalid_grow_size().with_ref("sizeMiB"));
        }
        if volume.provisioning == Provisioning::Snapshot {
            return Err(ArrayError::unsupported_volume_type());
        }
        volume.refuse_if_busy()?;
        if self.is_in_started_group(volume) {
            return Err(ArrayError::volume_in_remote_copy());
        }
        let more = more_mib.unsigned_abs().checked_next_multiple_of(256).ok_or_else(ArrayError::too_large)?;
        let size = volume.size_mib.saturating_add(more);
        if size > self.largest_volume_mib().unsigned_abs() {
            return Err(ArrayError::too_large().with_ref("sizeMiB"));
        }
        if volume.provisioning == Provisioning::Full {
            let cpg = self.cpg(volume.cpg.as_str())?;
            self.refuse_full_cpg(cpg, more).map_err(|_| ArrayError::new_size_exceeds_cpg_limit())?;
        }
        let (id, volume) = (volume.id, volume.name.clone());
        self.change_volume(id, |slot| slot.size_mib = size);
        self.tell_capacity_changed(id);
        self.note(EventKind::VolumeGrown { volume, size_mib: size });
        Ok(size)
    }

    /// Deletes a volume with its data and its keys.
    ///
    /// # Errors
    /// 23 unknown volume; 26 when it is exported; 34 when it is in a volume set or a remote copy group; 25 or 32 when it has virtual
    /// copies; 29, 151 or a provisional code (409) while a task works on it; a provisional code (403) while it is retained.
    pub fn remove_volume(&mut self, now: Duration, name: &str) -> Result<(), ArrayError> {
        self.advance(now);
        self.refuse_removal(name)?;
        self.take_volume(name);
        Ok(())
    }

    /// Refuses to delete a volume that cannot be deleted.
    pub(crate) fn refuse_removal(&self, name: &str) -> Result<(), ArrayError> {
        let volume = self.volume(name)?;
        if self.vluns.names_volume(volume.id) {
            return Err(ArrayError::exported_vlun());
        }
        match volume.activity {
            // What releases before Primera say about a volume that an online copy fills; clients know both answers.
            Some((VolumeActivity::OnlineCopyTarget, _)) if !self.config.personality.is_primera() => {
                return Err(ArrayError::other());
            }
            Some((VolumeActivity::OnlineCopyTarget | VolumeActivity::Tuning | VolumeActivity::Converting, _)) => {
                return Err(ArrayError::tune_in_progress());
            }
            _ => volume.refuse_if_busy()?,
        }
        if !volume.sets.is_empty() || volume.rcopy_group.is_some() {
            return Err(ArrayError::in_use());
        }
        self.refuse_loss_of_data(volume)
    }

    /// Refuses to take the data of a volume that is exported, has virtual copies or is retained.
    pub(crate) fn refuse_loss_of_data(&self, volume: &Volume) -> Result<(), ArrayError> {
        if self.vluns.names_volume(volume.id) {
            return Err(ArrayError::exported_vlun());
        }
        let mut copies = self.volume_index.children(volume.id).filter_map(|id| self.volumes.get(id)).peekable();
        if copies.peek().is_some() {
            let read_only = copies.any(|copy| copy.read_only);
            return Err(if read_only { ArrayError::has_read_only_child() } else { ArrayError::has_child() });
        }
        if volume.retained_until.is_some_and(|until| until > self.timestamp(self.now)) {
            return Err(ArrayError::retained());
        }
        Ok(())
    }
}

/// Does the warnings and limits of a change.
fn change_marks(volume: &mut Volume, body: &ModifyVolume) -> Result<(), ArrayError> {
    let set = |mark: &mut u32, value: Option<i64>, member: &str, clear: Option<bool>| {
        // For a change, zero is ignored as well as negative numbers (1.3.1 guide p. 58).
        if let Some(percent) = read_percent(value, member)?.filter(|n| *n > 0) {
            *mark = percent;
        }
        if clear == Some(true) {
            *mark = 0;
        }
        Ok(())
    };
    let marks = &mut volume.marks;
    set(
        &mut marks.snapshot_warning,
        body.ss_spc_alloc_warning_pct,
        "ssSpcAllocWarningPct",
        body.rm_ss_spc_alloc_warning,
    )?;
    set(&mut marks.snapshot_limit, body.ss_spc_alloc_limit_pct, "ssSpcAllocLimitPct", body.rm_ss_spc_alloc_limit)?;
    set(
        &mut marks.user_warning,
        body.usr_spc_alloc_warning_pct,
        "usrSpcAllocWarningPct",
        body.rm_usr_spc_alloc_warning,
    )?;
    set(&mut marks.user_limit, body.usr_spc_alloc_limit_pct, "usrSpcAllocLimitPct", body.rm_usr_spc_alloc_limit)?;
    volume.marks.checked().map(drop)
}

/// Does the expiration and retention of a change. A retention that runs can be made longer, not shorter, and nothing expires before
/// it ends.
fn change_times(volume: &mut Volume, now: super::Timestamp, body: &ModifyVolume) -> Result<(), ArrayError> {
    if body.rm_exp_time == Some(true) {
        if body.expiration_hours.is_some() {
            return Err(ArrayError::parameter_conflict().with_ref("expirationHours,rmExpTime"));
        }
        volume.expires = None;
    }
    let (expires, retained) = read_times(now, body.expiration_hours, body.retention_hours)?;
    if retained.is_some_and(|until| volume.retained_until.is_some_and(|held| held > now && held > until)) {
        return Err(ArrayError::retained().with_ref("retentionHours"));
    }
    volume.expires = expires.or(volume.expires);
    volume.retained_until = retained.or(volume.retained_until);
    let holds = volume.retained_until.filter(|until| *until > now);
    if volume.expires.is_some_and(|expires| holds.is_some_and(|until| until > expires)) {
        return Err(ArrayError::retention_above_expiration());
    }
    Ok(())
}
