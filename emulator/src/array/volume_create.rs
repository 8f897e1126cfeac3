//! Making volumes (`POST /volumes`), with every check of the array.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::Array;
use super::cpg::{Cpg, DiskType};
use super::error::ArrayError;
use super::identity::Wwn;
use super::names::{CpgName, VolumeName, check_comment};
use super::timestamp::Timestamp;
use super::volume::{AllocationMarks, Policies, Provisioning, Volume};
use crate::datapath::BlockStore;
use crate::scsi::UnitState;

/// Smallest volume, MiB.
pub const SIZE_MIN_MIB: i64 = 256;
/// Largest volume of 3.2.1, MiB (16 TiB).
pub const SIZE_MAX_16_TIB: i64 = 16_777_216;
/// Largest volume of 3.3.1 and later, MiB (64 TiB; the figure is not in a guide at hand).
pub const SIZE_MAX_64_TIB: i64 = 67_108_864;
/// Smallest compressed volume, MiB (16 GiB).
pub const COMPRESSED_MIN_MIB: i64 = 16_384;
/// Most volumes and virtual copies of one array (the figure of the largest models).
pub const VOLUMES_MAX: usize = 131_072;
/// Longest expiration and retention, hours.
pub const HOURS_MAX: i64 = 43_800;

/// `policies` of a request: only the members given are set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyChange {
    /// Snapshots may go stale.
    #[serde(rename = "staleSS")]
    pub stale_ss: Option<bool>,
    /// Export to one host only.
    pub one_host: Option<bool>,
    /// Zeros written are freed.
    pub zero_detect: Option<bool>,
    /// Read only: `true` is refused.
    pub system: Option<bool>,
    /// Read only: `true` is refused.
    pub caching: Option<bool>,
    /// Read only: `true` is refused.
    pub fsvc: Option<bool>,
    /// 1 3PAR host DIF, 2 standard, 3 none.
    #[serde(rename = "hostDIF")]
    pub host_dif: Option<i64>,
}

impl PolicyChange {
    /// The policies after the change.
    ///
    /// # Errors
    /// A provisional code (400) for a read-only policy, 46 for an unknown DIF.
    pub(crate) fn apply(self, mut policies: Policies) -> Result<Policies, ArrayError> {
        if [self.system, self.caching, self.fsvc].contains(&Some(true)) {
            return Err(ArrayError::invalid_volume_policy().with_ref("policies"));
        }
        policies.stale_ss = self.stale_ss.unwrap_or(policies.stale_ss);
        policies.one_host = self.one_host.unwrap_or(policies.one_host);
        policies.zero_detect = self.zero_detect.unwrap_or(policies.zero_detect);
        policies.host_dif = match self.host_dif {
            None => policies.host_dif,
            Some(1) => 1,
            Some(2) => 2,
            Some(3) => 3,
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("hostDIF")),
        };
        Ok(policies)
    }
}

/// Body of `POST /volumes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateVolume {
    /// Name (required).
    pub name: Option<String>,
    /// CPG (required).
    pub cpg: Option<String>,
    /// Size, MiB (required).
    #[serde(rename = "sizeMiB")]
    pub size_mib: Option<i64>,
    /// Number; the next one when absent.
    pub id: Option<i64>,
    /// Comment.
    pub comment: Option<String>,
    /// Policies.
    pub policies: Option<PolicyChange>,
    /// CPG of the snapshot space.
    #[serde(rename = "snapCPG")]
    pub snap_cpg: Option<String>,
    /// Warning for snapshot space, percent.
    pub ss_spc_alloc_warning_pct: Option<i64>,
    /// Limit of snapshot space, percent.
    pub ss_spc_alloc_limit_pct: Option<i64>,
    /// Warning for user space, percent.
    pub usr_spc_alloc_warning_pct: Option<i64>,
    /// Limit of user space, percent.
    pub usr_spc_alloc_limit_pct: Option<i64>,
    /// Thin.
    pub tpvv: Option<bool>,
    /// Thin with deduplication.
    pub tdvv: Option<bool>,
    /// Compressed.
    pub compression: Option<bool>,
    /// Deduplicated and compressed (Primera).
    pub reduce: Option<bool>,
    /// Hours until the array may delete it.
    pub expiration_hours: Option<i64>,
    /// Hours during which it cannot be deleted.
    pub retention_hours: Option<i64>,
}

impl CreateVolume {
    /// A thin volume without anything special.
    #[must_use]
    pub fn thin(name: &str, cpg: &str, size_mib: i64) -> Self {
        Self {
            name: Some(name.to_owned()),
            cpg: Some(cpg.to_owned()),
            size_mib: Some(size_mib),
            tpvv: Some(true),
            ..Self::default()
        }
    }
}

