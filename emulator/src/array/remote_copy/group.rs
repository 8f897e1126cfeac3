//! Making, changing and deleting groups and targets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Array;
use super::super::error::ArrayError;
use super::super::event::EventKind;
use super::super::names::{CpgName, VolumeName};
use super::{
    CreateRcopyGroup, CreateRcopyTarget, GroupTarget, ModifyRcopyGroup, ModifyRcopyTarget, Partners, RcopyGroup,
    RcopyMode, RcopyRole, RcopyState,
};

/// Longest name of a group.
pub const RCOPY_GROUP_NAME_MAX: usize = 24;
/// Bounds of the time between two synchronisations, seconds.
const SYNC_PERIOD_S: std::ops::RangeInclusive<i64> = 300..=31_622_400;

/// A period of a request.
fn read_period(seconds: Option<i64>) -> Result<Option<Duration>, ArrayError> {
    match seconds {
        None => Ok(None),
        Some(n) if n < *SYNC_PERIOD_S.start() => Err(ArrayError::below_range().with_ref("syncPeriod")),
        Some(n) if n > *SYNC_PERIOD_S.end() => Err(ArrayError::exceeds_range().with_ref("syncPeriod")),
        Some(n) => Ok(Some(Duration::from_secs(n.unsigned_abs()))),
    }
}

