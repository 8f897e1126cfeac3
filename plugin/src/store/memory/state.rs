//! The state of the in-memory store: keys, leases and history, changed by plain functions that are told the time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Change, Committed, Entry, Guard, LeaseId, Revision, StoreError, Transaction, WatchEvent};

/// Changes kept for watches; older ones are compacted away.
const HISTORY_KEPT: usize = 65_536;
/// Most changes or guards in one transaction (etcd's default for `--max-txn-ops`).
const MOST_OPERATIONS: usize = 128;

/// Everything the store knows.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Shortest lease granted.
    pub(super) least_lease: Duration,
    /// Revision of the last change; the first change makes revision 2, as in etcd, where 1 is the empty store.
    last: i64,
    keys: BTreeMap<String, Stored>,
    leases: BTreeMap<LeaseId, Lease>,
    leases_granted: i64,
    /// Changes in order of revision.
    history: VecDeque<WatchEvent>,
    /// Changes that were dropped from the front of `history`.
    dropped: usize,
    /// Changes before this revision may be missing.
    compacted: Revision,
}

#[derive(Debug)]
struct Stored {
    value: Vec<u8>,
    modified: Revision,
    lease: Option<LeaseId>,
}

#[derive(Debug)]
struct Lease {
    time_to_live: Duration,
    ends: Instant,
    keys: BTreeSet<String>,
}

/// How far a watch has come.
#[derive(Debug)]
pub(super) struct Cursor {
    prefix: String,
    after: Revision,
    /// Number of the next change to look at, counted from the store's first one.
    next: usize,
}

impl State {
    /// Revision of the store.
    pub(super) fn revision(&self) -> Revision {
        Revision(self.last.max(1))
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        self.keys.get(key).map(|stored| entry(key, stored))
    }

    pub(super) fn list(&self, prefix: &str) -> (Vec<Entry>, Revision) {
        let begins_so = self.keys.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        (begins_so.map(|(key, stored)| entry(key, stored)).collect(), self.revision())
    }

    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<Committed, StoreError> {
        check_form(transaction)?;
        if !transaction.guards.iter().all(|guard| self.holds(guard)) {
            return Ok(Committed::No);
        }
        for change in &transaction.changes {
            if let Change::Put { lease: Some(lease), .. } = change
                && !self.leases.contains_key(lease)
            {
                return Err(lost(transaction, *lease));
            }
        }
        let at = Revision(self.revision().0 + 1);
        for change in &transaction.changes {
            match change {
                Change::Put { key, value, lease } => self.put(key, value, *lease, at),
                Change::Delete { key } => self.delete(key, at),
            }
        }
        Ok(Committed::Yes(self.revision()))
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(key) => !self.keys.contains_key(key),
            Guard::Present(key) => self.keys.contains_key(key),
            Guard::Unchanged(key, revision) => {
                self.keys.get(key).map_or(Revision::default(), |stored| stored.modified) == *revision
            }
        }
    }

    fn put(&mut self, key: &str, value: &[u8], lease: Option<LeaseId>, at: Revision) {
        self.detach(key);
        if let Some(lease) = lease.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.insert(key.to_owned());
        }
        let stored = Stored { value: value.to_vec(), modified: at, lease };
        let event = WatchEvent::Put(entry(key, &stored));
        self.keys.insert(key.to_owned(), stored);
        self.record(event, at);
    }

    fn delete(&mut self, key: &str, at: Revision) {
        self.detach(key);
        if self.keys.remove(key).is_some() {
            self.record(WatchEvent::Deleted { key: key.to_owned(), at }, at);
        }
    }

    /// Takes a key off the lease it is attached to.
    fn detach(&mut self, key: &str) {
        let lease = self.keys.get(key).and_then(|stored| stored.lease);
        if let Some(lease) = lease.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.remove(key);
        }
    }

    fn record(&mut self, event: WatchEvent, at: Revision) {
        self.last = at.0;
        self.history.push_back(event);
        if self.history.len() > HISTORY_KEPT {
            let half = self.history.get(HISTORY_KEPT / 2).map_or(at, revision_of);
            self.compact(half);
        }
    }

    pub(super) fn grant(&mut self, time_to_live: Duration, now: Instant) -> LeaseId {
        self.leases_granted += 1;
        let id = LeaseId(self.leases_granted);
        let time_to_live = time_to_live.max(self.least_lease);
        self.leases.insert(id, Lease { time_to_live, ends: now + time_to_live, keys: BTreeSet::new() });
        id
    }

    pub(super) fn renew(&mut self, lease: LeaseId, now: Instant) -> Result<(), StoreError> {
        let known = self.leases.get_mut(&lease).ok_or(StoreError::LeaseLost(lease))?;
        known.ends = now + known.time_to_live;
        Ok(())
    }

    /// Ends a lease and deletes its keys, all at one revision.
    pub(super) fn revoke(&mut self, lease: LeaseId) {
        let Some(ended) = self.leases.remove(&lease) else { return };
        let at = Revision(self.revision().0 + 1);
        for key in &ended.keys {
            self.delete(key, at);
        }
    }

    /// Ends every lease whose time is over, the earliest first.
    pub(super) fn end_leases(&mut self, now: Instant) {
        while let Some((_, lease)) =
            self.leases.iter().filter(|(_, lease)| lease.ends <= now).map(|(id, lease)| (lease.ends, *id)).min()
        {
            self.revoke(lease);
        }
    }

    /// When the next lease that holds keys ends, unless it is renewed.
    pub(super) fn next_lease_end(&self) -> Option<Instant> {
        self.leases.values().filter(|lease| !lease.keys.is_empty()).map(|lease| lease.ends).min()
    }

    /// Drops the history before `revision`.
    pub(super) fn compact(&mut self, revision: Revision) {
        let surplus = self.history.partition_point(|event| revision_of(event) < revision);
        self.history.drain(..surplus);
        self.dropped += surplus;
        self.compacted = self.compacted.max(revision.min(self.revision()));
    }

    pub(super) fn cursor(&self, prefix: &str, after: Revision) -> Result<Cursor, StoreError> {
        if after.0.saturating_add(1) < self.compacted.0 {
            return Err(self.too_old(prefix));
        }
        let next = self.dropped + self.history.partition_point(|event| revision_of(event) <= after);
        Ok(Cursor { prefix: prefix.to_owned(), after, next })
    }

    /// The next change the cursor is after, if it has happened.
    pub(super) fn next_event(&self, cursor: &mut Cursor) -> Result<Option<WatchEvent>, StoreError> {
        if cursor.next < self.dropped {
            return Err(self.too_old(&cursor.prefix));
        }
        while let Some(event) = self.history.get(cursor.next - self.dropped) {
            cursor.next += 1;
            if revision_of(event) > cursor.after && key_of(event).starts_with(&cursor.prefix) {
                return Ok(Some(event.clone()));
            }
        }
        Ok(None)
    }

    fn too_old(&self, prefix: &str) -> StoreError {
        StoreError::Refused {
            operation: format!("watch of {prefix}"),
            reason: format!("changes before revision {} are no longer kept; list again", self.compacted.0),
        }
    }
}

