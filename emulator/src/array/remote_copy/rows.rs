//! Remote copy as the WSAPI shows it. Members used by clients are sure; the rest follows their naming.

use serde_json::{Value, json};

use super::super::Array;
use super::super::error::ArrayError;
use super::{Mirror, RcopyGroup, RcopyTarget};

impl Array {
    /// Answer of `GET /remotecopy`.
    #[must_use]
    pub fn remote_copy_row(&self) -> Value {
        // 2: the service runs (the vendor's command line says `Started`).
        json!({"status": 2, "asyncEnabled": true, "mode": 1, "targets": self.remote_copy.targets.len()})
    }

    /// All groups as the WSAPI shows them.
    #[must_use]
    pub fn rcopy_group_rows(&self) -> Vec<Value> {
        self.remote_copy.groups.iter().map(|group| self.rcopy_group_row_of(group)).collect()
    }

    /// One group as the WSAPI shows it.
    ///
    /// # Errors
    /// 187 when there is none.
    pub fn rcopy_group_row(&self, name: &str) -> Result<Value, ArrayError> {
        self.rcopy_group(name).map(|group| self.rcopy_group_row_of(group))
    }

    /// The volumes of a group as the WSAPI shows them.
    ///
    /// # Errors
    /// 187 unknown group.
    pub fn rcopy_volume_rows(&self, group: &str) -> Result<Vec<Value>, ArrayError> {
        let group = self.rcopy_group(group)?;
        Ok(group.volumes.iter().filter_map(|(id, mirrors)| self.rcopy_volume_row_of(*id, mirrors.iter())).collect())
    }

    /// One volume of a group.
    ///
    /// # Errors
    /// 187 unknown group; 23 unknown volume; a provisional code (404) when it is not in the group.
    pub fn rcopy_volume_row(&self, group: &str, volume: &str) -> Result<Value, ArrayError> {
        let group = self.rcopy_group(group)?;
        let id = self.volume(volume)?.id;
        let mirrors = group.volumes.get(&id).ok_or_else(ArrayError::rcopy_volume_not_in_group)?;
        self.rcopy_volume_row_of(id, mirrors.iter()).ok_or_else(ArrayError::rcopy_volume_not_in_group)
    }

    /// The targets of a group.
    ///
    /// # Errors
    /// 187 unknown group.
    pub fn rcopy_group_target_rows(&self, group: &str) -> Result<Vec<Value>, ArrayError> {
        let row = self.rcopy_group_row(group)?;
        Ok(row["targets"].as_array().cloned().unwrap_or_default())
    }

    /// All targets as the WSAPI shows them.
    #[must_use]
    pub fn rcopy_target_rows(&self) -> Vec<Value> {
        self.remote_copy.targets.values().map(|target| self.rcopy_target_row_of(target)).collect()
    }

    /// One target as the WSAPI shows it.
    ///
    /// # Errors
    /// A provisional code (404) when there is none.
    pub fn rcopy_target_row(&self, name: &str) -> Result<Value, ArrayError> {
        let target = self.remote_copy.targets.get(name).ok_or_else(ArrayError::non_existent_rcopy_target)?;
        Ok(self.rcopy_target_row_of(target))
    }

    /// All links: one for each target, as links are in-process here.
    #[must_use]
    pub fn rcopy_link_rows(&self) -> Vec<Value> {
        let row = |target: &RcopyTarget| {
            let name = format!("{}_0:9:1", target.name);
            json!({"name": name, "target": target.name, "address": "127.0.0.1", "node": 0, "status": 1, "type": 1})
        };
        self.remote_copy.targets.values().map(row).collect()
    }

    fn rcopy_target_row_of(&self, target: &RcopyTarget) -> Value {
        json!({
            "id": target.id, "name": target.name, "type": 1, "status": 2, "role": 1, "systemId": target.system_id,
            "policies": {"mirrorConfig": target.mirror_config}, "targetState": 2,
        })
    }

    fn rcopy_group_row_of(&self, group: &RcopyGroup) -> Value {
        let targets: Vec<Value> = group.targets.iter().map(|part| self.group_target_row(group, part)).collect();
        let volumes: Vec<Value> =
            group.volumes.iter().filter_map(|(id, mirrors)| self.rcopy_volume_row_of(*id, mirrors.iter())).collect();
        let mut row = json!({
            "id": group.id, "uuid": group.uuid, "name": group.name, "role": group.role, "roleReversed": group.is_reversed(),
            "remoteGroupName": group.targets.first().map(|part| part.remote_group.clone()),
            "targets": targets, "volumes": volumes,
        });
        for (member, value) in [
            ("domain", group.domain.as_ref().map(ToString::to_string)),
            ("localUserCPG", group.local_user_cpg.as_ref().map(ToString::to_string)),
            ("localSnapCPG", group.local_snap_cpg.as_ref().map(ToString::to_string)),
        ] {
            if let Some(value) = value {
                row[member] = json!(value);
            }
        }
        row
    }

    fn group_target_row(&self, group: &RcopyGroup, part: &super::GroupTarget) -> Value {
        let mut row = json!({
            "target": part.target, "targetName": part.target, "remoteGroupName": part.remote_group, "mode": part.mode,
            "state": part.state, "roleReversed": group.is_reversed(), "policies": part.policies,
        });
        if let Some(at) = part.last_sync {
            row["groupLastSyncTime"] = json!(self.timestamp(at).with_zone_name());
        }
        if let Some(period) = part.sync_period {
            row["syncPeriod"] = json!(period.as_secs());
        }
        for (member, value) in [("userCPG", &part.remote_user_cpg), ("snapCPG", &part.remote_snap_cpg)] {
            if let Some(value) = value {
                row[member] = json!(value);
            }
        }
        row
    }

    fn rcopy_volume_row_of<'a>(
        &self,
        id: u32,
        mirrors: impl Iterator<Item = (&'a String, &'a Mirror)>,
    ) -> Option<Value> {
        let volume = self.volume_by_id(id)?;
        let remote: Vec<Value> = mirrors
            .map(|(target, mirror)| {
                let mut row = json!({
                    "targetName": target, "remoteVolumeName": mirror.volume, "remoteVolumeId": mirror.id,
                    "syncStatus": mirror.status,
                });
                if let Some(at) = mirror.last_sync {
                    row["volumeLastSyncTime"] = json!(self.timestamp(at).with_zone_name());
                }
                row
            })
            .collect();
        Some(json!({
            "localVolumeId": id, "localVolumeName": volume.name, "remoteVolumes": remote,
        }))
    }
}
