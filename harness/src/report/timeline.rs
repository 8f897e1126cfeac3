//! The time line of a run as it is saved and shown.
//!
//! Field names are those of the JSON file and of the page's script; `FORMAT` changes when they do.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Number of the format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// A moment of a run: microseconds since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl From<Duration> for Moment {
    fn from(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Where an item is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Lane {
    /// The metadata store.
    Etcd,
    /// The array.
    Array,
    /// What concerns no single machine.
    Site,
    /// A node, by name.
    Node(String),
}

impl From<Lane> for String {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Etcd => "etcd".to_owned(),
            Lane::Array => "array".to_owned(),
            Lane::Site => "site".to_owned(),
            Lane::Node(name) => name,
        }
    }
}

impl From<String> for Lane {
    fn from(name: String) -> Self {
        match name.as_str() {
            "etcd" => Self::Etcd,
            "array" => Self::Array,
            "site" => Self::Site,
            _ => Self::Node(name),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything was as it should be.
    Passed,
    /// Something was not.
    Failed,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// With success.
    Done,
    /// With an error text, or with something that is no answer.
    Refused,
    /// Not at all: the connection broke, or its caller gave up.
    Silent,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How.
    pub outcome: AnswerKind,
    /// Its text: a mount point, a reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// How far a record says its owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// The exports of others are being removed.
    Fencing,
    /// The export to the owner is under way.
    Attaching,
    /// Mounted.
    Mounted,
    /// Being released.
    Releasing,
}

/// When a phase of an epoch began. It lasts until the next one, or to the end of the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseBegin {
    /// When.
    pub at: Moment,
    /// Which.
    pub phase: Ownership,
    /// LUN number of the export in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lun: Option<u32>,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum What {
    /// A call of the Docker volume API.
    Request {
        /// `Mount`, `Unmount`, …
        method: String,
        /// Who asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<String>,
        /// What was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<String>,
        /// The answer; absent when none came before the run ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
    },
    /// Somebody owned a volume. The owner is the item's node.
    Epoch {
        /// Its number.
        epoch: u64,
        /// Its phases, in order.
        phases: Vec<PhaseBegin>,
    },
    /// A filesystem was in a node's kernel.
    Mount {
        /// Boot of the node.
        boot: u64,
        /// Mount within the boot.
        mount: u64,
        /// Epoch it was mounted in.
        epoch: u64,
        /// Where.
        directory: String,
        /// Records found in its log.
        records: usize,
        /// When it was shut down or aborted: from then on nothing is written back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<Moment>,
        /// How it ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ending: Option<String>,
    },
    /// A VLUN template.
    Export {
        /// Host it names.
        host: String,
        /// LUN number.
        lun: u32,
        /// Number of the template in the life of the array.
        generation: u64,
    },
    /// A write whose fate the array decided.
    Write {
        /// It is on the medium.
        accepted: bool,
        /// LUN number it was addressed to.
        lun: u32,
        /// First byte.
        offset: u64,
        /// Boot of the node it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<u64>,
        /// Mount within that boot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mount: Option<u64>,
    },
    /// Something was broken on purpose.
    Fault {
        /// What.
        what: String,
        /// It lasted to the end of the run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open: bool,
    },
    /// Something a node, a plugin or the array did on the way.
    Step {
        /// What.
        what: String,
    },
    /// A request to the array's management.
    Command {
        /// Where it came in.
        channel: String,
        /// What was asked.
        command: String,
        /// `done`, or what went wrong.
        outcome: String,
        /// It only reads.
        reads: bool,
    },
}

/// Something that happened, or lasted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// When, or from when.
    pub at: Moment,
    /// Until when; absent for what has no length, and for what lasted longer than the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Moment>,
    /// Where it is shown.
    pub lane: Lane,
    /// Node that did it, owns it or got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Volume it is about, as [`VolumeEntry::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// A volume of the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VolumeEntry {
    /// Its WWN, or what else is known of it.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// A part of the run: a step of a scenario, a chapter of the demonstration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// When it began.
    pub at: Moment,
    /// What it is.
    pub text: String,
    /// It went wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// Something that must not be: a broken invariant, a failed step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// When.
    pub at: Moment,
    /// Its short name, such as `S1`.
    pub code: String,
    /// What must hold.
    pub rule: String,
    /// What happened instead.
    pub explanation: String,
    /// The lines before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
}

/// Everything a page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Format; see [`FORMAT`].
    pub format: u32,
    /// Its title.
    pub title: String,
    /// How the run ended.
    pub outcome: Outcome,
    /// What else to know of the run, as names and values: the seed, the line that repeats it.
    pub about: Vec<(String, String)>,
    /// When the run ended.
    pub length: Moment,
    /// Names of the nodes, in the order of their lanes.
    pub nodes: Vec<String>,
    /// The volumes.
    pub volumes: Vec<VolumeEntry>,
    /// Its parts, in order.
    pub chapters: Vec<Chapter>,
    /// What happened, in the order it began.
    pub items: Vec<Item>,
    /// What must not be.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        })
    }
}
