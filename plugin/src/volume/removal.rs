//! Removing a volume: only what nobody owns and nobody is exported, and the record last.

use tracing::info;

use crate::array::ArrayError;
use crate::fencing::mutants::Mutant;
use crate::fencing::{FenceError, Refusal};
use crate::store::{Change, Committed, Guard, Revision, Transaction, keys};
use crate::volume::names::{VolumeId, VolumeName};
use crate::volume::record::{Lifecycle, Ownership, VolumeRecord};
use crate::volume::service::VolumeService;

/// How often a write is tried again when another node changed the record.
const WRITE_TRIES: usize = 8;

impl VolumeService {
    /// Removes a volume.
    pub(super) async fn remove_volume(&self, name: &VolumeName) -> Result<(), FenceError> {
        let id = self.lookup(name).await?.ok_or(FenceError::NoSuchVolume)?;
        let _guard = self.parts.driver.hold(id).await;
        let loaded = self.parts.driver.load_record(id).await?.ok_or(FenceError::NoSuchVolume)?;
        let ignores = self.parts.driver.defects().has(Mutant::RemoveIgnoresOwner);
        if let Some(owner) = loaded.record.ownership.owner().filter(|_| !ignores) {
            return Err(Refusal::InUse { owner: owner.node.clone() }.into());
        }
        let mut record = loaded.record;
        let before = record.lifecycle;
        record.lifecycle = Lifecycle::Removing;
        if self.write(&record, loaded.revision).await?.is_none() {
            return Err(FenceError::ChangedMeanwhile { doing: "marking the volume for removal" });
        }
        match self.remove_from_array(&record).await {
            Ok(()) => self.forget(id).await,
            Err(Failure::Unknown(error)) => Err(error),
            // The mark may be that of a removal under way: only an export that keeps the array from removing ends it.
            Err(Failure::NotRemoved(error))
                if before == Lifecycle::Removing && !matches!(error, FenceError::Refused(_)) =>
            {
                Err(error)
            }
            Err(Failure::NotRemoved(error)) => {
                self.unmark(id, before).await?;
                Err(error)
            }
        }
    }

    /// Removes the array's volume, unless somebody is exported it. A volume that is gone already is success.
    async fn remove_from_array(&self, record: &VolumeRecord) -> Result<(), Failure> {
        let driver = &self.parts.driver;
        if !driver.defects().has(Mutant::RemoveIgnoresOwner) {
            driver.refuse_exports(record).await?;
        }
        if !self.is_marked_and_free(record.id).await? {
            return Err(FenceError::ChangedMeanwhile { doing: "removing the volume" }.into());
        }
        let array = driver.array_of(record)?;
        match array.remove_volume(&record.array_name).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error @ ArrayError::Unknown { .. }) => match array.volume(&record.array_name).await {
                Ok(None) => Ok(()),
                Ok(Some(_)) | Err(_) => Err(Failure::Unknown(error.into())),
            },
            Err(error) => Err(FenceError::from(error).into()),
        }
    }

    async fn is_marked_and_free(&self, id: VolumeId) -> Result<bool, FenceError> {
        let ignores = self.parts.driver.defects().has(Mutant::RemoveIgnoresOwner);
        let now = self.parts.driver.load_record(id).await?;
        Ok(now.is_some_and(|now| {
            now.record.lifecycle == Lifecycle::Removing && (ignores || now.record.ownership == Ownership::Free)
        }))
    }

    /// Takes the mark of the removal away: nothing was removed. A mark found before is one a crash left behind.
    async fn unmark(&self, id: VolumeId, before: Lifecycle) -> Result<(), FenceError> {
        let lifecycle = if before == Lifecycle::Removing { Lifecycle::Available } else { before };
        for _ in 0..WRITE_TRIES {
            let Some(now) = self.parts.driver.load_record(id).await? else { return Ok(()) };
            if now.record.lifecycle != Lifecycle::Removing {
                return Ok(());
            }
            if self.write(&VolumeRecord { lifecycle, ..now.record }, now.revision).await?.is_some() {
                return Ok(());
            }
        }
        Err(FenceError::ChangedMeanwhile { doing: "taking the mark of the removal away" })
    }

    async fn write(&self, record: &VolumeRecord, revision: Revision) -> Result<Option<Revision>, FenceError> {
        let key = keys::volume(record.id);
        let transaction = Transaction {
            guards: vec![Guard::Unchanged(key.clone(), revision)],
            changes: vec![Change::Put { key, value: record.to_json(), lease: None }],
        };
        Ok(match self.parts.store.commit(transaction).await? {
            Committed::Yes(revision) => Some(revision),
            Committed::No => None,
        })
    }

    /// Deletes the record of a volume that is gone from the array, whatever nodes still tidy up in it.
    async fn forget(&self, id: VolumeId) -> Result<(), FenceError> {
        for _ in 0..WRITE_TRIES {
            let Some(now) = self.parts.driver.load_record(id).await? else { return Ok(()) };
            if now.record.lifecycle == Lifecycle::Removing && self.delete(&now.record, now.revision).await? {
                info!(volume = %now.record.display_name, array_name = %now.record.array_name, "removed");
                return Ok(());
            }
        }
        Err(FenceError::ChangedMeanwhile { doing: "deleting the record" })
    }

    async fn delete(&self, record: &VolumeRecord, revision: Revision) -> Result<bool, FenceError> {
        let id = record.id;
        let key = keys::volume(id);
        let transaction = Transaction {
            guards: vec![Guard::Unchanged(key.clone(), revision)],
            changes: vec![
                Change::Delete { key },
                Change::Delete { key: keys::volume_name(record.display_name.as_str()) },
                Change::Delete { key: keys::takeover_clock(id) },
                Change::Delete { key: keys::takeover_permit(id) },
            ],
        };
        Ok(self.parts.store.commit(transaction).await? != Committed::No)
    }
}

/// Why the array's volume was not removed.
enum Failure {
    /// It is there as before.
    NotRemoved(FenceError),
    /// It may be gone, now or later.
    Unknown(FenceError),
}

impl<E: Into<FenceError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::NotRemoved(error.into())
    }
}
