//! Admitting volumes to a group and dismissing them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::super::error::ArrayError;
use super::super::event::EventKind;
use super::super::volume_create::CreateVolume;
use super::super::{Array, Provisioning};
use super::{Mirror, Partners, RcopyGroup, RcopyRole, SyncStatus};

/// A mirror of a volume to admit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdmitRcopyTarget {
    /// Name of the target (required).
    pub target_name: Option<String>,
    /// Name of the volume there (required).
    pub sec_volume_name: Option<String>,
}

/// Body of the action that admits a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdmitVolume {
    /// Volume (required).
    pub volume_name: Option<String>,
    /// Mirrors; every target of the group needs one.
    pub targets: Option<Vec<AdmitRcopyTarget>>,
    /// Virtual copy that the mirror was made from; kept without effect.
    pub snapshot_name: Option<String>,
    /// Make the volumes there.
    pub volume_auto_creation: Option<bool>,
    /// Take the mirrors for equal.
    pub skip_initial_sync: Option<bool>,
}

impl Array {
    /// Admits a volume to a group.
    ///
    /// # Errors
    /// 187 unknown group; 40 without volume, target or the volume there; 23 unknown volume here, or there when it is not made; 22 when
    /// it is to be made and exists; provisional codes on the secondary side (403), while the group is started (403), for a volume in a
    /// group already (409), a target that is not in the group (403) or cannot be reached (403), and a mirror of another size (403).
    pub fn admit_volume(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        group: &str,
        body: &AdmitVolume,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let held = self.rcopy_group(group)?.clone();
        if held.role != RcopyRole::Primary {
            return Err(ArrayError::rcopy_only_on_primary());
        }
        if held.is_started() {
            return Err(ArrayError::rcopy_group_not_stopped());
        }
        let name = body.volume_name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("volumeName"))?;
        let volume = self.volume(name)?;
        if volume.rcopy_group.is_some() {
            return Err(ArrayError::rcopy_existent_volume().with_ref("volumeName"));
        }
        if volume.is_snapshot() {
            return Err(ArrayError::non_base_volume());
        }
        volume.refuse_if_busy()?;
        let id = volume.id;
        let wishes = self.mirrors_in_request(&held, body)?;
        let auto = body.volume_auto_creation == Some(true);
        for (target, there) in &wishes {
            self.check_mirror(partners, target, there, id, auto)?;
        }
        let status = if body.skip_initial_sync == Some(true) { SyncStatus::Synced } else { SyncStatus::New };
        let mut mirrors = BTreeMap::new();
        for (target, there) in &wishes {
            let made = self.make_mirror(partners, &held, target, there, id, (auto, status))?;
            mirrors.insert(target.clone(), made);
        }
        if let Some(slot) = self.group_mut(held.id) {
            slot.volumes.insert(id, mirrors);
        }
        self.change_volume(id, |volume| volume.rcopy_group = Some(held.id));
        self.note(EventKind::RcopyGroupChanged { group: held.name });
        Ok(())
    }

    /// Target and name of each mirror in a request.
    fn mirrors_in_request(&self, group: &RcopyGroup, body: &AdmitVolume) -> Result<Vec<(String, String)>, ArrayError> {
        let mut wishes = Vec::new();
        for wish in body.targets.as_deref().unwrap_or_default() {
            let target = wish.target_name.as_deref();
            let target = target.ok_or_else(|| ArrayError::missing_required().with_ref("targetName"))?;
            let there = wish.sec_volume_name.as_deref();
            let there = there.ok_or_else(|| ArrayError::missing_required().with_ref("secVolumeName"))?;
            if group.target(target).is_none() {
                return Err(ArrayError::rcopy_invalid_target().with_ref("targetName"));
            }
            wishes.push((target.to_owned(), there.to_owned()));
        }
        let all = group.targets.iter().all(|target| wishes.iter().any(|(name, _)| *name == target.target));
        if all { Ok(wishes) } else { Err(ArrayError::missing_required().with_ref("targets")) }
    }

    /// Refuses a mirror that cannot be one.
    fn check_mirror(
        &self,
        partners: &mut Partners<'_>,
        target: &str,
        there: &str,
        volume: u32,
        auto: bool,
    ) -> Result<(), ArrayError> {
        let size = self.volume_by_id(volume).map(|v| v.size_mib);
        let partner = partners.get(target)?;
        if auto {
            return partner.free_volume_name(Some(there), "secVolumeName").map(drop);
        }
        let mirror = partner.volume(there)?;
        if mirror.rcopy_group.is_some() {
            return Err(ArrayError::rcopy_existent_volume().with_ref("secVolumeName"));
        }
        mirror.refuse_if_busy()?;
        if mirror.is_snapshot() || Some(mirror.size_mib) != size {
            return Err(ArrayError::non_base_volume().with_ref("secVolumeName"));
        }
        Ok(())
    }

    /// Puts a mirror into the other half of the group; makes the volume where that was asked for.
    fn make_mirror(
        &self,
        partners: &mut Partners<'_>,
        group: &RcopyGroup,
        target: &str,
        there: &str,
        volume: u32,
        (auto, status): (bool, SyncStatus),
    ) -> Result<Mirror, ArrayError> {
        let part = group.target(target).ok_or_else(ArrayError::rcopy_invalid_target)?;
        let here = self.volume_by_id(volume).ok_or_else(ArrayError::non_existent_volume)?;
        let (now, partner) = (self.now, partners.get(target)?);
        let now = now.max(partner.now);
        if auto {
            let cpg = part.remote_user_cpg.as_deref().unwrap_or(here.cpg.as_str());
            let body = CreateVolume {
                tpvv: Some(here.provisioning == Provisioning::Thin),
                tdvv: (here.provisioning == Provisioning::Deduplicated).then_some(true),
                reduce: (here.provisioning == Provisioning::Reduced).then_some(true),
                snap_cpg: part.remote_snap_cpg.clone(),
                ..CreateVolume::thin(there, cpg, i64::try_from(here.size_mib).unwrap_or(i64::MAX))
            };
            partner.create_volume(now, &body)?;
        }
        let id = partner.volume(there)?.id;
        let other = partner.remote_copy.groups.id_of(part.remote_group.as_str());
        let back = partner.target_of_system(self.config.system_id).unwrap_or_default();
        let mirror = Mirror { volume: here.name.to_string(), id: volume, status, last_sync: None };
        if let Some(slot) = other.and_then(|id| partner.group_mut(id)) {
            slot.volumes.insert(id, BTreeMap::from([(back, mirror)]));
        }
        // Hosts must not write to what arrives from the other side.
        partner.change_volume(id, |volume| (volume.rcopy_group, volume.read_only) = (other, true));
        Ok(Mirror { volume: there.to_owned(), id, status, last_sync: None })
    }

    /// Dismisses a volume from a group; with `remove_there` the volumes on the other side are deleted as far as they can be.
    ///
    /// # Errors
    /// 187 unknown group; 23 unknown volume; provisional codes when it is not in the group (404), while the group is started (403), or
    /// on the secondary side (403).
    pub fn dismiss_volume(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        group: &str,
        volume: &str,
        remove_there: bool,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let held = self.rcopy_group(group)?.clone();
        if held.role != RcopyRole::Primary {
            return Err(ArrayError::rcopy_only_on_primary());
        }
        let id = self.volume(volume)?.id;
        let mirrors = held.volumes.get(&id).ok_or_else(ArrayError::rcopy_volume_not_in_group)?;
        if held.is_started() {
            return Err(ArrayError::rcopy_group_not_stopped());
        }
        for (target, mirror) in mirrors {
            let Ok(partner) = partners.get(target) else { continue };
            let there = held.target(target).and_then(|t| partner.remote_copy.groups.id_of(t.remote_group.as_str()));
            if let Some(slot) = there.and_then(|id| partner.group_mut(id)) {
                slot.volumes.remove(&mirror.id);
            }
            partner.release_volume(mirror.id);
            if remove_there {
                // What is exported or has copies stays; the command does not fail because of it.
                let now = now.max(partner.now);
                let name = partner.volume_by_id(mirror.id).map(|v| v.name.to_string()).unwrap_or_default();
                let _ = partner.remove_volume(now, &name);
            }
        }
        if let Some(slot) = self.group_mut(held.id) {
            slot.volumes.remove(&id);
        }
        self.release_volume(id);
        self.note(EventKind::RcopyGroupChanged { group: held.name });
        Ok(())
    }
}
