//! The facts that checkers judge, in the order they happened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hpe3par_docker_plugin::array::{Lun, Wwn};
use serde::{Deserialize, Serialize};

use crate::node::{Life, NodeEvent};

/// A life without the epoch: what identifies the issuer of a write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LifeKey {
    /// Node.
    pub node: String,
    /// Boot of the node.
    pub boot: u64,
    /// Mount within the boot.
    pub mount: u64,
}

impl From<&Life> for LifeKey {
    fn from(life: &Life) -> Self {
        Self { node: life.node.clone(), boot: life.boot, mount: life.mount }
    }
}

impl fmt::Display for LifeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} boot {} mount {}", self.node, self.boot, self.mount)
    }
}

/// A write whose fate the array decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteFact {
    /// Volume it reached.
    pub volume: Option<Wwn>,
    /// Host it came from.
    pub host: Option<String>,
    /// LUN number it was addressed to.
    pub lun: u32,
    /// First byte.
    pub offset: u64,
    /// It is on the medium.
    pub accepted: bool,
    /// Who issued it, if it carried a label.
    pub life: Option<LifeKey>,
}

/// How far a record says its owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nobody owns the volume.
    Free,
    /// The exports of others are being removed.
    Fencing,
    /// The export to the owner is under way.
    Attaching,
    /// Mounted.
    Mounted,
    /// Being released.
    Releasing,
}

/// A record as committed to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFact {
    /// Volume.
    pub volume: Wwn,
    /// Epoch.
    pub epoch: u64,
    /// Owner: node and boot.
    pub owner: Option<(String, String)>,
    /// How far it is.
    pub phase: Phase,
    /// LUN number of the export in force.
    pub lun: Option<Lun>,
}

/// What an application did with a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SectorOperation {
    /// Wrote a value that nobody else ever writes.
    Write(u64),
    /// Read this value; `None` from a sector that was never written.
    Read(Option<u64>),
}

/// An operation of an application on a sector of a volume, past the page cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectorFact {
    /// Node.
    pub node: String,
    /// Volume.
    pub volume: Wwn,
    /// Sector.
    pub sector: u64,
    /// What was done.
    pub operation: SectorOperation,
    /// When it began; the time of the fact is that of its answer.
    pub asked: Duration,
    /// It was answered with success. A write is told before it is done as well, as one with unknown outcome.
    pub done: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactKind {
    /// A VLUN template was made.
    Exported {
        /// Volume.
        volume: Wwn,
        /// Host, `set:NAME`, or `port n:s:p`.
        host: String,
        /// LUN number.
        lun: u32,
        /// Number of the template in the life of the array.
        generation: u64,
    },
    /// A VLUN template and its active VLUNs are gone.
    Unexported {
        /// Volume.
        volume: Wwn,
        /// Host.
        host: String,
        /// LUN number.
        lun: u32,
        /// Number of the template.
        generation: u64,
    },
    /// The fate of a write.
    Write(WriteFact),
    /// Something on a node.
    Node {
        /// Host name of the node.
        node: String,
        /// What.
        event: NodeEvent,
    },
    /// A record was committed.
    Record(RecordFact),
    /// An application read or wrote a sector.
    Sector(SectorFact),
    /// Anything else worth a line: a fault, a request, what a client does. No checker looks at it.
    Note {
        /// Who.
        who: String,
        /// What.
        what: String,
    },
    /// Something was broken on purpose. No checker looks at it.
    FaultBegan {
        /// What it was done to: a node, the array, the store.
        who: String,
        /// What.
        what: String,
        /// For how long, if that is known beforehand; else it ends with [`FactKind::FaultEnded`].
        lasts: Option<Duration>,
    },
    /// What was broken works again.
    FaultEnded {
        /// What it was done to.
        who: String,
        /// What, as when it began.
        what: String,
    },
    /// An Unmount was asked of a node's plugin. No checker looks at it.
    UnmountAsked {
        /// Node.
        node: String,
        /// Volume.
        volume: Wwn,
        /// Number of the request.
        request: u64,
    },
    /// An Unmount was answered.
    UnmountAnswered {
        /// Node.
        node: String,
        /// Number of the request.
        request: u64,
        /// Why not, if it was refused.
        answer: Result<(), String>,
    },
    /// A Mount was asked of a node's plugin.
    MountAsked {
        /// Node.
        node: String,
        /// Volume.
        volume: Wwn,
        /// Number of the request.
        request: u64,
    },
    /// A Mount was answered.
    MountAnswered {
        /// Node.
        node: String,
        /// Volume.
        volume: Wwn,
        /// Number of the request.
        request: u64,
        /// Mount point, or why not.
        answer: Result<PathBuf, String>,
    },
}

