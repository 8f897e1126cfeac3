//! Space: what CPGs hold, what the disks have left, and the space reporter.

use serde_json::{Value, json};

use super::{Array, Cpg, DiskType, LdLayout};
use crate::array::error::ArrayError;
use crate::array::names::CpgName;
use crate::array::volume_index::VolumeSpace;

/// Raw space of one kind of disk, MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCapacity {
    /// All disks.
    pub total_mib: u64,
    /// User space of volumes.
    pub user_mib: u64,
    /// Snapshot space of volumes.
    pub snapshot_mib: u64,
    /// Administrative space of volumes.
    pub admin_mib: u64,
}

impl ClassCapacity {
    /// All that is taken.
    #[must_use]
    pub const fn allocated_mib(self) -> u64 {
        self.user_mib + self.snapshot_mib + self.admin_mib
    }

    /// What is left.
    #[must_use]
    pub const fn free_mib(self) -> u64 {
        self.total_mib.saturating_sub(self.allocated_mib())
    }
}

/// Raw space behind all CPGs of one kind of disk, MiB; together 20,054,016 as captured from a real array.
const fn raw_of(disk: DiskType) -> u64 {
    match disk {
        DiskType::Fc => 10_027_008,
        DiskType::Nl => 3_342_336,
        DiskType::Ssd => 6_684_672,
    }
}

/// What an array can still take in a CPG, MiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpaceReport {
    /// Raw space left on the disks.
    pub raw_free_mib: u64,
    /// The same for user data.
    pub usable_free_mib: u64,
    /// Size of all volumes.
    pub virtual_mib: u64,
    /// Space that their data takes.
    pub used_mib: u64,
    /// Space that is reserved for them.
    pub allocated_mib: u64,
}

impl SpaceReport {
    /// Answer of `POST /spacereporter` (captured from a real 3.3.1).
    #[must_use]
    pub fn to_json(&self) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "ratios of sizes, shown with two digits")]
        let ratio = |a: u64, b: u64| if b == 0 { 0.0 } else { (a as f64 / b as f64 * 100.0).round() / 100.0 };
        json!({
            "rawFreeMiB": self.raw_free_mib, "usableFreeMiB": self.usable_free_mib,
            "overProvisionedVirtualSizeMiB": self.virtual_mib, "overProvisionedUsedMiB": self.used_mib,
            "overProvisionedAllocatedMiB": self.allocated_mib, "overProvisionedFreeMiB": self.raw_free_mib,
            "capacityEfficiency": {
                "compaction": ratio(self.virtual_mib, self.used_mib), "dataReduction": 0,
                "overProvisioning": ratio(self.virtual_mib, self.allocated_mib + self.usable_free_mib),
            },
        })
    }
}

impl Array {
    /// User and snapshot space reserved by the volumes of a CPG, MiB.
    pub(crate) fn reserved_in_cpg_mib(&self, name: &CpgName) -> u64 {
        let space = self.space_in_cpg(name);
        space.user_reserved + space.snapshot_reserved
    }

    /// Space of the volumes of a CPG.
    pub(crate) fn space_in_cpg(&self, name: &CpgName) -> VolumeSpace {
        self.volume_index.cpg(name).map(|held| held.space).unwrap_or_default()
    }

    /// Raw space of one kind of disk.
    #[must_use]
    pub fn class_capacity(&self, disk: DiskType) -> ClassCapacity {
        let mut capacity = ClassCapacity { total_mib: raw_of(disk), ..ClassCapacity::default() };
        for cpg in self.cpgs.iter().filter(|cpg| cpg.disk_type == disk) {
            let space = self.space_in_cpg(&cpg.name);
            capacity.user_mib += cpg.raw_mib(space.user_reserved);
            capacity.snapshot_mib += cpg.raw_mib(space.snapshot_reserved);
            capacity.admin_mib += space.admin_reserved * 3;
        }
        capacity
    }

    /// Raw space of all disks.
    #[must_use]
    pub fn total_capacity(&self) -> ClassCapacity {
        let mut sum = ClassCapacity::default();
        for class in DiskType::ALL.map(|disk| self.class_capacity(disk)) {
            sum.total_mib += class.total_mib;
            sum.user_mib += class.user_mib;
            sum.snapshot_mib += class.snapshot_mib;
            sum.admin_mib += class.admin_mib;
        }
        sum
    }

    /// User data that a CPG can still take, MiB: what its disks have left, below its growth limit.
    #[must_use]
    pub fn free_in_cpg_mib(&self, cpg: &Cpg) -> u64 {
        let (of, data) = cpg.layout.ratio();
        let usable = self.class_capacity(cpg.disk_type).free_mib() * data / of;
        let below = cpg.growth_limit_mib.map(|limit| limit.saturating_sub(self.reserved_in_cpg_mib(&cpg.name)));
        below.map_or(usable, |below| below.min(usable))
    }

    /// What a CPG can still take (`POST /spacereporter`), also for a layout other than its own.
    ///
    /// # Errors
    /// 40 without a CPG, 15 when it does not exist, and those of [`LdLayout::read`].
    pub fn space_report(&self, cpg: Option<&str>, layout: Option<&Value>) -> Result<SpaceReport, ArrayError> {
        let name = cpg.ok_or_else(|| ArrayError::missing_required().with_ref("cpg"))?;
        let mut cpg = self.cpg(name)?.clone();
        if let Some(layout) = layout {
            cpg.layout = LdLayout::read(layout, self.config.personality)?;
            cpg.disk_type = cpg.layout.disk_type();
        }
        let held = self.volume_index.cpg(&cpg.name);
        let space = self.space_in_cpg(&cpg.name);
        Ok(SpaceReport {
            raw_free_mib: self.class_capacity(cpg.disk_type).free_mib(),
            usable_free_mib: self.free_in_cpg_mib(&cpg),
            virtual_mib: held.map_or(0, |held| held.virtual_mib),
            used_mib: space.user_used + space.snapshot_used,
            allocated_mib: space.reserved(),
        })
    }
}
