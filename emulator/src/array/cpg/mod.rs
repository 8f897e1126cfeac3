//! Common provisioning groups and domains.

mod layout;
mod rows;
mod space;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::layout::{LdLayout, RaidType};
pub use self::space::{ClassCapacity, SpaceReport};
use super::Array;
use super::error::ArrayError;
use super::event::EventKind;
use super::names::{CpgName, DomainName};

/// Smallest growth step, MiB (8 GiB for a pair of nodes).
pub const GROWTH_INCREMENT_MIN_MIB: i64 = 8192;
/// Largest growth step, limit and warning, MiB (2 TiB times 1024).
pub const GROWTH_MAX_MIB: i64 = 2_147_483_647;

/// Kind of disk behind a CPG; the numbers are those of `diskPatterns.diskType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DiskType {
    /// Fast class (1).
    Fc,
    /// Nearline (2).
    Nl,
    /// Solid state (3).
    Ssd,
}

impl DiskType {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Fc, Self::Nl, Self::Ssd];

    /// Number of the WSAPI.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Fc => 1,
            Self::Nl => 2,
            Self::Ssd => 3,
        }
    }

    /// Word of the command line.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Fc => "FC",
            Self::Nl => "NL",
            Self::Ssd => "SSD",
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
    /// How its logical disks are laid out.
    pub layout: LdLayout,
    /// Growth step, MiB; 0 when it does not grow by itself.
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
            layout: LdLayout::raid_6(disk_type),
            growth_increment_mib: 32_768,
            growth_limit_mib: None,
            warning_mib: None,
        }
    }

    /// Raw space behind `mib` of user data, MiB.
    #[must_use]
    pub fn raw_mib(&self, mib: u64) -> u64 {
        let (of, data) = self.layout.ratio();
        (mib * of).div_ceil(data)
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
    /// CPG whose settings are taken where the request has none.
    pub template: Option<String>,
    /// Growth step, MiB.
    #[serde(rename = "growthIncrementMiB")]
    pub growth_increment_mib: Option<i64>,
    /// Growth limit, MiB.
    #[serde(rename = "growthLimitMiB")]
    pub growth_limit_mib: Option<i64>,
    /// Warning threshold, MiB.
    #[serde(rename = "usedLDWarningAlertMiB")]
    pub used_ld_warning_alert_mib: Option<i64>,
    /// Layout of the logical disks; [`LdLayout`] says what of it counts.
    #[serde(rename = "LDLayout")]
    pub ld_layout: Option<Value>,
}

/// Body of `PUT /cpgs/<name>`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModifyCpg {
    /// Name to give it.
    pub new_name: Option<String>,
    /// Stop growing by itself.
    pub disable_auto_grow: Option<bool>,
    /// Remove the growth limit.
    pub rm_growth_limit: Option<bool>,
    /// Remove the warning.
    pub rm_warning_alert: Option<bool>,
    /// Growth step, MiB.
    #[serde(rename = "growthIncrementMiB")]
    pub growth_increment_mib: Option<i64>,
    /// Growth limit, MiB.
    #[serde(rename = "growthLimitMiB")]
    pub growth_limit_mib: Option<i64>,
    /// Warning threshold, MiB.
    #[serde(rename = "usedLDWarningAlertMiB")]
    pub used_ld_warning_alert_mib: Option<i64>,
    /// Layout of logical disks made from now on.
    #[serde(rename = "LDLayout")]
    pub ld_layout: Option<Value>,
}

/// A size of type `igint32`: what is not positive is ignored (1.3.1 guide pp. 20 and 58).
fn read_size(value: Option<i64>, member: &str) -> Result<Option<u64>, ArrayError> {
    match value {
        Some(n) if n > GROWTH_MAX_MIB => Err(ArrayError::exceeds_range().with_ref(member)),
        Some(n) => Ok(u64::try_from(n).ok().filter(|n| *n > 0)),
        None => Ok(None),
    }
}

/// A growth step of a request.
fn read_increment(value: Option<i64>) -> Result<Option<u64>, ArrayError> {
    let size = read_size(value, "growthIncrementMiB")?;
    if size.is_some_and(|size| size < GROWTH_INCREMENT_MIN_MIB.unsigned_abs()) {
        return Err(ArrayError::growth_increment_too_small().with_ref("growthIncrementMiB"));
    }
    Ok(size)
}

impl Array {
    /// Makes a CPG; gives its name.
    ///
    /// # Errors
    /// 40 without a name, 45/57/69 for a bad one, 14 when it exists, 38 for an unknown domain, 15 for an unknown template, 43 for sizes
    /// out of range, 94 for a growth step below 8 GiB, and the codes of [`LdLayout::read`].
    pub fn create_cpg(&mut self, now: Duration, body: &CreateCpg) -> Result<CpgName, ArrayError> {
        self.advance(now);
        let name = self.free_cpg_name(body.name.as_deref(), "name")?;
        let template = body.template.as_deref().map(|name| self.cpg(name)).transpose()?.cloned();
        let mut cpg = template.unwrap_or_else(|| Cpg::preset(name.clone(), DiskType::Fc));
        cpg.name = name.clone();
        cpg.domain = body.domain.as_deref().map(|d| self.known_domain(d)).transpose()?;
        if let Some(layout) = &body.ld_layout {
            cpg.layout = LdLayout::read(layout, self.config.personality)?;
            cpg.disk_type = cpg.layout.disk_type();
        }
        cpg.growth_increment_mib = read_increment(body.growth_increment_mib)?.unwrap_or(cpg.growth_increment_mib);
        cpg.growth_limit_mib = read_size(body.growth_limit_mib, "growthLimitMiB")?.or(cpg.growth_limit_mib);
        cpg.warning_mib = read_size(body.used_ld_warning_alert_mib, "usedLDWarningAlertMiB")?.or(cpg.warning_mib);
        cpg.refuse_warning_above_limit()?;
        self.insert_cpg(cpg);
        self.note(EventKind::CpgChanged { cpg: name.clone() });
        Ok(name)
    }

