//! I/O of the kernel: sessions, paths, and maps that let I/O wait for a path.
//!
//! A command that has left the node belongs to the wire: it arrives whatever becomes of its sender.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hpe3par_docker_plugin::array::{PortPosition, TargetPort, Wwn};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::events::NodeEvent;
use super::fabric::{BLOCK, BlockWrite, FabricError, Nexus};
use super::kernel::{PortSession, ScsiAddress};
use super::machine::Machine;

/// How soon a kernel that finds LUNs by itself has found one.
const SELF_SCAN: Duration = Duration::from_secs(1);

/// Why an I/O on a map failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum IoError {
    /// No path is usable and the map does not queue.
    #[error("Input/output error: no usable path to {0}")]
    NoPath(Wwn),
    /// The map is gone.
    #[error("No such device: the map of {0} is gone")]
    NoMap(Wwn),
}

/// What the kernel does next when no path took an I/O.
enum Patience {
    Wait(Duration),
    Over(IoError),
}

impl Machine {
    /// The session with a port; logs in if there is none.
    pub(super) async fn session(&self, position: PortPosition) -> Result<Nexus, FabricError> {
        let (known, cut) = {
            let state = self.state();
            (state.kernel.sessions.get(&position).cloned(), state.cables_cut)
        };
        if cut {
            return Err(FabricError::NoPath);
        }
        let session = known.ok_or(FabricError::NexusLost)?;
        if let Some(nexus) = session.nexus {
            return Ok(nexus);
        }
        self.open_session(&session.port).await
    }

    /// Logs in at a port; an older session of this node there is replaced.
    pub(super) async fn open_session(&self, port: &TargetPort) -> Result<Nexus, FabricError> {
        sleep(self.wire_latency()).await;
        if self.state().cables_cut {
            return Err(FabricError::NoPath);
        }
        let nexus = self.world.fabric.login(&self.identity.iqn, port).await?;
        let mut state = self.state();
        state.known_ports.insert(position_of(port), port.clone());
        state.kernel.sessions.insert(position_of(port), PortSession { port: port.clone(), nexus: Some(nexus) });
        Ok(nexus)
    }

    /// The session did not answer or is gone: it has to be logged in again.
    fn drop_session(&self, position: PortPosition, lost: Nexus) {
        let mut state = self.state();
        if let Some(session) = state.kernel.sessions.get_mut(&position)
            && session.nexus == Some(lost)
        {
            session.nexus = None;
        }
    }

    /// One command that changes nothing, on one path.
    pub(super) async fn ask<T, F>(
        &self,
        address: ScsiAddress,
        command: impl FnOnce(Nexus) -> F,
    ) -> Result<T, FabricError>
    where
        F: Future<Output = Result<T, FabricError>>,
    {
        let nexus = self.session(address.port).await?;
        sleep(self.wire_latency()).await;
        if self.state().cables_cut {
            return Err(FabricError::NoPath);
        }
        let answer = command(nexus).await;
        if answer.as_ref().is_err_and(|e| *e == FabricError::NexusLost || *e == FabricError::NoPath) {
            self.drop_session(address.port, nexus);
        }
        answer
    }

    /// WWN in a fresh VPD page 0x83 of a path; also tells whether the path is alive.
    pub(super) async fn fresh_identity(&self, address: ScsiAddress) -> Result<Wwn, FabricError> {
        self.ask(address, |nexus| self.world.fabric.identity(nexus, address.lun)).await
    }

