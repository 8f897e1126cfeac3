//! Volumes: what one is. Commands on volumes are in `volume_create` and `volume_modify`, rows in `volume_rows`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Array;
use super::error::ArrayError;
use super::identity::Wwn;
use super::names::{CpgName, DomainName, ObjectKey, VolumeName};
use super::object_key::ObjectKeyValue;
use super::task::TaskNumber;
use super::timestamp::Timestamp;
use super::volume_index::VolumeSpace;
use crate::datapath::{BlockStore, ReadFault};
use crate::scsi::UnitState;

/// Administrative space of a thin volume, MiB (observed).
const ADMIN_MIB: u64 = 256;

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

/// What the array is doing with a volume in the background; the numbers are those of the detailed states of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeActivity {
    /// A virtual copy is being promoted to it (12).
    Promoting,
    /// It is being filled by an offline copy (13).
    CopyTarget,
    /// It is being filled again by an offline copy (14).
    ResyncTarget,
    /// It is being filled by an online copy (13); it can be used meanwhile.
    OnlineCopyTarget,
    /// It is being moved to another CPG (15).
    Tuning,
    /// Its provisioning is being changed (22).
    Converting,
}

impl VolumeActivity {
    /// Number of the detailed state.
    #[must_use]
    pub const fn detailed_state(self) -> u8 {
        match self {
            Self::Promoting => 12,
            Self::CopyTarget | Self::OnlineCopyTarget => 13,
            Self::ResyncTarget => 14,
            Self::Tuning => 15,
            Self::Converting => 22,
        }
    }

    /// Word in the column `-Detailed_State-` of `showvv`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Promoting => "promoting",
            Self::CopyTarget | Self::OnlineCopyTarget => "copy_target",
            Self::ResyncTarget => "resync_target",
            Self::Tuning => "tuning",
            Self::Converting => "converting",
        }
    }
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
    /// Number of the volume it is a virtual copy of; on the target of an online copy the last intermediate virtual copy.
    pub copy_of: Option<u32>,
    /// Number of the volume it is a physical copy of.
    pub copied_from: Option<u32>,
    /// Number of the virtual copy of the source that a resynchronisation of this physical copy starts from.
    pub(crate) saved_snapshot: Option<u32>,
    /// Numbers of the volume sets it is in.
    pub(crate) sets: BTreeSet<u32>,
    /// Number of the remote copy group it is in.
    pub(crate) rcopy_group: Option<u32>,
    /// What the array is doing with it, and the task of that.
    pub activity: Option<(VolumeActivity, TaskNumber)>,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// Its data.
    pub(crate) blocks: BlockStore,
    /// Bytes that were kept for virtual copies, or written to a virtual copy, since the first of them was made.
    pub(crate) copied_on_write: u64,
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

    /// Space in use, MiB, rounded up; a full volume uses all of it.
    #[must_use]
    pub fn used_mib(&self) -> u64 {
        match self.provisioning {
            Provisioning::Full => self.size_mib,
            _ => self.written_mib(),
        }
    }

    /// Data that was written and not discarded, MiB, rounded up.
    #[must_use]
    pub fn written_mib(&self) -> u64 {
        self.blocks.bytes_in_use().div_ceil(1 << 20)
    }

    /// Whether it is a virtual copy.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.provisioning == Provisioning::Snapshot
    }

    /// The space it takes from its CPGs.
    pub(crate) fn space(&self) -> VolumeSpace {
        let kept = self.copied_on_write.div_ceil(1 << 20).min(self.size_mib);
        let base = !self.is_snapshot();
        VolumeSpace {
            user_reserved: self.reserved_mib(),
            user_used: if base { self.used_mib() } else { 0 },
            snapshot_reserved: kept.next_multiple_of(512),
            snapshot_used: kept,
            admin_reserved: if base && self.provisioning != Provisioning::Full { ADMIN_MIB } else { 0 },
        }
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

    /// Wall-clock time at `at` after the start.
    pub(crate) fn timestamp(&self, at: Duration) -> Timestamp {
        Timestamp(self.config.started_at + at.as_secs())
    }

    /// Number of the base volume at the root of a chain of copies.
    pub(crate) fn base_of(&self, volume: &Volume) -> u32 {
        let mut base = volume;
        while let Some(parent) = base.copy_of.and_then(|id| self.volumes.get(id)) {
            base = parent;
        }
        base.id
    }
}