    /// Changes a CPG; gives its name after the change. Either everything asked for is done or nothing.
    ///
    /// # Errors
    /// 15 unknown CPG; 14 new name taken; 44 members that exclude each other; 115 a limit below what is in use; and those of
    /// [`Array::create_cpg`].
    pub fn modify_cpg(&mut self, now: Duration, name: &str, body: &ModifyCpg) -> Result<CpgName, ArrayError> {
        self.advance(now);
        let mut cpg = self.cpg(name)?.clone();
        let before = cpg.name.clone();
        if let Some(text) = body.new_name.as_deref().filter(|text| before != *text) {
            cpg.name = self.free_cpg_name(Some(text), "newName")?;
        }
        let exclude = |given: bool, remove: Option<bool>, members: &str| {
            if given && remove == Some(true) { Err(ArrayError::parameter_conflict().with_ref(members)) } else { Ok(()) }
        };
        exclude(body.growth_increment_mib.is_some(), body.disable_auto_grow, "growthIncrementMiB,disableAutoGrow")?;
        exclude(body.growth_limit_mib.is_some(), body.rm_growth_limit, "growthLimitMiB,rmGrowthLimit")?;
        exclude(
            body.used_ld_warning_alert_mib.is_some(),
            body.rm_warning_alert,
            "usedLDWarningAlertMiB,rmWarningAlert",
        )?;
        if let Some(layout) = &body.ld_layout {
            cpg.layout = LdLayout::read(layout, self.config.personality)?;
            cpg.disk_type = cpg.layout.disk_type();
        }
        cpg.growth_increment_mib = match body.disable_auto_grow {
            Some(true) => 0,
            _ => read_increment(body.growth_increment_mib)?.unwrap_or(cpg.growth_increment_mib),
        };
        let or = |new: Option<u64>, held: Option<u64>, remove| new.or(held).filter(|_| remove != Some(true));
        let limit = read_size(body.growth_limit_mib, "growthLimitMiB")?;
        if limit.is_some_and(|limit| limit < self.reserved_in_cpg_mib(&before)) {
            return Err(ArrayError::below_range().with_ref("growthLimitMiB"));
        }
        cpg.growth_limit_mib = or(limit, cpg.growth_limit_mib, body.rm_growth_limit);
        let warning = read_size(body.used_ld_warning_alert_mib, "usedLDWarningAlertMiB")?;
        cpg.warning_mib = or(warning, cpg.warning_mib, body.rm_warning_alert);
        cpg.refuse_warning_above_limit()?;
        Ok(self.replace_cpg(&before, cpg))
    }

    /// Puts a changed CPG in the place of the one that was called `before`; its volumes follow a rename.
    fn replace_cpg(&mut self, before: &CpgName, cpg: Cpg) -> CpgName {
        let (id, name) = (cpg.id, cpg.name.clone());
        self.cpgs.rename(before, name.clone());
        if let Some(slot) = self.cpgs.get_mut(id) {
            *slot = cpg;
        }
        if *before != name {
            let held = self.volume_index.cpg(before);
            let volumes: Vec<u32> =
                held.into_iter().flat_map(|held| held.users.union(&held.snapshots)).copied().collect();
            let follow = |held: &mut CpgName| {
                if held == before {
                    *held = name.clone();
                }
            };
            for volume in volumes {
                self.change_volume(volume, |volume| {
                    follow(&mut volume.cpg);
                    volume.snap_cpg.as_mut().map(follow);
                });
            }
        }
        self.note(EventKind::CpgChanged { cpg: name.clone() });
        name
    }

    /// A name of a request that no CPG has yet.
    fn free_cpg_name(&self, text: Option<&str>, member: &str) -> Result<CpgName, ArrayError> {
        let text = text.ok_or_else(|| ArrayError::missing_required().with_ref(member))?;
        let name = CpgName::new(text).map_err(|e| e.refusal(member))?;
        if self.cpgs.named(&name).is_some() {
            return Err(ArrayError::existent_cpg().with_ref(member));
        }
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
        if self.volume_index.cpg(&cpg).is_some_and(|held| !held.users.is_empty() || !held.snapshots.is_empty()) {
            return Err(ArrayError::in_use());
        }
        self.cpgs.remove(&cpg);
        self.note(EventKind::CpgChanged { cpg });
        Ok(())
    }

    /// The CPG `name`.
    ///
    /// # Errors
    /// 15 when it does not exist.
    pub fn cpg(&self, name: &str) -> Result<&Cpg, ArrayError> {
        self.cpgs.named(name).ok_or_else(ArrayError::non_existent_cpg)
    }

    /// The CPGs in the order of their numbers.
    pub fn cpgs(&self) -> impl Iterator<Item = &Cpg> {
        self.cpgs.iter()
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
}

impl Cpg {
    fn refuse_warning_above_limit(&self) -> Result<(), ArrayError> {
        let above = self.warning_mib.zip(self.growth_limit_mib).is_some_and(|(warning, limit)| warning > limit);
        if above { Err(ArrayError::warning_above_limit()) } else { Ok(()) }
    }
}
