//! Clients: dockerd and kubelet that start, stop, copy and move workloads, and the applications in the containers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::node::BootId;
use tokio::time::sleep;

use super::coverage::Topic;
use super::network::NodeNumber;
use super::script::{Act, Deed};
use super::volumes::SimulatedVolume;
use super::world::World;
use crate::checks::FactKind;
use crate::node::{ContainerId, Random};

/// Patience of a client with an Unmount.
const UNMOUNT_PATIENCE: Duration = Duration::from_secs(60);
/// Patience of a client with a Create or Remove.
const CREATE_PATIENCE: Duration = Duration::from_secs(55);
/// More references than a run can leave behind.
const REFERENCES_AT_MOST: usize = 60;
/// Pause between repeats of an Unmount that failed.
const UNMOUNT_PAUSE: Duration = Duration::from_secs(2);

/// The id under which an engine mounts for one container: dockerd sends 64 hexadecimal digits.
pub(crate) fn mount_id(container: u64) -> String {
    format!("{container:064x}")
}

/// A container with its application.
#[derive(Clone)]
pub struct Workload {
    worker: usize,
    volume: SimulatedVolume,
    mount_id: String,
    container: ContainerId,
    boot: BootId,
    stopped: Arc<AtomicBool>,
    /// The application ended by itself, over an I/O error.
    died: Arc<AtomicBool>,
}

/// What the clients know: running workloads, and every mount id ever sent to a node.
#[derive(Default)]
pub struct Clients {
    running: Mutex<Vec<Workload>>,
    sent: Mutex<BTreeMap<(usize, String), SimulatedVolume>>,
    requests: Mutex<u64>,
}

impl Clients {
    fn running(&self) -> MutexGuard<'_, Vec<Workload>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) -> MutexGuard<'_, BTreeMap<(usize, String), SimulatedVolume>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_request(&self) -> u64 {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests += 1;
        *requests
    }

    /// One client: does what its script says until its time is over.
    pub async fn run(self: Arc<Self>, world: Arc<World>, acts: Vec<Act>) {
        for act in acts {
            sleep(act.pause).await;
            if world.start.elapsed() >= world.swarm.busy_time {
                return;
            }
            match act.deed {
                None => {}
                Some(Deed::Start { node, volume, mount_id }) => match world.volume_at(volume) {
                    Some(volume) => {
                        self.start(&world, node, &volume, &mount_id).await;
                    }
                    None => self.mount_early(&world, node, &mount_id).await,
                },
                Some(Deed::Stop { one }) => self.stop_one(&world, one).await,
                Some(Deed::Copy { one }) => self.copy_from_one(&world, one).await,
                Some(Deed::Repeat { one }) => self.repeat_mount(&world, one).await,
                Some(Deed::EngineRestarts { one }) => self.engine_restarts(&world, one).await,
                Some(Deed::Create { node }) => self.create(&world, node).await,
                Some(Deed::Remove { node }) => {
                    self.remove(&world, node).await;
                }
            }
        }
    }

    /// A Mount of the volume that comes and goes while it is being created, or is not there.
    async fn mount_early(&self, world: &Arc<World>, node: NodeNumber, mount_id: &str) {
        let (worker, name) = (&world.workers[node], &world.coming_and_going);
        let answer = worker.mount(name, mount_id, world.swarm.client_patience).await;
        world.chronicle.count_answer(Topic::Mount, "", &answer);
        if answer.is_ok() {
            // What is left of it, `stop_all` finds in the records.
            let _ = worker.unmount(name, mount_id, UNMOUNT_PATIENCE).await;
        }
    }

    async fn create(&self, world: &Arc<World>, node: NodeNumber) {
        let answer = world.workers[node].create(&world.coming_and_going, CREATE_PATIENCE).await;
        world.chronicle.count_answer(Topic::Volume, "Create", &answer);
    }

    /// Removes the volume that comes and goes; tells whether it is gone.
    pub async fn remove(&self, world: &Arc<World>, node: NodeNumber) -> bool {
        let answer = world.workers[node].remove(&world.coming_and_going, CREATE_PATIENCE).await;
        world.chronicle.count_answer(Topic::Volume, "Remove", &answer);
        match answer {
            Ok(()) => true,
            Err(reason) => reason.contains("not found"),
        }
    }

    /// Mounts and starts a container with an application. Gives whether it runs.
    async fn start(&self, world: &Arc<World>, index: usize, volume: &SimulatedVolume, mount_id: &str) -> bool {
        self.try_start(world, index, volume, mount_id).await.is_ok()
    }

