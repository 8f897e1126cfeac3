//! The log of everything that changed: one numbered line per change, for checkers, people and the live page.

use std::time::Duration;

use serde::Serialize;

use super::identity::{Initiator, Lun, PortPos, VlunGeneration};
use super::names::{CpgName, HostName, SetName, VolumeName};
use super::vlun::VlunKind;
use crate::datapath::SessionId;

/// The way a command came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// REST.
    Wsapi,
    /// Command line over SSH.
    Cli,
    /// iSCSI.
    Iscsi,
    /// Control interface of the emulator.
    Control,
    /// A caller in the same process.
    Direct,
}

/// How a command ended, as its caller saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum CommandOutcome {
    /// Answered with success.
    Done,
    /// Refused with this code.
    Refused {
        /// WSAPI error code.
        code: u32,
        /// Text of the refusal.
        desc: String,
    },
    /// Changed by the fault plan; the words say how.
    Faulted {
        /// What the fault did.
        fault: String,
    },
}

/// A VLUN template as the log names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VlunNote {
    /// Number of the template.
    pub generation: VlunGeneration,
    /// Exported volume.
    pub volume: VolumeName,
    /// LUN.
    pub lun: Lun,
    /// Host, or `set:` and the host set.
    pub host: Option<String>,
    /// Port of a matched set or port-presents template.
    pub port: Option<PortPos>,
    /// Type.
    pub kind: VlunKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "event")]
#[non_exhaustive]
pub enum EventKind {
    /// A VLUN template was made.
    VlunCreated(VlunNote),
    /// A VLUN template and its active VLUNs are gone.
    VlunRemoved {
        /// The template.
        #[serde(flatten)]
        vlun: VlunNote,
        /// Writes in flight that were put on the medium first.
        settled: usize,
        /// Writes in flight that were aborted.
        aborted: usize,
        /// Writes in flight that may still be accepted.
        lingering: usize,
    },
    /// A removal was answered with success, but the template stays (for now).
    VlunRemovalFaked {
        /// The template.
        #[serde(flatten)]
        vlun: VlunNote,
        /// When it will really go, in time since the start; never when absent.
        due: Option<Duration>,
    },
    /// A volume was made.
    VolumeCreated {
        /// Its name.
        volume: VolumeName,
    },
    /// A volume was changed.
    VolumeModified {
        /// Its name before.
        volume: VolumeName,
        /// Its name now.
        now: VolumeName,
    },
    /// A volume was grown.
    VolumeGrown {
        /// Its name.
        volume: VolumeName,
        /// Size now, MiB.
        size_mib: u64,
    },
    /// A volume was deleted.
    VolumeRemoved {
        /// Its name.
        volume: VolumeName,
    },
    /// A key of a volume was set or deleted.
    ObjectKeyChanged {
        /// The volume.
        volume: VolumeName,
        /// The key; the value may be a secret and is not logged.
        key: String,
    },
    /// A host was made.
    HostCreated {
        /// Its name.
        host: HostName,
    },
    /// A host was changed.
    HostModified {
        /// Its name before.
        host: HostName,
        /// Its name now.
        now: HostName,
    },
    /// A host was deleted.
    HostRemoved {
        /// Its name.
        host: HostName,
    },
    /// A host set was made, changed or deleted.
    HostSetChanged {
        /// Its name.
        set: SetName,
    },
    /// A volume set was made, changed or deleted.
    VolumeSetChanged {
        /// Its name.
        set: SetName,
    },
    /// A CPG was made, changed or deleted.
    CpgChanged {
        /// Its name.
        cpg: CpgName,
    },
    /// A QoS rule was made, changed or deleted.
    QosRuleChanged {
        /// What it is about, as URIs name it.
        target: String,
    },
    /// A remote copy group was made, changed or deleted.
    RcopyGroupChanged {
        /// Its name.
        group: String,
    },
    /// The flash cache was made or deleted.
    FlashCacheChanged,
    /// Parameters of the system were changed.
    SystemModified,
    /// A WSAPI session was opened.
    SessionOpened {
        /// Account.
        user: String,
        /// Sessions now.
        in_use: usize,
    },
    /// A WSAPI session was closed by its owner.
    SessionClosed {
        /// Account.
        user: String,
        /// Sessions now.
        in_use: usize,
    },
    /// A WSAPI session was idle for too long.
    SessionExpired {
        /// Account.
        user: String,
        /// Sessions now.
        in_use: usize,
    },
    /// A WSAPI login was refused because of the limit.
    SessionRefused {
        /// Sessions now.
        in_use: usize,
    },
    /// An initiator logged in to a port.
    NexusOpened {
        /// The session.
        session: SessionId,
        /// Initiator.
        initiator: Initiator,
        /// Port.
        port: PortPos,
    },
    /// A session of an initiator ended; its tasks are aborted.
    NexusClosed {
        /// The session.
        session: SessionId,
        /// Initiator.
        initiator: Initiator,
        /// Port.
        port: PortPos,
        /// Tasks aborted.
        aborted: usize,
    },
    /// The link of a port changed.
    PortLinkChanged {
        /// Port.
        port: PortPos,
        /// Number of the new state.
        link_state: u8,
    },
    /// A task was started.
    TaskStarted {
        /// Its number.
        task: super::task::TaskNumber,
        /// Its name.
        name: String,
        /// Its type in the words of the command line.
        kind: &'static str,
    },
    /// A task ended.
    TaskEnded {
        /// Its number.
        task: super::task::TaskNumber,
        /// How, in the words of the command line.
        status: &'static str,
    },
    /// Settings of a port were changed.
    PortModified {
        /// Port.
        port: PortPos,
    },
    /// A front end ran a command. Secrets must be taken out of `command` by the front end.
    Command {
        /// Where it came in.
        channel: Channel,
        /// What was asked: method and path, or the command line.
        command: String,
        /// How it ended.
        #[serde(flatten)]
        outcome: CommandOutcome,
    },
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Number, from 1 without gaps.
    pub seq: u64,
    /// Time since the start of the array.
    pub at: Duration,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The log itself. Grows for the life of the array.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    events: Vec<Event>,
}

impl EventLog {
    /// Adds a line and gives its number.
    pub(crate) fn push(&mut self, at: Duration, kind: EventKind) -> u64 {
        let seq = self.last_seq() + 1;
        self.events.push(Event { seq, at, kind });
        seq
    }

    /// Number of the last line, 0 when there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.events.len() as u64
    }

    /// All lines.
    #[must_use]
    pub fn all(&self) -> &[Event] {
        &self.events
    }

    /// The lines after number `seq`.
    #[must_use]
    pub fn since(&self, seq: u64) -> &[Event] {
        let start = usize::try_from(seq).unwrap_or(usize::MAX).min(self.events.len());
        &self.events[start..]
    }
}