    /// A write on one path. The command travels on its own: it arrives even if this node dies meanwhile.
    async fn write_path(&self, address: ScsiAddress, write: BlockWrite) -> Result<(), FabricError> {
        let nexus = self.session(address.port).await?;
        let Some(recalled) = self.state().kernel.devices.get(&address).map(|device| device.recalled.clone()) else {
            return Err(FabricError::NoLun);
        };
        let answer = self.on_the_wire(nexus, address, write, recalled);
        match timeout(self.options.path_loss_timeout, answer).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(refusal))) => {
                if refusal == FabricError::NexusLost {
                    self.drop_session(address.port, nexus);
                }
                Err(refusal)
            }
            Ok(Err(_)) | Err(_) => {
                self.drop_session(address.port, nexus);
                Err(FabricError::NoPath)
            }
        }
    }

    /// Sends a write off; the receiver hears the answer if it comes back.
    fn on_the_wire(
        &self,
        nexus: Nexus,
        address: ScsiAddress,
        write: BlockWrite,
        recalled: Arc<AtomicBool>,
    ) -> oneshot::Receiver<Result<(), FabricError>> {
        let (answer, heard) = oneshot::channel();
        let (out, back) = (self.write_latency(), self.wire_latency());
        let fabric = self.world.fabric.clone();
        self.world.tasks.spawn(Box::pin(async move {
            sleep(out).await;
            if recalled.load(Ordering::SeqCst) {
                return;
            }
            let result = fabric.write(nexus, address.lun, write).await;
            sleep(back).await;
            // An answer nobody waits for any more is lost.
            let _ = answer.send(result);
        }));
        heard
    }

    /// A write on a map: any path that takes it, or waiting for one while the map queues.
    pub(super) async fn write_map(&self, wwn: &Wwn, write: &BlockWrite) -> Result<(), IoError> {
        let mut polls = 0;
        loop {
            for address in self.paths(wwn) {
                if self.write_path(address, write.clone()).await.is_ok() {
                    return Ok(());
                }
            }
            self.wait_for_path(wwn, &mut polls).await?;
        }
    }

    /// A read on a map, with the same patience.
    pub(super) async fn read_map(&self, wwn: &Wwn, block: u64, count: u64) -> Result<Vec<u8>, IoError> {
        let mut polls = 0;
        loop {
            for address in self.paths(wwn) {
                if let Ok(data) =
                    self.ask(address, |nexus| self.world.fabric.read(nexus, address.lun, block, count)).await
                    && data.len() as u64 == count * BLOCK as u64
                {
                    return Ok(data);
                }
            }
            self.wait_for_path(wwn, &mut polls).await?;
        }
    }

    /// Number of blocks of the device.
    pub(super) async fn capacity(&self, wwn: &Wwn) -> Result<u64, IoError> {
        for address in self.paths(wwn) {
            if let Ok(blocks) = self.ask(address, |nexus| self.world.fabric.capacity(nexus, address.lun)).await {
                return Ok(blocks);
            }
        }
        Err(IoError::NoPath(wwn.clone()))
    }

    /// Paths an I/O may try: none while the cables are cut.
    fn paths(&self, wwn: &Wwn) -> Vec<ScsiAddress> {
        let state = self.state();
        if state.cables_cut { Vec::new() } else { state.kernel.paths_of(wwn) }
    }

    async fn wait_for_path(&self, wwn: &Wwn, polls: &mut u32) -> Result<(), IoError> {
        // Registered before the look at the map, so that no change is missed.
        let changed = self.changed.notified();
        match self.patience(wwn, *polls) {
            Patience::Over(error) => Err(error),
            Patience::Wait(interval) => {
                *polls += 1;
                // A change wakes the I/O early; the interval only bounds the wait.
                let _ = timeout(interval, changed).await;
                Ok(())
            }
        }
    }

    fn patience(&self, wwn: &Wwn, polls: u32) -> Patience {
        let state = self.state();
        match state.kernel.maps.get(wwn) {
            None => Patience::Over(IoError::NoMap(wwn.clone())),
            Some(map) if map.queueing && self.options.no_path_retry.is_none_or(|limit| polls < limit) => {
                Patience::Wait(self.options.polling_interval)
            }
            Some(_) => Patience::Over(IoError::NoPath(wwn.clone())),
        }
    }

    /// Logs in to all known ports and makes a device of everything exported there, as a boot may do.
    pub(super) async fn scan_everything(&self) {
        let ports: Vec<TargetPort> = self.state().known_ports.values().cloned().collect();
        for port in ports {
            let position = position_of(&port);
            let Ok(nexus) = self.open_session(&port).await else { continue };
            let Ok(luns) = self.world.fabric.report_luns(nexus).await else { continue };
            for lun in luns {
                let address = ScsiAddress { port: position, lun };
                let Ok(wwn) = self.fresh_identity(address).await else { continue };
                self.add_device(address, &wwn);
                self.state().kernel.ensure_map(&wwn);
            }
        }
        self.changed.notify_waiters();
    }

    /// As a kernel on Fibre Channel: attaches whatever is newly exported, without anybody asking, as long as the boot lasts.
    pub(super) async fn keep_scanning(&self) {
        loop {
            sleep(SELF_SCAN).await;
            let sessions: Vec<_> = {
                let state = self.state();
                let logged_in = |(position, session): (&PortPosition, &PortSession)| Some((*position, session.nexus?));
                state.kernel.sessions.iter().filter_map(logged_in).collect()
            };
            for (port, nexus) in sessions {
                let Ok(luns) = self.world.fabric.report_luns(nexus).await else { continue };
                for address in luns.into_iter().map(|lun| ScsiAddress { port, lun }) {
                    if self.state().kernel.devices.contains_key(&address) {
                        continue;
                    }
                    if let Ok(wwn) = self.fresh_identity(address).await {
                        self.add_device(address, &wwn);
                        self.state().kernel.ensure_map(&wwn);
                        self.changed.notify_waiters();
                    }
                }
            }
        }
    }

    /// Binds a path device to a LUN and its identity.
    pub(super) fn add_device(&self, address: ScsiAddress, wwn: &Wwn) {
        let new = self.state().kernel.add_device(address, wwn);
        if new {
            self.observe(NodeEvent::DeviceAdded { wwn: wwn.clone(), lun: address.lun });
        }
    }

    /// Deletes path devices. With the array in reach their tasks are aborted and called back from the wire.
    pub(super) async fn delete_devices(&self, addresses: &[ScsiAddress]) {
        for address in addresses {
            let (nexus, in_reach, deleted) = {
                let mut state = self.state();
                let in_reach = !state.cables_cut;
                let deleted = state.kernel.delete_device(*address, in_reach);
                (state.kernel.sessions.get(&address.port).and_then(|session| session.nexus), in_reach, deleted)
            };
            if let Some(wwn) = deleted {
                self.observe(NodeEvent::DeviceDeleted { wwn, lun: address.lun });
            }
            if let (Some(nexus), true) = (nexus, in_reach) {
                // A session that is gone has no tasks left to abort.
                let _ = self.world.fabric.abort_tasks(nexus, address.lun).await;
            }
        }
        self.changed.notify_waiters();
    }
}

/// Position of a port.
pub(super) fn position_of(port: &TargetPort) -> PortPosition {
    match port {
        TargetPort::Iscsi { position, .. } | TargetPort::Fc { position, .. } => *position,
    }
}
