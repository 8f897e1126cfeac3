//! The storage network of one worker: the array's own, unless it is made to send commands for one LUN number to another.
//!
//! This is what a node sees when a number was given to another volume behind its back: everything answers, with the data
//! and the WWN of the wrong volume.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, TargetPort, Wwn};

use crate::node::fabric::{BlockWrite, Nexus};
use crate::node::{EmulatedFabric, Fabric, FabricError};

/// A fabric that can be made to lead astray.
pub struct StorageNetwork {
    fabric: EmulatedFabric,
    /// Where commands for any LUN number really go.
    astray: Mutex<Option<Lun>>,
}

impl StorageNetwork {
    /// A network that leads where it should.
    #[must_use]
    pub fn new(fabric: EmulatedFabric) -> Self {
        Self { fabric, astray: Mutex::default() }
    }

    /// From now on every LUN number shows what the array exports under `lun`; with `None`, what it should.
    pub fn lead_astray(&self, lun: Option<Lun>) {
        *self.astray.lock().unwrap_or_else(PoisonError::into_inner) = lun;
    }

    fn really(&self, lun: Lun) -> Lun {
        self.astray.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(lun)
    }
}

#[async_trait]
impl Fabric for StorageNetwork {
    async fn login(&self, initiator: &str, port: &TargetPort) -> Result<Nexus, FabricError> {
        self.fabric.login(initiator, port).await
    }

    async fn logout(&self, nexus: Nexus) -> Result<(), FabricError> {
        self.fabric.logout(nexus).await
    }

    async fn report_luns(&self, nexus: Nexus) -> Result<Vec<Lun>, FabricError> {
        self.fabric.report_luns(nexus).await
    }

    async fn identity(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError> {
        self.fabric.identity(nexus, self.really(lun)).await
    }

    async fn capacity(&self, nexus: Nexus, lun: Lun) -> Result<u64, FabricError> {
        self.fabric.capacity(nexus, self.really(lun)).await
    }

    async fn read(&self, nexus: Nexus, lun: Lun, block: u64, count: u64) -> Result<Vec<u8>, FabricError> {
        self.fabric.read(nexus, self.really(lun), block, count).await
    }

    async fn write(&self, nexus: Nexus, lun: Lun, write: BlockWrite) -> Result<(), FabricError> {
        self.fabric.write(nexus, self.really(lun), write).await
    }

    async fn abort_tasks(&self, nexus: Nexus, lun: Lun) -> Result<(), FabricError> {
        self.fabric.abort_tasks(nexus, self.really(lun)).await
    }
}
