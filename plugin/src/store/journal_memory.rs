//! The node's journal in memory, for simulation: durable over restarts of a simulated plugin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::journal::{Journal, JournalEntry, JournalError};
use crate::volume::names::VolumeId;

/// A journal in memory. Clones share the entries: hand one to each life of a simulated plugin, as a disk would be.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    entries: Arc<Mutex<BTreeMap<VolumeId, JournalEntry>>>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VolumeId, JournalEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        Ok(self.lock().values().cloned().collect())
    }

    async fn write(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        self.lock().insert(entry.id, entry.clone());
        Ok(())
    }

    async fn forget(&self, id: VolumeId) -> Result<(), JournalError> {
        self.lock().remove(&id);
        Ok(())
    }
}
