//! The world of one seed: store, array, network, nodes and volumes, on one thread in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::fencing::Policy;
use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::store::memory::MemoryStore;
use hpe3par_docker_plugin::store::{Change, Transaction, keys};
use hpe3par_docker_plugin::tasks::TokioTasks;
use hpe3par_docker_plugin::volume::names::{ArrayVolumeName, VolumeId, VolumeName, array_host_name};
use hpe3par_docker_plugin::volume::record::{Format, VolumeRecord};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{ArrayConfig, CreateHost, CreateVlun, CreateVolume, PolicyChange};
use tokio::time::Instant;

use super::array::SimulatedArray;
use super::chronicle::Chronicle;
use super::network::Network;
use super::store::SimulatedStore;
use super::swarm::{NODES, Swarm};
use super::watched_fabric::WatchedFabric;
use super::worker::{BACKEND, PluginParts, Worker};
use crate::checks::{ExportRule, Rules};
use crate::node::{EmulatedFabric, MachineIdentity, NodeOptions, NodeWorld, Random, SimulatedNode};

/// Size of a volume of the simulation in MiB; the log never grows that long.
const VOLUME_MIB: i64 = 1_024;
/// LUN number of the volume nobody may touch.
const BYSTANDER_LUN: i64 = 900;

/// A volume in play.
#[derive(Debug, Clone)]
pub struct SimulatedVolume {
    /// Docker name.
    pub name: VolumeName,
    /// Id.
    pub id: VolumeId,
    /// Name on the array.
    pub array_name: ArrayVolumeName,
    /// WWN.
    pub wwn: Wwn,
}

/// Everything of one run.
pub struct World {
    /// The plan of the seed.
    pub swarm: Swarm,
    /// Begin of the run.
    pub start: Instant,
    /// The store itself, past the network.
    pub store: MemoryStore,
    /// The array itself, past the network.
    pub emulator: Emulator,
    /// The network.
    pub network: Arc<Network>,
    /// The chronicle.
    pub chronicle: Arc<Chronicle>,
    /// The nodes.
    pub workers: Vec<Arc<Worker>>,
    /// The volumes in play.
    pub volumes: Vec<SimulatedVolume>,
    random: Mutex<Random>,
}

/// Why a world could not be built: a defect of the simulation itself.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the world of the simulation could not be built: {0}")]
pub struct WorldError(String);

impl WorldError {
    /// An error with these words.
    #[must_use]
    pub fn of(words: &dyn std::fmt::Display) -> Self {
        Self(words.to_string())
    }
}

fn built<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, WorldError> {
    result.map_err(|error| WorldError(error.to_string()))
}

impl World {
    /// Builds the world of a seed.
    ///
    /// # Errors
    /// [`WorldError`] is a defect of the simulation.
    pub fn build(seed: u64, swarm: Swarm, defects: Defects, notes: bool) -> Result<Arc<Self>, WorldError> {
        let start = Instant::now();
        let config = ArrayConfig { seed, inflight: swarm.inflight, ..ArrayConfig::default() };
        let emulator = Emulator::with_clock(config, move || start.elapsed());
        let store = MemoryStore::with_least_lease(Duration::from_secs(2));
        let mut random = Random::new(seed, "world");
        let mut volumes = Vec::new();
        for number in 1..=swarm.volumes {
            volumes.push(make_volume(number, &swarm, &emulator, &store, &mut random)?);
        }
        let bystander = make_bystander(&emulator)?;
        let mut wwns: BTreeMap<String, Wwn> =
            volumes.iter().map(|volume| (volume.array_name.to_string(), volume.wwn.clone())).collect();
        wwns.insert(BYSTANDER.to_owned(), bystander.clone());
        let rules = rules(&swarm, bystander);
        let chronicle = Arc::new(Chronicle::new(emulator.clone(), start, &rules, wwns, notes));
        let network = Arc::new(Network::new(seed, swarm.store.clone(), swarm.array.clone()));
        let fabric = EmulatedFabric::new(emulator.clone(), swarm.settling.clone(), seed);
        let fabric = Arc::new(WatchedFabric::new(fabric, chronicle.clone()));
        let mut workers = Vec::new();
        for (number, name) in (1_u64..).zip(NODES) {
            let world = NodeWorld {
                fabric: fabric.clone(),
                tasks: Arc::new(TokioTasks),
                observer: chronicle.clone(),
                epochs: chronicle.clone(),
            };
            let options = NodeOptions { seed: seed.wrapping_mul(31).wrapping_add(number), ..swarm.node.clone() };
            let node = SimulatedNode::new(MachineIdentity::named(name), options, world);
            let parts = PluginParts {
                store: SimulatedStore::new(name, store.clone(), network.clone(), chronicle.clone()),
                array: SimulatedArray::new(name, emulator.clone(), network.clone(), chronicle.clone(), &swarm),
                policy: policy(&swarm),
                defects,
            };
            workers.push(Worker::new(node, parts, chronicle.clone(), seed.wrapping_add(number)));
        }
        let random = Mutex::new(random);
        Ok(Arc::new(Self { swarm, start, store, emulator, network, chronicle, workers, volumes, random }))
    }

