//! Volumes as the WSAPI shows them.

use serde::Serialize;

use super::Array;
use super::error::ArrayError;
use super::identity::Wwn;
use super::names::{CpgName, DomainName, VolumeName};
use super::volume::{Policies, Provisioning, Volume};

/// Space figures of a volume row, MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SpaceRow {
    /// Reserved.
    #[serde(rename = "reservedMiB")]
    pub reserved_mib: u64,
    /// Reserved on the disks.
    #[serde(rename = "rawReservedMiB")]
    pub raw_reserved_mib: u64,
    /// Used.
    #[serde(rename = "usedMiB")]
    pub used_mib: u64,
    /// Reserved but not used.
    #[serde(rename = "freeMiB")]
    pub free_mib: u64,
}

impl SpaceRow {
    /// Figures for RAID 6 in sets of 8.
    fn new(reserved_mib: u64, used_mib: u64) -> Self {
        let free_mib = reserved_mib.saturating_sub(used_mib);
        Self { reserved_mib, raw_reserved_mib: reserved_mib * 4 / 3, used_mib, free_mib }
    }
}

/// A row of `GET /volumes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeRow {
    /// Number.
    pub id: u32,
    /// Name.
    pub name: VolumeName,
    /// Domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainName>,
    /// 1 yes, 2 no, 3 not applicable.
    pub deduplication_state: u8,
    /// 1 yes, 2 no, 3 off, 4 not applicable.
    pub compression_state: u8,
    /// How space is provided.
    pub provisioning_type: Provisioning,
    /// 1 base, 2 physical copy, 3 virtual copy.
    pub copy_type: u8,
    /// Volume it is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<VolumeName>,
    /// Number of that volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<u32>,
    /// Number of the volume it is a physical copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phys_parent_id: Option<u32>,
    /// Number of the base volume.
    pub base_id: u32,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// 1 normal.
    pub state: u8,
    /// Failed states: none.
    pub failed_states: [u8; 0],
    /// Degraded states: none.
    pub degraded_states: [u8; 0],
    /// What the array is doing with it.
    pub additional_states: Vec<u8>,
    /// Administrative space.
    pub admin_space: SpaceRow,
    /// Snapshot space.
    pub snapshot_space: SpaceRow,
    /// User space.
    pub user_space: SpaceRow,
    /// Size, MiB.
    #[serde(rename = "sizeMiB")]
    pub size_mib: u64,
    /// Data that hosts wrote, MiB.
    #[serde(rename = "hostWriteMiB")]
    pub host_write_mib: u64,
    /// Space used in all, MiB.
    #[serde(rename = "totalUsedMiB")]
    pub total_used_mib: u64,
    /// Space reserved in all, MiB.
    #[serde(rename = "totalReservedMiB")]
    pub total_reserved_mib: u64,
    /// World wide name.
    pub wwn: Wwn,
    /// When it was made.
    pub creation_time_sec: u64,
    /// The same as text.
    pub creation_time8601: String,
    /// When it may be deleted by the array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time_sec: Option<u64>,
    /// The same as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time8601: Option<String>,
    /// Until when it cannot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_time_sec: Option<u64>,
    /// The same as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_time8601: Option<String>,
    /// Warning for snapshot space, percent.
    pub ss_spc_alloc_warning_pct: u32,
    /// Limit of snapshot space, percent.
    pub ss_spc_alloc_limit_pct: u32,
    /// Warning for user space, percent.
    pub usr_spc_alloc_warning_pct: u32,
    /// Limit of user space, percent.
    pub usr_spc_alloc_limit_pct: u32,
    /// Policies.
    pub policies: Policies,
    /// CPG of the user space; absent on virtual copies.
    #[serde(rename = "userCPG", skip_serializing_if = "Option::is_none")]
    pub user_cpg: Option<CpgName>,
    /// CPG of the snapshot space.
    #[serde(rename = "snapCPG", skip_serializing_if = "Option::is_none")]
    pub snap_cpg: Option<CpgName>,
    /// UUID.
    pub uuid: String,
    /// Comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Array {
    /// The volumes with this world wide name as the WSAPI shows them.
    #[must_use]
    pub fn volume_rows_with_wwn(&self, wwn: &Wwn) -> Vec<VolumeRow> {
        let volumes = self.volume_index.with_wwn(wwn).filter_map(|id| self.volumes.get(id));
        volumes.map(|v| self.volume_row_of(v)).collect()
    }

    /// The volumes whose user space is in a CPG as the WSAPI shows them; none when there is no such CPG.
    #[must_use]
    pub fn volume_rows_in_cpg(&self, cpg: &str) -> Vec<VolumeRow> {
        let held = self.cpgs.named(cpg).and_then(|cpg| self.volume_index.cpg(&cpg.name));
        let ids = held.into_iter().flat_map(|held| &held.users);
        ids.filter_map(|id| self.volumes.get(*id)).map(|v| self.volume_row_of(v)).collect()
    }

    /// The virtual copies of a volume as the WSAPI shows them.
    ///
    /// # Errors
    /// 23 when the volume does not exist.
    pub fn snapshot_rows_of(&self, volume: &str) -> Result<Vec<VolumeRow>, ArrayError> {
        let id = self.volume(volume)?.id;
        let copies = self.volume_index.children(id).filter_map(|id| self.volumes.get(id));
        Ok(copies.map(|v| self.volume_row_of(v)).collect())
    }

    /// All volumes as the WSAPI shows them.
    #[must_use]
    pub fn volume_rows(&self) -> Vec<VolumeRow> {
        self.volumes.iter().map(|v| self.volume_row_of(v)).collect()
    }

    /// One volume as the WSAPI shows it.
    ///
    /// # Errors
    /// 23 when it does not exist.
    pub fn volume_row(&self, name: &str) -> Result<VolumeRow, ArrayError> {
        self.volume(name).map(|v| self.volume_row_of(v))
    }

    fn volume_row_of(&self, v: &Volume) -> VolumeRow {
        let snapshot = v.is_snapshot();
        let space = v.space();
        let deduplicated = matches!(v.provisioning, Provisioning::Deduplicated | Provisioning::Reduced);
        let parent = v.copy_of.and_then(|id| self.volumes.get(id));
        VolumeRow {
            id: v.id,
            name: v.name.clone(),
            domain: v.domain.clone(),
            deduplication_state: if deduplicated { 1 } else { 3 },
            compression_state: if v.compressed { 1 } else { 4 },
            provisioning_type: v.provisioning,
            copy_type: if snapshot { 3 } else { 1 + u8::from(v.copied_from.is_some()) },
            copy_of: parent.map(|p| p.name.clone()),
            parent_id: parent.map(|p| p.id),
            phys_parent_id: v.copied_from,
            base_id: self.base_of(v),
            read_only: v.read_only,
            state: 1,
            failed_states: [],
            degraded_states: [],
            additional_states: v.activity.iter().map(|(activity, _)| activity.detailed_state()).collect(),
            admin_space: SpaceRow {
                reserved_mib: space.admin_reserved,
                raw_reserved_mib: space.admin_reserved * 3,
                used_mib: space.admin_reserved.min(1),
                free_mib: space.admin_reserved.saturating_sub(1),
            },
            snapshot_space: SpaceRow::new(space.snapshot_reserved, space.snapshot_used),
            user_space: SpaceRow::new(space.user_reserved, space.user_used),
            size_mib: v.size_mib,
            host_write_mib: v.written_mib(),
            total_used_mib: space.user_used + space.snapshot_used,
            total_reserved_mib: space.reserved(),
            wwn: v.wwn.clone(),
            creation_time_sec: v.created.0,
            creation_time8601: v.created.to_string(),
            expiration_time_sec: v.expires.map(|t| t.0),
            expiration_time8601: v.expires.map(|t| t.to_string()),
            retention_time_sec: v.retained_until.map(|t| t.0),
            retention_time8601: v.retained_until.map(|t| t.to_string()),
            ss_spc_alloc_warning_pct: v.marks.snapshot_warning,
            ss_spc_alloc_limit_pct: v.marks.snapshot_limit,
            usr_spc_alloc_warning_pct: v.marks.user_warning,
            usr_spc_alloc_limit_pct: v.marks.user_limit,
            policies: v.policies,
            user_cpg: (!snapshot).then(|| v.cpg.clone()),
            snap_cpg: v.snap_cpg.clone(),
            uuid: v.uuid.clone(),
            comment: v.comment.clone(),
        }
    }
}
