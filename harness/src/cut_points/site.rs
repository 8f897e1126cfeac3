//! The site of a run: three nodes, a calm network, one volume, and an engine that runs containers with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::volume::names::VolumeName;
use tokio::time::sleep;

use super::operation::Operation;
use crate::checks::{Invariant, Violation};
use crate::node::NodeOptions;
use crate::simulation::{Clients, NodeNumber, SimulatedVolume, Swarm, World, WorldError, mount_id};

/// The node that is asked.
pub(super) const SUBJECT: NodeNumber = 0;
/// The node that has the volume before, where there is one.
pub(super) const OWNER: NodeNumber = 1;
/// The node that asks for the volume afterwards, or meanwhile.
pub(super) const OTHER: NodeNumber = 2;
/// The same node, where it is in the way of a Create or Remove.
pub(super) const RIVAL: NodeNumber = OTHER;

/// Seconds a Mount waits for another owner.
const CONFLICT_DELAY: u64 = 3;
/// How long takeovers are remembered: shorter than a process stands still, as every lease is.
const TAKEOVER_WINDOW: Duration = Duration::from_secs(24);
/// The seed of every run: it draws latencies only.
const SEED: u64 = 1;

/// A world with an engine in it.
pub(super) struct Site {
    pub(super) world: Arc<World>,
    pub(super) clients: Arc<Clients>,
    operation: Operation,
    /// The volume that was made during the run, as it was when it was last there.
    made: Mutex<Option<SimulatedVolume>>,
}

impl Site {
    /// A site at which nothing has happened yet.
    pub(super) fn build(operation: Operation, defects: Defects, notes: bool) -> Result<Self, WorldError> {
        let world = World::build(SEED, swarm(), defects, notes)?;
        Ok(Self { world, clients: Arc::default(), operation, made: Mutex::default() })
    }

    /// Name of the volume.
    pub(super) fn name(&self) -> &VolumeName {
        match self.world.volumes.first() {
            Some(volume) if !self.operation.makes_or_removes() => &volume.name,
            _ => &self.world.coming_and_going,
        }
    }

    /// The volume, if it is there.
    pub(super) fn volume(&self) -> Option<SimulatedVolume> {
        if !self.operation.makes_or_removes() {
            return self.world.volumes.first().cloned();
        }
        let made = self.world.came();
        if made.is_some() {
            self.made().clone_from(&made);
        }
        made
    }

    /// The volume, or the one that was there last.
    pub(super) fn volume_or_last(&self) -> Option<SimulatedVolume> {
        self.volume().or_else(|| self.made().clone())
    }

    fn made(&self) -> MutexGuard<'_, Option<SimulatedVolume>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Patience of the engine with one request.
    pub(super) fn patience(&self) -> Duration {
        self.world.swarm.client_patience
    }

    /// How long a Mount waits for another owner.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(CONFLICT_DELAY)
    }

    /// `docker run`: Mount, then a container that appends to the volume and syncs. `Err`: what the engine heard.
    pub(super) async fn run(&self, node: NodeNumber, container: u64) -> Result<(), String> {
        let Some(volume) = self.volume() else { return Err("there is no such volume".to_owned()) };
        self.clients.try_start(&self.world, node, &volume, &mount_id(container)).await
    }

    /// `docker stop`: ends a container, then one Unmount. `Err`: what the engine heard.
    pub(super) async fn stop(&self, node: NodeNumber, container: u64) -> Result<(), String> {
        self.end_container(node, container).await;
        self.unmount(node, container).await
    }

    /// Ends a container without an Unmount.
    pub(super) async fn end_container(&self, node: NodeNumber, container: u64) {
        self.clients.end_container(&self.world, node, &mount_id(container)).await;
    }

    /// One Unmount.
    pub(super) async fn unmount(&self, node: NodeNumber, container: u64) -> Result<(), String> {
        let Some(volume) = self.volume() else { return Err("there is no such volume".to_owned()) };
        self.clients.unmount_once(&self.world, node, &volume, &mount_id(container)).await
    }

    /// As [`run`](Self::run), where nothing is in the way.
    pub(super) async fn must_run(&self, node: NodeNumber, container: u64) -> Result<(), String> {
        let ran = self.run(node, container).await;
        ran.map_err(|reason| format!("the site did not come to its beginning: {reason}"))
    }

    /// As [`stop`](Self::stop), where nothing is in the way.
    pub(super) async fn must_stop(&self, node: NodeNumber, container: u64) -> Result<(), String> {
        let stopped = self.stop(node, container).await;
        stopped.map_err(|reason| format!("the site did not come to its beginning: {reason}"))
    }

    /// Waits until the plugin of a node answers requests.
    pub(super) async fn until_serving(&self, node: NodeNumber) -> Result<(), String> {
        while !self.world.workers[node].is_serving() {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts all plugins and waits until they serve.
    pub(super) async fn start(&self) -> Result<(), String> {
        for worker in &self.world.workers {
            worker.start_plugin();
        }
        for node in [SUBJECT, OWNER, OTHER] {
            self.until_serving(node).await?;
        }
        Ok(())
    }

    /// Writes down what must not be.
    pub(super) fn accuse(&self, invariant: Invariant, words: String) {
        self.world.chronicle.accuse(Violation::new(invariant, self.world.start.elapsed(), words));
    }
}

/// Nothing goes wrong but what the cutter does.
fn swarm() -> Swarm {
    Swarm {
        one_host: false,
        takeover_window: TAKEOVER_WINDOW,
        comes_and_goes: true,
        append_pause: Duration::from_millis(400)..=Duration::from_millis(800),
        node: NodeOptions { step_deadline: Duration::from_secs(10), ..NodeOptions::default() },
        ..Swarm::calm(CONFLICT_DELAY)
    }
}
