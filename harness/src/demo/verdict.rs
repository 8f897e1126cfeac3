//! The ledger of writes, summed up by who wrote.

use std::collections::BTreeMap;

use crate::checks::{Fact, FactKind, LifeKey, Rules, check};

/// The lines of the verdict.
pub(super) fn of(history: &[Fact]) -> Vec<String> {
    let mut counts: BTreeMap<LifeKey, (usize, usize)> = BTreeMap::new();
    for fact in history {
        let FactKind::Write(write) = &fact.kind else { continue };
        let Some(life) = &write.life else { continue };
        let (accepted, rejected) = counts.entry(life.clone()).or_default();
        *(if write.accepted { accepted } else { rejected }) += 1;
    }
    let mut lines: Vec<String> = counts
        .iter()
        .map(|(life, (accepted, rejected))| {
            format!("{:<28} {accepted:>3} writes accepted {rejected:>3} rejected", life.to_string())
        })
        .collect();
    let violations = check(history, &Rules::default());
    if violations.is_empty() {
        lines.push(
            "No write of a node was accepted after another node had the volume, and no host shared an export."
                .to_owned(),
        );
    }
    lines.extend(violations.iter().map(|violation| format!("BROKEN: {violation}")));
    lines
}
