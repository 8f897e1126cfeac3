//! Common provisioning groups and domains.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;
use super::names::{CpgName, DomainName};

/// Kind of disk behind a CPG; the numbers are those of `diskPatterns.diskType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskType {
    /// Fast class (1).
    Fc,
    /// Nearline (2).
    Nl,
    /// Solid state (3).
    Ssd,
}

impl DiskType {
    /// Number of the WSAPI.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Fc => 1,
            Self::Nl => 2,
            Self::Ssd => 3,
        }
    }
}

/// A common provisioning group.
#[derive(Debug, Clone)]
pub struct Cpg {
    /// Number.
    pub id: u32,
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: CpgName,
    /// Domain, if it is in one.
    pub domain: Option<DomainName>,
    /// Disks behind it.
    pub disk_type: DiskType,
    /// Set size of RAID 6.
    pub set_size: u32,
    /// Growth step, MiB.
    pub growth_increment_mib: u64,
    /// Growth limit, MiB, if set.
    pub growth_limit_mib: Option<u64>,
    /// Warning threshold, MiB, if set.
    pub warning_mib: Option<u64>,
}

impl Cpg {
    /// A CPG with the usual settings; number and UUID are given when it enters the array.
    pub(crate) fn preset(name: CpgName, disk_type: DiskType) -> Self {
        Self {
            id: 0,
            uuid: String::new(),
            name,
            domain: None,
            disk_type,
            set_size: 8,
            growth_increment_mib: 32_768,
            growth_limit_mib: None,
            warning_mib: None,
        }
    }
}

/// Body of `POST /cpgs`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateCpg {
    /// Name (required).
    pub name: Option<String>,
    /// Domain.
    pub domain: Option<String>,
    /// Growth step, MiB.
    #[serde(rename = "growthIncrementMiB")]
    pub growth_increment_mib: Option<u64>,
    /// Growth limit, MiB.
    #[serde(rename = "growthLimitMiB")]
    pub growth_limit_mib: Option<u64>,
    /// Warning threshold, MiB.
    #[serde(rename = "usedLDWarningAlertMiB")]
    pub used_ld_warning_alert_mib: Option<u64>,
    /// Layout of the logical disks; only the disk type of the first pattern and the set size are used.
    #[serde(rename = "LDLayout")]
    pub ld_layout: Option<Value>,
}

/// Raw capacity behind all CPGs of the emulated array, MiB.
pub(crate) const RAW_CAPACITY_MIB: u64 = 20_054_016;

