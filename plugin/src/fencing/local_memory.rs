//! What this node remembers by itself: enough to serve containers that run here while the store is away.
//!
//! The journal never makes this node an owner; it only says what was mounted here and what is left to be told
//! to the store.

use std::path::PathBuf;
use std::sync::PoisonError;

use tracing::info;

use super::driver::{Driver, Loaded};
use super::error::FenceError;
use super::references;
use super::refusal::Refusal;
use crate::array::Wwn;
use crate::node::LocalTruth;
use crate::store::journal::JournalEntry;
use crate::volume::mount::{Caller, Mounted};
use crate::volume::names::VolumeId;
use crate::volume::record::{Stage, VolumeRecord};

impl Driver {
    /// Reads the journal; called once at start.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn load_journal(&self) -> Result<(), FenceError> {
        let entries = self.parts.journal.entries().await?;
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        *here = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        Ok(())
    }

    /// What is mounted here or not finished releasing, by this node's own memory.
    #[must_use]
    pub fn journal_entries(&self) -> Vec<JournalEntry> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn journal_entry(&self, id: VolumeId) -> Option<JournalEntry> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    async fn write_journal(&self, entry: JournalEntry) -> Result<(), FenceError> {
        self.parts.journal.write(&entry).await?;
        self.here.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.id, entry);
        Ok(())
    }

    /// Remembers a mount as the record is about to say it.
    pub(super) async fn journal_mounted(&self, record: &VolumeRecord) -> Result<(), FenceError> {
        let me = &self.parts.me;
        let (Some(info), Some(wwn)) = (record.path_info.get(&me.node), record.wwn.clone()) else { return Ok(()) };
        let entry = JournalEntry {
            id: record.id,
            name: record.display_name.clone(),
            backend: record.backend.clone(),
            array_name: record.array_name.clone(),
            wwn,
            epoch: record.epoch,
            boot: me.boot.clone(),
            lun: record.ownership.stage().and_then(Stage::attempt).map(|attempt| attempt.lun),
            mount_dir: info.mount_dir.clone(),
            device: info.path.clone(),
            mount_ids: info.mount_ids.clone(),
            size_gib: record.size_gib,
            released: false,
            ahead_of_store: false,
            given_up: false,
        };
        self.write_journal(entry).await
    }

    /// Remembers, before a filesystem is shut down for want of paths, that its mount is never good again.
    pub(super) async fn journal_given_up(&self, id: VolumeId) -> Result<(), FenceError> {
        match self.journal_entry(id) {
            Some(entry) if !entry.given_up => self.write_journal(JournalEntry { given_up: true, ..entry }).await,
            _ => Ok(()),
        }
    }

    /// What this kernel has of a volume. A filesystem that this node has given up is dead, also where the kernel does not
    /// show it.
    pub(super) async fn inspect(&self, id: VolumeId, wwn: &Wwn) -> Result<LocalTruth, FenceError> {
        let mut local = self.parts.node.inspect(wwn).await?;
        let given_up = self.journal_entry(id).is_some_and(|entry| entry.given_up);
        local.filesystem_dead |= given_up && !local.mounted_at.is_empty();
        Ok(local)
    }

    /// Remembers that the volume is down here, before the array and the store are told.
    pub(super) async fn journal_released(&self, record: &VolumeRecord) -> Result<(), FenceError> {
        let Some(mut entry) = self.journal_entry(record.id) else { return Ok(()) };
        entry.released = true;
        entry.mount_ids.clear();
        entry.epoch = record.epoch;
        self.write_journal(entry).await
    }

    pub(super) async fn forget_here(&self, id: VolumeId) -> Result<(), FenceError> {
        if self.journal_entry(id).is_some() {
            self.parts.journal.forget(id).await?;
            self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
        Ok(())
    }

    /// A further Mount while the store is away: served if the volume is really mounted here in this boot.
    ///
    /// # Errors
    /// [`FenceError::NoSuchVolume`] when this node cannot vouch for the volume by itself.
    pub async fn mount_from_memory(
        &self,
        id: VolumeId,
        mount_id: &str,
        caller: &Caller,
    ) -> Result<Mounted, FenceError> {
        let _guard = self.volume_guard(id).await;
        if !caller.is_waiting() {
            return Err(FenceError::Deadline { doing: "mounting while the metadata store is away" });
        }
        let Some(mut entry) = self.vouched(id).await? else { return Err(FenceError::NoSuchVolume) };
        references::add(&mut entry.mount_ids, mount_id);
        entry.ahead_of_store = true;
        let answer = Mounted { mountpoint: entry.mount_dir.clone(), device: entry.device.clone() };
        self.write_journal(entry).await?;
        // The record will be brought in line with this list, whatever became of earlier commits.
        self.no_doubt(id);
        Ok(answer)
    }

    /// An Unmount while the store is away: taken down here now, told to store and array later.
    ///
    /// # Errors
    /// [`FenceError::NoSuchVolume`] when this node knows nothing of the volume.
    pub async fn unmount_from_memory(&self, id: VolumeId, mount_id: &str) -> Result<(), FenceError> {
        let _guard = self.volume_guard(id).await;
        let Some(mut entry) = self.journal_entry(id) else { return Err(FenceError::NoSuchVolume) };
        if entry.released {
            return Ok(());
        }
        references::drop_one(&mut entry.mount_ids, mount_id);
        entry.ahead_of_store = true;
        self.write_journal(entry.clone()).await?;
        if entry.mount_ids.is_empty() {
            let local = self.inspect(id, &entry.wwn).await?;
            if local.filesystem_dead {
                let record = VolumeRecord::new(entry.id, entry.name.clone());
                self.drop_fenced(&record, &entry.wwn, &local).await?;
                entry.released = true;
            } else if self.take_down(&entry.wwn, &local).await? == super::cleaning::TakenDown::Clean {
                entry.released = true;
                info!(volume = %entry.name, "unmounted while the metadata store is away; the release is finished when it is back");
            }
        }
        self.write_journal(entry).await
    }

    /// The entry of a volume that is mounted here right now, in this boot. Without a path it may have been taken over
    /// while the store was away: then nothing is vouched for.
    async fn vouched(&self, id: VolumeId) -> Result<Option<JournalEntry>, FenceError> {
        let Some(entry) = self.journal_entry(id) else { return Ok(None) };
        if entry.released || entry.boot != self.parts.me.boot {
            return Ok(None);
        }
        if self.has_seen_another_owner(&entry) {
            return Ok(None);
        }
        let local = self.inspect(id, &entry.wwn).await?;
        let is_good = local.is_mounted_at(&entry.mount_dir) && !local.paths_down && !entry.given_up;
        Ok(is_good.then_some(entry))
    }

    /// The record as last seen is of a later epoch, or names another owner: the mount is no longer this node's to vouch for.
    fn has_seen_another_owner(&self, entry: &JournalEntry) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&entry.id).is_some_and(|record| {
            let owner = record.ownership.owner();
            record.epoch > entry.epoch || owner.is_some_and(|owner| owner.node != self.parts.me.node)
        })
    }

    /// Before a Mount or Unmount: what this node did while the store was away is told first.
    pub(super) async fn finish_what_memory_knows(&self, id: VolumeId) -> Result<(), FenceError> {
        if self.journal_entry(id).is_none_or(|entry| !entry.released && !entry.ahead_of_store) {
            return Ok(());
        }
        match self.load(id).await? {
            Some(loaded) => self.tell_store(loaded).await,
            None => Ok(()),
        }
    }

    /// Brings the record in line with what was done while the store was away.
    pub(super) async fn tell_store(&self, mut loaded: Loaded) -> Result<(), FenceError> {
        let id = loaded.record.id;
        let me = &self.parts.me;
        self.refuse_older_store(&loaded.record)?;
        loop {
            let Some(entry) = self.journal_entry(id) else { return Ok(()) };
            let ours = loaded.record.is_owned_by(&me.node, &me.boot) && entry.epoch == loaded.record.epoch;
            if !ours {
                // Taken over, or another boot: the caller cleans this node; there is nothing to tell.
                return if entry.released { self.forget_here(id).await } else { Ok(()) };
            }
            if entry.released {
                return self.release(loaded).await;
            }
            if !entry.ahead_of_store {
                return Ok(());
            }
            let mut record = loaded.record.clone();
            if let Some(info) = record.path_info.get_mut(&me.node) {
                info.mount_ids.clone_from(&entry.mount_ids);
            }
            if let Some(saved) = self.save(&loaded, record).await? {
                return self.journal_mounted(&saved.record).await;
            }
            match self.load(id).await? {
                Some(fresh) => loaded = fresh,
                None => return Ok(()),
            }
        }
    }

    /// A record older than what this node remembers means that the store was restored from a backup: what it says
    /// of owners and LUN numbers is not to be acted on.
    pub(super) fn refuse_older_store(&self, record: &VolumeRecord) -> Result<(), FenceError> {
        match self.journal_entry(record.id) {
            Some(entry) if entry.epoch > record.epoch => {
                Err(Refusal::StoreIsOlder { remembered: entry.epoch.0, stored: record.epoch.0 }.into())
            }
            _ => Ok(()),
        }
    }

    /// Mount point of a volume on this node by its own memory.
    #[must_use]
    pub fn mounted_here(&self, id: VolumeId) -> Option<(PathBuf, PathBuf)> {
        self.journal_entry(id)
            .filter(|entry| !entry.released && entry.boot == self.parts.me.boot)
            .map(|entry| (entry.mount_dir, entry.device))
    }
}
