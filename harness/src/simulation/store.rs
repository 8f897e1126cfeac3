//! The metadata store as a node reaches it over the simulated network.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::store::memory::{MemoryStore, MemoryWatch};
use hpe3par_docker_plugin::store::{
    Committed, Entry, LeaseId, MetadataStore, Revision, StoreError, Transaction, Watch, WatchEvent,
};
use tokio::time::{Instant, sleep_until};

use super::chronicle::Chronicle;
use super::coverage::Topic;
use super::network::{Lost, Network, NodeNumber, Service};

/// Longest time of a call, as the production adapter has one.
const DEADLINE: Duration = Duration::from_secs(3);
/// After this time without contact a watch counts as broken.
const WATCH_LOST: Duration = Duration::from_secs(4);

/// The store as one node sees it.
#[derive(Clone)]
pub struct SimulatedStore {
    node: NodeNumber,
    store: MemoryStore,
    network: Arc<Network>,
    chronicle: Arc<Chronicle>,
}

impl SimulatedStore {
    /// The store as `node` reaches it.
    #[must_use]
    pub fn new(node: NodeNumber, store: MemoryStore, network: Arc<Network>, chronicle: Arc<Chronicle>) -> Self {
        Self { node, store, network, chronicle }
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: impl FnOnce() -> String,
        effect: impl FnOnce(&MemoryStore) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        match self.network.call(self.node, Service::Store, DEADLINE, move || effect(&store)).await {
            Ok(answer) => Ok(answer),
            Err(lost) => {
                self.chronicle.count(Topic::Store, lost.name());
                Err(unavailable(operation(), lost))
            }
        }
    }
}

fn unavailable(operation: String, lost: Lost) -> StoreError {
    let reason = match lost {
        Lost::NotSent => "no member can be reached",
        Lost::Busy => "the member has no leader",
        Lost::Unknown => "no answer in time",
    };
    StoreError::Unavailable { operation, reason: reason.to_owned() }
}

#[async_trait]
impl MetadataStore for SimulatedStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let wanted = key.to_owned();
        self.call(|| format!("get {key}"), move |store| store.read(&wanted)).await
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        let wanted = prefix.to_owned();
        self.call(|| format!("list {prefix}"), move |store| store.read_all(&wanted)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let chronicle = self.chronicle.clone();
        let effect = move |store: &MemoryStore| {
            let committed = store.transact(&transaction);
            if matches!(committed, Ok(Committed::Yes(_))) {
                chronicle.hear_commit(&transaction.changes);
            }
            committed
        };
        self.call(|| "commit".to_owned(), effect).await?
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError> {
        let wanted = prefix.to_owned();
        let watch = self.call(|| format!("watch {prefix}"), move |store| store.subscribe(&wanted, after)).await??;
        Ok(Box::new(SimulatedWatch {
            node: self.node,
            network: self.network.clone(),
            watch,
            arriving: None,
            silent_since: None,
        }))
    }

    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError> {
        self.call(|| "grant lease".to_owned(), move |store| store.grant(time_to_live)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.call(|| "keep lease alive".to_owned(), move |store| store.renew(lease)).await?
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.call(|| "revoke lease".to_owned(), move |store| store.revoke(lease)).await
    }
}

/// A watch over the network: deaf while the way is cut, broken when that lasts.
struct SimulatedWatch {
    node: NodeNumber,
    network: Arc<Network>,
    watch: MemoryWatch,
    arriving: Option<(Instant, WatchEvent)>,
    silent_since: Option<Instant>,
}

#[async_trait]
impl Watch for SimulatedWatch {
    async fn next(&mut self) -> Result<WatchEvent, StoreError> {
        loop {
            let changed = self.network.changed.notified();
            if self.network.reaches(self.node, Service::Store) {
                self.silent_since = None;
            } else {
                let since = *self.silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= WATCH_LOST {
                    return Err(unavailable("watch".to_owned(), Lost::Unknown));
                }
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(since + WATCH_LOST) => {}
                }
                continue;
            }
            if let Some((at, event)) = &self.arriving {
                sleep_until(*at).await;
                let event = event.clone();
                self.arriving = None;
                return Ok(event);
            }
            tokio::select! {
                biased;
                () = changed => {}
                event = self.watch.next() => {
                    let stands = self.network.store_stands_until().unwrap_or_else(Instant::now);
                    self.arriving = Some((stands + self.network.message_delay(self.node, Service::Store), event?));
                }
            }
        }
    }
}