impl Array {
    /// Makes a CPG; gives its name.
    ///
    /// # Errors
    /// 40 without a name, 45/57/69 for a bad one, 14 when it exists, 38 for an unknown domain.
    pub fn create_cpg(&mut self, now: Duration, body: &CreateCpg) -> Result<CpgName, ArrayError> {
        self.advance(now);
        let text = body.name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("name"))?;
        let name = CpgName::new(text).map_err(|e| e.refusal("name"))?;
        if self.cpgs.named(&name).is_some() {
            return Err(ArrayError::existent_cpg().with_ref("name"));
        }
        let domain = body.domain.as_deref().map(|d| self.known_domain(d)).transpose()?;
        let layout = body.ld_layout.as_ref().unwrap_or(&Value::Null);
        let disk_type = match layout["diskPatterns"][0]["diskType"].as_u64() {
            None | Some(1) => DiskType::Fc,
            Some(2) => DiskType::Nl,
            Some(3) => DiskType::Ssd,
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("diskType")),
        };
        let set_size = layout["setSize"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(6);
        let preset = Cpg::preset(name.clone(), disk_type);
        self.insert_cpg(Cpg {
            domain,
            set_size,
            growth_increment_mib: body.growth_increment_mib.unwrap_or(preset.growth_increment_mib),
            growth_limit_mib: body.growth_limit_mib.filter(|n| *n > 0),
            warning_mib: body.used_ld_warning_alert_mib.filter(|n| *n > 0),
            ..preset
        });
        self.note(EventKind::CpgChanged { cpg: name.clone() });
        Ok(name)
    }

    /// Puts a CPG into the state with a fresh number and UUID.
    pub(crate) fn insert_cpg(&mut self, mut cpg: Cpg) {
        cpg.id = self.cpgs.next_id();
        cpg.uuid = self.random.uuid();
        self.cpgs.insert(cpg.id, cpg.name.clone(), cpg);
    }

    /// Deletes a CPG.
    ///
    /// # Errors
    /// 15 when it does not exist, 34 when a volume is in it.
    pub fn remove_cpg(&mut self, now: Duration, name: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let cpg = self.cpgs.named(name).ok_or_else(ArrayError::non_existent_cpg)?.name.clone();
        if self.volumes.iter().any(|v| v.cpg == cpg || v.snap_cpg.as_ref() == Some(&cpg)) {
            return Err(ArrayError::in_use());
        }
        self.cpgs.remove(&cpg);
        self.note(EventKind::CpgChanged { cpg });
        Ok(())
    }

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

    /// The CPG `name`.
    ///
    /// # Errors
    /// 15 when it does not exist.
    pub fn cpg(&self, name: &str) -> Result<&Cpg, ArrayError> {
        self.cpgs.named(name).ok_or_else(ArrayError::non_existent_cpg)
    }

    /// The domains.
    #[must_use]
    pub fn domains(&self) -> &[DomainName] {
        &self.domains
    }

    /// The domain `name`, if the array has it.
    pub(crate) fn known_domain(&self, name: &str) -> Result<DomainName, ArrayError> {
        self.domains
            .iter()
            .find(|d| d.as_str() == name)
            .cloned()
            .ok_or_else(|| ArrayError::non_existent_domain().with_ref("domain"))
    }

    /// Space reserved by the volumes in a CPG, MiB.
    pub(crate) fn reserved_in_cpg_mib(&self, name: &CpgName) -> u64 {
        self.volumes.iter().filter(|v| v.cpg == *name).map(|v| v.reserved_mib()).sum()
    }

    /// The row with the members that clients read (captures of 3.3.1).
    fn cpg_row_of(&self, cpg: &Cpg) -> Value {
        let mut counts = [0u32; 3];
        for volume in self.volumes.iter().filter(|v| v.cpg == cpg.name) {
            counts[volume.provisioning.cpg_counter()] += 1;
        }
        let used = self.reserved_in_cpg_mib(&cpg.name);
        let free = RAW_CAPACITY_MIB.saturating_sub(self.allocated_mib());
        let usage =
            |mib: u64| json!({"totalMiB": mib, "rawTotalMiB": mib * 4 / 3, "usedMiB": mib, "rawUsedMiB": mib * 4 / 3});
        let layout = json!({"RAIDType": 4, "HA": 3, "setSize": cpg.set_size, "diskPatterns": [{"diskType": cpg.disk_type.number()}]});
        let mut growth = json!({"incrementMiB": cpg.growth_increment_mib, "LDLayout": layout});
        if let Some(limit) = cpg.growth_limit_mib {
            growth["limitMiB"] = json!(limit);
        }
        if let Some(warning) = cpg.warning_mib {
            growth["warningMiB"] = json!(warning);
        }
        let mut row = json!({
            "id": cpg.id, "uuid": cpg.uuid, "name": cpg.name,
            "numFPVVs": counts[0], "numTPVVs": counts[1], "numTDVVs": counts[2],
            "UsrUsage": usage(used), "SAUsage": usage(0), "SDUsage": usage(0),
            "privateSpaceMiB": {"base": used, "rawBase": used * 4 / 3, "snapshot": 0, "rawSnapshot": 0},
            "sharedSpaceMiB": 0, "rawSharedSpaceMiB": 0,
            "freeSpaceMiB": free, "rawFreeSpaceMiB": free * 4 / 3,
            "totalSpaceMiB": used + free, "rawTotalSpaceMiB": (used + free) * 4 / 3,
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
