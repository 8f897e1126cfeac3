//! The array port: one message to the array per call, and errors that tell "refused" from "unknown".

mod cli;
pub mod host_entry;
pub mod hpe3par;
pub mod names;
mod operation;
mod password;
pub mod settings;
mod vlun_names;
mod wsapi;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

pub use names::{CpgName, HostName, Lun, PortPosition, Wwn};

use crate::node::Initiators;
use crate::volume::names::ArrayVolumeName;

/// Which way a request goes. Removal of an export is read back over the way it was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// HTTPS REST interface.
    Wsapi,
    /// Command line over SSH.
    Cli,
}

impl Channel {
    /// The other way.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Wsapi => Self::Cli,
            Self::Cli => Self::Wsapi,
        }
    }
}

/// To whom a VLUN template exports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportTarget {
    /// One host through every port it is logged in to ("host sees").
    Host(HostName),
    /// One host through one port ("matched set").
    MatchedSet(HostName, PortPosition),
    /// Whoever logs in at a port ("port presents").
    Port(PortPosition),
    /// All hosts of a host set; the name without `set:`.
    HostSet(String),
}

impl ExportTarget {
    /// The single host it exports to, if it is one.
    #[must_use]
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::Host(host) | Self::MatchedSet(host, _) => Some(host),
            Self::Port(_) | Self::HostSet(_) => None,
        }
    }
}

/// A VLUN template: the address by which an export is made and removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Export {
    /// Volume.
    pub volume: ArrayVolumeName,
    /// LUN number at the target.
    pub lun: Lun,
    /// Target.
    pub to: ExportTarget,
}

impl fmt::Display for ExportTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "host {host}"),
            Self::MatchedSet(host, port) => write!(f, "host {host} at port {port}"),
            Self::Port(port) => write!(f, "every host at port {port}"),
            Self::HostSet(set) => write!(f, "host set {set}"),
        }
    }
}

impl fmt::Display for Export {
    /// To whom and as which LUN; the volume is known to whoever reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, LUN {}", self.to, self.lun)
    }
}

/// One row of the array's VLUN table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VlunRow {
    /// A template: removable.
    Template(Export),
    /// An active VLUN: a path in use, produced by a template; never removed on its own.
    Active {
        /// LUN number.
        lun: Lun,
        /// Host that is logged in.
        host: HostName,
        /// Port it is logged in at.
        port: Option<PortPosition>,
    },
}

impl VlunRow {
    /// The single host of the row, if it is one.
    #[must_use]
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::Template(export) => export.to.host(),
            Self::Active { host, .. } => Some(host),
        }
    }

    /// LUN number of the row.
    #[must_use]
    pub fn lun(&self) -> Lun {
        match self {
            Self::Template(export) => export.lun,
            Self::Active { lun, .. } => *lun,
        }
    }
}

impl fmt::Display for VlunRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(export) => export.fmt(f),
            Self::Active { lun, host, port: Some(port) } => write!(f, "host {host} at port {port}, LUN {lun} (active)"),
            Self::Active { lun, host, port: None } => write!(f, "host {host}, LUN {lun} (active)"),
        }
    }
}

/// How the blocks of a volume are provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioning {
    /// Thin.
    Thin,
    /// Fully provisioned.
    Full,
    /// Thin and deduplicated.
    Dedup,
}

/// A volume to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Name on the array.
    pub name: ArrayVolumeName,
    /// Size in MiB.
    pub size_mib: u64,
    /// CPG of the user space.
    pub cpg: CpgName,
    /// CPG of the snapshot space.
    pub snap_cpg: Option<CpgName>,
    /// Provisioning.
    pub provisioning: Provisioning,
    /// Compression, if asked for.
    pub compression: Option<bool>,
    /// Comment, at most 511 characters.
    pub comment: String,
    /// Array-side second layer: refuse export to a second host.
    pub one_host: bool,
}

/// A volume as the array shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeOnArray {
    /// Name.
    pub name: ArrayVolumeName,
    /// WWN, NAA type 6.
    pub wwn: Wwn,
    /// Size in MiB.
    pub size_mib: u64,
    /// Comment.
    pub comment: String,
}

/// A host as the array knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOnArray {
    /// Name.
    pub name: HostName,
    /// Domain, if in one.
    pub domain: Option<String>,
    /// Initiators.
    pub initiators: Initiators,
    /// Further iSCSI names of the host: [`Initiators`] has one, as every node has.
    pub further_iqns: Vec<String>,
}

/// A target port that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPort {
    /// An iSCSI port.
    Iscsi {
        /// Position.
        position: PortPosition,
        /// Portal `address:port`.
        portal: String,
        /// Target name.
        iqn: String,
    },
    /// A Fibre Channel port.
    Fc {
        /// Position.
        position: PortPosition,
        /// Port WWN, 16 hex digits, upper case.
        wwpn: String,
    },
}