    /// The world's own random numbers: what clients and faults do.
    pub fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of a volume as the store has it, past the network.
    #[must_use]
    pub fn record_of(&self, volume: &SimulatedVolume) -> Option<VolumeRecord> {
        let key = keys::volume(volume.id);
        let entry = self.store.read(&key)?;
        VolumeRecord::from_json(&key, &entry.value).ok()
    }
}

const BYSTANDER: &str = "bystander";

fn rules(swarm: &Swarm, bystander: Wwn) -> Rules {
    let node_of_host =
        NODES.iter().filter_map(|name| Some((array_host_name(name).ok()?.to_string(), (*name).to_owned())));
    Rules {
        exports: if swarm.one_host { ExportRule::Strict } else { ExportRule::OneWriter },
        bystanders: BTreeSet::from([bystander]),
        node_of_host: node_of_host.collect(),
        exports_removed_by_hand: false,
    }
}

fn policy(swarm: &Swarm) -> Policy {
    Policy {
        conflict_delay: swarm.conflict_delay,
        takeover_limit: 1_000,
        permit_validity: Duration::from_secs(20),
        unclaimed_hold: Duration::from_secs(15),
        revoke_patience: Duration::from_secs(20),
        settle_delay: swarm.settle_delay,
        attach_patience: Duration::from_secs(5),
        burned_watch: Duration::from_secs(90),
        ..Policy::default()
    }
}

fn make_volume(
    number: usize,
    swarm: &Swarm,
    emulator: &Emulator,
    store: &MemoryStore,
    random: &mut Random,
) -> Result<SimulatedVolume, WorldError> {
    let id = VolumeId(uuid::Uuid::from_u64_pair(random.draw(), random.draw()));
    let name = built(VolumeName::of_existing(format!("volume-{number}")))?;
    let array_name = ArrayVolumeName::for_volume(id);
    let policies = swarm.one_host.then(|| PolicyChange { one_host: Some(true), ..PolicyChange::default() });
    let body = CreateVolume { policies, ..CreateVolume::thin(array_name.as_str(), "FC_r6", VOLUME_MIB) };
    built(emulator.with(|array, now| array.create_volume(now, &body)))?;
    let wwn = built(emulator.with(|array, _| array.volume(array_name.as_str()).map(|volume| volume.wwn.to_string())))?;
    let wwn: Wwn = built(wwn.parse())?;
    let mut record = VolumeRecord::new(id, name.clone());
    record.array_name = array_name.clone();
    record.backend = BACKEND.to_owned();
    record.size_gib = 1;
    record.cpg = "FC_r6".parse().ok();
    record.wwn = Some(wwn.clone());
    record.format = Format::Unformatted;
    let put = |key: String, value: Vec<u8>| Change::Put { key, value, lease: None };
    let changes = vec![
        put(keys::volume(id), record.to_json()),
        put(keys::volume_name(name.as_str()), id.to_string().into_bytes()),
    ];
    built(store.transact(&Transaction { guards: Vec::new(), changes }))?;
    Ok(SimulatedVolume { name, id, array_name, wwn })
}

/// A volume of somebody else, exported to the first node: nobody may touch it.
fn make_bystander(emulator: &Emulator) -> Result<Wwn, WorldError> {
    let host = built(array_host_name(NODES[0]))?;
    let iqn = MachineIdentity::named(NODES[0]).iqn;
    let made = emulator.with(|array, now| {
        array.create_host(now, &CreateHost::iscsi(host.as_str(), &[iqn.as_str()]))?;
        array.create_volume(now, &CreateVolume::thin(BYSTANDER, "FC_r6", VOLUME_MIB))?;
        array.create_vlun(now, &CreateVlun::host_sees(BYSTANDER, BYSTANDER_LUN, host.as_str()))?;
        array.volume(BYSTANDER).map(|volume| volume.wwn.to_string())
    });
    built(built(made)?.parse())
}
