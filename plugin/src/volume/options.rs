//! Options of `docker volume create -o …`.
//!
//! Names, defaults and the wording of refusals are those of the earlier plugin, because scripts and provisioners rely on them.
//! Values come as text from Docker and as JSON numbers from Kubernetes tooling; both are read alike. What an option cannot mean
//! is refused here, before the array is asked.

mod error;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

pub use error::OptionError;

use crate::array::{CpgName, Provisioning};
use crate::config::BackendName;
use crate::node::RootAccess;

/// Options of a plain volume.
const PLAIN: [&str; 10] = [
    "size",
    "provisioning",
    "compression",
    "cpg",
    "snapcpg",
    "fsOwner",
    "fsMode",
    "mountConflictDelay",
    "backend",
    "manager",
];

/// Option that asks for help instead of a volume.
const HELP: &str = "help";

/// Options of the earlier plugin that this one does not carry out yet, with what they are for.
const UNSUPPORTED: [(&str, &str); 15] = [
    ("virtualCopyOf", "snapshots"),
    ("expirationHours", "snapshots"),
    ("retentionHours", "snapshots"),
    ("scheduleName", "snapshot schedules"),
    ("scheduleFrequency", "snapshot schedules"),
    ("snapshotPrefix", "snapshot schedules"),
    ("expHrs", "snapshot schedules"),
    ("retHrs", "snapshot schedules"),
    ("cloneOf", "clones"),
    ("importVol", "import of existing volumes"),
    ("flash-cache", "flash cache"),
    ("qos-name", "quality of service"),
    ("replicationGroup", "replication"),
    ("filePersona", "File Persona shares"),
    ("fpg", "File Persona shares"),
];

/// Smallest volume the array compresses, in GiB.
const LEAST_COMPRESSED: u32 = 16;

/// Size of a volume in GiB, 1 to [`SizeGib::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SizeGib(u32);

impl SizeGib {
    /// Largest volume any supported array makes: 64 TiB (3PAR OS 3.3.1 and later; older releases stop at 16 TiB and say so).
    pub const MAX: u32 = 65_536;
    /// Size of a volume created without `size`.
    pub const DEFAULT: Self = Self(100);

    /// A size of that many GiB; `None` for 0 and above [`SizeGib::MAX`].
    #[must_use]
    pub fn new(gib: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&gib).then_some(Self(gib))
    }

    /// The size in GiB.
    #[must_use]
    pub fn gib(self) -> u64 {
        u64::from(self.0)
    }

    /// The size in MiB, the array's unit.
    #[must_use]
    pub fn mib(self) -> u64 {
        self.gib() * 1024
    }
}

impl fmt::Display for SizeGib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} GiB", self.0)
    }
}

/// What a Create asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateRequest {
    /// A plain volume.
    Volume(CreateOptions),
    /// A help text, which is answered in place of an error.
    Help(HelpTopic),
}

/// Which help text is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpTopic {
    /// The options: `-o help`, and any value that is no other topic.
    Usage,
    /// The backends and their state: `-o help=backends`.
    Backends,
}

/// A plain volume to be made. What is `None` was not asked for and follows the backend's section of `hpe.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOptions {
    /// Size.
    pub size: SizeGib,
    /// How blocks are provided.
    pub provisioning: Provisioning,
    /// Whether the array compresses the volume; `None` leaves it to the array.
    pub compression: Option<bool>,
    /// CPG of the user space.
    pub cpg: Option<CpgName>,
    /// CPG of the snapshot space.
    pub snap_cpg: Option<CpgName>,
    /// Owner and mode of the root directory, set at every mount.
    pub access: RootAccess,
    /// How long a Mount waits for another owner; whole seconds, at most [`CreateOptions::LONGEST_DELAY`].
    pub mount_conflict_delay: Option<Duration>,
    /// Backend to make the volume on.
    pub backend: Option<BackendName>,
}

impl Default for CreateOptions {
    fn default() -> Self {
        Self {
            size: SizeGib::DEFAULT,
            provisioning: Provisioning::Thin,
            compression: None,
            cpg: None,
            snap_cpg: None,
            access: RootAccess::default(),
            mount_conflict_delay: None,
            backend: None,
        }
    }
}

impl CreateOptions {
    /// Longest `mountConflictDelay`: one day.
    pub const LONGEST_DELAY: Duration = Duration::from_secs(86_400);

    /// Reads `Opts` of a Create; absent and null are the same as no options.
    ///
    /// # Errors
    /// The first thing wrong: options of features that are not there yet, unknown options, then values in the order of the
    /// help text, then combinations.
    pub fn parse(opts: Option<&Value>) -> Result<CreateRequest, OptionError> {
        let none = Map::new();
        let opts = match opts {
            None | Some(Value::Null) => &none,
            Some(Value::Object(opts)) => opts,
            Some(_) => return Err(OptionError::NotAnObject),
        };
        refuse_unsupported(opts)?;
        if let Some(topic) = opts.get(HELP) {
            refuse_unknown(opts, "display help", &[HELP])?;
            let backends = values::text(HELP, topic)? == "backends";
            return Ok(CreateRequest::Help(if backends { HelpTopic::Backends } else { HelpTopic::Usage }));
        }
        refuse_unknown(opts, "create volume", &PLAIN)?;
        let options = Self::read(opts)?;
        options.check_compression()?;
        Ok(CreateRequest::Volume(options))
    }

    fn read(opts: &Map<String, Value>) -> Result<Self, OptionError> {
        let default = Self::default();
        Ok(Self {
            size: values::given(opts, "size", values::size)?.unwrap_or(default.size),
            provisioning: values::given(opts, "provisioning", values::provisioning)?.unwrap_or(default.provisioning),
            compression: opts.get("compression").map(values::compression).transpose()?,
            cpg: values::given(opts, "cpg", |cpg| values::cpg("cpg", cpg))?,
            snap_cpg: values::given(opts, "snapcpg", |cpg| values::cpg("snapcpg", cpg))?,
            access: RootAccess {
                owner: values::given(opts, "fsOwner", values::fs_owner)?,
                mode: values::given(opts, "fsMode", values::fs_mode)?,
            },
            mount_conflict_delay: values::given(opts, "mountConflictDelay", values::mount_conflict_delay)?,
            backend: values::given(opts, "backend", values::backend)?,
        })
    }

    /// The array compresses neither small nor fully provisioned volumes.
    fn check_compression(&self) -> Result<(), OptionError> {
        let impossible = self.size.0 < LEAST_COMPRESSED || self.provisioning == Provisioning::Full;
        if self.compression == Some(true) && impossible { Err(OptionError::NotCompressible) } else { Ok(()) }
    }
}

fn refuse_unsupported(opts: &Map<String, Value>) -> Result<(), OptionError> {
    let options: Vec<_> = UNSUPPORTED.into_iter().filter(|(option, _)| opts.contains_key(*option)).collect();
    if options.is_empty() { Ok(()) } else { Err(OptionError::NotSupportedYet { options }) }
}

fn refuse_unknown(
    opts: &Map<String, Value>,
    operation: &'static str,
    known: &'static [&str],
) -> Result<(), OptionError> {
    let unknown = opts.keys().map(String::as_str).filter(|option| !known.contains(option));
    match OptionError::unknown(unknown, operation, known) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