impl Array {
    /// Makes a group here and on its targets; gives its name.
    ///
    /// # Errors
    /// 40 without name, targets, target name or mode; 45/57/69 bad name; 237 when it exists; 38 unknown domain; 15 unknown CPG here or
    /// there; 46 bad mode; 43 and 115 period out of range; provisional codes for a target given twice (400), unknown (404), or that
    /// cannot be reached (403).
    pub fn create_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        body: &CreateRcopyGroup,
    ) -> Result<String, ArrayError> {
        self.advance(now);
        let name = self.free_group_name(body.name.as_deref())?;
        let domain = body.domain.as_deref().map(|d| self.known_domain(d)).transpose()?;
        let cpg = |array: &Self, text: Option<&str>, member: &str| -> Result<Option<CpgName>, ArrayError> {
            text.map(|text| array.cpg_in_request(Some(text), member).map(|cpg| cpg.name.clone())).transpose()
        };
        let local_user_cpg = cpg(self, body.local_user_cpg.as_deref(), "localUserCPG")?;
        let local_snap_cpg = cpg(self, body.local_snap_cpg.as_deref(), "localSnapCPG")?;
        let wishes = body.targets.as_deref().unwrap_or_default();
        if wishes.is_empty() {
            return Err(ArrayError::rcopy_target_not_specified().with_ref("targets"));
        }
        let remote_group = remote_name(&name, self.config.system_id);
        let mut targets: Vec<GroupTarget> = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let target = self.new_group_target(partners, wish, &remote_group)?;
            if targets.iter().any(|other| other.target == target.target) {
                return Err(ArrayError::rcopy_target_not_unique().with_ref("targetName"));
            }
            targets.push(target);
        }
        for target in &targets {
            self.put_mirror_group(partners, target, &name, local_user_cpg.as_ref(), local_snap_cpg.as_ref())?;
        }
        let id = self.remote_copy.groups.next_id();
        let group = RcopyGroup {
            id,
            uuid: self.random.uuid(),
            name: name.clone(),
            domain,
            natural_role: RcopyRole::Primary,
            role: RcopyRole::Primary,
            local_user_cpg,
            local_snap_cpg,
            targets,
            volumes: BTreeMap::new(),
        };
        self.remote_copy.groups.insert(id, name.clone(), group);
        self.note(EventKind::RcopyGroupChanged { group: name.clone() });
        Ok(name)
    }

    /// A name of a request that no group has yet.
    fn free_group_name(&self, text: Option<&str>) -> Result<String, ArrayError> {
        let text = text.ok_or_else(|| ArrayError::missing_required().with_ref("name"))?;
        // The rules for characters are those of volumes.
        VolumeName::new(text).map_err(|e| e.refusal("name"))?;
        if text.len() > RCOPY_GROUP_NAME_MAX {
            return Err(ArrayError::exceeds_length().with_ref("name"));
        }
        if self.remote_copy.groups.named(text).is_some() {
            return Err(ArrayError::existent_rcopy_group().with_ref("name"));
        }
        Ok(text.to_owned())
    }

    /// The part of a new group that goes to one target, checked on both sides.
    fn new_group_target(
        &self,
        partners: &mut Partners<'_>,
        wish: &CreateRcopyTarget,
        remote_group: &str,
    ) -> Result<GroupTarget, ArrayError> {
        let name = wish.target_name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("targetName"))?;
        if !self.remote_copy.targets.contains_key(name) {
            return Err(ArrayError::non_existent_rcopy_target().with_ref("targetName"));
        }
        let mode = wish.mode.ok_or_else(|| ArrayError::missing_required().with_ref("mode"))?;
        let mode = RcopyMode::from_wsapi(mode)?;
        let partner = partners.get(name)?;
        if partner.remote_copy.groups.named(remote_group).is_some() {
            return Err(ArrayError::existent_rcopy_group().with_ref("name"));
        }
        for (cpg, member) in [(&wish.user_cpg, "userCPG"), (&wish.snap_cpg, "snapCPG")] {
            if let Some(cpg) = cpg {
                partner.cpg_in_request(Some(cpg), member)?;
            }
        }
        Ok(GroupTarget {
            target: name.to_owned(),
            remote_group: remote_group.to_owned(),
            mode,
            state: RcopyState::New,
            remote_user_cpg: wish.user_cpg.clone(),
            remote_snap_cpg: wish.snap_cpg.clone(),
            sync_period: read_period(wish.sync_period)?,
            last_sync: None,
            policies: wish.policies.unwrap_or_default(),
            syncing: None,
        })
    }

    /// Puts the other half of a new group into the array behind a target.
    fn put_mirror_group(
        &self,
        partners: &mut Partners<'_>,
        target: &GroupTarget,
        name: &str,
        user_cpg: Option<&CpgName>,
        snap_cpg: Option<&CpgName>,
    ) -> Result<(), ArrayError> {
        let partner = partners.get(&target.target)?;
        let back = partner.target_of_system(self.config.system_id).ok_or_else(ArrayError::non_existent_rcopy_target)?;
        let id = partner.remote_copy.groups.next_id();
        let known = |cpg: &Option<String>| cpg.as_deref().and_then(|cpg| CpgName::new(cpg).ok());
        let mirror = RcopyGroup {
            id,
            uuid: partner.random.uuid(),
            name: target.remote_group.clone(),
            domain: None,
            natural_role: RcopyRole::Secondary,
            role: RcopyRole::Secondary,
            local_user_cpg: known(&target.remote_user_cpg),
            local_snap_cpg: known(&target.remote_snap_cpg),
            targets: vec![GroupTarget {
                target: back,
                remote_group: name.to_owned(),
                remote_user_cpg: user_cpg.map(ToString::to_string),
                remote_snap_cpg: snap_cpg.map(ToString::to_string),
                ..target.clone()
            }],
            volumes: BTreeMap::new(),
        };
        partner.remote_copy.groups.insert(id, mirror.name.clone(), mirror);
        partner.note(EventKind::RcopyGroupChanged { group: target.remote_group.clone() });
        Ok(())
    }

    /// Changes a group.
    ///
    /// # Errors
    /// 187 unknown group, 215 a change of mode or CPG while it is started, 44 members that exclude each other, and those of
    /// [`Array::create_rcopy_group`].
    pub fn modify_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        name: &str,
        body: &ModifyRcopyGroup,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let mut group = self.rcopy_group(name)?.clone();
        let unset = (body.unset_user_cpg == Some(true), body.unset_snap_cpg == Some(true));
        if (unset.0 && body.local_user_cpg.is_some()) || (unset.1 && body.local_snap_cpg.is_some()) {
            return Err(ArrayError::parameter_conflict().with_ref("unsetUserCPG,unsetSnapCPG"));
        }
        if let Some(text) = &body.local_user_cpg {
            group.local_user_cpg = Some(self.cpg_in_request(Some(text), "localUserCPG")?.name.clone());
        }
        if let Some(text) = &body.local_snap_cpg {
            group.local_snap_cpg = Some(self.cpg_in_request(Some(text), "localSnapCPG")?.name.clone());
        }
        for wish in body.targets.as_deref().unwrap_or_default() {
            let name = wish.target_name.as_deref();
            let name = name.ok_or_else(|| ArrayError::missing_required().with_ref("targetName"))?;
            let started = group.is_started();
            let target = group.target_mut(name).ok_or_else(ArrayError::rcopy_invalid_target)?;
            change_target(target, wish, started, partners)?;
        }
        if unset.0 {
            group.local_user_cpg = None;
            group.targets.iter_mut().for_each(|target| target.remote_user_cpg = None);
        }
        if unset.1 {
            group.local_snap_cpg = None;
            group.targets.iter_mut().for_each(|target| target.remote_snap_cpg = None);
        }
        let id = group.id;
        self.mirror_settings(partners, &group);
        if let Some(slot) = self.group_mut(id) {
            *slot = group;
        }
        self.note(EventKind::RcopyGroupChanged { group: name.to_owned() });
        Ok(())
    }

    /// Gives the other halves of a group its modes, periods and policies, as far as they can be reached.
    fn mirror_settings(&self, partners: &mut Partners<'_>, group: &RcopyGroup) {
        for target in &group.targets {
            let Ok(partner) = partners.get(&target.target) else { continue };
            let Some(id) = partner.remote_copy.groups.id_of(target.remote_group.as_str()) else { continue };
            let Some(mirror) = partner.group_mut(id) else { continue };
            for back in mirror.targets.iter_mut().filter(|back| back.remote_group == group.name) {
                (back.mode, back.sync_period, back.policies) = (target.mode, target.sync_period, target.policies);
            }
        }
    }

    /// Deletes a group on both sides; its volumes stay, with `keep_snapshots` or without of no difference here.
    ///
    /// # Errors
    /// 187 unknown group; 215 when it is started; a provisional code (403) on the secondary side while the primary one can be reached.
    pub fn remove_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        name: &str,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let group = self.rcopy_group(name)?;
        if group.is_started() {
            return Err(ArrayError::rcopy_group_started());
        }
        let (id, targets) = (group.id, group.targets.clone());
        if group.natural_role == RcopyRole::Secondary && targets.iter().any(|t| partners.get(&t.target).is_ok()) {
            return Err(ArrayError::rcopy_only_on_primary());
        }
        self.drop_group(id);
        for target in targets {
            if let Ok(partner) = partners.get(&target.target)
                && let Some(id) = partner.remote_copy.groups.id_of(target.remote_group.as_str())
            {
                partner.drop_group(id);
            }
        }
        Ok(())
    }

    /// Forgets a group; its volumes belong to nobody else from then on.
    fn drop_group(&mut self, id: u32) {
        let Some(group) = self.remote_copy.groups.get(id) else { return };
        let (name, volumes): (String, Vec<u32>) = (group.name.clone(), group.volumes.keys().copied().collect());
        for volume in volumes {
            self.release_volume(volume);
        }
        self.remote_copy.groups.remove(name.as_str());
        self.remote_copy.waiting.remove(&id);
        self.note(EventKind::RcopyGroupChanged { group: name });
    }

    /// Lets a volume be one of its own again.
    pub(super) fn release_volume(&mut self, volume: u32) {
        self.change_volume(volume, |volume| {
            volume.rcopy_group = None;
            volume.read_only = volume.read_only && volume.is_snapshot();
        });
    }

    /// Changes a target.
    ///
    /// # Errors
    /// A provisional code (404) for an unknown target; 78 when there is nothing to do.
    pub fn modify_rcopy_target(
        &mut self,
        now: Duration,
        name: &str,
        body: ModifyRcopyTarget,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let target = self.remote_copy.targets.get_mut(name).ok_or_else(ArrayError::non_existent_rcopy_target)?;
        let mirror = body.mirror_config.ok_or_else(|| ArrayError::one_required().with_ref("policies"))?;
        target.mirror_config = mirror;
        Ok(())
    }
}

