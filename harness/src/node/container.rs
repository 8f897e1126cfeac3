//! The containers of a node: they hold a mount in a namespace of their own, and their applications write and fsync.

use std::fmt;
use std::path::{Path, PathBuf};

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::node::NodeError;

use super::format::RecordId;
use super::kernel::{HOST, Mount, Namespace};
use super::machine::{Machine, SimulatedNode};

/// A container on one node in one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(Namespace);

impl SimulatedNode {
    /// Starts a container on the mount at `dir`: its namespace keeps the filesystem until it is stopped.
    ///
    /// # Errors
    /// [`NodeError::Failed`] when nothing is mounted there.
    pub async fn run_container(&self, dir: &Path) -> Result<ContainerId, NodeError> {
        let (machine, dir) = (self.machine.clone(), dir.to_owned());
        let object = dir.display().to_string();
        let name = object.clone();
        self.step("run_container", &object, async move {
            let mut state = machine.state();
            let kernel = &mut state.kernel;
            let filesystem = kernel.mounted_at(HOST, &dir).ok_or_else(|| NodeError::Failed {
                step: "run_container",
                object: name,
                reason: "nothing is mounted there".to_owned(),
            })?;
            let namespace = kernel.number();
            kernel.mounts.push(Mount { namespace, dir, filesystem });
            Ok(ContainerId(namespace))
        })
        .await
    }

    /// Stops a container: its namespace goes, and with the last namespace the filesystem is written back and put away.
    pub async fn stop_container(&self, container: ContainerId) {
        let machine = self.machine.clone();
        // A machine without power has no container any more.
        let _ = self
            .step("stop_container", "", async move {
                let dirs: Vec<PathBuf> = {
                    let state = machine.state();
                    state.kernel.mounts.iter().filter(|m| m.namespace == container.0).map(|m| m.dir.clone()).collect()
                };
                for dir in dirs {
                    let last = machine.state().kernel.detach(container.0, &dir);
                    if let Some(number) = last {
                        machine.put_away(number).await;
                    }
                }
                Ok(())
            })
            .await;
    }

    /// Containers that hold a volume.
    #[must_use]
    pub fn containers_on(&self, wwn: &Wwn) -> Vec<ContainerId> {
        let state = self.machine.state();
        let kernel = &state.kernel;
        let on =
            |m: &&Mount| m.namespace != HOST && kernel.filesystems.get(&m.filesystem).is_some_and(|fs| fs.wwn == *wwn);
        kernel.mounts.iter().filter(on).map(|m| ContainerId(m.namespace)).collect()
    }

    /// The application in a container appends a record. It is in the page cache when this returns, not on the device.
    ///
    /// # Errors
    /// [`NodeError::Failed`] when the container or its filesystem is gone or stopped.
    pub async fn append(&self, container: ContainerId, text: &str) -> Result<RecordId, NodeError> {
        let (machine, text) = (self.machine.clone(), text.to_owned());
        self.step("append", "", async move {
            let number = machine.filesystem_in(container.0)?;
            machine.append_to(number, &text).map_err(|reason| failed("append", &reason))
        })
        .await
    }

    /// The application calls `fsync`; success is an acknowledgement that everything appended is on the device.
    ///
    /// # Errors
    /// [`NodeError::Failed`] after an I/O error; [`NodeError::TimedOut`] while the I/O waits for a path.
    pub async fn fsync(&self, container: ContainerId) -> Result<Option<RecordId>, NodeError> {
        let machine = self.machine.clone();
        self.step("fsync", "", async move {
            let number = machine.filesystem_in(container.0)?;
            machine.fsync(number).await.map_err(|reason| failed("fsync", &reason))
        })
        .await
    }

    /// The log as this node's page cache has it, read at a directory of the host; `None` when nothing is mounted there.
    #[must_use]
    pub fn read_log(&self, dir: &Path) -> Option<Vec<(RecordId, String)>> {
        let state = self.machine.state();
        let number = state.kernel.mounted_at(HOST, dir)?;
        let records = &state.kernel.filesystems.get(&number)?.records;
        Some(records.iter().map(|record| (record.id(), record.text.clone())).collect())
    }

    /// How many records at a directory of the host are dirty: appended, not on the device.
    #[must_use]
    pub fn dirty_records(&self, dir: &Path) -> usize {
        let state = self.machine.state();
        let Some(number) = state.kernel.mounted_at(HOST, dir) else { return 0 };
        state.kernel.filesystems.get(&number).map_or(0, |fs| fs.records.len() - fs.durable)
    }
}

pub(super) fn failed(step: &'static str, reason: &dyn fmt::Display) -> NodeError {
    NodeError::Failed { step, object: "container".to_owned(), reason: reason.to_string() }
}

impl Machine {
    /// The filesystem that a container has mounted.
    pub(super) fn filesystem_of(&self, container: ContainerId) -> Result<u64, NodeError> {
        self.filesystem_in(container.0)
    }

    fn filesystem_in(&self, namespace: Namespace) -> Result<u64, NodeError> {
        let state = self.state();
        let mount = state.kernel.mounts.iter().find(|m| m.namespace == namespace);
        mount.map(|m| m.filesystem).ok_or_else(|| failed("container", &"the container is gone"))
    }
}
