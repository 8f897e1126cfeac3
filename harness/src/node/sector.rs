//! Sectors that an application reads and writes past the page cache, as with `O_DIRECT`.

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::node::NodeError;

use super::container::{ContainerId, failed};
use super::fabric::Life;
use super::format::{SECTORS, sealed_sector, value_of_sector};
use super::kernel::FilesystemState;
use super::machine::{Machine, SimulatedNode};

/// First block of the sectors: between the superblock and the log.
const FIRST: u64 = 1;

impl SimulatedNode {
    /// The volume that a container has mounted; `None` when the container is gone.
    #[must_use]
    pub fn volume_of(&self, container: ContainerId) -> Option<Wwn> {
        self.machine.alive(container).ok().map(|(wwn, _)| wwn)
    }

    /// The application in a container writes a value into a sector; success means that it is on the device.
    ///
    /// # Errors
    /// [`NodeError::Failed`] when the filesystem has stopped, or after an I/O error; [`NodeError::TimedOut`] while the I/O waits for a
    /// path: it may be written later.
    pub async fn write_sector(&self, container: ContainerId, sector: u64, value: u64) -> Result<(), NodeError> {
        let machine = self.machine.clone();
        self.step("write_sector", "", async move {
            let (wwn, life) = machine.alive(container)?;
            let written = machine.write_block(&wwn, &life, FIRST + sector % SECTORS, sealed_sector(value)).await;
            written.map_err(|error| failed("write_sector", &error))
        })
        .await
    }

    /// The application in a container reads a sector; `None` is one that was never written.
    ///
    /// # Errors
    /// As [`Self::write_sector`].
    pub async fn read_sector(&self, container: ContainerId, sector: u64) -> Result<Option<u64>, NodeError> {
        let machine = self.machine.clone();
        self.step("read_sector", "", async move {
            let (wwn, _) = machine.alive(container)?;
            let read = machine.read_map(&wwn, FIRST + sector % SECTORS, 1).await;
            read.map(|block| value_of_sector(&block)).map_err(|error| failed("read_sector", &error))
        })
        .await
    }
}

impl Machine {
    /// Volume and life of the filesystem that a container has mounted, if it still takes writes.
    fn alive(&self, container: ContainerId) -> Result<(Wwn, Life), NodeError> {
        let number = self.filesystem_of(container)?;
        let state = self.state();
        let alive = state.kernel.filesystems.get(&number).filter(|fs| fs.state == FilesystemState::Alive);
        let alive = alive.map(|fs| (fs.wwn.clone(), fs.life.clone()));
        alive.ok_or_else(|| failed("sector", &"the filesystem has stopped"))
    }
}
