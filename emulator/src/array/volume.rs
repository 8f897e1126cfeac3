//! Volumes: what one is and how the WSAPI shows it. Commands on volumes are in `volume_create` and `volume_modify`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Array;
use super::error::ArrayError;
use super::identity::Wwn;
use super::names::{CpgName, DomainName, ObjectKey, VolumeName};
use super::object_key::ObjectKeyValue;
use super::timestamp::Timestamp;
use crate::datapath::{BlockStore, ReadFault};
use crate::scsi::UnitState;

/// How space is provided; the numbers are those of `provisioningType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8")]
pub enum Provisioning {
    /// Fully provisioned (1).
    Full,
    /// Thin (2).
    Thin,
    /// Virtual copy (3).
    Snapshot,
    /// Thin with deduplication (6).
    Deduplicated,
    /// Deduplicated store (7): what `reduce` gives on Primera.
    Reduced,
}

impl From<Provisioning> for u8 {
    fn from(provisioning: Provisioning) -> Self {
        match provisioning {
            Provisioning::Full => 1,
            Provisioning::Thin => 2,
            Provisioning::Snapshot => 3,
            Provisioning::Deduplicated => 6,
            Provisioning::Reduced => 7,
        }
    }
}

impl Provisioning {
    /// Word in the column `Prov` of `showvv`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Thin => "tpvv",
            Self::Snapshot => "snp",
            Self::Deduplicated | Self::Reduced => "tdvv",
        }
    }

    /// Index of the counter of a CPG row: 0 full, 1 thin, 2 deduplicated.
    pub(crate) const fn cpg_counter(self) -> usize {
        match self {
            Self::Full => 0,
            Self::Thin | Self::Snapshot => 1,
            Self::Deduplicated | Self::Reduced => 2,
        }
    }
}

/// Policies of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// Snapshots may go stale when space runs out.
    #[serde(rename = "staleSS")]
    pub stale_ss: bool,
    /// Export to one host only: a second host is refused.
    pub one_host: bool,
    /// Zeros written are freed.
    pub zero_detect: bool,
    /// System volume (read only).
    pub system: bool,
    /// Cached (read only).
    pub caching: bool,
    /// File services volume (read only).
    pub fsvc: bool,
    /// 1 3PAR host DIF, 2 standard, 3 none.
    #[serde(rename = "hostDIF")]
    pub host_dif: u8,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            stale_ss: true,
            one_host: false,
            zero_detect: false,
            system: false,
            caching: true,
            fsvc: false,
            host_dif: 3,
        }
    }
}

/// Allocation warnings and limits in percent of the size, 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllocationMarks {
    /// Snapshot space, warning.
    pub snapshot_warning: u32,
    /// Snapshot space, limit.
    pub snapshot_limit: u32,
    /// User space, warning.
    pub user_warning: u32,
    /// User space, limit.
    pub user_limit: u32,
}

/// A volume, or a virtual copy of one.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Number; stays through a rename.
    pub id: u32,
    /// Name.
    pub name: VolumeName,
    /// World wide name, VPD 0x83.
    pub wwn: Wwn,
    /// UUID.
    pub uuid: String,
    /// CPG of the user space.
    pub cpg: CpgName,
    /// CPG of the snapshot space.
    pub snap_cpg: Option<CpgName>,
    /// Domain, that of the CPG.
    pub domain: Option<DomainName>,
    /// How space is provided.
    pub provisioning: Provisioning,
    /// Whether it is compressed.
    pub compressed: bool,
    /// Size, MiB.
    pub size_mib: u64,
    /// Comment.
    pub comment: Option<String>,
    /// Policies.
    pub policies: Policies,
    /// Warnings and limits.
    pub marks: AllocationMarks,
    /// When it was made.
    pub created: Timestamp,
    /// When it may be deleted by the array.
    pub expires: Option<Timestamp>,
    /// Until when it cannot be deleted.
    pub retained_until: Option<Timestamp>,
    /// Number of the volume it is a virtual copy of.
    pub copy_of: Option<u32>,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// Its data.
    pub(crate) blocks: BlockStore,
    /// What SCSI initiators have set: reservations and mode pages.
    pub(crate) unit: UnitState,
    /// Injected read fault.
    pub(crate) read_fault: Option<ReadFault>,
    /// Keys and values.
    pub(crate) object_keys: BTreeMap<ObjectKey, ObjectKeyValue>,
}

impl Volume {
    /// Size in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_mib << 20
    }

    /// Space in use, MiB, rounded up.
    #[must_use]
    pub fn used_mib(&self) -> u64 {
        self.blocks.bytes_in_use().div_ceil(1 << 20)
    }

    /// Space taken from the CPG, MiB.
    #[must_use]
    pub fn reserved_mib(&self) -> u64 {
        match self.provisioning {
            Provisioning::Full => self.size_mib,
            Provisioning::Snapshot => 0,
            _ => self.used_mib().next_multiple_of(512).max(512).min(self.size_mib.max(512)),
        }
    }
}

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
    /// Other states: none.
    pub additional_states: [u8; 0],
    /// Administrative space.
    pub admin_space: SpaceRow,
    /// Snapshot space.
    pub snapshot_space: SpaceRow,
    /// User space.
    pub user_space: SpaceRow,
    /// Size, MiB.
    #[serde(rename = "sizeMiB")]
    pub size_mib: u64,
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
    /// The volume `name`.
    ///
    /// # Errors
    /// 23 when it does not exist.
    pub fn volume(&self, name: &str) -> Result<&Volume, ArrayError> {
        self.volumes.named(name).ok_or_else(ArrayError::non_existent_volume)
    }

    /// The volumes in the order of their numbers.
    pub fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.iter()
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

    /// Wall-clock time at `at` after the start.
    pub(crate) fn timestamp(&self, at: Duration) -> Timestamp {
        Timestamp(self.config.started_at + at.as_secs())
    }

    /// Number of the base volume at the root of a chain of copies.
    fn base_of(&self, volume: &Volume) -> u32 {
        let mut base = volume;
        while let Some(parent) = base.copy_of.and_then(|id| self.volumes.get(id)) {
            base = parent;
        }
        base.id
    }

    fn volume_row_of(&self, v: &Volume) -> VolumeRow {
        let snapshot = v.provisioning == Provisioning::Snapshot;
        let deduplicated = matches!(v.provisioning, Provisioning::Deduplicated | Provisioning::Reduced);
        let parent = v.copy_of.and_then(|id| self.volumes.get(id));
        VolumeRow {
            id: v.id,
            name: v.name.clone(),
            domain: v.domain.clone(),
            deduplication_state: if deduplicated { 1 } else { 3 },
            compression_state: if v.compressed { 1 } else { 4 },
            provisioning_type: v.provisioning,
            copy_type: if snapshot { 3 } else { 1 },
            copy_of: parent.map(|p| p.name.clone()),
            parent_id: parent.map(|p| p.id),
            base_id: self.base_of(v),
            read_only: v.read_only,
            state: 1,
            failed_states: [],
            degraded_states: [],
            additional_states: [],
            admin_space: if snapshot { SpaceRow::default() } else { SpaceRow::new(256, 1) },
            snapshot_space: SpaceRow::default(),
            user_space: if snapshot { SpaceRow::default() } else { SpaceRow::new(v.reserved_mib(), v.used_mib()) },
            size_mib: v.size_mib,
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
