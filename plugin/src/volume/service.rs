//! The volume operations behind the Docker API: names become ids, errors become one line, and what this node
//! knows by itself stands in while the store is away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::array::CpgName;
use crate::docker::driver::{DriverError, NodeView, VolumeDriver, VolumeView};
use crate::fencing::{Driver, FenceError};
use crate::store::{Entry, MetadataStore, StoreError, keys};
use crate::volume::help;
use crate::volume::mount::{Caller, Mounted};
use crate::volume::names::{VolumeId, VolumeName};
use crate::volume::options::{CreateOptions, HelpTopic};
use crate::volume::record::VolumeRecord;
use crate::volume::view;

/// Get, Path and List that the store leaves unanswered for so long are answered by what this node remembers: dockerd looks before
/// every Mount and Unmount, and a store that hangs must not keep it waiting.
const LOOK_PATIENCE: Duration = Duration::from_millis(60);

/// What a backend section gives to new volumes.
#[derive(Debug, Clone, Default)]
pub struct NewVolumeDefaults {
    /// First of `hpe3par_cpg`.
    pub cpg: Option<CpgName>,
    /// First of `hpe3par_snapcpg`, else the same as `cpg`.
    pub snap_cpg: Option<CpgName>,
    /// Ask the array to refuse export to a second host.
    pub one_host: bool,
}

/// Longest time the operations take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// A Mount.
    pub mount: Duration,
    /// An Unmount.
    pub unmount: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { mount: Duration::from_secs(110), unmount: Duration::from_secs(55) }
    }
}

/// What a service is made of.
#[derive(Clone)]
pub struct ServiceParts {
    /// The one that touches exports and mounts.
    pub driver: Arc<Driver>,
    /// Metadata store.
    pub store: Arc<dyn MetadataStore>,
    /// Settings for new volumes by backend section.
    pub defaults: BTreeMap<String, NewVolumeDefaults>,
    /// Section used when a Create names none.
    pub default_backend: String,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// Makes the id of a new volume; random in production.
    pub new_id: Arc<dyn Fn() -> VolumeId + Send + Sync>,
}

/// The volume operations.
pub struct VolumeService {
    pub(super) parts: ServiceParts,
}

