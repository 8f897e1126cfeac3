//! The metadata store: versioned records, compare-and-set, watches and leases.
//!
//! The port is shaped after etcd v3. Nothing in it is a lock: exclusion comes from transactions that
//! compare a key's revision, never from holding something while the array is being called.

#[cfg(test)]
mod contract_tests;
pub mod etcd;
pub mod journal;
pub mod journal_files;
pub mod journal_memory;
pub mod keys;
pub mod memory;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

/// Revision of the whole store; grows with every committed transaction. `0` means "key absent" when compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub i64);

/// A lease: keys attached to it vanish when it is not kept alive for its time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

/// One key with its value as read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Full key.
    pub key: String,
    /// Value bytes.
    pub value: Vec<u8>,
    /// Revision of the last change of this key; the token for compare-and-set.
    pub modified: Revision,
}

/// What a transaction demands of a key before it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The key does not exist.
    Absent(String),
    /// The key exists and was last changed at this revision.
    Unchanged(String, Revision),
    /// The key exists, whatever its value.
    Present(String),
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a key.
    Put {
        /// Full key.
        key: String,
        /// New value.
        value: Vec<u8>,
        /// Lease the key lives and dies with.
        lease: Option<LeaseId>,
    },
    /// Deletes a key; deleting an absent key is no error.
    Delete {
        /// Full key.
        key: String,
    },
}

/// All guards hold, or nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Conditions.
    pub guards: Vec<Guard>,
    /// Changes, applied together.
    pub changes: Vec<Change>,
}

impl Transaction {
    /// The transaction for an error message: the keys it touches, no values.
    #[must_use]
    pub fn describe(&self) -> String {
        let guarded = self.guards.iter().map(|guard| match guard {
            Guard::Absent(key) | Guard::Unchanged(key, _) | Guard::Present(key) => key,
        });
        let changed = self.changes.iter().map(|change| match change {
            Change::Put { key, .. } | Change::Delete { key } => key,
        });
        let keys: BTreeSet<&str> = guarded.chain(changed).map(String::as_str).collect();
        format!("a transaction on {}", keys.into_iter().collect::<Vec<_>>().join(", "))
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Applied at this revision.
    Yes(Revision),
    /// A guard did not hold; nothing was changed.
    No,
}

/// One change seen by a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A key was written.
    Put(Entry),
    /// A key was deleted or its lease ended.
    Deleted {
        /// Full key.
        key: String,
        /// Revision of the deletion.
        at: Revision,
    },
}

/// Why a store call failed.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum StoreError {
    /// No member answered in time. A transaction may or may not have been applied.
    #[error("metadata store gave no answer to {operation}: {reason}; check that etcd is up and reachable")]
    Unavailable {
        /// What was tried, with the key.
        operation: String,
        /// What the transport said.
        reason: String,
    },
    /// The store refused the call; nothing was changed.
    #[error("metadata store refused {operation}: {reason}")]
    Refused {
        /// What was tried, with the key.
        operation: String,
        /// What the store said.
        reason: String,
    },
    /// The lease no longer exists. A transaction that names several leases is [`Self::Refused`]: etcd does not say which it was.
    #[error("lease {0:?} has ended; whatever it guarded is gone")]
    LeaseLost(LeaseId),
}

/// The metadata store as the plugin needs it.
///
/// Every call has a deadline inside the adapter; none may hang. Reads are linearizable.
#[async_trait]
pub trait MetadataStore: Send + Sync {
    /// Reads one key.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;
    /// Reads all keys that begin with `prefix`, in key order, with the store's revision at that moment.
    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError>;
    /// Applies a transaction. On [`StoreError::Unavailable`] the outcome is unknown: read before acting.
    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError>;
    /// Watches all keys that begin with `prefix`, from the first change after `after`.
    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError>;
    /// Makes a lease. The store may lengthen a very short time to live (etcd: at least about 2 s).
    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError>;
    /// Renews a lease once. [`StoreError::LeaseLost`] when it has ended.
    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError>;
    /// Ends a lease; its keys vanish. Ending an ended lease is no error.
    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError>;
}

/// A running watch.
#[async_trait]
pub trait Watch: Send {
    /// The next change. An error ends the watch: list again and watch from there.
    async fn next(&mut self) -> Result<WatchEvent, StoreError>;
}