    /// Mounts and starts a container with an application.
    ///
    /// # Errors
    /// Why it does not run.
    pub async fn try_start(
        &self,
        world: &Arc<World>,
        index: usize,
        volume: &SimulatedVolume,
        mount_id: &str,
    ) -> Result<(), String> {
        let dir = self.mount(world, index, volume, mount_id).await?;
        let node = &world.workers[index].node;
        let boot = node.boot();
        let container = match node.run_container(&dir).await {
            Ok(container) => container,
            Err(error) => {
                world.chronicle.count(Topic::Client, "container did not start");
                self.unmount(world, index, volume, mount_id, 3).await;
                return Err(error.to_string());
            }
        };
        let workload = Workload {
            worker: index,
            volume: volume.clone(),
            mount_id: mount_id.to_owned(),
            container,
            boot,
            stopped: Arc::default(),
            died: Arc::default(),
        };
        self.running().push(workload.clone());
        tokio::spawn(application(world.clone(), workload));
        Ok(())
    }

    /// Sends a Mount, as dockerd does.
    ///
    /// # Errors
    /// What the plugin or the silence said.
    pub async fn mount(
        &self,
        world: &Arc<World>,
        index: usize,
        volume: &SimulatedVolume,
        mount_id: &str,
    ) -> Result<std::path::PathBuf, String> {
        let worker = &world.workers[index];
        let request = self.next_request();
        self.sent().insert((index, mount_id.to_owned()), volume.clone());
        let (node, wwn) = (worker.name.clone(), volume.wwn.clone());
        world.chronicle.tell(FactKind::MountAsked { node: node.clone(), volume: wwn.clone(), request });
        let answer = worker.mount(&volume.name, mount_id, world.swarm.client_patience).await;
        world.chronicle.count_answer(Topic::Mount, "", &answer);
        world.chronicle.tell(FactKind::MountAnswered { node, volume: wwn, request, answer: answer.clone() });
        answer
    }

    /// Sends an Unmount until it succeeds, at most `tries` times.
    pub async fn unmount(
        &self,
        world: &Arc<World>,
        index: usize,
        volume: &SimulatedVolume,
        mount_id: &str,
        tries: usize,
    ) -> bool {
        for _ in 0..tries {
            if self.unmount_once(world, index, volume, mount_id).await.is_ok() {
                return true;
            }
            sleep(UNMOUNT_PAUSE).await;
        }
        false
    }

    /// Sends one Unmount, as dockerd does.
    ///
    /// # Errors
    /// What the plugin or the silence said.
    pub async fn unmount_once(
        &self,
        world: &Arc<World>,
        index: usize,
        volume: &SimulatedVolume,
        mount_id: &str,
    ) -> Result<(), String> {
        let worker = &world.workers[index];
        let (node, request) = (&worker.name, self.next_request());
        world.chronicle.tell_people(|| FactKind::UnmountAsked {
            node: node.clone(),
            volume: volume.wwn.clone(),
            request,
        });
        let answer = worker.unmount(&volume.name, mount_id, UNMOUNT_PATIENCE).await;
        world.chronicle.count_answer(Topic::Unmount, "", &answer);
        world.chronicle.tell_people(|| FactKind::UnmountAnswered {
            node: node.clone(),
            request,
            answer: answer.clone(),
        });
        if answer.is_ok() {
            self.sent().remove(&(index, mount_id.to_owned()));
        }
        answer
    }

    /// Ends the containers under a mount id on a node, without an Unmount.
    pub async fn end_container(&self, world: &Arc<World>, index: usize, mount_id: &str) {
        let ended: Vec<Workload> = {
            let mut running = self.running();
            let (ended, others) =
                std::mem::take(&mut *running).into_iter().partition(|w| w.worker == index && w.mount_id == mount_id);
            *running = others;
            ended
        };
        for workload in ended {
            workload.end(world).await;
        }
    }

    /// The node and the mount id of every container that runs, or only of those whose application has died.
    #[must_use]
    pub fn containers(&self, dead_only: bool) -> Vec<(NodeNumber, String)> {
        let running = self.running();
        let wanted = running.iter().filter(|workload| !dead_only || workload.died.load(Ordering::SeqCst));
        wanted.map(|workload| (workload.worker, workload.mount_id.clone())).collect()
    }

    /// The volume of a container that runs.
    #[must_use]
    pub fn volume_of(&self, index: usize, mount_id: &str) -> Option<SimulatedVolume> {
        let running = self.running();
        running.iter().find(|w| w.worker == index && w.mount_id == mount_id).map(|w| w.volume.clone())
    }

