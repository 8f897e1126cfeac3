//! The metadata store of a worker, with the witness told of every commit before the plugin goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::store::{
    Committed, Entry, LeaseId, MetadataStore, Revision, StoreError, Transaction, Watch,
};

use super::witness::Witness;

/// A store that is looked at.
pub struct ObservedStore {
    store: Arc<dyn MetadataStore>,
    witness: Arc<Witness>,
}

impl ObservedStore {
    /// Looks at this store.
    #[must_use]
    pub fn new(store: Arc<dyn MetadataStore>, witness: Arc<Witness>) -> Self {
        Self { store, witness }
    }
}

#[async_trait]
impl MetadataStore for ObservedStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        self.store.list(prefix).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let committed = self.store.commit(transaction.clone()).await;
        if let Ok(Committed::Yes(at)) = committed {
            self.witness.committed(&transaction, at);
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
