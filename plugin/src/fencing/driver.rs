//! The one driver of effects: it alone touches exports and mounts.
//!
//! Here are its parts and the way it reads and writes records. A write is always a transaction guarded by the
//! revision that was read; "not committed" and "outcome unknown" both lead back to reading.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::decision::Me;
use super::error::FenceError;
use super::mutants::{Defects, Mutant};
use super::policy::Policy;
use super::refusal::Refusal;
use crate::array::{Array, HostName, Lun, Wwn};
use crate::node::{Filesystem, MountPrefix, Node};
use crate::store::journal::{Journal, JournalEntry};
use crate::store::{Change, Committed, Guard, MetadataStore, Revision, Transaction, keys};
use crate::volume::names::VolumeId;
use crate::volume::record::{Epoch, VolumeRecord};

/// An array as a backend section configures it.
#[derive(Clone)]
pub struct Backend {
    /// The array.
    pub array: Arc<dyn Array>,
    /// Fencing settings of the section.
    pub policy: Policy,
    /// Filesystem for new volumes.
    pub filesystem: Filesystem,
    /// Paths a device should have before it is used; fewer are accepted after a wait.
    pub paths_wanted: usize,
}

/// What a driver is made of.
#[derive(Clone)]
pub struct DriverParts {
    /// Metadata store.
    pub store: Arc<dyn MetadataStore>,
    /// Backends by section name.
    pub backends: BTreeMap<String, Backend>,
    /// This node.
    pub node: Arc<dyn Node>,
    /// This node's own memory.
    pub journal: Arc<dyn Journal>,
    /// This node in this boot.
    pub me: Me,
    /// Where volumes are mounted, such as `/opt/hpe/data/hpedocker-`.
    pub mount_prefix: MountPrefix,
    /// Defects put in by a test.
    pub defects: Defects,
}

/// Why this node must not take volumes: set by the registration when another machine uses its identity.
#[derive(Debug, Default)]
pub struct IdentityAlarm(Mutex<Option<String>>);

impl IdentityAlarm {
    /// Raises or clears the alarm.
    pub fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// The reason, if raised.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A record with the revision it was read at.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The record.
    pub record: VolumeRecord,
    /// Token for the next write.
    pub revision: Revision,
}

/// A LUN number of a volume whose export may still take effect: volume, host and number.
type BurnedNumber = (VolumeId, (HostName, Lun));

/// A reference whose commit may have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) mount_id: String,
    pub(super) epoch: Epoch,
    /// How many references the id has if it did.
    pub(super) holds: usize,
}

/// This node's host for one backend section, once it is known.
type HostCell = Arc<tokio::sync::Mutex<Option<HostName>>>;

/// Carries out what the decisions say, for one node.
pub struct Driver {
    pub(super) parts: DriverParts,
    pub(super) alarm: Arc<IdentityAlarm>,
    locks: Mutex<BTreeMap<VolumeId, Arc<tokio::sync::Mutex<()>>>>,
    pub(super) hosts: Mutex<BTreeMap<String, HostCell>>,
    pub(super) stuck: Mutex<BTreeMap<VolumeId, Instant>>,
    pub(super) unclaimed: Mutex<BTreeMap<VolumeId, Instant>>,
    pub(super) burned_since: Mutex<BTreeMap<BurnedNumber, Instant>>,
    /// References that may be in the record though their callers heard of an error.
    pub(super) doubtful: Mutex<BTreeMap<VolumeId, Vec<Doubt>>>,
    pub(super) here: Mutex<BTreeMap<VolumeId, JournalEntry>>,
    pub(super) seen: Mutex<BTreeMap<VolumeId, VolumeRecord>>,
    /// The newest epoch of each volume that this plugin has seen; kept when the store says less.
    newest: Mutex<BTreeMap<VolumeId, Epoch>>,
    pub(super) store_away: AtomicBool,
    pub(super) store_seen: AtomicBool,
}

/// Held while this process works on a volume; never across a wait for another node.
pub(super) type VolumeGuard = OwnedMutexGuard<()>;

impl Driver {
    /// A driver for one node.
    #[must_use]
    pub fn new(parts: DriverParts) -> Self {
        Self {
            parts,
            alarm: Arc::default(),
            locks: Mutex::default(),
            hosts: Mutex::default(),
            stuck: Mutex::default(),
            unclaimed: Mutex::default(),
            burned_since: Mutex::default(),
            doubtful: Mutex::default(),
            here: Mutex::default(),
            seen: Mutex::default(),
            newest: Mutex::default(),
            store_away: AtomicBool::new(false),
            store_seen: AtomicBool::new(false),
        }
    }

    /// The switch by which the registration stops this node from taking volumes.
    #[must_use]
    pub fn identity_alarm(&self) -> Arc<IdentityAlarm> {
        Arc::clone(&self.alarm)
    }

    /// Defects put in by a test; none in production.
    #[must_use]
    pub fn defects(&self) -> Defects {
        self.parts.defects
    }

    /// This node in this boot.
    #[must_use]
    pub fn me(&self) -> &Me {
        &self.parts.me
    }