/// What etcd refuses before it looks at any guard.
fn check_form(transaction: &Transaction) -> Result<(), StoreError> {
    let refused = |reason: &str| StoreError::Refused { operation: transaction.describe(), reason: reason.to_owned() };
    if transaction.guards.len() > MOST_OPERATIONS || transaction.changes.len() > MOST_OPERATIONS {
        return Err(refused("too many operations in one transaction"));
    }
    let mut written = BTreeSet::new();
    for change in &transaction.changes {
        let (Change::Put { key, .. } | Change::Delete { key }) = change;
        if key.is_empty() {
            return Err(refused("a key is empty"));
        }
        if matches!(change, Change::Put { .. }) && !written.insert(key) {
            return Err(refused("a key is written twice"));
        }
    }
    let deleted = |change: &Change| matches!(change, Change::Delete { key } if written.contains(key));
    if transaction.changes.iter().any(deleted) {
        return Err(refused("a key is both written and deleted"));
    }
    Ok(())
}

/// A key was to be attached to an ended lease. etcd does not say which of several it was.
fn lost(transaction: &Transaction, lease: LeaseId) -> StoreError {
    let another = |change: &Change| matches!(change, Change::Put { lease: Some(other), .. } if *other != lease);
    if transaction.changes.iter().any(another) {
        let reason = "one of the leases has ended".to_owned();
        return StoreError::Refused { operation: transaction.describe(), reason };
    }
    StoreError::LeaseLost(lease)
}

fn entry(key: &str, stored: &Stored) -> Entry {
    Entry { key: key.to_owned(), value: stored.value.clone(), modified: stored.modified }
}

fn revision_of(event: &WatchEvent) -> Revision {
    match event {
        WatchEvent::Put(entry) => entry.modified,
        WatchEvent::Deleted { at, .. } => *at,
    }
}

fn key_of(event: &WatchEvent) -> &str {
    match event {
        WatchEvent::Put(entry) => &entry.key,
        WatchEvent::Deleted { key, .. } => key,
    }
}
