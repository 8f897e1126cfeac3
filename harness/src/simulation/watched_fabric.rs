//! The storage network with the chronicle listening: what the array does for a command is written down at once.

use std::sync::Arc;

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, TargetPort, Wwn};

use super::chronicle::Chronicle;
use crate::node::fabric::{BlockWrite, Nexus};
use crate::node::{EmulatedFabric, Fabric, FabricError};

/// A fabric whose effects are heard by the chronicle before the caller goes on.
pub struct WatchedFabric {
    fabric: EmulatedFabric,
    chronicle: Arc<Chronicle>,
}

impl WatchedFabric {
    /// Listens to a fabric.
    #[must_use]
    pub fn new(fabric: EmulatedFabric, chronicle: Arc<Chronicle>) -> Self {
        Self { fabric, chronicle }
    }
}

#[async_trait]
impl Fabric for WatchedFabric {
    async fn login(&self, initiator: &str, port: &TargetPort) -> Result<Nexus, FabricError> {
        let result = self.fabric.login(initiator, port).await;
        self.chronicle.hear_array();
        result
    }

    async fn logout(&self, nexus: Nexus) -> Result<(), FabricError> {
        let result = self.fabric.logout(nexus).await;
        self.chronicle.hear_array();
        result
    }

    async fn report_luns(&self, nexus: Nexus) -> Result<Vec<Lun>, FabricError> {
        self.fabric.report_luns(nexus).await
    }

    async fn identity(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError> {
        self.fabric.identity(nexus, lun).await
    }

    async fn capacity(&self, nexus: Nexus, lun: Lun) -> Result<u64, FabricError> {
        self.fabric.capacity(nexus, lun).await
    }

    async fn read(&self, nexus: Nexus, lun: Lun, block: u64, count: u64) -> Result<Vec<u8>, FabricError> {
        self.fabric.read(nexus, lun, block, count).await
    }

    async fn write(&self, nexus: Nexus, lun: Lun, write: BlockWrite) -> Result<(), FabricError> {
        let result = self.fabric.write(nexus, lun, write).await;
        self.chronicle.hear_array();
        result
    }

    async fn abort_tasks(&self, nexus: Nexus, lun: Lun) -> Result<(), FabricError> {
        let result = self.fabric.abort_tasks(nexus, lun).await;
        self.chronicle.hear_array();
        result
    }
}