    /// Serialises work of this process on one volume. Other nodes are excluded by transactions, not by this.
    pub(super) async fn volume_guard(&self, id: VolumeId) -> VolumeGuard {
        let id = if self.parts.defects.has(Mutant::OneLockForAll) { VolumeId(uuid::Uuid::nil()) } else { id };
        let lock = Arc::clone(self.locks.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
        lock.lock_owned().await
    }

    /// The same, if nobody in this process works on the volume right now.
    pub(super) fn try_volume_guard(&self, id: VolumeId) -> Option<VolumeGuard> {
        let lock = Arc::clone(self.locks.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
        lock.try_lock_owned().ok()
    }

    pub(super) fn backend(&self, record: &VolumeRecord) -> Result<&Backend, FenceError> {
        self.parts.backends.get(&record.backend).ok_or_else(|| FenceError::NoBackend(record.backend.clone()))
    }

    /// Where a volume is mounted on this node: the directory the record names, else the one made of the WWN.
    pub(super) fn mount_dir(&self, record: &VolumeRecord, wwn: &Wwn) -> PathBuf {
        record.path_info.get(&self.parts.me.node).map_or_else(
            || self.parts.mount_prefix.directory(&format!("dm-uuid-mpath-{}", wwn.map_name())),
            |info| info.mount_dir.clone(),
        )
    }

    /// Reads a record.
    pub(super) async fn load(&self, id: VolumeId) -> Result<Option<Loaded>, FenceError> {
        let key = keys::volume(id);
        // Taken before the question: what is seen while the answer is on its way may well be newer than the answer.
        let newest = self.newest_epoch(id);
        let Some(entry) = self.parts.store.get(&key).await? else { return Ok(None) };
        let record = VolumeRecord::from_json(&key, &entry.value)?;
        match newest {
            Some(newest) if newest > record.epoch => {
                Err(Refusal::StoreIsOlder { remembered: newest.0, stored: record.epoch.0 }.into())
            }
            _ => {
                self.remember_epoch(&record);
                Ok(Some(Loaded { record, revision: entry.modified }))
            }
        }
    }

    /// The newest epoch of a volume that this plugin has seen.
    fn newest_epoch(&self, id: VolumeId) -> Option<Epoch> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// Takes the epoch of a record that was read or heard of into account. A store that was put back to a backup says less later,
    /// to nodes as well that do not have the volume mounted.
    pub(super) fn remember_epoch(&self, record: &VolumeRecord) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let known = newest.entry(record.id).or_insert(record.epoch);
        *known = record.epoch.max(*known);
    }

    /// A volume whose record is gone needs no memory: one with this id never comes back but from a newer store.
    pub(super) fn forget_epoch(&self, id: VolumeId) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// The same for all volumes without a record.
    pub(super) fn forget_epochs_but(&self, there: &BTreeMap<VolumeId, VolumeRecord>) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| there.contains_key(id));
    }

    /// Writes a record if it is still the one that was read. `None`: it was not, read again.
    pub(super) async fn save(&self, loaded: &Loaded, record: VolumeRecord) -> Result<Option<Loaded>, FenceError> {
        self.save_with(loaded, record, Transaction::default()).await
    }

    /// The same, together with further guards and changes.
    pub(super) async fn save_with(
        &self,
        loaded: &Loaded,
        record: VolumeRecord,
        mut with: Transaction,
    ) -> Result<Option<Loaded>, FenceError> {
        let key = keys::volume(record.id);
        if !self.parts.defects.has(Mutant::WriteWithoutCompare) {
            with.guards.insert(0, Guard::Unchanged(key.clone(), loaded.revision));
        }
        with.changes.insert(0, Change::Put { key, value: record.to_json(), lease: None });
        match self.parts.store.commit(with).await? {
            Committed::Yes(revision) => Ok(Some(Loaded { record, revision })),
            Committed::No => Ok(None),
        }
    }

    /// WWN of a volume: from the record, else from the array, and then kept in the record by the next write.
    pub(super) async fn wwn_of(&self, record: &mut VolumeRecord) -> Result<Wwn, FenceError> {
        if let Some(wwn) = &record.wwn {
            return Ok(wwn.clone());
        }
        let written: Option<Wwn> =
            record.path_info.values().find_map(|info| info.device_info.scsi_wwn.strip_prefix('3')?.parse().ok());
        if let Some(wwn) = written {
            // The earlier plugin wrote it there; the array need not be asked.
            return Ok(record.wwn.insert(wwn).clone());
        }
        let array = &self.backend(record)?.array;
        let volume = array.volume(&record.array_name).await?.ok_or_else(|| crate::array::ArrayError::NotFound {
            operation: "reading the volume's WWN".to_owned(),
            object: format!("volume {}", record.array_name),
        })?;
        record.wwn = Some(volume.wwn.clone());
        Ok(volume.wwn)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The store does not answer, or the record cannot be read.
    pub async fn load_record(&self, id: VolumeId) -> Result<Option<Loaded>, FenceError> {
        self.load(id).await
    }

    /// The array a volume is on.
    ///
    /// # Errors
    /// Its backend is not configured on this node.
    pub fn array_of(&self, record: &VolumeRecord) -> Result<Arc<dyn Array>, FenceError> {
        Ok(Arc::clone(&self.backend(record)?.array))
    }

    /// The array of a backend section.
    #[must_use]
    pub fn array_named(&self, backend: &str) -> Option<Arc<dyn Array>> {
        self.parts.backends.get(backend).map(|backend| Arc::clone(&backend.array))
    }

    /// Keeps Mount, Unmount and reconciliation of this process off a volume while the guard lives.
    pub async fn hold(&self, id: VolumeId) -> impl Send + use<> {
        self.volume_guard(id).await
    }

    /// Records as last listed or watched; may be behind the store.
    #[must_use]
    pub fn seen_volumes(&self) -> Vec<VolumeRecord> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The store has answered at least once since the start.
    #[must_use]
    pub fn has_seen_store(&self) -> bool {
        self.store_seen.load(Ordering::Relaxed)
    }

    /// The last attempt to follow the store failed.
    #[must_use]
    pub fn store_seems_away(&self) -> bool {
        self.store_away.load(Ordering::Relaxed)
    }
}
