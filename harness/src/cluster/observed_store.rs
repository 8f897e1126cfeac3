//! The metadata store of a worker, with an observer told of every commit and read before the plugin goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::store::{
    Committed, Entry, LeaseId, MetadataStore, Revision, StoreError, Transaction, Watch,
};

/// Is told of what a plugin commits and reads, before the plugin goes on.
pub trait StoreObserver: Send + Sync + 'static {
    /// A transaction was committed.
    fn committed(&self, transaction: &Transaction, at: Revision);
    /// An entry was read: it was committed before, perhaps by a commit whose outcome its plugin never heard.
    fn read(&self, _entry: &Entry) {}
}

/// A store that is looked at.
pub struct ObservedStore<O> {
    store: Arc<dyn MetadataStore>,
    observer: Arc<O>,
}

impl<O> ObservedStore<O> {
    /// Looks at this store.
    #[must_use]
    pub fn new(store: Arc<dyn MetadataStore>, observer: Arc<O>) -> Self {
        Self { store, observer }
    }
}

#[async_trait]
impl<O: StoreObserver> MetadataStore for ObservedStore<O> {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let read = self.store.get(key).await;
        if let Ok(Some(entry)) = &read {
            self.observer.read(entry);
        }
        read
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        let read = self.store.list(prefix).await;
        if let Ok((entries, _)) = &read {
            entries.iter().for_each(|entry| self.observer.read(entry));
        }
        read
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let committed = self.store.commit(transaction.clone()).await;
        if let Ok(Committed::Yes(at)) = committed {
            self.observer.committed(&transaction, at);
        }
        committed
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError> {
        self.store.watch(prefix, after).await
    }

    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError> {
        self.store.grant_lease(time_to_live).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.keep_alive(lease).await
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.revoke_lease(lease).await
    }
}
