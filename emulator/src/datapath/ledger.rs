//! The ledger: one line for every write that the array accepted or rejected.
//!
//! "No write of a fenced node was accepted" is a query on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Sense, SessionId};
use crate::array::{HostName, Initiator, Lun, PortPos, VlunGeneration, VolumeName};

/// What the issuer of a write says about it, for observers only. A real array sees nothing of this and no decision uses it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteLabel {
    /// Node that issued the write.
    pub node: String,
    /// Which boot of the node.
    pub boot: u64,
    /// Ownership epoch in which it was issued.
    pub epoch: u64,
    /// Number given by the issuer.
    pub serial: u64,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is on the medium.
    Accepted,
    /// It ended with this sense.
    Rejected(Sense),
    /// It was aborted with its task or its session before it reached the medium; the issuer got no answer.
    Aborted,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Number, from 1 without gaps.
    pub seq: u64,
    /// When it was issued, in time since the start of the array.
    pub issued: Duration,
    /// When its fate was decided.
    pub decided: Duration,
    /// Session.
    pub session: SessionId,
    /// Initiator.
    pub initiator: Initiator,
    /// Port.
    pub port: PortPos,
    /// LUN it was addressed to.
    pub lun: Lun,
    /// Host of the initiator, if it had one.
    pub host: Option<HostName>,
    /// Volume it reached, if the LUN led to one.
    pub volume: Option<VolumeName>,
    /// VLUN template it came through, if there was one.
    pub generation: Option<VlunGeneration>,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Its fate.
    pub verdict: Verdict,
    /// What the issuer says about it.
    pub label: Option<WriteLabel>,
}

/// Which lines to list; every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerQuery {
    /// Lines after this number.
    pub after_seq: u64,
    /// Volume reached.
    pub volume: Option<String>,
    /// Host of the initiator.
    pub host: Option<String>,
    /// Node of the label.
    pub node: Option<String>,
    /// VLUN template.
    pub generation: Option<VlunGeneration>,
    /// Accepted only, or everything but accepted.
    pub accepted: Option<bool>,
}

/// All lines. Grows for the life of the array.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
}

impl Ledger {
    pub(crate) fn push(&mut self, mut entry: LedgerEntry) {
        entry.seq = self.last_seq() + 1;
        self.entries.push(entry);
    }

    /// Number of the last line, 0 when there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.entries.len() as u64
    }

    /// All lines.
    #[must_use]
    pub fn all(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// The lines after number `seq`.
    #[must_use]
    pub fn since(&self, seq: u64) -> &[LedgerEntry] {
        let start = usize::try_from(seq).unwrap_or(usize::MAX).min(self.entries.len());
        &self.entries[start..]
    }

    /// The lines that meet a query.
    pub fn query<'a>(&'a self, query: &'a LedgerQuery) -> impl Iterator<Item = &'a LedgerEntry> {
        self.since(query.after_seq).iter().filter(|entry| query.admits(entry))
    }

    /// The accepted writes.
    pub fn accepted(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.iter().filter(|e| e.verdict == Verdict::Accepted)
    }
}

impl LedgerQuery {
    /// Whether a line meets every condition.
    fn admits(&self, entry: &LedgerEntry) -> bool {
        let same = |wish: &Option<String>, held: Option<&str>| wish.as_deref().is_none_or(|w| held == Some(w));
        same(&self.volume, entry.volume.as_ref().map(VolumeName::as_str))
            && same(&self.host, entry.host.as_ref().map(HostName::as_str))
            && same(&self.node, entry.label.as_ref().map(|l| l.node.as_str()))
            && self.generation.is_none_or(|g| entry.generation == Some(g))
            && self.accepted.is_none_or(|a| (entry.verdict == Verdict::Accepted) == a)
    }
}