impl VolumeService {
    /// A service of these parts.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Self {
        Self { parts }
    }

    /// The driver, for reconciliation and registration.
    #[must_use]
    pub fn driver(&self) -> &Arc<Driver> {
        &self.parts.driver
    }

    /// Id of a volume: by the name index, by the records seen (the earlier plugin wrote no index), or the name is an id.
    pub(super) async fn lookup(&self, name: &VolumeName) -> Result<Option<VolumeId>, FenceError> {
        if let Some(entry) = self.parts.store.get(&keys::volume_name(name.as_str())).await? {
            let id = std::str::from_utf8(&entry.value).ok().and_then(|text| text.trim().parse().ok());
            return id.map(Some).ok_or_else(|| {
                StoreError::Refused {
                    operation: format!("reading {}", entry.key),
                    reason: "its value is no volume id".to_owned(),
                }
                .into()
            });
        }
        let named = |record: &VolumeRecord| record.display_name == *name;
        let by_record = if self.parts.driver.has_seen_store() {
            self.parts.driver.seen_volumes().into_iter().find(named).map(|record| record.id)
        } else {
            let (entries, _) = self.parts.store.list(keys::VOLUMES).await?;
            let records = entries.iter().filter_map(|entry| VolumeRecord::from_json(&entry.key, &entry.value).ok());
            records.filter(named).map(|record| record.id).next()
        };
        Ok(by_record.or_else(|| name.as_str().parse().ok()))
    }

    /// Id of a volume by what this node remembers.
    fn remembered(&self, name: &VolumeName) -> Option<VolumeId> {
        let driver = &self.parts.driver;
        let journal = driver.journal_entries().into_iter().find(|entry| entry.name == *name).map(|entry| entry.id);
        journal.or_else(|| {
            driver.seen_volumes().into_iter().find(|record| record.display_name == *name).map(|record| record.id)
        })
    }

    async fn read(&self, name: &VolumeName) -> Result<Option<VolumeRecord>, FenceError> {
        let Some(id) = self.lookup(name).await? else { return Ok(None) };
        let key = keys::volume(id);
        let Some(entry) = self.parts.store.get(&key).await? else { return Ok(None) };
        Ok(Some(VolumeRecord::from_json(&key, &entry.value)?))
    }

    async fn mount_by_store(&self, name: &VolumeName, id: &str, caller: &Caller) -> Result<Mounted, FenceError> {
        let deadline = Instant::now() + self.parts.deadlines.mount;
        let volume = self.lookup(name).await?.ok_or(FenceError::NoSuchVolume)?;
        self.parts.driver.mount(volume, id, caller, deadline).await
    }

    async fn unmount_by_store(&self, name: &VolumeName, id: &str) -> Result<(), FenceError> {
        let deadline = Instant::now() + self.parts.deadlines.unmount;
        let volume = self.lookup(name).await?.ok_or(FenceError::NoSuchVolume)?;
        self.parts.driver.unmount(volume, id, deadline).await
    }

    /// A volume as the store has it, or as this node remembers it while the store is away.
    async fn view(&self, name: &VolumeName) -> Result<Option<VolumeView>, FenceError> {
        let driver = &self.parts.driver;
        if driver.store_seems_away()
            && let Some(view) = self.remembered_view(name)
        {
            return Ok(Some(view));
        }
        let mounted_here = self.remembered_view(name).filter(|view| view.mountpoint.is_some());
        let read = match mounted_here {
            None => self.read(name).await,
            Some(view) => match timeout(LOOK_PATIENCE, self.read(name)).await {
                Ok(read) => read,
                Err(_) => return Ok(Some(view)),
            },
        };
        match read {
            Ok(record) => {
                Ok(record.map(|record| view::of_record(&record, driver.me(), driver.mounted_here(record.id))))
            }
            // An error makes dockerd forget the volume, and then no Unmount ever comes: what is mounted here is answered for.
            Err(error) => match self.remembered_view(name) {
                Some(view) if store_is_away(&error) || view.mountpoint.is_some() => Ok(Some(view)),
                _ => Err(error),
            },
        }
    }

    /// A volume by what this node remembers: what is mounted here first, then the records last seen.
    fn remembered_view(&self, name: &VolumeName) -> Option<VolumeView> {
        let driver = &self.parts.driver;
        let seen = driver.seen_volumes().into_iter().find(|record| record.display_name == *name);
        if let Some(record) = seen {
            return Some(view::of_record(&record, driver.me(), driver.mounted_here(record.id)));
        }
        driver.journal_entries().iter().find(|entry| entry.name == *name).map(view::of_journal)
    }
}

/// One line for whoever runs containers. Whoever answers the request writes it into the log.
fn failed(operation: &str, name: &VolumeName, error: &FenceError) -> DriverError {
    DriverError(format!("{operation} of volume '{name}' failed: {error}"))
}

/// One record that cannot be read must not hide the other volumes; it is named in the log.
fn readable(entries: &[Entry]) -> Vec<VolumeRecord> {
    let read = |entry: &Entry| {
        VolumeRecord::from_json(&entry.key, &entry.value)
            .inspect_err(|error| warn!(%error, "a volume is left out of the list"))
            .ok()
    };
    entries.iter().filter_map(read).collect()
}

/// The store does not answer, or serves nobody: no space, no permission, too busy.
fn store_is_away(error: &FenceError) -> bool {
    matches!(error, FenceError::Store(StoreError::Unavailable { .. } | StoreError::Refused { .. }))
}

#[async_trait]
impl VolumeDriver for VolumeService {
    async fn create(&self, name: VolumeName, options: CreateOptions) -> Result<(), DriverError> {
        self.create_volume(&name, &options).await.map_err(|e| failed("Create", &name, &e))
    }

