//! Facts on their way from the processes of a soak to the judge: one file for each process, one line for each fact.
//!
//! A line is written with one system call before anything else happens, so that not even a kill loses what was logged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::store::{Entry, Revision, Transaction, keys};
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use serde::{Deserialize, Serialize};

use super::clock::SharedClock;
use crate::checks::{Fact, FactKind};
use crate::cluster::observed_store::StoreObserver;
use crate::cluster::witness::{node_name, record_fact, records_in};
use crate::node::{Epochs, NodeEvent, NodeObserver};

/// So many commits are remembered as logged; an older one is logged again, and then put together with the first.
const REVISIONS: usize = 5_000;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedFact {
    /// Time on the soak's clock.
    pub at: Duration,
    /// Revision of the store, for committed records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// What happened.
    pub kind: FactKind,
}

/// Tells facts, into one file.
pub struct FactLog {
    clock: SharedClock,
    open: Mutex<OpenLog>,
}

struct OpenLog {
    file: File,
    /// Commits logged already.
    revisions: BTreeSet<i64>,
    epochs: BTreeMap<(String, Wwn), u64>,
    /// Why nothing can be logged any more.
    broken: Option<String>,
}

impl FactLog {
    /// Appends to a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append_to(path: &Path, clock: SharedClock) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        let open = OpenLog { file, revisions: BTreeSet::new(), epochs: BTreeMap::new(), broken: None };
        Ok(Self { clock, open: Mutex::new(open) })
    }

    /// The time, as it is logged.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Tells what happens now.
    pub fn log(&self, kind: FactKind) {
        let mut open = self.lock();
        open.write(&LoggedFact { at: self.clock.now(), revision: None, kind });
    }

    /// Tells what happened at a time.
    pub fn log_at(&self, at: Duration, kind: FactKind) {
        self.lock().write(&LoggedFact { at, revision: None, kind });
    }

    /// Tells a committed record, once for each revision.
    pub fn log_record(&self, record: &VolumeRecord, revision: Revision) {
        let mut open = self.lock();
        let now = self.clock.now();
        let Some(fact) = record_fact(record) else { return };
        if let Some(owner) = record.ownership.owner() {
            let key = (node_name(owner.node.as_str()), fact.volume.clone());
            open.epochs.insert(key, record.epoch.0);
        }
        if open.revisions.insert(revision.0) {
            if open.revisions.len() > REVISIONS {
                open.revisions.pop_first();
            }
            open.write(&LoggedFact { at: now, revision: Some(revision.0), kind: FactKind::Record(fact) });
        }
    }

    /// Why nothing can be logged any more, if so.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    fn lock(&self) -> MutexGuard<'_, OpenLog> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenLog {
    fn write(&mut self, logged: &LoggedFact) {
        let written = serde_json::to_string(logged)
            .map_err(|error| error.to_string())
            .and_then(|line| self.file.write_all(format!("{line}\n").as_bytes()).map_err(|error| error.to_string()));
        if let Err(reason) = written {
            self.broken.get_or_insert(reason);
        }
    }
}

impl StoreObserver for FactLog {
    fn committed(&self, transaction: &Transaction, at: Revision) {
        records_in(transaction).for_each(|record| self.log_record(&record, at));
    }

    fn read(&self, entry: &Entry) {
        if entry.key.starts_with(keys::VOLUMES)
            && let Ok(record) = VolumeRecord::from_json(&entry.key, &entry.value)
        {
            self.log_record(&record, entry.modified);
        }
    }
}

impl NodeObserver for FactLog {
    fn observe(&self, node: &str, event: NodeEvent) {
        self.log(FactKind::Node { node: node.to_owned(), event });
    }
}

impl Epochs for FactLog {
    fn epoch_of(&self, node: &str, wwn: &Wwn) -> u64 {
        self.lock().epochs.get(&(node.to_owned(), wwn.clone())).copied().unwrap_or_default()
    }
}

/// Everything that was logged, in the order it happened.
///
/// # Errors
/// When a file cannot be read or holds something else.
pub fn read_all(files: &[PathBuf]) -> Result<Vec<Fact>> {
    let mut logged = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        // What a kill cut short was never logged.
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        for line in whole.lines() {
            let line: LoggedFact = serde_json::from_str(line).with_context(|| format!("reading {}", file.display()))?;
            logged.push(line);
        }
    }
    Ok(in_order(logged))
}

/// A commit is known to several: to who made it, to who read it, to who watches. The first to know it tells the time;
/// a commit that was logged late happened before every commit with a higher revision.
fn in_order(logged: Vec<LoggedFact>) -> Vec<Fact> {
    let (mut facts, mut records) = (Vec::new(), BTreeMap::<i64, Fact>::new());
    for LoggedFact { at, revision, kind } in logged {
        let fact = Fact { at, kind };
        match revision {
            None => facts.push(fact),
            Some(revision) => {
                let known = records.entry(revision).or_insert_with(|| fact.clone());
                known.at = known.at.min(fact.at);
            }
        }
    }
    let mut latest = Duration::MAX;
    for fact in records.values_mut().rev() {
        fact.at = fact.at.min(latest);
        latest = fact.at;
    }
    facts.extend(records.into_values());
    facts.sort_by_key(|fact| fact.at);
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(what: &str) -> FactKind {
        FactKind::Note { who: "test".to_owned(), what: what.to_owned() }
    }

    fn logged(at: u64, revision: Option<i64>, what: &str) -> LoggedFact {
        LoggedFact { at: Duration::from_secs(at), revision, kind: note(what) }
    }

    #[test]
    fn what_was_told_is_read_again_without_the_line_that_a_kill_cut_short() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("facts");
        let fact_log = FactLog::append_to(&path, SharedClock::start()).unwrap();
        fact_log.log(note("one"));
        fact_log.log(note("two"));
        File::options().append(true).open(&path).unwrap().write_all(b"{\"at\":{\"se").unwrap();
        let kinds: Vec<FactKind> = read_all(&[path]).unwrap().into_iter().map(|fact| fact.kind).collect();
        assert_eq!(kinds, [note("one"), note("two")]);
        assert_eq!(fact_log.broken(), None);
    }

    #[test]
    fn the_first_to_know_a_commit_tells_its_time_and_revisions_give_the_order() {
        let facts = in_order(vec![
            logged(9, Some(4), "late"),
            logged(5, Some(4), "late"),
            logged(3, Some(5), "later revision, logged earlier"),
            logged(4, None, "something else"),
        ]);
        let order: Vec<u64> = facts.iter().map(|fact| fact.at.as_secs()).collect();
        assert_eq!(order, [3, 3, 4]);
        assert_eq!(facts[0].kind, note("late"));
    }
}
