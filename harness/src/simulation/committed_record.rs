//! A committed record as the checkers need it: only what the checkers look at, at a fraction of the cost of reading all of it.

use std::borrow::Cow;
use std::fmt;

use hpe3par_docker_plugin::array::{Lun, Wwn};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::checks::{Phase, RecordFact};

/// What is seen of a record.
#[derive(Debug, Deserialize)]
pub(super) struct CommittedRecord<'r> {
    wwn: Option<Wwn>,
    #[serde(borrow)]
    pub(super) fencing: Fencing<'r>,
}

/// What is seen of `fencing`.
#[derive(Debug, Deserialize)]
pub(super) struct Fencing<'r> {
    epoch: u64,
    #[serde(borrow)]
    owner: Option<Owner<'r>>,
    stage: Stage,
    attempt: Option<Attempt>,
    #[serde(borrow)]
    pub(super) steps: LastStep<'r>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Free,
    Fencing,
    Attaching,
    Mounted,
    Releasing,
}

#[derive(Debug, Deserialize)]
struct Owner<'r> {
    #[serde(borrow)]
    node: Cow<'r, str>,
    #[serde(borrow)]
    boot: Cow<'r, str>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Attempt {
    lun: Lun,
}

/// A step that was written ahead.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Step<'r> {
    #[serde(borrow)]
    pub(super) node: Cow<'r, str>,
    #[serde(borrow)]
    pub(super) what: Cow<'r, str>,
}

/// The last of the steps.
#[derive(Debug)]
pub(super) struct LastStep<'r>(pub(super) Option<Step<'r>>);

impl<'de: 'r, 'r> Deserialize<'de> for LastStep<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Steps).map(Self)
    }
}

struct Steps;

impl<'de> Visitor<'de> for Steps {
    type Value = Option<Step<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the steps of a record")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut steps: A) -> Result<Self::Value, A::Error> {
        let mut last = None;
        while let Some(step) = steps.next_element()? {
            last = Some(step);
        }
        Ok(last)
    }
}

impl CommittedRecord<'_> {
    /// What the record says, for checkers; `None` before its volume has a WWN.
    pub(super) fn fact(self) -> Option<RecordFact> {
        let fencing = self.fencing;
        let (phase, owned) = match fencing.stage {
            Stage::Free => (Phase::Free, false),
            Stage::Fencing => (Phase::Fencing, true),
            Stage::Attaching => (Phase::Attaching, true),
            Stage::Mounted => (Phase::Mounted, true),
            Stage::Releasing => (Phase::Releasing, true),
        };
        Some(RecordFact {
            volume: self.wwn?,
            epoch: fencing.epoch,
            owner: fencing.owner.filter(|_| owned).map(|owner| (owner.node.into_owned(), owner.boot.into_owned())),
            phase,
            lun: fencing.attempt.filter(|_| owned).map(|attempt| attempt.lun),
        })
    }
}

#[cfg(test)]
mod tests {
    use hpe3par_docker_plugin::node::{BootId, NodeId};
    use hpe3par_docker_plugin::volume::names::{VolumeId, VolumeName};
    use hpe3par_docker_plugin::volume::record::{Attempt, Epoch, Owner, Ownership, Stage, VolumeRecord};

    use super::*;
    use crate::simulation::record_fact;

    #[test]
    fn it_says_what_a_whole_reading_sees() {
        let name = VolumeName::of_existing("db".to_owned()).unwrap();
        let mut record = VolumeRecord::new(VolumeId(uuid::Uuid::from_u128(7)), name);
        record.wwn = Some("60002ac0000000000000000100021f6b".parse().unwrap());
        record.epoch = Epoch(3);
        record.note(&NodeId::new("a"), "claimed \"it\"");
        let attempt = Attempt { lun: Lun::try_from(17).unwrap() };
        let owner = Owner::new(NodeId::new("a"), BootId::new("boot1"), None);
        let owned = |stage| Ownership::Owned { owner: owner.clone(), stage };
        let stages = [
            Ownership::Free,
            owned(Stage::Fencing),
            owned(Stage::Attaching(attempt)),
            owned(Stage::Mounted(None)),
            owned(Stage::Releasing(Some(attempt))),
        ];
        for ownership in stages {
            record.ownership = ownership;
            let json = record.to_json();
            let read: CommittedRecord<'_> = serde_json::from_slice(&json).unwrap();
            let last = read.fencing.steps.0.clone().unwrap();
            assert_eq!((last.node.as_ref(), last.what.as_ref()), ("a", "claimed \"it\""));
            assert_eq!(read.fact(), record_fact(&record));
        }
    }
}
