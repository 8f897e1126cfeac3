//! The world of one seed: store, array, network, nodes and volumes, on one thread in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::fencing::Policy;
use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::store::keys;
use hpe3par_docker_plugin::store::memory::MemoryStore;
use hpe3par_docker_plugin::tasks::TokioTasks;
use hpe3par_docker_plugin::volume::names::{VolumeId, VolumeName, array_host_name};
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::ArrayConfig;
use tokio::time::Instant;

use super::array::SimulatedArray;
use super::by_hand::STRANGER;
use super::calls::Calls;
use super::chronicle::Chronicle;
use super::network::Network;
use super::store::SimulatedStore;
use super::swarm::{NODES, Swarm};
use super::volumes::{BYSTANDER, SimulatedVolume, VolumeMaker};
use super::watched_fabric::WatchedFabric;
use super::worker::{PluginParts, Worker};
use crate::checks::{ExportRule, Rules};
use crate::node::{EmulatedFabric, MachineIdentity, NodeOptions, NodeWorld, SimulatedNode};

/// Name of the volume that is created and removed during a run.
const COMES_AND_GOES: &str = "comes-and-goes";

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
    /// Where the calls of all plugins are announced.
    pub calls: Calls,
    /// The nodes.
    pub workers: Vec<Arc<Worker>>,
    /// The volumes in play.
    pub volumes: Vec<SimulatedVolume>,
    /// A volume that holds what its record does not expect.
    pub unexpected: Option<SimulatedVolume>,
    /// Name of the volume that is created and removed during the run.
    pub coming_and_going: VolumeName,
    /// The seed.
    pub seed: u64,
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

pub(super) fn built<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, WorldError> {
    result.map_err(|error| WorldError(error.to_string()))
}

impl World {
    /// Builds the world of a seed.
    ///
    /// # Errors
    /// [`WorldError`] is a defect of the simulation.
    pub fn build(seed: u64, swarm: Swarm, defects: Defects, notes: bool) -> Result<Arc<Self>, WorldError> {
        Self::build_with(&NODES.map(str::to_owned), seed, swarm, defects, notes)
    }