    async fn help(&self, topic: HelpTopic) -> String {
        match topic {
            HelpTopic::Usage => help::USAGE.to_owned(),
            HelpTopic::Backends => help::backends_table(&self.backend_states().await),
        }
    }

    async fn remove(&self, name: VolumeName) -> Result<(), DriverError> {
        match self.remove_volume(&name).await {
            Err(FenceError::NoSuchVolume) => Err(DriverError(format!("Volume name to remove not found: {name}"))),
            other => other.map_err(|e| failed("Remove", &name, &e)),
        }
    }

    async fn mount(&self, name: VolumeName, id: String, caller: Caller) -> Result<Mounted, DriverError> {
        let error = match self.mount_by_store(&name, &id, &caller).await {
            Ok(mounted) => return Ok(mounted),
            Err(error) => error,
        };
        if let (true, Some(volume)) = (store_is_away(&error), self.remembered(&name))
            && let Ok(mounted) = self.parts.driver.mount_from_memory(volume, &id, &caller).await
        {
            return Ok(mounted);
        }
        Err(failed("Mount", &name, &error))
    }

    async fn unmount(&self, name: VolumeName, id: String) -> Result<(), DriverError> {
        let error = match self.unmount_by_store(&name, &id).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let (true, Some(volume)) = (store_is_away(&error), self.remembered(&name)) {
            return self.parts.driver.unmount_from_memory(volume, &id).await.map_err(|e| failed("Unmount", &name, &e));
        }
        Err(failed("Unmount", &name, &error))
    }

    async fn path(&self, name: VolumeName) -> Result<Option<PathBuf>, DriverError> {
        let view = self.view(&name).await.map_err(|error| failed("Path", &name, &error))?;
        Ok(view.and_then(|view| view.mountpoint))
    }

    async fn get(&self, name: VolumeName) -> Result<Option<VolumeView>, DriverError> {
        self.view(&name).await.map_err(|error| failed("Get", &name, &error))
    }

    fn node_view(&self) -> NodeView {
        let driver = &self.parts.driver;
        let me = &driver.me().node;
        let mounted = driver.journal_entries().into_iter().filter(|entry| !entry.released);
        let quarantined = driver.seen_volumes().into_iter().filter(|record| record.quarantine.contains_key(me));
        let store_answers =
            if driver.store_seems_away() { Some(false) } else { driver.has_seen_store().then_some(true) };
        NodeView {
            node: me.to_string(),
            takes_no_volumes: driver.identity_alarm().reason(),
            store_answers,
            mounted: mounted.map(|entry| entry.name.to_string()).collect(),
            quarantined: quarantined.map(|record| record.display_name.to_string()).collect(),
        }
    }

    async fn list(&self) -> Result<Vec<VolumeView>, DriverError> {
        let driver = &self.parts.driver;
        let views = |records: Vec<VolumeRecord>| {
            records.iter().map(|record| view::of_record(record, driver.me(), driver.mounted_here(record.id))).collect()
        };
        if driver.store_seems_away() && driver.has_seen_store() {
            return Ok(views(driver.seen_volumes()));
        }
        let listing = self.parts.store.list(keys::VOLUMES);
        let listed = if driver.has_seen_store() {
            match timeout(LOOK_PATIENCE, listing).await {
                Ok(listed) => listed,
                Err(_) => return Ok(views(driver.seen_volumes())),
            }
        } else {
            listing.await
        };
        match listed {
            Ok((entries, _)) => Ok(views(readable(&entries))),
            Err(error) if driver.has_seen_store() => {
                warn!(%error, "listing volumes from what this node has seen");
                Ok(views(driver.seen_volumes()))
            }
            // An empty list would make dockerd believe that there is nothing.
            Err(error) => Err(DriverError(format!("List failed: {error}"))),
        }
    }
}
