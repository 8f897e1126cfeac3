//! A world of the simulation in which nothing goes wrong but what a measurement does to it.

use std::sync::Arc;
use std::time::Duration;

use hpe3par_docker_plugin::fencing::mutants::Defects;
use tokio::time::{Instant, sleep};

use crate::simulation::{
    Clients, NODES, NodeNumber, Service, SessionCounts, SimulatedVolume, Swarm, World, WorldError, mount_id,
};

/// Pause between two looks or requests.
pub(super) const AGAIN: Duration = Duration::from_millis(100);
/// Nothing that is measured takes longer.
const NEVER: Duration = Duration::from_secs(900);

/// The world and its engines.
pub(super) struct Calm {
    pub(super) world: Arc<World>,
    pub(super) clients: Arc<Clients>,
}

impl Calm {
    /// Builds it, with all plugins serving. The seed draws latencies: of messages, of the nodes' steps, of writes.
    pub(super) async fn start(seed: u64, swarm: Swarm) -> Result<Self, WorldError> {
        Self::start_with(&NODES.map(str::to_owned), seed, swarm).await
    }

    /// The same with nodes of these names.
    pub(super) async fn start_with(names: &[String], seed: u64, swarm: Swarm) -> Result<Self, WorldError> {
        let world = World::build_with(names, seed, swarm, Defects::default(), false)?;
        let calm = Self { world, clients: Arc::default() };
        for worker in &calm.world.workers {
            worker.start_plugin();
        }
        for node in 0..calm.world.workers.len() {
            calm.until_serving(node).await;
        }
        Ok(calm)
    }

    /// Waits until the plugin of a node answers requests.
    pub(super) async fn until_serving(&self, node: NodeNumber) {
        while !self.world.workers[node].is_serving() {
            sleep(AGAIN).await;
        }
    }

    /// The first volume.
    pub(super) fn volume(&self) -> Result<SimulatedVolume, String> {
        self.world.volumes.first().cloned().ok_or_else(|| "there is no volume".to_owned())
    }

    /// `docker run`: Mount, and a container that appends and syncs.
    pub(super) async fn run(&self, node: NodeNumber, volume: &SimulatedVolume, container: u64) -> Result<(), String> {
        self.clients.try_start(&self.world, node, volume, &mount_id(container)).await
    }

    /// The same again and again until it succeeds, as an orchestrator does; how long that took.
    pub(super) async fn run_until(
        &self,
        node: NodeNumber,
        volume: &SimulatedVolume,
        container: u64,
    ) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            let Err(reason) = self.run(node, volume, container).await else { return Ok(begun.elapsed()) };
            if begun.elapsed() > NEVER {
                return Err(format!("{} was never mounted; the last answer: {reason}", volume.name));
            }
            sleep(AGAIN).await;
        }
    }

    /// `docker stop`: the container ends, one Unmount.
    pub(super) async fn stop(&self, node: NodeNumber, volume: &SimulatedVolume, container: u64) -> Result<(), String> {
        self.clients.end_container(&self.world, node, &mount_id(container)).await;
        self.clients.unmount_once(&self.world, node, volume, &mount_id(container)).await
    }

    /// Cuts a node off from etcd and from the array's management, or connects it again.
    pub(super) fn cut_management(&self, node: NodeNumber, cut: bool) {
        for service in [Service::Store, Service::Wsapi, Service::Cli] {
            self.world.network.cut(node, service, cut);
        }
    }

    /// Waits until a node has nothing left of its volumes and is in no quarantine; how long that took.
    pub(super) async fn until_clean(&self, node: NodeNumber) -> Result<Duration, String> {
        let (begun, worker) = (Instant::now(), &self.world.workers[node]);
        loop {
            let left = worker.node.leftovers();
            let records = self.world.volumes.iter().filter_map(|volume| self.world.record_of(volume));
            let quarantined =
                records.flat_map(|record| record.quarantine.into_keys()).any(|n| n.as_str() == worker.name);
            if left.is_empty() && !quarantined {
                return Ok(begun.elapsed());
            }
            self.end_dead_containers(node).await;
            if begun.elapsed() > NEVER {
                return Err(format!("{} is not clean: {left:?}, in quarantine: {quarantined}", worker.name));
            }
            sleep(AGAIN).await;
        }
    }

    /// An engine ends a container whose application has died, and unmounts.
    async fn end_dead_containers(&self, node: NodeNumber) {
        let dead = self.clients.containers(true).into_iter().filter(|(on, _)| *on == node);
        for (_, mount_id) in dead {
            let volume = self.clients.volume_of(node, &mount_id);
            self.clients.end_container(&self.world, node, &mount_id).await;
            if let Some(volume) = volume {
                // Refused or not, the node has to become clean.
                let _ = self.clients.unmount_once(&self.world, node, &volume, &mount_id).await;
            }
        }
    }

    /// What was counted of the array's sessions.
    pub(super) fn sessions(&self) -> Result<SessionCounts, String> {
        let sessions = self.world.network.sessions().ok_or("sessions are not limited here")?;
        Ok(sessions.counts())
    }

    /// What the checkers found so far, as a failure.
    pub(super) fn verdict(&self) -> Result<(), String> {
        let (_, violations, _) = self.world.chronicle.close();
        violations.first().map_or(Ok(()), |violation| Err(violation.to_string()))
    }
}
