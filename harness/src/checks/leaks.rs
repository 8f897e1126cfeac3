//! C9: when nothing is mounted and all is quiet, nothing is left.

use std::time::Duration;

use super::violation::{Invariant, Violation};
use crate::node::Leftovers;

/// What is left when every volume was unmounted everywhere and all is quiet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remains {
    /// VLUN templates, in words.
    pub exports: Vec<String>,
    /// What nodes still have, by name.
    pub nodes: Vec<(String, Leftovers)>,
    /// Records that still name an owner, references, a takeover or a quarantine, in words.
    pub records: Vec<String>,
    /// Keys of takeovers in the store.
    pub takeovers: Vec<String>,
    /// Entries of nodes' journals, in words.
    pub journals: Vec<String>,
    /// Volumes of the array that no record knows, in words.
    pub volumes: Vec<String>,
}

/// Names everything that is left without a reason.
#[must_use]
pub fn check_leaks(remains: &Remains, at: Duration) -> Vec<Violation> {
    let leak = |words: String| Violation::new(Invariant::C9NoLeak, at, words);
    let exports =
        remains.exports.iter().map(|export| format!("after the last Unmount the array still exports {export}."));
    let dirty = remains.nodes.iter().filter(|(_, left)| !left.is_empty());
    let nodes = dirty.map(|(node, left)| format!("after the last Unmount node {node} still has {left:?}."));
    let records =
        remains.records.iter().map(|record| format!("after the last Unmount the store still says: {record}."));
    let takeovers = remains.takeovers.iter().map(|key| format!("the key {key} of a takeover is left in the store."));
    let journals = remains.journals.iter().map(|entry| format!("a journal still holds {entry}."));
    let volumes = remains.volumes.iter().map(|volume| format!("no record knows {volume}."));
    exports.chain(nodes).chain(records).chain(takeovers).chain(journals).chain(volumes).map(leak).collect()
}
