//! Removing a volume: only what nobody owns and nobody is exported, and the record last.

use tracing::info;

use crate::array::ArrayError;
use crate::fencing::mutants::Mutant;
use crate::fencing::{FenceError, Refusal};
use crate::store::{Change, Committed, Guard, Revision, Transaction, keys};
use crate::volume::names::VolumeName;
use crate::volume::record::{Lifecycle, VolumeRecord};
use crate::volume::service::VolumeService;

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
        // Whoever finds a removal under way leaves the mark to the one that set it.
        let mine_to_undo = record.lifecycle != Lifecycle::Removing;
        record.lifecycle = Lifecycle::Removing;
        let Some(revision) = self.write(&record, loaded.revision).await? else {
            return Err(FenceError::ChangedMeanwhile { doing: "marking the volume for removal" });
        };
        match self.remove_from_array(&record, revision).await {
            Ok(()) => self.forget(&record, revision).await,
            Err(error) => {
                if mine_to_undo && !matches!(&error, FenceError::Array(array) if array.is_unknown()) {
                    record.lifecycle = Lifecycle::Available;
                    self.write(&record, revision).await?;
                }
                Err(error)
            }
        }
    }

    /// Removes the array's volume, unless somebody is exported it. A volume that is gone already is success.
    async fn remove_from_array(&self, record: &VolumeRecord, revision: Revision) -> Result<(), FenceError> {
        let driver = &self.parts.driver;
        if !driver.defects().has(Mutant::RemoveIgnoresOwner) {
            driver.refuse_exports(record).await?;
        }
        if driver.load_record(record.id).await?.is_none_or(|now| now.revision != revision) {
            return Err(FenceError::ChangedMeanwhile { doing: "removing the volume" });
        }
        let array = driver.array_of(record)?;
        match array.remove_volume(&record.array_name).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error @ ArrayError::Unknown { .. }) => match array.volume(&record.array_name).await? {
                None => Ok(()),
                Some(_) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
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

    async fn forget(&self, record: &VolumeRecord, revision: Revision) -> Result<(), FenceError> {
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
        if self.parts.store.commit(transaction).await? == Committed::No {
            return Err(FenceError::ChangedMeanwhile { doing: "deleting the record" });
        }
        info!(volume = %record.display_name, array_name = %record.array_name, "removed");
        Ok(())
    }
}
