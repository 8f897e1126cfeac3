//! Facts as sentences for people.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checks::{Fact, FactKind, Phase, RecordFact, WriteFact};
use crate::node::NodeEvent;

/// When, who, what, for every fact that is worth a line.
pub(super) fn of(facts: &[Fact], volume: &str) -> Vec<(Duration, String, String)> {
    let mut told = Vec::new();
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for fact in facts {
        let Some((who, what)) = sentence(&fact.kind, volume) else { continue };
        // The same thing on each of several paths, or a record written again, is told once.
        if last.insert(who.clone(), what.clone()).as_ref() != Some(&what) {
            told.push((fact.at, who, what));
        }
    }
    told
}

fn sentence(kind: &FactKind, volume: &str) -> Option<(String, String)> {
    let array = |what: String| Some(("array".to_owned(), what));
    match kind {
        FactKind::Exported { host, lun, .. } => array(format!("exports {volume} to {host} as LUN {lun}")),
        FactKind::Unexported { host, lun, .. } => array(format!("removes the export of {volume} to {host}, LUN {lun}")),
        FactKind::Write(write) => rejected(write).and_then(array),
        FactKind::Record(record) => Some(("etcd".to_owned(), record_sentence(record))),
        FactKind::Node { node, event } => Some((node.clone(), node_sentence(event, volume)?)),
        FactKind::MountAsked { .. }
        | FactKind::MountAnswered { .. }
        | FactKind::UnmountAsked { .. }
        | FactKind::UnmountAnswered { .. }
        | FactKind::FaultBegan { .. }
        | FactKind::FaultEnded { .. }
        | FactKind::Note { .. } => None,
    }
}

fn rejected(write: &WriteFact) -> Option<String> {
    let by = write.life.as_ref()?;
    (!write.accepted)
        .then(|| format!("rejects a write of {} at LUN {}: LOGICAL UNIT NOT SUPPORTED", by.node, write.lun))
}

fn record_sentence(record: &RecordFact) -> String {
    let owner = record.owner.as_ref().map_or("nobody", |(node, _)| node.as_str());
    let epoch = record.epoch;
    match (record.phase, record.lun) {
        (Phase::Free, _) => "record: nobody owns it".to_owned(),
        (Phase::Fencing, _) => format!("record: epoch {epoch} belongs to {owner}; every other export has to go first"),
        (Phase::Attaching, Some(lun)) => {
            format!("record: {owner} will export it as LUN {lun}, a number never used before")
        }
        (Phase::Mounted, _) => format!("record: {owner} has it mounted (epoch {epoch})"),
        (Phase::Releasing, _) => format!("record: {owner} is releasing it"),
        (phase, _) => format!("record: {owner}, {phase:?}"),
    }
}

fn node_sentence(event: &NodeEvent, volume: &str) -> Option<String> {
    Some(match event {
        NodeEvent::PoweredOff => "loses power".to_owned(),
        NodeEvent::Booted { .. } => "boots".to_owned(),
        NodeEvent::FilesystemMade { .. } => {
            format!("the device reads back as zeros and shows {volume}'s WWN: makes a filesystem")
        }
        NodeEvent::Mounted { chain, .. } => {
            format!("checks the WWN, replays the journal, mounts {volume}: {} records", chain.len())
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
