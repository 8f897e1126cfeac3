//! The metadata store as a node reaches it over the simulated network.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::store::memory::{MemoryStore, MemoryWatch};
use hpe3par_docker_plugin::store::{
    Committed, Entry, LeaseId, MetadataStore, Revision, StoreError, Transaction, Watch, WatchEvent,
};
use tokio::time::{Instant, sleep_until};

use super::calls::{Calls, Port, Trouble};
use super::chronicle::Chronicle;
use super::coverage::Topic;
use super::network::{Lost, Network, NodeNumber, Service};
use super::store_words::{kind_of_key, words_of};

/// Longest time of a call, as the production adapter has one.
pub const STORE_DEADLINE: Duration = Duration::from_secs(3);
/// After this time without contact a watch counts as broken.
pub const WATCH_LOST: Duration = Duration::from_secs(4);

/// The store as one node sees it.
#[derive(Clone)]
pub struct SimulatedStore {
    node: NodeNumber,
    store: MemoryStore,
    network: Arc<Network>,
    chronicle: Arc<Chronicle>,
    calls: Calls,
}

impl SimulatedStore {
    /// The store as `node` reaches it.
    #[must_use]
    pub fn new(
        node: NodeNumber,
        store: MemoryStore,
        network: Arc<Network>,
        chronicle: Arc<Chronicle>,
        calls: Calls,
    ) -> Self {
        Self { node, store, network, chronicle, calls }
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: impl FnOnce() -> String,
        trouble: Trouble,
        effect: impl FnOnce(&MemoryStore) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        match self.network.call(self.node, Service::Store, STORE_DEADLINE, trouble, move || effect(&store)).await {
            Ok(answer) => Ok(answer),
            Err(lost) => {
                self.chronicle.count(Topic::Store, lost.name());
                Err(no_answer(operation(), lost))
            }
        }
    }

    /// Announces a call.
    fn meet(&self, what: impl FnOnce() -> String) -> Trouble {
        self.calls.meet(self.node, Port::Store, what)
    }
}

fn no_answer(operation: String, lost: Lost) -> StoreError {
    let reason = match lost {
        Lost::NotSent => "no member can be reached",
        Lost::Busy => "the member has no leader",
        Lost::Unknown => "no answer in time",
        Lost::Refused => {
            return StoreError::Refused { operation, reason: "the database is out of space".to_owned() };
        }
    };
    StoreError::Unavailable { operation, reason: reason.to_owned() }
}

#[async_trait]
impl MetadataStore for SimulatedStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let wanted = key.to_owned();
        let trouble = self.meet(|| format!("read {}", kind_of_key(key)));
        self.call(|| format!("get {key}"), trouble, move |store| store.read(&wanted)).await
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        let wanted = prefix.to_owned();
        let trouble = self.meet(|| format!("list {}s", kind_of_key(prefix)));
        self.call(|| format!("list {prefix}"), trouble, move |store| store.read_all(&wanted)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let (chronicle, trouble) = (self.chronicle.clone(), self.meet(|| words_of(&transaction)));
        let effect = move |store: &MemoryStore| {
            let committed = store.transact(&transaction);
            if matches!(committed, Ok(Committed::Yes(_))) {
                chronicle.hear_commit(&transaction.changes);
            }
            committed
        };
        self.call(|| "commit".to_owned(), trouble, effect).await?
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError> {
        let wanted = prefix.to_owned();
        let trouble = self.meet(|| format!("watch {}s", kind_of_key(prefix)));
        let watch =
            self.call(|| format!("watch {prefix}"), trouble, move |store| store.subscribe(&wanted, after)).await??;
        Ok(Box::new(SimulatedWatch {
            node: self.node,
            network: self.network.clone(),
            calls: self.calls.clone(),
            watch,
            deaf: false,
            arriving: None,
            silent_since: None,
        }))
    }

    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError> {
        let trouble = self.meet(|| "grant lease".to_owned());
        self.call(|| "grant lease".to_owned(), trouble, move |store| store.grant(time_to_live)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        let trouble = self.meet(|| "keep lease alive".to_owned());
        self.call(|| "keep lease alive".to_owned(), trouble, move |store| store.renew(lease)).await?
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        let trouble = self.meet(|| "revoke lease".to_owned());
        self.call(|| "revoke lease".to_owned(), trouble, move |store| store.revoke(lease)).await
    }
}

/// A watch over the network: deaf while the way is cut, broken when that lasts.
struct SimulatedWatch {
    node: NodeNumber,
    network: Arc<Network>,
    calls: Calls,
    watch: MemoryWatch,
    /// Nothing arrives any more, and nobody says so.
    deaf: bool,
    arriving: Option<(Instant, WatchEvent)>,
    silent_since: Option<Instant>,
}

#[async_trait]
impl Watch for SimulatedWatch {
    async fn next(&mut self) -> Result<WatchEvent, StoreError> {
        loop {
            let changed = self.network.changed.notified();
            if self.network.reaches(self.node, Service::Store) && !self.deaf {
                self.silent_since = None;
            } else {
                let since = *self.silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= WATCH_LOST {
                    return Err(no_answer("watch".to_owned(), Lost::Unknown));
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
                    let at = stands + self.network.message_delay(self.node, Service::Store);
                    let event = event?;
                    let late = self.meet(&event).await?;
                    self.arriving = Some((at + late, event));
                }
            }
        }
    }
}

impl SimulatedWatch {
    /// Announces that a change arrives; tells how much later it does.
    async fn meet(&mut self, event: &WatchEvent) -> Result<Duration, StoreError> {
        let what = || match event {
            WatchEvent::Put(entry) => format!("{} changed", kind_of_key(&entry.key)),
            WatchEvent::Deleted { key, .. } => format!("{} gone", kind_of_key(key)),
        };
        match self.calls.meet(self.node, Port::Watch, what) {
            Trouble::None => {}
            Trouble::Dead => std::future::pending().await,
            Trouble::Stopped => tokio::task::yield_now().await,
            Trouble::AtEffect(act) => {
                act();
                tokio::task::yield_now().await;
            }
            Trouble::AnswerLost => self.deaf = true,
            Trouble::Late(by) => return Ok(by),
            Trouble::Busy | Trouble::Refused => return Err(no_answer("watch".to_owned(), Lost::Busy)),
        }
        Ok(Duration::ZERO)
    }
}