/// Expiration and retention of a request as points in time.
pub(crate) fn read_times(
    created: Timestamp,
    expiration: Option<i64>,
    retention: Option<i64>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ArrayError> {
    let read = |hours: Option<i64>, member: &str| match hours {
        None => Ok(None),
        Some(h) if h < 1 => Err(ArrayError::below_range().with_ref(member)),
        Some(h) if h > HOURS_MAX => Err(ArrayError::exceeds_range().with_ref(member)),
        Some(h) => Ok(Some(Timestamp(created.0 + h.unsigned_abs() * 3600))),
    };
    let (expires, retained) = (read(expiration, "expirationHours")?, read(retention, "retentionHours")?);
    if expires.is_some() && retained > expires {
        return Err(ArrayError::retention_above_expiration());
    }
    Ok((expires, retained))
}

/// A percentage of type `igint32`: negative numbers are ignored (1.3.1 guide p. 20).
pub(crate) fn read_percent(value: Option<i64>, member: &str) -> Result<Option<u32>, ArrayError> {
    match value {
        Some(n) if n > 100 => Err(ArrayError::exceeds_range().with_ref(member)),
        Some(n) => Ok(u32::try_from(n).ok()),
        None => Ok(None),
    }
}

impl AllocationMarks {
    /// Refuses a warning above its limit.
    pub(crate) fn checked(self) -> Result<Self, ArrayError> {
        let above = |warning: u32, limit: u32| limit > 0 && warning > limit;
        if above(self.snapshot_warning, self.snapshot_limit) || above(self.user_warning, self.user_limit) {
            return Err(ArrayError::warning_above_limit());
        }
        Ok(self)
    }
}

impl Array {
    /// Makes a volume; gives its name.
    ///
    /// # Errors
    /// 40 without name, CPG or size; 45/57/69 for bad names; 22 when it exists; 15 for an unknown CPG; 43 below 256 MiB; 28 above
    /// the largest size; 59 when the number is taken; 24 when the CPG's limit is passed; and the codes of the other members.
    pub fn create_volume(&mut self, now: Duration, body: &CreateVolume) -> Result<VolumeName, ArrayError> {
        self.advance(now);
        let name = self.free_volume_name(body.name.as_deref(), "name")?;
        let cpg = self.cpg_in_request(body.cpg.as_deref(), "cpg")?.clone();
        let snap_cpg = body.snap_cpg.as_deref().map(|c| self.snap_cpg_beside(c, &cpg)).transpose()?;
        check_comment(body.comment.as_deref().unwrap_or_default())?;
        let provisioning = self.provisioning_in_request(body, &cpg)?;
        let size_mib = self.size_in_request(body)?;
        let marks = AllocationMarks {
            snapshot_warning: read_percent(body.ss_spc_alloc_warning_pct, "ssSpcAllocWarningPct")?.unwrap_or(0),
            snapshot_limit: read_percent(body.ss_spc_alloc_limit_pct, "ssSpcAllocLimitPct")?.unwrap_or(0),
            user_warning: read_percent(body.usr_spc_alloc_warning_pct, "usrSpcAllocWarningPct")?.unwrap_or(0),
            user_limit: read_percent(body.usr_spc_alloc_limit_pct, "usrSpcAllocLimitPct")?.unwrap_or(0),
        }
        .checked()?;
        let policies = body.policies.unwrap_or_default().apply(Policies::default())?;
        if policies.zero_detect && provisioning == Provisioning::Full {
            return Err(ArrayError::zero_detect_needs_tpvv());
        }
        let created = self.timestamp(now);
        let (expires, retained_until) = read_times(created, body.expiration_hours, body.retention_hours)?;
        self.refuse_too_many_volumes()?;
        self.refuse_full_cpg(&cpg, if provisioning == Provisioning::Full { size_mib } else { 512 })?;
        let id = self.volume_id_in_request(body.id)?;
        let volume = Volume {
            id,
            name: name.clone(),
            wwn: self.wwn_for(id),
            uuid: self.random.uuid(),
            domain: cpg.domain.clone(),
            cpg: cpg.name,
            snap_cpg,
            provisioning,
            compressed: body.compression == Some(true) || provisioning == Provisioning::Reduced,
            size_mib,
            comment: body.comment.clone().filter(|c| !c.is_empty()),
            policies,
            marks,
            created,
            expires,
            retained_until,
            copy_of: None,
            copied_from: None,
            saved_snapshot: None,
            sets: BTreeSet::new(),
            rcopy_group: None,
            activity: None,
            read_only: false,
            blocks: BlockStore::default(),
            copied_on_write: 0,
            unit: UnitState::default(),
            read_fault: None,
            object_keys: BTreeMap::new(),
        };
        self.put_volume(volume);
        Ok(name)
    }

    /// A name of a request that no volume has yet.
    pub(crate) fn free_volume_name(&self, text: Option<&str>, member: &str) -> Result<VolumeName, ArrayError> {
        let text = text.ok_or_else(|| ArrayError::missing_required().with_ref(member))?;
        let name = VolumeName::new(text).map_err(|e| e.refusal(member))?;
        if self.volumes.named(&name).is_some() {
            return Err(ArrayError::existent_volume().with_ref(member));
        }
        Ok(name)
    }

    /// The CPG named in a request.
    pub(crate) fn cpg_in_request(&self, text: Option<&str>, member: &str) -> Result<&Cpg, ArrayError> {
        let text = text.ok_or_else(|| ArrayError::missing_required().with_ref(member))?;
        let name = CpgName::new(text).map_err(|e| e.refusal(member))?;
        self.cpgs.named(&name).ok_or_else(|| ArrayError::non_existent_cpg().with_ref(member))
    }

    /// The snapshot CPG named in a request; it must be in the domain of the user CPG.
    pub(crate) fn snap_cpg_beside(&self, text: &str, user: &Cpg) -> Result<CpgName, ArrayError> {
        let snap = self.cpg_in_request(Some(text), "snapCPG")?;
        if snap.domain != user.domain {
            return Err(ArrayError::cpg_not_in_same_domain());
        }
        Ok(snap.name.clone())
    }

    /// How a request wants its space; deduplication needs solid state disks, Primera needs `tpvv` or `reduce`.
    fn provisioning_in_request(&self, body: &CreateVolume, cpg: &Cpg) -> Result<Provisioning, ArrayError> {
        let (thin, dedup, reduce) = (body.tpvv == Some(true), body.tdvv == Some(true), body.reduce == Some(true));
        let personality = self.config.personality;
        if body.compression == Some(true) && !personality.has_compression() {
            return Err(ArrayError::invalid_input().with_ref("compression"));
        }
        if dedup && personality.is_primera() {
            return Err(ArrayError::invalid_input().with_ref("tdvv"));
        }
        if reduce && !personality.is_primera() {
            return Err(ArrayError::invalid_input().with_ref("reduce"));
        }
        if thin && (dedup || reduce) {
            return Err(ArrayError::parameter_conflict().with_ref(if dedup { "tpvv,tdvv" } else { "tpvv,reduce" }));
        }
        if personality.is_primera() && !thin && !reduce {
            return Err(ArrayError::one_required().with_ref("tpvv,reduce"));
        }
        if dedup && cpg.disk_type != DiskType::Ssd {
            return Err(ArrayError::invalid_input().with_ref("tdvv"));
        }
        Ok(match (thin, dedup, reduce) {
            (true, ..) => Provisioning::Thin,
            (_, true, _) => Provisioning::Deduplicated,
            (_, _, true) => Provisioning::Reduced,
            _ => Provisioning::Full,
        })
    }

    /// The size of a request, MiB.
    fn size_in_request(&self, body: &CreateVolume) -> Result<u64, ArrayError> {
        let size = body.size_mib.ok_or_else(|| ArrayError::missing_required().with_ref("sizeMiB"))?;
        let smallest = if body.compression == Some(true) { COMPRESSED_MIN_MIB } else { SIZE_MIN_MIB };
        if size < smallest {
            return Err(ArrayError::exceeds_range().with_ref("sizeMiB"));
        }
        if size > self.largest_volume_mib() {
            return Err(ArrayError::too_large().with_ref("sizeMiB"));
        }
        Ok(size.unsigned_abs())
    }

    /// Largest volume of the release, MiB.
    pub(crate) fn largest_volume_mib(&self) -> i64 {
        if self.config.personality.has_large_volumes() { SIZE_MAX_64_TIB } else { SIZE_MAX_16_TIB }
    }

    /// Refuses one volume more than the array takes.
    pub(crate) fn refuse_too_many_volumes(&self) -> Result<(), ArrayError> {
        if self.volumes.len() >= VOLUMES_MAX { Err(ArrayError::volume_limit_reached()) } else { Ok(()) }
    }

    /// Refuses when `more_mib` do not fit below the growth limit of a CPG.
    pub(crate) fn refuse_full_cpg(&self, cpg: &Cpg, more_mib: u64) -> Result<(), ArrayError> {
        let full = cpg.growth_limit_mib.is_some_and(|limit| self.reserved_in_cpg_mib(&cpg.name) + more_mib > limit);
        if full { Err(ArrayError::no_space()) } else { Ok(()) }
    }

    /// The number of a new volume.
    pub(crate) fn volume_id_in_request(&self, wish: Option<i64>) -> Result<u32, ArrayError> {
        let Some(wish) = wish else { return Ok(self.volumes.next_id()) };
        let id = u32::try_from(wish).ok().filter(|id| *id <= 0x00FF_FFFF);
        let id = id.ok_or_else(|| ArrayError::exceeds_range().with_ref("id"))?;
        if self.volumes.has_id(id) { Err(ArrayError::existent_id().with_ref("id")) } else { Ok(id) }
    }

    /// A world wide name that no volume of this array ever had: the number with the count of its earlier uses.
    pub(crate) fn wwn_for(&mut self, id: u32) -> Wwn {
        let uses = self.volume_id_uses.entry(id).or_insert(0);
        let wwn = Wwn::of_volume(id, *uses, self.config.system_id);
        *uses = uses.wrapping_add(1);
        wwn
    }
}
