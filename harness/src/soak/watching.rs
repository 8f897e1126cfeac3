//! Somebody who follows all volume records, so that no commit stays unknown whose plugin died before it heard of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::store::etcd::EtcdStore;
use hpe3par_docker_plugin::store::{Entry, MetadataStore as _, Revision, StoreError, WatchEvent, keys};
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use tokio::time::sleep;

use super::cast::Cast;
use super::told::Teller;

/// Pause before a watch that broke is begun again.
const PAUSE: Duration = Duration::from_millis(200);

/// Follows the records.
#[derive(Default)]
pub struct Watching {
    names: Mutex<BTreeMap<Wwn, String>>,
}

impl Watching {
    /// Follows the records until dropped.
    pub async fn follow(self: Arc<Self>, cast: Arc<Cast>) {
        let (store, teller) = (&cast.store, &cast.teller);
        loop {
            // The watch goes on from the list; what was written in between is in neither only if etcd forgot it.
            if let Ok((entries, revision)) = store.list(keys::VOLUMES).await {
                entries.iter().for_each(|entry| self.tell(entry, teller));
                let _ = self.watch(store, teller, revision).await;
            }
            sleep(PAUSE).await;
        }
    }

    async fn watch(&self, store: &EtcdStore, teller: &Teller, after: Revision) -> Result<(), StoreError> {
        let mut watch = store.watch(keys::VOLUMES, after).await?;
        loop {
            if let WatchEvent::Put(entry) = watch.next().await? {
                self.tell(&entry, teller);
            }
        }
    }

    fn tell(&self, entry: &Entry, teller: &Teller) {
        let Ok(record) = VolumeRecord::from_json(&entry.key, &entry.value) else { return };
        if let Some(wwn) = &record.wwn {
            self.lock().insert(wwn.clone(), record.display_name.to_string());
        }
        teller.tell_record(&record, entry.modified);
    }

    /// Docker names of all volumes that ever had a record.
    #[must_use]
    pub fn names(&self) -> BTreeMap<Wwn, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Wwn, String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
