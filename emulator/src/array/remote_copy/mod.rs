//! Remote copy: groups of volumes that are mirrored to another array.
//!
//! A command on a group changes both arrays, so it is given the other ones as [`Partners`]: those that can be reached now. Nothing in
//! here locks or waits; [`Emulator`](crate::Emulator) finds the partners. Data goes over by [`Array::replicate`], which a volume shares
//! with its mirror until one of the two is written, so it costs no time; the task of a synchronisation runs in virtual time.

mod group;
mod members;
mod recovery;
mod replication;
mod requests;
mod rows;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::group::RCOPY_GROUP_NAME_MAX;
pub use self::members::{AdmitRcopyTarget, AdmitVolume};
pub use self::recovery::{RecoverGroup, RecoveryAction};
pub use self::requests::{CreateRcopyGroup, CreateRcopyTarget, ModifyRcopyGroup, ModifyRcopyTarget, RcopyPolicies};
pub use self::run::{StartGroup, StopGroup};
use super::Array;
use super::error::ArrayError;
use super::names::{CpgName, DomainName};
use super::registry::Registry;
use super::task::TaskNumber;

/// How data goes over; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8")]
pub enum RcopyMode {
    /// Every write at once (1).
    Synchronous,
    /// From time to time (3).
    Periodic,
    /// Soon after (4).
    Asynchronous,
}

impl From<RcopyMode> for u8 {
    fn from(mode: RcopyMode) -> Self {
        match mode {
            RcopyMode::Synchronous => 1,
            RcopyMode::Periodic => 3,
            RcopyMode::Asynchronous => 4,
        }
    }
}

impl RcopyMode {
    /// The mode with this number; 2 is taken for periodic as well, as the vendor's Python client has it.
    ///
    /// # Errors
    /// 46 for any other number.
    pub fn from_wsapi(number: i64) -> Result<Self, ArrayError> {
        match number {
            1 => Ok(Self::Synchronous),
            2 | 3 => Ok(Self::Periodic),
            4 => Ok(Self::Asynchronous),
            _ => Err(ArrayError::bad_enum_value().with_ref("mode")),
        }
    }

    /// Word of the command line.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Synchronous => "sync",
            Self::Periodic => "periodic",
            Self::Asynchronous => "async",
        }
    }
}

/// State of a group; the numbers are those of the WSAPI (3 and 5 observed, 1 and 7 unverified).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum RcopyState {
    /// Never started (1).
    New,
    /// Mirroring (3).
    Started,
    /// Not mirroring (5).
    Stopped,
    /// Taken over by the other side (7).
    Failsafe,
}

impl From<RcopyState> for u8 {
    fn from(state: RcopyState) -> Self {
        match state {
            RcopyState::New => 1,
            RcopyState::Started => 3,
            RcopyState::Stopped => 5,
            RcopyState::Failsafe => 7,
        }
    }
}

impl RcopyState {
    /// Word of `showrcopy`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Started => "Started",
            Self::Stopped => "Stopped",
            Self::Failsafe => "Failsafe",
        }
    }
}

/// How far a mirror is; the numbers are those of the WSAPI (3 observed, the others unverified).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum SyncStatus {
    /// Never filled (1).
    New,
    /// Being filled (2).
    Syncing,
    /// Like the primary volume (3).
    Synced,
    /// Left as it was when the group stopped (5).
    Stopped,
}

impl From<SyncStatus> for u8 {
    fn from(status: SyncStatus) -> Self {
        match status {
            SyncStatus::New => 1,
            SyncStatus::Syncing => 2,
            SyncStatus::Synced => 3,
            SyncStatus::Stopped => 5,
        }
    }
}

impl SyncStatus {
    /// Word of `showrcopy`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Syncing => "Syncing",
            Self::Synced => "Synced",
            Self::Stopped => "Stopped",
        }
    }
}

/// Side of a group; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum RcopyRole {
    /// Hosts write here (1).
    Primary,
    /// Data arrives here (2).
    Secondary,
}

impl From<RcopyRole> for u8 {
    fn from(role: RcopyRole) -> Self {
        role as u8 + 1
    }
}

impl RcopyRole {
    const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }

    /// Word of `showrcopy`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Primary => "Primary",
            Self::Secondary => "Secondary",
        }
    }
}

/// Another array as this one knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RcopyTarget {
    /// Number.
    pub id: u32,
    /// Name on this array.
    pub name: String,
    /// System id of the other array.
    pub system_id: u32,
    /// Whether changes of the configuration go over by themselves.
    pub mirror_config: bool,
}

/// A group's part that goes to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTarget {
    /// Name of the target.
    pub target: String,
    /// Name of the group there.
    pub remote_group: String,
    /// How data goes over.
    pub mode: RcopyMode,
    /// State.
    pub state: RcopyState,
    /// CPG for volumes made there.
    pub remote_user_cpg: Option<String>,
    /// CPG for snapshot space of volumes made there.
    pub remote_snap_cpg: Option<String>,
    /// Time between two synchronisations in mode periodic.
    pub sync_period: Option<Duration>,
    /// Time of the last synchronisation, since the start of the array.
    pub last_sync: Option<Duration>,
    /// Policies.
    pub policies: RcopyPolicies,
    /// Synchronisation that runs.
    pub(crate) syncing: Option<TaskNumber>,
}

/// The mirror of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Name of the volume there.
    pub volume: String,
    /// Number of the volume there.
    pub id: u32,
    /// How far it is.
    pub status: SyncStatus,
    /// Time of the last synchronisation, since the start of the array.
    pub last_sync: Option<Duration>,
}

