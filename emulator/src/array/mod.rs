//! The array: one state machine without I/O and without a clock of its own.
//!
//! Every command takes `now`, the time since the start of the array. The same commands with the same times and the same seed give
//! the same state, the same answers and the same events. Front ends translate; every rule and every limit is in here.
//!
//! ```
//! use std::time::Duration;
//! use hpe3par_emulator::array::{Array, ArrayConfig, CreateHost, CreateVlun, CreateVolume, VlunFilter};
//!
//! let (mut array, now) = (Array::new(ArrayConfig::default()), Duration::ZERO);
//! array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024))?;
//! array.create_host(now, &CreateHost::iscsi("h1", &["iqn.1994-05.com.redhat:h1"]))?;
//! array.create_vlun(now, &CreateVlun::host_sees("v1", 1, "h1"))?;
//! assert_eq!(array.vlun_rows(&VlunFilter::volume("v1")).len(), 1);
//! # Ok::<(), hpe3par_emulator::array::ArrayError>(())
//! ```

mod account;
mod chap;
mod config;
mod copy;
mod cpg;
pub mod error;
mod event;
mod flash_cache;
mod host;
mod host_modify;
#[cfg(test)]
mod host_tests;
pub mod identity;
pub mod names;
mod object_key;
mod parameters;
mod persona;
mod port;
mod port_change;
mod qos;
pub(crate) mod random;
mod registry;
mod remote_copy;
mod schedule;
mod session;
mod sets;
mod ssh_key;
mod statistics;
mod system;
mod task;
mod timestamp;
mod vlun;
mod volume;
mod volume_create;
mod volume_index;
mod volume_modify;
mod volume_rows;
#[cfg(test)]
mod volume_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use self::account::{Account, Role};
pub use self::chap::{ChapAccount, ChapAccounts};
pub use self::config::{ApiVersion, ArrayConfig, ISCSI_PORT, InflightPolicy, Personality, SecondLun, TaskPace};
pub use self::copy::{
    CreatePhysicalCopy, CreateSnapshot, GroupSnapshot, GroupSnapshotMember, PromoteSnapshot, SNAPSHOTS_MAX,
    StartedCopy, TuneVolume,
};
pub use self::cpg::{
    ClassCapacity, Cpg, CreateCpg, DiskType, GROWTH_INCREMENT_MIN_MIB, LdLayout, ModifyCpg, RaidType, SpaceReport,
};
pub use self::error::{ArrayError, PROVISIONAL};
pub use self::event::{Channel, CommandOutcome, Event, EventKind, EventLog, VlunNote};
pub use self::flash_cache::{CreateFlashCache, FlashCache};
pub use self::host::{CreateHost, FcPathRow, Host, HostDescriptors, HostRow, IscsiPathRow, NvmePathRow, PATHS_MAX};
pub use self::host_modify::ModifyHost;
pub use self::identity::{FcWwn, Initiator, Iqn, Lun, Nqn, PortPos, VlunGeneration, Wwn};
pub use self::names::{
    COMMENT_MAX, CpgName, DomainName, HostName, NAME_MAX, NameError, ObjectKey, SET_NAME_MAX, SetName, VolumeName,
};
pub use self::object_key::{ObjectKeyRow, SetObjectKey, VALUE_MAX};
pub use self::parameters::SystemParameters;
pub use self::persona::Persona;
pub use self::port::{IscsiPortInfo, LinkState, Port, PortProtocol, PortRow};
pub use self::port_change::{ChangeIscsiPort, IscsiSettings, IscsiVlan};
pub use self::qos::{QosBounds, QosRule, QosTarget, SetQosRule};
use self::registry::Registry;
pub use self::remote_copy::{
    AdmitRcopyTarget, AdmitVolume, CreateRcopyGroup, CreateRcopyTarget, GroupTarget, Mirror, ModifyRcopyGroup,
    ModifyRcopyTarget, Partners, RCOPY_GROUP_NAME_MAX, RcopyGroup, RcopyMode, RcopyPolicies, RcopyRole, RcopyState,
    RcopyTarget, RecoverGroup, RecoveryAction, StartGroup, StopGroup, SyncStatus,
};
pub use self::schedule::{SCHEDULES_MAX, Schedule, ScheduleChange, ScheduleError, Times};
pub use self::session::SessionKey;
pub use self::sets::{CreateSet, ModifySet, ObjectSet, SetKind, SetRow};
pub use self::ssh_key::{SSH_KEY_MAX, SSH_KEYS_MAX};
pub use self::statistics::{IoCounters, Report};
pub use self::system::Capacity;
pub use self::task::{TASK_NUMBER_MAX, Task, TaskKind, TaskNumber, TaskPriority, TaskRow, TaskStatus};
pub use self::timestamp::Timestamp;
pub use self::vlun::{
    CreateVlun, CreatedVlun, PortPosInput, RemovalAnomaly, RemovedVlun, VlunAddress, VlunFilter, VlunKind, VlunRow,
};
pub use self::volume::{AllocationMarks, Policies, Provisioning, Volume, VolumeActivity};
pub use self::volume_create::{
    COMPRESSED_MIN_MIB, CreateVolume, HOURS_MAX, PolicyChange, SIZE_MAX_16_TIB, SIZE_MAX_64_TIB, SIZE_MIN_MIB,
    VOLUMES_MAX,
};
pub use self::volume_modify::ModifyVolume;
pub use self::volume_rows::{SpaceRow, VolumeRow};
use crate::datapath::{DataPath, NexusTable};