/// Why a call to the array failed. The kinds differ in what the caller may conclude.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ArrayError {
    /// The array answered and refused; nothing was changed.
    #[error("array refused {operation}: {message}{}", with_code(*code))]
    Refused {
        /// What was tried, with the object's name.
        operation: String,
        /// WSAPI error code, or 0 for the command line.
        code: u32,
        /// What the array said.
        message: String,
    },
    /// It was not even tried: this node, the settings or the array's release do not allow it.
    #[error("{operation} was not tried: {reason}")]
    NotTried {
        /// What was wanted, with the object's name.
        operation: String,
        /// Why it cannot work, and what to do.
        reason: String,
    },
    /// The object is not there.
    #[error("array has no {object} ({operation})")]
    NotFound {
        /// What was tried.
        operation: String,
        /// The object.
        object: String,
    },
    /// The object or LUN number exists already.
    #[error("array refused {operation}: it exists already ({message})")]
    Exists {
        /// What was tried.
        operation: String,
        /// What the array said.
        message: String,
    },
    /// The request may have been carried out, or may still be. It must not be repeated blindly.
    #[error("outcome of {operation} on the array is unknown: {reason}")]
    Unknown {
        /// What was tried.
        operation: String,
        /// Time-out, cut connection, unreadable answer.
        reason: String,
    },
    /// The request was not sent: nothing was changed.
    #[error("{operation} could not be asked of the array: {reason}")]
    Unreachable {
        /// What was tried.
        operation: String,
        /// Connection refused, TLS or host key failure, login refused.
        reason: String,
    },
    /// The array is too busy (503 with a code of the array, session limit): nothing was changed, try again later.
    #[error("array is busy, {operation} was not carried out: {reason}")]
    Busy {
        /// What was tried.
        operation: String,
        /// What the array said.
        reason: String,
    },
}

/// The command line has no codes.
fn with_code(code: u32) -> String {
    if code == 0 { String::new() } else { format!(" (code {code})") }
}

impl ArrayError {
    /// The request may have been, or may still be, carried out.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// One array as the plugin needs it. No call is repeated by an adapter once its outcome is unknown.
#[async_trait]
pub trait Array: Send + Sync {
    /// Name under which LUN counters and hosts of this array are kept in the metadata store: the same on every node.
    fn id(&self) -> &str;
    /// Longest time a call may take, both ends included.
    fn deadline(&self) -> Duration;
    /// Reads a volume; `None` when it does not exist.
    async fn volume(&self, name: &ArrayVolumeName) -> Result<Option<VolumeOnArray>, ArrayError>;
    /// Makes a volume.
    async fn create_volume(&self, volume: &NewVolume) -> Result<(), ArrayError>;
    /// Removes a volume. [`ArrayError::NotFound`] when it does not exist.
    async fn remove_volume(&self, name: &ArrayVolumeName) -> Result<(), ArrayError>;
    /// Domain of a CPG; [`ArrayError::NotFound`] when the CPG does not exist.
    async fn cpg_domain(&self, cpg: &CpgName) -> Result<Option<String>, ArrayError>;
    /// Names of all CPGs.
    async fn cpgs(&self) -> Result<Vec<CpgName>, ArrayError>;
    /// Hosts that own any of these initiators.
    async fn hosts_with(&self, initiators: &Initiators) -> Result<Vec<HostOnArray>, ArrayError>;
    /// Reads a host; `None` when it does not exist.
    async fn host(&self, name: &HostName) -> Result<Option<HostOnArray>, ArrayError>;
    /// Makes a host, persona Generic-ALUA. A host carries FC or iSCSI paths, not both in one call.
    async fn create_host(&self, host: &HostOnArray) -> Result<(), ArrayError>;
    /// Adds initiators to a host.
    async fn add_initiators(&self, host: &HostName, initiators: &Initiators) -> Result<(), ArrayError>;
    /// All VLUN rows of a volume, templates and actives, read over `channel`. Empty when there is none.
    async fn exports_of(&self, volume: &ArrayVolumeName, channel: Channel) -> Result<Vec<VlunRow>, ArrayError>;
    /// LUN numbers in use by templates of a host (or visible to it), to be avoided.
    async fn luns_of(&self, host: &HostName) -> Result<Vec<Lun>, ArrayError>;
    /// Makes a VLUN with an explicit LUN number.
    async fn export(&self, export: &Export) -> Result<(), ArrayError>;
    /// Removes one VLUN template, by its exact address, over `channel`, with all its actives.
    async fn unexport(&self, export: &Export, channel: Channel) -> Result<(), ArrayError>;
    /// Target ports that are ready and that the configuration allows.
    async fn target_ports(&self) -> Result<Vec<TargetPort>, ArrayError>;
}