    /// The one that is chosen among what runs now.
    fn choose(&self, one: u64) -> Option<Workload> {
        let running = self.running();
        let index = usize::try_from(one.checked_rem(running.len() as u64)?).ok()?;
        running.get(index).cloned()
    }

    fn take_one(&self, one: u64) -> Option<Workload> {
        let mut running = self.running();
        let index = usize::try_from(one.checked_rem(running.len() as u64)?).ok()?;
        Some(running.remove(index))
    }

    async fn stop_one(&self, world: &Arc<World>, one: u64) {
        if let Some(workload) = self.take_one(one) {
            self.stop(world, &workload, 3).await;
        }
    }

    async fn stop(&self, world: &Arc<World>, workload: &Workload, tries: usize) {
        workload.end(world).await;
        self.unmount(world, workload.worker, &workload.volume, &workload.mount_id, tries).await;
    }

    /// `docker cp`: Mount and Unmount with the id of the running container.
    async fn copy_from_one(&self, world: &Arc<World>, one: u64) {
        let Some(workload) = self.choose(one) else { return };
        if self.mount(world, workload.worker, &workload.volume, &workload.mount_id).await.is_ok() {
            sleep(Duration::from_millis(300)).await;
            let worker = &world.workers[workload.worker];
            let answer = worker.unmount(&workload.volume.name, &workload.mount_id, UNMOUNT_PATIENCE).await;
            world.chronicle.count_answer(Topic::DockerCp, "", &answer);
        }
    }

    /// kubelet repeats the Mount of a pod that has the volume already.
    async fn repeat_mount(&self, world: &Arc<World>, one: u64) {
        let Some(workload) = self.choose(one).filter(|workload| workload.mount_id.contains('-')) else { return };
        // The answer is in the chronicle.
        let _ = self.mount(world, workload.worker, &workload.volume, &workload.mount_id).await;
    }

    /// A container dies with its engine: no Unmount is sent, and the engine mounts again with the same id.
    async fn engine_restarts(&self, world: &Arc<World>, one: u64) {
        let Some(workload) = self.take_one(one) else { return };
        workload.end(world).await;
        world.chronicle.count(Topic::Client, "engine restarts a container");
        self.start(world, workload.worker, &workload.volume, &workload.mount_id).await;
    }

    /// Stops everything: all containers, and every mount id that was ever sent and may still be held.
    pub async fn stop_all(&self, world: &Arc<World>) {
        let running = std::mem::take(&mut *self.running());
        for workload in &running {
            workload.end(world).await;
        }
        // What the engines know of, then what only the records know of: an answer that nobody heard leaves a reference.
        let held: Vec<((usize, String), SimulatedVolume)> =
            self.sent().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        for ((index, mount_id), volume) in held {
            self.unmount(world, index, &volume, &mount_id, 10).await;
        }
        for _ in 0..REFERENCES_AT_MOST {
            let Some((index, volume, mount_id)) = reference_left(world) else { break };
            world.chronicle.count(Topic::Client, "reference that no engine knows of");
            self.unmount(world, index, &volume, &mount_id, 10).await;
        }
    }
}

impl Workload {
    /// Ends container and application; nobody unmounts.
    async fn end(&self, world: &World) {
        self.stopped.store(true, Ordering::SeqCst);
        let node = &world.workers[self.worker].node;
        if node.boot() == self.boot {
            node.stop_container(self.container).await;
        }
    }
}

/// A reference that some record still holds.
fn reference_left(world: &World) -> Option<(usize, SimulatedVolume, String)> {
    world.all_volumes().iter().find_map(|volume| {
        let record = world.record_of(volume)?;
        let (node, info) = record.path_info.iter().find(|(_, info)| !info.mount_ids.is_empty())?;
        let index = world.workers.iter().position(|worker| worker.name == node.as_str())?;
        Some((index, volume.clone(), info.mount_ids.first()?.clone()))
    })
}

/// The application of a container: appends and syncs until it is stopped or its disk fails.
async fn application(world: Arc<World>, workload: Workload) {
    let node = world.workers[workload.worker].node.clone();
    let mut random = Random::new(world.seed, &workload.mount_id);
    let mut count = 0;
    while !workload.stopped.load(Ordering::SeqCst) && node.boot() == workload.boot {
        let (pause, sync) = (random.duration(&world.swarm.append_pause), random.percent(60));
        sleep(pause).await;
        count += 1;
        if node.append(workload.container, &format!("line {count}")).await.is_err() {
            workload.died.store(true, Ordering::SeqCst);
            break;
        }
        if sync && node.fsync(workload.container).await.is_err() {
            world.chronicle.count(Topic::Client, "fsync failed");
            workload.died.store(true, Ordering::SeqCst);
            break;
        }
    }
}