/// A remote copy group.
#[derive(Debug, Clone)]
pub struct RcopyGroup {
    /// Number.
    pub id: u32,
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Domain.
    pub domain: Option<DomainName>,
    /// Side that this array was given when the group was made.
    pub natural_role: RcopyRole,
    /// Side that it has now.
    pub role: RcopyRole,
    /// CPG for volumes made here.
    pub local_user_cpg: Option<CpgName>,
    /// CPG for snapshot space of volumes made here.
    pub local_snap_cpg: Option<CpgName>,
    /// Where it goes to, or on the secondary side where it comes from.
    pub targets: Vec<GroupTarget>,
    /// Volumes here by number, each with its mirrors by target.
    pub volumes: BTreeMap<u32, BTreeMap<String, Mirror>>,
}

impl RcopyGroup {
    /// Whether it is mirroring to any target.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.targets.iter().any(|target| target.state == RcopyState::Started)
    }

    /// Whether the two sides have changed places.
    #[must_use]
    pub fn is_reversed(&self) -> bool {
        self.role != self.natural_role
    }

    /// The targets that a request is about: the one it names, or all.
    fn targets_for(&self, wish: Option<&str>) -> Result<Vec<String>, ArrayError> {
        match wish {
            None => Ok(self.targets.iter().map(|target| target.target.clone()).collect()),
            Some(name) if self.targets.iter().any(|target| target.target == name) => Ok(vec![name.to_owned()]),
            Some(_) => Err(ArrayError::rcopy_invalid_target().with_ref("targetName")),
        }
    }

    fn target_mut(&mut self, name: &str) -> Option<&mut GroupTarget> {
        self.targets.iter_mut().find(|target| target.target == name)
    }

    fn target(&self, name: &str) -> Option<&GroupTarget> {
        self.targets.iter().find(|target| target.target == name)
    }

    /// Gives every mirror on a target a status.
    fn set_status(&mut self, target: &str, status: SyncStatus, at: Option<Duration>) {
        for mirror in self.volumes.values_mut().filter_map(|mirrors| mirrors.get_mut(target)) {
            mirror.status = status;
            mirror.last_sync = at.or(mirror.last_sync);
        }
    }
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct RemoteCopy {
    pub(crate) targets: BTreeMap<String, RcopyTarget>,
    pub(crate) groups: Registry<String, RcopyGroup>,
    /// Groups that have something for their partners: data, or the end of a synchronisation.
    pub(crate) waiting: BTreeSet<u32>,
}

impl Default for RemoteCopy {
    fn default() -> Self {
        Self { targets: BTreeMap::new(), groups: Registry::starting_at(1), waiting: BTreeSet::new() }
    }
}

/// The other arrays that can be reached now, by the names of the targets that stand for them.
#[derive(Debug, Default)]
pub struct Partners<'a>(BTreeMap<String, &'a mut Array>);

impl<'a> Partners<'a> {
    /// Adds an array under the name of its target.
    #[must_use]
    pub fn with(mut self, target: &str, array: &'a mut Array) -> Self {
        self.0.insert(target.to_owned(), array);
        self
    }

    /// The array behind a target.
    ///
    /// # Errors
    /// A provisional code (403) when it cannot be reached.
    fn get(&mut self, target: &str) -> Result<&mut Array, ArrayError> {
        let found = self.0.get_mut(target).map(|array| &mut **array);
        found.ok_or_else(|| ArrayError::rcopy_target_not_ready().with_ref(target))
    }
}

impl Array {
    /// Lets this array know another one as a remote copy target; the caller joins both directions.
    ///
    /// # Errors
    /// 45, 57 and 69 for a bad name; a provisional code (409) when the name is taken.
    pub fn add_rcopy_target(&mut self, name: &str, system_id: u32) -> Result<(), ArrayError> {
        CpgName::new(name).map_err(|e| e.refusal("name"))?;
        if self.remote_copy.targets.contains_key(name) {
            return Err(ArrayError::existent_rcopy_target().with_ref("name"));
        }
        let id = u32::try_from(self.remote_copy.targets.len()).unwrap_or(u32::MAX).saturating_add(1);
        let target = RcopyTarget { id, name: name.to_owned(), system_id, mirror_config: true };
        self.remote_copy.targets.insert(name.to_owned(), target);
        Ok(())
    }

    /// Takes back [`Array::add_rcopy_target`].
    pub(crate) fn forget_rcopy_target(&mut self, name: &str) {
        self.remote_copy.targets.remove(name);
    }

    /// A group.
    ///
    /// # Errors
    /// 187 when there is none with this name.
    pub fn rcopy_group(&self, name: &str) -> Result<&RcopyGroup, ArrayError> {
        self.remote_copy.groups.named(name).ok_or_else(ArrayError::non_existent_rcopy_group)
    }

    /// All groups by number.
    pub fn rcopy_groups(&self) -> impl Iterator<Item = &RcopyGroup> {
        self.remote_copy.groups.iter()
    }

    /// All targets by name.
    pub fn rcopy_targets(&self) -> impl Iterator<Item = &RcopyTarget> {
        self.remote_copy.targets.values()
    }

    /// The group with this number, to change.
    fn group_mut(&mut self, id: u32) -> Option<&mut RcopyGroup> {
        self.remote_copy.groups.get_mut(id)
    }

    /// Name of the target that stands for the array with this system id.
    fn target_of_system(&self, system_id: u32) -> Option<String> {
        self.remote_copy.targets.values().find(|target| target.system_id == system_id).map(|target| target.name.clone())
    }

    /// Whether a volume is in a group that is mirroring.
    pub(crate) fn is_in_started_group(&self, volume: &super::Volume) -> bool {
        volume.rcopy_group.and_then(|id| self.remote_copy.groups.get(id)).is_some_and(RcopyGroup::is_started)
    }
}
