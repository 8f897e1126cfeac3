//! The other half of a container's application: it reads and writes sectors past the page cache, one operation after the other.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use tokio::time::{Instant, sleep};

use crate::checks::{FactKind, SectorFact, SectorOperation};
use crate::node::format::SECTORS;
use crate::node::{ContainerId, Random, SimulatedNode};
use crate::soak::fact_log::FactLog;

/// Pause after each operation.
const PAUSE: Duration = Duration::from_millis(250);
/// An operation that takes longer was tried on more than one path: the first try may still be on its way, and may land after
/// later ones, as on a real machine. Its outcome counts as unknown, and this machine leaves the sectors of the volume alone.
const SLOW: Duration = Duration::from_secs(2);

/// Volumes whose sectors a machine leaves alone.
pub(super) type LeftAlone = Arc<Mutex<BTreeSet<Wwn>>>;

/// A container's sectors.
pub(super) struct Sectors {
    pub(super) node: SimulatedNode,
    pub(super) container: ContainerId,
    pub(super) facts: Arc<FactLog>,
    pub(super) left_alone: LeftAlone,
    pub(super) name: String,
    /// Number of the boot and of the container in it: what its values begin with.
    pub(super) place: (u64, u64),
}

impl Sectors {
    /// Reads and writes until it is stopped, or until an operation fails or is slow.
    pub(super) async fn run(self, stopped: impl Fn() -> bool + Send) {
        let Some(volume) = self.node.volume_of(self.container) else { return };
        let (boot, container) = self.place;
        let node = self.name.bytes().fold(0_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut random = Random::new(node ^ (boot << 24) ^ container, "sectors");
        let mut number = 0;
        while !stopped() && !self.alone().contains(&volume) {
            number += 1;
            let sector = random.below(SECTORS);
            // Node, boot, container and number: no value is ever written twice.
            let value =
                ((node & 0xff) << 56) | ((boot & 0xffff) << 40) | ((container & 0xf_ffff) << 20) | (number & 0xf_ffff);
            let done = if random.percent(50) {
                self.write(&volume, sector, value).await
            } else {
                self.read(&volume, sector).await
            };
            if !done {
                self.alone().insert(volume);
                return;
            }
            sleep(PAUSE).await;
        }
    }

    fn alone(&self) -> MutexGuard<'_, BTreeSet<Wwn>> {
        self.left_alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, volume: &Wwn, sector: u64, value: u64) -> bool {
        let (asked, begun) = (self.facts.now(), Instant::now());
        // Before it is done: whoever dies over it has perhaps written.
        self.tell(volume, sector, SectorOperation::Write(value), asked, false);
        let written = self.node.write_sector(self.container, sector, value).await;
        let done = written.is_ok() && begun.elapsed() < SLOW;
        if done {
            self.tell(volume, sector, SectorOperation::Write(value), asked, true);
        }
        done
    }

    async fn read(&self, volume: &Wwn, sector: u64) -> bool {
        let (asked, begun) = (self.facts.now(), Instant::now());
        let Ok(value) = self.node.read_sector(self.container, sector).await else { return false };
        self.tell(volume, sector, SectorOperation::Read(value), asked, true);
        begun.elapsed() < SLOW
    }

    fn tell(&self, volume: &Wwn, sector: u64, operation: SectorOperation, asked: Duration, done: bool) {
        let fact = SectorFact { node: self.name.clone(), volume: volume.clone(), sector, operation, asked, done };
        self.facts.log(FactKind::Sector(fact));
    }
}
