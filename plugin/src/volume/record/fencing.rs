//! `fencing` and `format` of a record as they are written, for the quick way of reading and the patient one alike.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::rest::Beside;
use super::{Attempt, Epoch, Format, Owner, Ownership, Quarantine, Rest, Stage, Step, Takeover, VolumeRecord};
use crate::array::{HostName, Lun};
use crate::node::{Filesystem, NodeId};

/// Fields of `fencing` that an earlier version kept beside it.
pub(super) const MOVED: [&str; 3] = ["takeover", "burned_luns", "steps"];

/// `stage`: how far the owner is, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrittenStage {
    Free,
    Fencing,
    Attaching,
    Mounted,
    Releasing,
}

impl WrittenStage {
    fn of(ownership: &Ownership) -> Self {
        match ownership.stage() {
            None => Self::Free,
            Some(Stage::Fencing) => Self::Fencing,
            Some(Stage::Attaching(_)) => Self::Attaching,
            Some(Stage::Mounted(_)) => Self::Mounted,
            Some(Stage::Releasing(_)) => Self::Releasing,
        }
    }

    /// The ownership it stands for; the name of what belongs to it and is missing, if it is.
    pub(super) fn ownership(self, attempt: Option<Attempt>, owner: Option<Owner>) -> Result<Ownership, &'static str> {
        let stage = match (self, attempt) {
            (Self::Free, _) => return Ok(Ownership::Free),
            (Self::Fencing, _) => Stage::Fencing,
            (Self::Attaching, attempt) => Stage::Attaching(attempt.ok_or("attempt")?),
            (Self::Mounted, attempt) => Stage::Mounted(attempt),
            (Self::Releasing, attempt) => Stage::Releasing(attempt),
        };
        Ok(Ownership::Owned { owner: owner.ok_or("owner")?, stage })
    }
}

/// `phase`: the stage in one word for people and tools, which then need not know that a takeover stands beside it. Written
/// and never read: the plugin goes by `stage` and `takeover`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Phase {
    /// Another node waits to take the volume over.
    Conflict(&'static str),
    /// As the stage.
    Stage(WrittenStage),
}

impl Phase {
    fn of(stage: WrittenStage, takeover: Option<&Takeover>) -> Self {
        if takeover.is_some() { Self::Conflict("conflict") } else { Self::Stage(stage) }
    }
}

/// `attempt`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenAttempt {
    lun: Lun,
    #[serde(flatten)]
    rest: Rest,
}

impl WrittenAttempt {
    fn of(attempt: Attempt, rest: &Beside<Attempt>) -> Self {
        Self { lun: attempt.lun, rest: rest.beside(&attempt) }
    }

    pub(super) fn read(self) -> (Attempt, Beside<Attempt>) {
        let attempt = Attempt { lun: self.lun };
        (attempt, Beside::of(attempt, self.rest))
    }
}

/// `format`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenFormat {
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filesystem: Option<Filesystem>,
    #[serde(flatten)]
    rest: Rest,
}

/// `format.state`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Unknown,
    Unformatted,
    Formatting,
    Formatted,
}

impl WrittenFormat {
    pub(super) fn of(record: &VolumeRecord) -> Self {
        let (state, epoch, filesystem) = match record.format {
            Format::Unknown => (State::Unknown, None, None),
            Format::Unformatted => (State::Unformatted, None, None),
            Format::Formatting { epoch, filesystem } => (State::Formatting, Some(epoch), Some(filesystem)),
            Format::Formatted => (State::Formatted, None, None),
        };
        Self { state, epoch, filesystem, rest: record.unknown.format.beside(&record.format) }
    }

    /// `None` if what belongs to the state is missing.
    pub(super) fn read(self) -> Option<(Format, Beside<Format>)> {
        let format = match self.state {
            State::Unknown => Format::Unknown,
            State::Unformatted => Format::Unformatted,
            State::Formatting => Format::Formatting { epoch: self.epoch?, filesystem: self.filesystem? },
            State::Formatted => Format::Formatted,
        };
        Some((format, Beside::of(format, self.rest)))
    }
}

/// `fencing` to be written.
#[derive(Serialize)]
pub(super) struct WrittenFencing<'r> {
    epoch: Epoch,
    owner: Option<&'r Owner>,
    phase: Phase,
    stage: WrittenStage,
    attempt: Option<WrittenAttempt>,
    takeover: Option<&'r Takeover>,
    quarantine: &'r BTreeMap<NodeId, Quarantine>,
    burned_luns: &'r BTreeMap<NodeId, Vec<(HostName, Lun)>>,
    steps: &'r [Step],
    #[serde(flatten)]
    rest: &'r Rest,
}

impl<'r> WrittenFencing<'r> {
    pub(super) fn of(record: &'r VolumeRecord) -> Self {
        let stage = WrittenStage::of(&record.ownership);
        let attempt = record.ownership.stage().and_then(Stage::attempt);
        Self {
            epoch: record.epoch,
            owner: record.ownership.owner(),
            phase: Phase::of(stage, record.takeover.as_ref()),
            stage,
            attempt: attempt.map(|attempt| WrittenAttempt::of(attempt, &record.unknown.attempt)),
            takeover: record.takeover.as_ref(),
            quarantine: &record.quarantine,
            burned_luns: &record.burned_luns,
            steps: &record.steps,
            rest: &record.unknown.fencing,
        }
    }
}

/// `fencing` as this version wrote it.
#[derive(Deserialize)]
pub(super) struct Fencing {
    pub(super) epoch: Epoch,
    pub(super) owner: Option<Owner>,
    #[serde(default, rename = "phase")]
    _phase: IgnoredAny,
    pub(super) stage: WrittenStage,
    pub(super) attempt: Option<WrittenAttempt>,
    pub(super) takeover: Option<Takeover>,
    pub(super) quarantine: BTreeMap<NodeId, Quarantine>,
    pub(super) burned_luns: BTreeMap<NodeId, Vec<(HostName, Lun)>>,
    pub(super) steps: Vec<Step>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}