    /// Builds a world with nodes of these names.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with(
        names: &[String],
        seed: u64,
        swarm: Swarm,
        defects: Defects,
        notes: bool,
    ) -> Result<Arc<Self>, WorldError> {
        let start = Instant::now();
        let config = ArrayConfig { seed, inflight: swarm.inflight, ..ArrayConfig::default() };
        let emulator = Emulator::with_clock(config, move || start.elapsed());
        let store = MemoryStore::with_least_lease(Duration::from_secs(2));
        let mut maker = VolumeMaker::new(seed, &emulator, &store, swarm.one_host);
        maker.make_stranger()?;
        let volumes = (1..=swarm.volumes).map(|number| maker.make(number)).collect::<Result<Vec<_>, _>>()?;
        let unexpected = swarm.unexpected.map(|content| maker.make_unexpected(content)).transpose()?;
        let bystander = maker.make_bystander()?;
        let mut wwns: BTreeMap<String, Wwn> = volumes
            .iter()
            .chain(&unexpected)
            .map(|volume| (volume.array_name.to_string(), volume.wwn.clone()))
            .collect();
        wwns.insert(BYSTANDER.to_owned(), bystander.clone());
        let rules = rules(names, &swarm, bystander, unexpected.as_ref().map(|volume| volume.wwn.clone()));
        let chronicle = Arc::new(Chronicle::new(emulator.clone(), start, &rules, wwns, notes));
        let network = Arc::new(Network::new(seed, names, swarm.store.clone(), swarm.array.clone()));
        let fabric = EmulatedFabric::new(emulator.clone(), swarm.settling.clone(), seed);
        let fabric = Arc::new(WatchedFabric::new(fabric, chronicle.clone()));
        let (mut workers, calls) = (Vec::new(), Calls::default());
        for (index, name) in names.iter().enumerate() {
            let number = index as u64 + 1;
            let world = NodeWorld {
                fabric: fabric.clone(),
                tasks: Arc::new(TokioTasks),
                observer: chronicle.clone(),
                epochs: chronicle.clone(),
            };
            let options = NodeOptions { seed: seed.wrapping_mul(31).wrapping_add(number), ..swarm.node.clone() };
            let node = SimulatedNode::new(MachineIdentity::named(name), options, world);
            let (network, chronicle) = (network.clone(), chronicle.clone());
            let array =
                SimulatedArray::new(index, emulator.clone(), network.clone(), chronicle.clone(), &swarm, calls.clone());
            let parts = PluginParts {
                number: index,
                calls: calls.clone(),
                store: SimulatedStore::new(index, store.clone(), network, chronicle.clone(), calls.clone()),
                array,
                policy: policy(&swarm),
                one_host: swarm.one_host,
                defects,
            };
            workers.push(Worker::new(node, parts, chronicle, seed.wrapping_add(number)));
        }
        let coming_and_going = built(VolumeName::of_existing(COMES_AND_GOES.to_owned()))?;
        Ok(Arc::new(Self {
            swarm,
            start,
            store,
            emulator,
            network,
            chronicle,
            calls,
            workers,
            volumes,
            unexpected,
            coming_and_going,
            seed,
        }))
    }

    /// The volume that an index of the script means now: mostly one of those in play, sometimes another, if there is one.
    #[must_use]
    pub fn volume_at(&self, index: usize) -> Option<SimulatedVolume> {
        match index % 10 {
            0 if self.unexpected.is_some() => self.unexpected.clone(),
            1..4 if self.swarm.comes_and_goes => self.came(),
            _ => self.volumes.get(index % self.volumes.len()).cloned(),
        }
    }

    /// Every volume that has a WWN now.
    #[must_use]
    pub fn all_volumes(&self) -> Vec<SimulatedVolume> {
        self.volumes.iter().chain(&self.unexpected).cloned().chain(self.came()).collect()
    }

    /// The volume that comes and goes, if it is there.
    pub(crate) fn came(&self) -> Option<SimulatedVolume> {
        let name = &self.coming_and_going;
        let id = self.store.read(&keys::volume_name(name.as_str()))?;
        let id: VolumeId = std::str::from_utf8(&id.value).ok()?.parse().ok()?;
        let key = keys::volume(id);
        let record = self.store.read(&key)?;
        let first_record = record.value.clone();
        let record = VolumeRecord::from_json(&key, &record.value).ok()?;
        Some(SimulatedVolume {
            name: name.clone(),
            id,
            array_name: record.array_name.clone(),
            wwn: record.wwn?,
            first_record,
        })
    }

    /// The record of a volume as the store has it, past the network.
    #[must_use]
    pub fn record_of(&self, volume: &SimulatedVolume) -> Option<VolumeRecord> {
        let key = keys::volume(volume.id);
        let entry = self.store.read(&key)?;
        VolumeRecord::from_json(&key, &entry.value).ok()
    }
}

fn rules(names: &[String], swarm: &Swarm, bystander: Wwn, unexpected: Option<Wwn>) -> Rules {
    let node_of_host = names.iter().filter_map(|name| Some((array_host_name(name).ok()?.to_string(), name.clone())));
    Rules {
        exports: if swarm.one_host { ExportRule::Strict } else { ExportRule::OneWriter },
        bystanders: BTreeSet::from([bystander]),
        node_of_host: node_of_host.collect(),
        exports_removed_by_hand: false,
        strangers: BTreeSet::from([STRANGER.to_owned()]),
        never_written: unexpected.into_iter().collect(),
    }
}

fn policy(swarm: &Swarm) -> Policy {
    Policy {
        conflict_delay: swarm.conflict_delay,
        conflict: swarm.conflict,
        takeover_limit: swarm.takeover_limit,
        takeover_window: swarm.takeover_window,
        permit_validity: Duration::from_secs(20),
        unclaimed_hold: Duration::from_secs(15),
        revoke_patience: Duration::from_secs(20),
        settle_delay: swarm.settle_delay,
        attach_patience: Duration::from_secs(5),
        burned_watch: Duration::from_secs(90),
        ..Policy::default()
    }
}
