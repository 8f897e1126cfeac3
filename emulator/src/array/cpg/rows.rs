//! CPGs as the WSAPI shows them (captures of 3.3.1).

use serde_json::{Value, json};

use super::{Array, Cpg, DiskType};
use crate::array::error::ArrayError;

impl Array {
    /// All CPGs as the WSAPI shows them.
    #[must_use]
    pub fn cpg_rows(&self) -> Vec<Value> {
        self.cpgs.iter().map(|cpg| self.cpg_row_of(cpg)).collect()
    }

    /// One CPG as the WSAPI shows it.
    ///
    /// # Errors
    /// 15 when it does not exist.
    pub fn cpg_row(&self, name: &str) -> Result<Value, ArrayError> {
        self.cpgs.named(name).map(|cpg| self.cpg_row_of(cpg)).ok_or_else(ArrayError::non_existent_cpg)
    }

    fn cpg_row_of(&self, cpg: &Cpg) -> Value {
        let counts = self.volume_index.cpg(&cpg.name).map_or([0; 3], |held| held.counts);
        let space = self.space_in_cpg(&cpg.name);
        let free = self.free_in_cpg_mib(cpg);
        let usage = |total: u64, used: u64, raw: &dyn Fn(u64) -> u64| json!({"totalMiB": total, "rawTotalMiB": raw(total), "usedMiB": used, "rawUsedMiB": raw(used)});
        let raw = |mib: u64| cpg.raw_mib(mib);
        // Administrative space is mirrored threefold, whatever the layout of the data.
        let admin_raw = |mib: u64| mib * 3;
        let mut growth = json!({"incrementMiB": cpg.growth_increment_mib, "LDLayout": cpg.layout.to_json()});
        if let Some(limit) = cpg.growth_limit_mib {
            growth["limitMiB"] = json!(limit);
        }
        if let Some(warning) = cpg.warning_mib {
            growth["warningMiB"] = json!(warning);
        }
        let reserved = space.reserved();
        let raw_reserved = raw(space.user_reserved) + raw(space.snapshot_reserved) + admin_raw(space.admin_reserved);
        let mut row = json!({
            "id": cpg.id, "uuid": cpg.uuid, "name": cpg.name,
            "numFPVVs": counts[0], "numTPVVs": counts[1], "numTDVVs": counts[2],
            "UsrUsage": usage(space.user_reserved, space.user_reserved, &raw),
            "SAUsage": usage(space.admin_reserved, space.admin_reserved, &admin_raw),
            "SDUsage": usage(space.snapshot_reserved, space.snapshot_reserved, &raw),
            "privateSpaceMiB": {
                "base": space.user_reserved, "rawBase": raw(space.user_reserved),
                "snapshot": space.snapshot_reserved, "rawSnapshot": raw(space.snapshot_reserved),
            },
            "sharedSpaceMiB": 0, "rawSharedSpaceMiB": 0,
            "freeSpaceMiB": free, "rawFreeSpaceMiB": raw(free),
            "totalSpaceMiB": reserved + free, "rawTotalSpaceMiB": raw_reserved + raw(free),
            "SAGrowth": {"incrementMiB": 16384, "LDLayout": {"HA": 3, "RAIDType": 2, "diskPatterns": [{"diskType": cpg.disk_type.number()}]}},
            "SDGrowth": growth,
            "state": 1, "failedStates": [], "degradedStates": [], "additionalStates": [],
            "dedupCapable": cpg.disk_type == DiskType::Ssd,
        });
        if let Some(domain) = &cpg.domain {
            row["domain"] = json!(domain);
        }
        row
    }
}
