//! The metadata store in memory, with the behaviour of etcd: for simulation, and for tests of everything above the port.
//!
//! Time is tokio's, so leases end in virtual time when the runtime is paused. No background task is needed: every operation
//! ends the leases that have run out first, and a waiting watch wakes itself at the next end of a lease.

mod state;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::state::{Cursor, State};
use super::{Committed, Entry, LeaseId, MetadataStore, Revision, StoreError, Transaction, Watch, WatchEvent};

/// A metadata store in memory. Clones are handles of one and the same store.
///
/// Besides [`MetadataStore`] it has the same operations as plain functions that take effect at the moment they are called
/// and never wait, so that a simulated network can apply an operation later than it was asked for.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the watches, in the order in which they began to wait: a seeded simulation depends on that order.
    changed: Notify,
}

impl MemoryStore {
    /// An empty store that grants leases of any length.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that lengthens shorter leases to `least`, as etcd does (about 2 s with its default election time-out).
    #[must_use]
    pub fn with_least_lease(least: Duration) -> Self {
        let store = Self::default();
        store.state().least_lease = least;
        store
    }

    /// Reads one key now.
    #[must_use]
    pub fn read(&self, key: &str) -> Option<Entry> {
        self.at_once(|state, _| state.get(key))
    }

    /// Reads all keys that begin with `prefix` now, in key order, with the store's revision.
    #[must_use]
    pub fn read_all(&self, prefix: &str) -> (Vec<Entry>, Revision) {
        self.at_once(|state, _| state.list(prefix))
    }

    /// Applies a transaction now.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a malformed transaction, [`StoreError::LeaseLost`] when it attaches a key to an ended lease;
    /// in both cases nothing is changed.
    pub fn transact(&self, transaction: &Transaction) -> Result<Committed, StoreError> {
        self.at_once(|state, _| state.commit(transaction))
    }

    /// Watches all keys that begin with `prefix`, from the first change after `after`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when changes after `after` are no longer kept.
    pub fn subscribe(&self, prefix: &str, after: Revision) -> Result<MemoryWatch, StoreError> {
        let cursor = self.at_once(|state, _| state.cursor(prefix, after))?;
        Ok(MemoryWatch { store: self.clone(), cursor })
    }

    /// Makes a lease now.
    #[must_use]
    pub fn grant(&self, time_to_live: Duration) -> LeaseId {
        self.at_once(|state, now| state.grant(time_to_live, now))
    }

    /// Renews a lease now.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it has ended.
    pub fn renew(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.at_once(|state, now| state.renew(lease, now))
    }

    /// Ends a lease now; its keys vanish. Ending an ended lease does nothing.
    pub fn revoke(&self, lease: LeaseId) {
        self.at_once(|state, _| state.revoke(lease));
    }

    /// Forgets the history before `revision`: a watch that would need it is refused.
    pub fn compact(&self, revision: Revision) {
        self.at_once(|state, _| state.compact(revision));
    }

    /// Ends the leases that are over, does `operation`, and wakes the watches if anything changed.
    fn at_once<T>(&self, operation: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = Instant::now();
        let mut state = self.state();
        let before = state.revision();
        state.end_leases(now);
        let answer = operation(&mut state, now);
        let after = state.revision();
        drop(state);
        if after != before {
            self.shared.changed.notify_waiters();
        }
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MetadataStore for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.read(key))
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        Ok(self.read_all(prefix))
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.transact(&transaction)
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(self.subscribe(prefix, after)?))
    }

    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError> {
        Ok(self.grant(time_to_live))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.renew(lease)
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.revoke(lease);
        Ok(())
    }
}

/// A watch on a [`MemoryStore`]. Waiting for the next change may be given up and taken up again without losing any.
#[derive(Debug)]
pub struct MemoryWatch {
    store: MemoryStore,
    cursor: Cursor,
}

impl MemoryWatch {
    /// The next change if there is one already.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the watch fell behind a compaction.
    pub fn poll_now(&mut self) -> Result<Option<WatchEvent>, StoreError> {
        let Self { store, cursor } = self;
        store.at_once(|state, _| state.next_event(cursor))
    }
}

#[async_trait]
impl Watch for MemoryWatch {
    async fn next(&mut self) -> Result<WatchEvent, StoreError> {
        let shared = Arc::clone(&self.store.shared);
        loop {
            let mut changed = pin!(shared.changed.notified());
            // Waits from here on, so that no change after the look below is missed.
            changed.as_mut().enable();
            if let Some(event) = self.poll_now()? {
                return Ok(event);
            }
            let lease_ends = self.store.state().next_lease_end();
            tokio::select! {
                biased;
                () = changed => {}
                () = until(lease_ends) => {}
            }
        }
    }
}

/// Sleeps until `moment`; for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
