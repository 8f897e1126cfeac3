//! Somebody who follows all volume records, so that no commit stays unknown whose plugin died before it heard of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::store::etcd::EtcdStore;
use hpe3par_docker_plugin::store::{Entry, MetadataStore as _, Revision, StoreError, WatchEvent, keys};
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use tokio::time::sleep;

use super::deployment::Deployment;
use super::fact_log::FactLog;

/// Pause before a watch that broke is begun again.
const PAUSE: Duration = Duration::from_millis(200);

/// Follows the records.
#[derive(Default)]
pub struct Watching {
    names: Mutex<BTreeMap<Wwn, String>>,
}

impl Watching {
    /// Follows the records until dropped.
    pub async fn follow(self: Arc<Self>, deployment: Arc<Deployment>) {
        let (store, fact_log) = (&deployment.store, &deployment.fact_log);
        loop {
            // The watch goes on from the list; what was written in between is in neither only if etcd forgot it.
            if let Ok((entries, revision)) = store.list(keys::VOLUMES).await {
                entries.iter().for_each(|entry| self.log(entry, fact_log));
                let _ = self.watch(store, fact_log, revision).await;
            }
            sleep(PAUSE).await;
        }
    }

    async fn watch(&self, store: &EtcdStore, fact_log: &FactLog, after: Revision) -> Result<(), StoreError> {
        let mut watch = store.watch(keys::VOLUMES, after).await?;
        loop {
            if let WatchEvent::Put(entry) = watch.next().await? {
                self.log(&entry, fact_log);
            }
        }
    }

    fn log(&self, entry: &Entry, fact_log: &FactLog) {
        let Ok(record) = VolumeRecord::from_json(&entry.key, &entry.value) else { return };
        if let Some(wwn) = &record.wwn {
            self.lock().insert(wwn.clone(), record.display_name.to_string());
        }
        fact_log.log_record(&record, entry.modified);
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
