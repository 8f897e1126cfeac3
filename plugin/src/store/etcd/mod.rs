//! The metadata store on etcd v3 (3.4 or later).
//!
//! The client library has no time-outs of its own on streams and its balancer keeps using a member that is frozen
//! (observed), so this adapter keeps one client per endpoint, rotates itself, and puts a deadline on every call and every
//! message of a stream. A transaction is sent to one member only, once: its outcome is unknown when the answer is lost.

mod members;
mod settings;
mod translate;
mod watch;

use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{GetOptions, ResponseHeader};

pub use settings::{ClientCertificate, EtcdSettings, EtcdSettingsError};

use self::members::Members;
use self::translate::{Fault, entry, etcd_transaction};
use self::watch::EtcdWatch;
use super::{Change, Committed, Entry, LeaseId, MetadataStore, Revision, StoreError, Transaction, Watch};

/// The metadata store on an etcd cluster.
#[derive(Debug)]
pub struct EtcdStore {
    members: Members,
}

impl EtcdStore {
    /// Prepares the clients; nothing is sent before the first call, so etcd may be away.
    ///
    /// # Errors
    /// [`EtcdSettingsError`] when the settings name no usable endpoint, or certificate files cannot be read.
    pub async fn open(settings: &EtcdSettings) -> Result<Self, EtcdSettingsError> {
        Ok(Self { members: Members::prepare(settings).await? })
    }
}

#[async_trait]
impl MetadataStore for EtcdStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let operation = format!("a read of {key}");
        let answer = self
            .members
            .ask(|mut member| async move { member.kv().get(key, None).await })
            .await
            .map_err(|fault| fault.into_error(&operation))?;
        Ok(answer.kvs().first().map(entry))
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        let operation = format!("a listing of {prefix}");
        let answer = self
            .members
            .ask(|mut member| async move { member.kv().get(prefix, Some(GetOptions::new().with_prefix())).await })
            .await
            .map_err(|fault| fault.into_error(&operation))?;
        let revision = revision_of(answer.header(), &operation)?;
        Ok((answer.kvs().iter().map(entry).collect(), revision))
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let operation = transaction.describe();
        let sent = etcd_transaction(&transaction);
        let answer = self
            .members
            .tell_once(|mut member| async move { member.kv().txn(sent).await })
            .await
            .map_err(|fault| lease_of(&transaction, &fault).unwrap_or_else(|| fault.into_error(&operation)))?;
        if !answer.succeeded() {
            return Ok(Committed::No);
        }
        Ok(Committed::Yes(revision_of(answer.header(), &operation)?))
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(EtcdWatch::open(&self.members, prefix, after).await?))
    }

    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError> {
        let seconds = whole_seconds(time_to_live);
        let operation = format!("a lease of {seconds} s");
        // A second grant after a lost answer is harmless: the first lease holds no key and ends by itself.
        let answer = self
            .members
            .ask(|mut member| async move { member.client.lease_grant(seconds, None).await })
            .await
            .map_err(|fault| fault.into_error(&operation))?;
        Ok(LeaseId(answer.id()))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        let operation = format!("the renewal of lease {}", lease.0);
        self.members
            .ask(|mut member| async move { member.keep_alive(lease).await })
            .await
            .map_err(|fault| fault.into_error(&operation))?
            .then_some(())
            .ok_or(StoreError::LeaseLost(lease))
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        let operation = format!("the end of lease {}", lease.0);
        let answer = self.members.ask(|mut member| async move { member.client.lease_revoke(lease.0).await }).await;
        match answer {
            Ok(_) | Err(Fault::NotFound(_)) => Ok(()),
            Err(fault) => Err(fault.into_error(&operation)),
        }
    }
}

/// The store's revision in an answer. etcd always gives it.
fn revision_of(header: Option<&ResponseHeader>, operation: &str) -> Result<Revision, StoreError> {
    let missing =
        || StoreError::Unavailable { operation: operation.to_owned(), reason: "the answer has no revision".to_owned() };
    header.map(|header| Revision(header.revision())).ok_or_else(missing)
}

/// The lease a refused transaction must have lost: the only thing etcd may not find in one is a lease.
fn lease_of(transaction: &Transaction, fault: &Fault) -> Option<StoreError> {
    if !matches!(fault, Fault::NotFound(_)) {
        return None;
    }
    let mut leases = transaction.changes.iter().filter_map(|change| match change {
        Change::Put { lease, .. } => *lease,
        Change::Delete { .. } => None,
    });
    let first = leases.next()?;
    leases.all(|lease| lease == first).then_some(StoreError::LeaseLost(first))
}

/// etcd counts leases in whole seconds: rounded up, at least one.
fn whole_seconds(time_to_live: Duration) -> i64 {
    let seconds = time_to_live.as_secs() + u64::from(time_to_live.subsec_nanos() > 0);
    i64::try_from(seconds.max(1)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_never_shorter_than_asked_for() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(15)), 15);
        assert_eq!(whole_seconds(Duration::from_millis(15_001)), 16);
    }
}
