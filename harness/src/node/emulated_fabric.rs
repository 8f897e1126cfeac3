//! The storage network of an emulated array in the same process.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, PortPosition, TargetPort, Wwn};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{Initiator, Lun as ArrayLun, PortPos};
use hpe3par_emulator::datapath::{IoError, Sense, SessionId, WriteLabel};
use tokio::time::sleep;

use super::fabric::{BLOCK, BlockWrite, Fabric, FabricError, Nexus};
use super::io::position_of;
use super::random::Random;

/// A [`Fabric`] on the state of an emulated array.
pub struct EmulatedFabric {
    emulator: Emulator,
    settling: RangeInclusive<Duration>,
    random: Mutex<Random>,
}

impl EmulatedFabric {
    /// A network to this array. A write that the array has received takes `settling` until it is on the medium; a removal
    /// of its export meanwhile deals with it as the array's in-flight policy says.
    #[must_use]
    pub fn new(emulator: Emulator, settling: RangeInclusive<Duration>, seed: u64) -> Self {
        Self { emulator, settling, random: Mutex::new(Random::new(seed, "disks")) }
    }

    fn settling(&self) -> Duration {
        if self.settling.end().is_zero() {
            return Duration::ZERO;
        }
        self.random.lock().unwrap_or_else(PoisonError::into_inner).duration(&self.settling)
    }
}

/// The ledger's form of a life.
impl From<&super::Life> for WriteLabel {
    fn from(life: &super::Life) -> Self {
        Self { node: life.node.clone(), boot: life.boot, epoch: life.epoch, serial: life.mount }
    }
}

fn failure(error: &IoError) -> FabricError {
    match error {
        IoError::Sense(sense) if *sense == Sense::LUN_NOT_SUPPORTED => FabricError::NoLun,
        IoError::Sense(sense) => FabricError::Refused(format!("check condition, sense {sense}")),
        IoError::NexusLost => FabricError::NexusLost,
        IoError::Aborted => FabricError::Refused("task aborted".to_owned()),
    }
}

fn array_lun(lun: Lun) -> Result<ArrayLun, FabricError> {
    ArrayLun::new(i64::from(lun.number())).map_err(|_| FabricError::NoLun)
}

fn array_port(position: PortPosition) -> Result<PortPos, FabricError> {
    PortPos::new(position.node, position.slot, position.card_port).map_err(|_| FabricError::NoPath)
}

fn bytes(block: u64) -> u64 {
    block.saturating_mul(BLOCK as u64)
}

#[async_trait]
impl Fabric for EmulatedFabric {
    async fn login(&self, initiator: &str, port: &TargetPort) -> Result<Nexus, FabricError> {
        let refused = |reason: &dyn std::fmt::Display| FabricError::LoginRefused(reason.to_string());
        let initiator = Initiator::parse(initiator).map_err(|e| refused(&e))?;
        let position = array_port(position_of(port))?;
        let session = self.emulator.with(|array, now| {
            let same =
                |nexus: &&hpe3par_emulator::datapath::Nexus| nexus.initiator == initiator && nexus.port == position;
            let replaced: Vec<SessionId> = array.nexuses().filter(same).map(|nexus| nexus.id).collect();
            for session in replaced {
                array.logout(now, session);
            }
            array.login(now, &initiator, position)
        });
        session.map(|session| Nexus(session.0)).map_err(|e| refused(&e))
    }

    async fn logout(&self, nexus: Nexus) -> Result<(), FabricError> {
        self.emulator.with(|array, now| array.logout(now, SessionId(nexus.0)));
        Ok(())
    }

    async fn report_luns(&self, nexus: Nexus) -> Result<Vec<Lun>, FabricError> {
        let luns =
            self.emulator.with(|array, now| array.report_luns(now, SessionId(nexus.0))).map_err(|e| failure(&e))?;
        Ok(luns.into_iter().filter_map(|lun| Lun::try_from(u32::from(lun.get())).ok()).collect())
    }

    async fn identity(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError> {
        let lun = array_lun(lun)?;
        let wwn = self.emulator.with(|array, _| array.vpd83(SessionId(nexus.0), lun)).map_err(|e| failure(&e))?;
        wwn.as_str().parse().map_err(|_| FabricError::Refused("no NAA designator".to_owned()))
    }

    async fn capacity(&self, nexus: Nexus, lun: Lun) -> Result<u64, FabricError> {
        let lun = array_lun(lun)?;
        let size =
            self.emulator.with(|array, _| array.read_capacity(SessionId(nexus.0), lun)).map_err(|e| failure(&e))?;
        Ok(size / BLOCK as u64)
    }

    async fn read(&self, nexus: Nexus, lun: Lun, block: u64, count: u64) -> Result<Vec<u8>, FabricError> {
        let (lun, session) = (array_lun(lun)?, SessionId(nexus.0));
        let length = usize::try_from(bytes(count)).map_err(|_| FabricError::Refused("too long".to_owned()))?;
        self.emulator.with(|array, now| array.read(now, session, lun, bytes(block), length)).map_err(|e| failure(&e))
    }

    async fn write(&self, nexus: Nexus, lun: Lun, write: BlockWrite) -> Result<(), FabricError> {
        let (lun, session) = (array_lun(lun)?, SessionId(nexus.0));
        let (offset, label) = (bytes(write.block), Some(WriteLabel::from(&write.life)));
        let task = self.emulator.with(|array, now| array.begin_write(now, session, lun, offset, write.data, label));
        let task = task.map_err(|e| failure(&e))?;
        let settling = self.settling();
        if !settling.is_zero() {
            sleep(settling).await;
        }
        self.emulator.with(|array, now| array.finish_write(now, task)).map_err(|e| failure(&e))
    }

    async fn abort_tasks(&self, nexus: Nexus, lun: Lun) -> Result<(), FabricError> {
        let lun = array_lun(lun)?;
        self.emulator.with(|array, now| array.abort_tasks_of(now, SessionId(nexus.0), lun));
        Ok(())
    }
}
