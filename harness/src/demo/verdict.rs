//! The ledger of writes, summed up by who wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checks::{Fact, FactKind, LifeKey, Rules, check};
use crate::node::{Life, NodeEvent};

/// Writes of one mount of a filesystem, or of its making.
struct Writer {
    /// Who, and in which epoch.
    name: String,
    begun: Duration,
    accepted: usize,
    rejected: usize,
}

/// The lines of the verdict.
pub(super) fn of(history: &[Fact]) -> Vec<String> {
    let mut writers: BTreeMap<LifeKey, Writer> = history.iter().filter_map(begins).collect();
    for fact in history {
        let FactKind::Write(write) = &fact.kind else { continue };
        let Some(writer) = write.life.as_ref().and_then(|life| writers.get_mut(life)) else { continue };
        *(if write.accepted { &mut writer.accepted } else { &mut writer.rejected }) += 1;
    }
    let mut writers: Vec<Writer> = writers.into_values().collect();
    writers.sort_by_key(|writer| writer.begun);
    let mut lines = vec![format!("{:<40} {:>8}  {:>8}", "writes", "accepted", "rejected")];
    lines.extend(
        writers.iter().map(|writer| format!("{:<40} {:>8}  {:>8}", writer.name, writer.accepted, writer.rejected)),
    );
    let violations = check(history, &Rules::default());
    if violations.is_empty() {
        lines.push(
            "No write of a node was accepted after another node had the volume; no two hosts shared an export."
                .to_owned(),
        );
    }
    lines.extend(violations.iter().map(|violation| format!("BROKEN: {violation}")));
    lines
}

/// A writer, at the moment it begins.
fn begins(fact: &Fact) -> Option<(LifeKey, Writer)> {
    let FactKind::Node { event, .. } = &fact.kind else { return None };
    let (life, doing) = match event {
        NodeEvent::FilesystemMade { life, .. } => (life, ", making the filesystem"),
        NodeEvent::Mounted { life, .. } => (life, ""),
        _ => return None,
    };
    let Life { node, epoch, .. } = life;
    let name = format!("{node}, epoch {epoch}{doing}");
    Some((life.into(), Writer { name, begun: fact.at, accepted: 0, rejected: 0 }))
}