/// One fact with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Time since the start of the run.
    pub at: Duration,
    /// What happened.
    pub kind: FactKind,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3}  ", self.at.as_secs_f64())?;
        match &self.kind {
            FactKind::Exported { volume, host, lun, generation } => {
                write!(f, "array     exports {} to {host} as LUN {lun} (g{generation})", short(volume))
            }
            FactKind::Unexported { volume, host, lun, generation } => {
                write!(f, "array     removes {} from {host}, LUN {lun} (g{generation})", short(volume))
            }
            FactKind::Write(write) => show_write(write, f),
            FactKind::Node { node, event } => write!(f, "{node:<9} {}", show_event(event)),
            FactKind::Record(record) => show_record(record, f),
            FactKind::Sector(SectorFact { node, volume, sector, operation, done, .. }) => {
                let outcome = if *done { "" } else { " begins" };
                write!(f, "{node:<9} {operation:x?} of sector {sector} of {}{outcome}", short(volume))
            }
            FactKind::Note { who, what } => write!(f, "{who:<9} {what}"),
            FactKind::FaultBegan { who, what, lasts: Some(lasts) } => {
                write!(f, "{who:<9} FAULT {what} for {:.1} s", lasts.as_secs_f64())
            }
            FactKind::FaultBegan { who, what, lasts: None } => write!(f, "{who:<9} FAULT {what}"),
            FactKind::FaultEnded { who, what } => write!(f, "{who:<9} fault over: {what}"),
            FactKind::UnmountAsked { node, volume, request } => {
                write!(f, "{node:<9} Unmount #{request} of {} asked", short(volume))
            }
            FactKind::UnmountAnswered { node, request, answer } => match answer {
                Ok(()) => write!(f, "{node:<9} Unmount #{request} done"),
                Err(reason) => write!(f, "{node:<9} Unmount #{request} refused: {reason}"),
            },
            FactKind::MountAsked { node, volume, request } => {
                write!(f, "{node:<9} Mount #{request} of {} asked", short(volume))
            }
            FactKind::MountAnswered { node, volume, request, answer } => match answer {
                Ok(dir) => write!(f, "{node:<9} Mount #{request} of {}: {}", short(volume), dir.display()),
                Err(reason) => write!(f, "{node:<9} Mount #{request} of {} refused: {reason}", short(volume)),
            },
        }
    }
}

/// A volume in a time line: the digits of its WWN that differ between volumes of one array.
pub(crate) fn short(wwn: &Wwn) -> String {
    let digits = wwn.as_str().get(16..24).unwrap_or_default().trim_start_matches('0');
    format!("v{digits}")
}

fn show_write(write: &WriteFact, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fate = if write.accepted { "accepts" } else { "rejects" };
    let volume = write.volume.as_ref().map_or_else(|| "no volume".to_owned(), short);
    write!(f, "array     {fate} write at LUN {} byte {} of {volume}", write.lun, write.offset)?;
    match &write.life {
        Some(life) => write!(f, " by {life}"),
        None => Ok(()),
    }
}

fn show_record(record: &RecordFact, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let owner = record.owner.as_ref().map_or("nobody", |(node, _)| node.as_str());
    write!(f, "store     {} epoch {} {:?} owner {owner}", short(&record.volume), record.epoch, record.phase)?;
    match record.lun {
        Some(lun) => write!(f, " LUN {lun}"),
        None => Ok(()),
    }
}

fn show_event(event: &NodeEvent) -> String {
    match event {
        NodeEvent::Booted { boot } => format!("booted as {boot}"),
        NodeEvent::PoweredOff => "lost power".to_owned(),
        NodeEvent::Frozen => "stands still".to_owned(),
        NodeEvent::Thawed => "goes on".to_owned(),
        NodeEvent::SanCut { cut } => (if *cut { "cut from the SAN" } else { "back on the SAN" }).to_owned(),
        NodeEvent::DeviceAdded { wwn, lun } => format!("has a device of {} at LUN {lun}", short(wwn)),
        NodeEvent::DeviceDeleted { wwn, lun } => format!("deletes the device of {} at LUN {lun}", short(wwn)),
        NodeEvent::FilesystemMade { wwn, life } => {
            format!("makes a filesystem on {} (mount {})", short(wwn), life.mount)
        }
        NodeEvent::Mounted { wwn, life, chain, .. } => {
            format!("mounts {} (mount {}, epoch {}), log of {}", short(wwn), life.mount, life.epoch, chain.len())
        }
        NodeEvent::Unmounted { wwn, life } => format!("has put {} away (mount {})", short(wwn), life.mount),
        NodeEvent::Stopped { wwn, life, aborted } => {
            let how = if *aborted { "aborts" } else { "shuts down" };
            format!("{how} the filesystem on {} (mount {})", short(wwn), life.mount)
        }
        NodeEvent::Acknowledged { wwn, record, .. } => {
            format!("fsync on {} acknowledged up to record {} {}", short(wwn), record.number, record.link)
        }
    }
}