/// Name of the other half of a group (observed: the group's name, `.r` and the system id of the primary array).
fn remote_name(group: &str, system_id: u32) -> String {
    format!("{group}.r{system_id}")
}

/// Does what a request says about one target.
fn change_target(
    target: &mut GroupTarget,
    wish: &CreateRcopyTarget,
    started: bool,
    partners: &mut Partners<'_>,
) -> Result<(), ArrayError> {
    if started && (wish.mode.is_some() || wish.user_cpg.is_some() || wish.snap_cpg.is_some()) {
        return Err(ArrayError::rcopy_group_started());
    }
    if let Some(mode) = wish.mode {
        target.mode = RcopyMode::from_wsapi(mode)?;
    }
    for (cpg, member) in [(&wish.user_cpg, "remoteUserCPG"), (&wish.snap_cpg, "remoteSnapCPG")] {
        if let Some(cpg) = cpg {
            partners.get(&target.target)?.cpg_in_request(Some(cpg), member)?;
        }
    }
    target.remote_user_cpg = wish.user_cpg.clone().or(target.remote_user_cpg.take());
    target.remote_snap_cpg = wish.snap_cpg.clone().or(target.remote_snap_cpg.take());
    let period = read_period(wish.sync_period)?;
    if period.is_some() && wish.rm_sync_period == Some(true) {
        return Err(ArrayError::parameter_conflict().with_ref("syncPeriod,rmSyncPeriod"));
    }
    target.sync_period = period.or(target.sync_period.filter(|_| wish.rm_sync_period != Some(true)));
    target.policies = wish.policies.unwrap_or(target.policies);
    Ok(())
}