/// The array. A clone is a snapshot of everything: objects, data, sessions, events and ledger.
#[derive(Debug, Clone)]
pub struct Array {
    pub(crate) config: ArrayConfig,
    pub(crate) now: Duration,
    random: random::SeededRandom,
    domains: Vec<DomainName>,
    cpgs: Registry<CpgName, Cpg>,
    ports: Vec<Port>,
    pub(crate) hosts: Registry<HostName, Host>,
    pub(crate) host_of_initiator: BTreeMap<Initiator, u32>,
    host_sets: Registry<SetName, ObjectSet>,
    pub(crate) volumes: Registry<VolumeName, Volume>,
    pub(crate) volume_index: volume_index::VolumeIndex,
    volume_id_uses: BTreeMap<u32, u8>,
    volume_sets: Registry<SetName, ObjectSet>,
    pub(crate) vluns: vlun::VlunTable,
    set_exports: vlun::SetExports,
    pending_removals: BTreeSet<vlun::PendingRemoval>,
    qos: qos::QosRules,
    flash_cache: Option<FlashCache>,
    flash_cache_policy: bool,
    parameters: SystemParameters,
    pub(crate) statistics: statistics::Statistics,
    remote_copy: remote_copy::RemoteCopy,
    tasks: task::Tasks,
    periodic: task::PeriodicTasks,
    sessions: session::Sessions,
    ssh_keys: ssh_key::SshKeys,
    schedules: schedule::Schedules,
    pub(crate) nexuses: NexusTable,
    pub(crate) data: DataPath,
    events: EventLog,
}

