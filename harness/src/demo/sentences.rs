//! Facts as sentences for people.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::checks::{Fact, FactKind, LifeKey, Phase, RecordFact, WriteFact};
use crate::node::NodeEvent;

/// Something that is worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// When it happened.
    pub(super) at: Duration,
    /// Who did it: the array, etcd, a node.
    pub(super) who: String,
    /// What was done.
    pub(super) what: String,
}

/// The facts of a history from the one with number `from` on. What was before is known to the reader: nothing is told twice.
pub(super) fn of(history: &[Fact], from: usize, volume: &str) -> Vec<Sentence> {
    let mut telling = Telling { volume, record: None, refused: BTreeSet::new(), last: Vec::new() };
    let told = history.iter().enumerate().filter_map(|(number, fact)| {
        let (who, what) = telling.sentence(&fact.kind)?;
        (number >= from).then_some(Sentence { at: fact.at, who, what })
    });
    told.collect()
}

/// What has been told so far.
struct Telling<'v> {
    volume: &'v str,
    record: Option<RecordFact>,
    /// Mounts of which a write was rejected.
    refused: BTreeSet<LifeKey>,
    /// The last thing each of them did.
    last: Vec<(String, String)>,
}

impl Telling<'_> {
    fn sentence(&mut self, kind: &FactKind) -> Option<(String, String)> {
        let (who, what) = match kind {
            FactKind::Exported { host, lun, .. } => {
                ("array".to_owned(), format!("exports {} to {host} as LUN {lun}", self.volume))
            }
            FactKind::Unexported { host, lun, .. } => {
                ("array".to_owned(), format!("removes the export of {} to {host}, LUN {lun}", self.volume))
            }
            FactKind::Write(write) => ("array".to_owned(), self.rejection(write)?),
            FactKind::Record(record) => ("etcd".to_owned(), self.change(record)?),
            FactKind::Node { node, event } => (node.clone(), on_node(event, self.volume)?),
            _ => return None,
        };
        self.is_news(&who, &what).then_some((who, what))
    }

    /// The same thing on each of several paths is told once.
    fn is_news(&mut self, who: &str, what: &str) -> bool {
        match self.last.iter_mut().find(|(known, _)| known == who) {
            Some((_, last)) if last == what => false,
            Some((_, last)) => {
                what.clone_into(last);
                true
            }
            None => {
                self.last.push((who.to_owned(), what.to_owned()));
                true
            }
        }
    }

    /// The first rejected write of a mount; a queueing map sends it again and again.
    fn rejection(&mut self, write: &WriteFact) -> Option<String> {
        let life = write.life.as_ref().filter(|_| !write.accepted)?;
        self.refused
            .insert(life.clone())
            .then(|| format!("rejects a write of {} at LUN {}: LOGICAL UNIT NOT SUPPORTED", life.node, write.lun))
    }

    /// What a new version of the record says that the one before did not.
    fn change(&mut self, record: &RecordFact) -> Option<String> {
        let before = self.record.replace(record.clone());
        if before.as_ref() == Some(record) {
            return None;
        }
        let Some((owner, _)) = &record.owner else {
            let made = before.is_none();
            return Some(format!("record: {}nobody owns {}", if made { "new; " } else { "" }, self.volume));
        };
        let loser = before.and_then(|before| before.owner).map(|(node, _)| node).filter(|node| node != owner);
        Some(match (record.phase, record.lun) {
            (Phase::Fencing, _) => {
                let loses = loser.map(|loser| format!("; {loser} loses it and is in quarantine until it is clean"));
                format!(
                    "record: epoch {} begins, {owner} owns {}{}",
                    record.epoch,
                    self.volume,
                    loses.unwrap_or_default()
                )
            }
            (Phase::Attaching, Some(lun)) => {
                format!("record: {owner} will get it as LUN {lun}, the next number of the counter for this host")
            }
            (Phase::Mounted, _) => format!("record: {owner} has it mounted"),
            (Phase::Releasing, _) => format!("record: {owner} is releasing it"),
            _ => format!("record: {owner} owns it"),
        })
    }
}

fn on_node(event: &NodeEvent, volume: &str) -> Option<String> {
    Some(match event {
        NodeEvent::PoweredOff => "loses power".to_owned(),
        NodeEvent::Booted { .. } => "boots".to_owned(),
        NodeEvent::DeviceAdded { lun, .. } => {
            format!("scans LUN {lun} and no other: the device there has {volume}'s WWN")
        }
        NodeEvent::FilesystemMade { .. } => "the device reads back as zeros: makes a filesystem".to_owned(),
        NodeEvent::Mounted { chain, .. } if chain.is_empty() => format!("mounts {volume}, which is empty"),
        NodeEvent::Mounted { chain, .. } => {
            format!("mounts {volume} and replays the journal: {} records are there", chain.len())
        }
        NodeEvent::Unmounted { .. } => format!("has unmounted {volume}"),
        NodeEvent::Stopped { aborted: true, .. } => {
            format!("its filesystem on {volume} aborts: the array took the volume away")
        }
        NodeEvent::Stopped { aborted: false, .. } => {
            format!("shuts its filesystem on {volume} down: nothing of it will ever be written back")
        }
        NodeEvent::DeviceDeleted { lun, .. } => format!("deletes its SCSI devices at LUN {lun}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: u64, epoch: u64, owner: Option<&str>, phase: Phase) -> Fact {
        let volume = "60002ac0000000000000000100012345".parse().unwrap();
        let owner = owner.map(|node| (node.to_owned(), "boot".to_owned()));
        let fact = RecordFact { volume, epoch, owner, phase, lun: None };
        Fact { at: Duration::from_secs(at), kind: FactKind::Record(fact) }
    }

    #[test]
    fn a_record_that_says_the_same_again_is_told_once() {
        let history = [
            record(1, 1, Some("worker1"), Phase::Fencing),
            record(2, 1, Some("worker1"), Phase::Mounted),
            record(3, 2, Some("worker2"), Phase::Fencing),
            record(4, 2, Some("worker2"), Phase::Mounted),
            record(5, 2, Some("worker2"), Phase::Mounted),
        ];
        let told: Vec<String> = of(&history, 0, "db").into_iter().map(|sentence| sentence.what).collect();
        assert_eq!(
            told,
            [
                "record: epoch 1 begins, worker1 owns db",
                "record: worker1 has it mounted",
                "record: epoch 2 begins, worker2 owns db; worker1 loses it and is in quarantine until it is clean",
                "record: worker2 has it mounted",
            ]
        );
        assert!(of(&history, 4, "db").is_empty(), "what was told before is not told again");
    }
}