impl Array {
    /// A new array with the CPGs `FC_r6` and `SSD_r6`, the domain `UNIT_TEST_DOMAIN`, and eight ready target ports on two nodes.
    #[must_use]
    pub fn new(config: ArrayConfig) -> Self {
        let mut array = Self {
            now: Duration::ZERO,
            random: random::SeededRandom::new(config.seed),
            domains: DomainName::new("UNIT_TEST_DOMAIN").into_iter().collect(),
            cpgs: Registry::starting_at(0),
            ports: port::ports_of(&config),
            hosts: Registry::starting_at(1),
            host_of_initiator: BTreeMap::new(),
            host_sets: Registry::starting_at(1),
            volumes: Registry::starting_at(1),
            volume_index: volume_index::VolumeIndex::default(),
            volume_id_uses: BTreeMap::new(),
            volume_sets: Registry::starting_at(1),
            vluns: vlun::VlunTable::default(),
            set_exports: vlun::SetExports::default(),
            pending_removals: BTreeSet::new(),
            qos: qos::QosRules::default(),
            flash_cache: None,
            flash_cache_policy: false,
            parameters: SystemParameters::default(),
            statistics: statistics::Statistics::default(),
            remote_copy: remote_copy::RemoteCopy::default(),
            tasks: task::Tasks::default(),
            periodic: task::PeriodicTasks::default(),
            sessions: session::Sessions::new(),
            ssh_keys: ssh_key::SshKeys::new(),
            schedules: schedule::Schedules::new(),
            nexuses: NexusTable::default(),
            data: DataPath::default(),
            events: EventLog::default(),
            config,
        };
        for (name, disk_type) in [("FC_r6", DiskType::Fc), ("SSD_r6", DiskType::Ssd)] {
            if let Ok(name) = CpgName::new(name) {
                array.insert_cpg(Cpg::preset(name, disk_type));
            }
        }
        array.do_periodic_tasks();
        array
    }

    /// Lets time pass: expires idle sessions, ends tasks whose time has come, deletes expired volumes, and does removals that a fault has put off. Every command does this first; time never
    /// goes back. Lookups do not, so call it before a lookup when time may have passed
    /// ([`Emulator::with`](crate::Emulator::with) does).
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        self.do_due_removals();
        self.do_due_tasks();
        self.do_periodic_tasks();
        self.sample_statistics();
        self.expire_sessions();
    }

    /// Takes the place of `former` (reset, restore): time does not go back, and numbers of sessions, tasks and templates that
    /// `former` gave out are not given out again.
    #[must_use]
    pub fn in_place_of(mut self, former: &Self) -> Self {
        self.now = self.now.max(former.now);
        self.vluns.number_after(&former.vluns);
        self.nexuses.number_after(&former.nexuses);
        self.data.number_after(&former.data);
        self.tasks.number_after(&former.tasks);
        // Links are there whatever the array remembers.
        self.remote_copy.targets.clone_from(&former.remote_copy.targets);
        self
    }

    /// When something will happen by itself next, apart from the expiry of sessions.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let removal = self.pending_removals.first().map(|p| p.due);
        [removal, self.tasks.next_due(), self.next_periodic_sync()].into_iter().flatten().min()
    }

    /// The time of the last command.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Wall-clock time at the start of the array, as rows print it.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        Timestamp(self.config.started_at)
    }

    /// Wall-clock time at a time since the start of the array, as rows print it.
    #[must_use]
    pub fn time_of(&self, at: Duration) -> Timestamp {
        self.timestamp(at)
    }

    /// What the array was told at its birth.
    #[must_use]
    pub fn config(&self) -> &ArrayConfig {
        &self.config
    }

    /// Chooses the fate of writes in flight on VLUNs removed from now on.
    pub fn set_inflight_policy(&mut self, policy: InflightPolicy) {
        self.config.inflight = policy;
    }

    /// The log of events.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// Writes a command of a front end into the log. `command` must be free of secrets.
    pub fn note_command(
        &mut self,
        now: Duration,
        channel: Channel,
        command: impl Into<String>,
        outcome: CommandOutcome,
    ) {
        self.advance(now);
        self.note(EventKind::Command { channel, command: command.into(), outcome });
    }

    /// Writes an event at the current time.
    pub(crate) fn note(&mut self, kind: EventKind) {
        self.events.push(self.now, kind);
    }

    /// How many VLUN templates there are.
    #[must_use]
    pub fn vlun_template_count(&self) -> usize {
        self.vluns.len()
    }

    fn sets(&self, kind: SetKind) -> &Registry<SetName, ObjectSet> {
        match kind {
            SetKind::Host => &self.host_sets,
            SetKind::Volume => &self.volume_sets,
        }
    }

    fn sets_mut(&mut self, kind: SetKind) -> &mut Registry<SetName, ObjectSet> {
        match kind {
            SetKind::Host => &mut self.host_sets,
            SetKind::Volume => &mut self.volume_sets,
        }
    }
}
