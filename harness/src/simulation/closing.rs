//! The end of a run: heal everything, stop the workloads, demand that every volume can be mounted, look for leaks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::node::NodeError;
use hpe3par_docker_plugin::store::journal::Journal as _;
use hpe3par_docker_plugin::store::{Change, Transaction, keys};
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use hpe3par_emulator::array::VlunFilter;
use tokio::time::{Instant, sleep, timeout};

use super::by_hand;
use super::clients::Clients;
use super::nemesis::SimulationHook;
use super::network::NodeNumber;
use super::volumes::SimulatedVolume;
use super::world::World;
use crate::checks::{Invariant, Remains, Violation, check_leaks};
use crate::node::Random;

/// Within this time after the last fault a volume must be mountable.
pub const MOUNTABLE_WITHIN: Duration = Duration::from_secs(240);
/// Within this time after the last Unmount nothing may be left.
pub const CLEAN_WITHIN: Duration = Duration::from_secs(150);
/// How long stopping everything may take.
const STOPPED_WITHIN: Duration = Duration::from_secs(1_200);
/// How often the last fsync is asked again when it was slow.
const FSYNC_TRIES: usize = 5;
/// How many of the last mounts see the store restored to an older state.
const OLDER_STORE_PERCENT: u64 = 3;
/// Pause between looks.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Heals the world: every node runs, every link works, nothing goes wrong any more.
pub fn heal(world: &World, hooks: &[Arc<SimulationHook>]) {
    world.network.heal();
    for hook in hooks {
        hook.disarm();
    }
    for worker in &world.workers {
        worker.node.cut_from_san(false);
        worker.node.set_slow_writes(0);
        worker.thaw();
        worker.power_on();
        worker.start_plugin();
    }
    by_hand::heal(world);
    world.chronicle.note("world", || "HEALED: all faults are gone".to_owned());
}

/// Demands progress and cleanliness of a healed world.
pub async fn demand(world: &Arc<World>, clients: &Arc<Clients>) {
    if timeout(STOPPED_WITHIN, clients.stop_all(world)).await.is_err() {
        accuse(world, Invariant::L1Liveness, "not every Unmount ended, although all faults are gone".to_owned());
        return;
    }
    if !demand_cleanliness(world).await {
        return;
    }
    let mut random = Random::new(world.seed, "closing");
    for (number, volume) in world.volumes.iter().enumerate() {
        let index = usize::try_from(random.below(world.workers.len() as u64)).unwrap_or(0);
        let demanded = async {
            demand_mount(world, clients, volume, (index, number)).await?;
            if random.percent(OLDER_STORE_PERCENT) {
                demand_refusal_of_older_store(world, clients, volume, (index, number)).await?;
            }
            Ok(())
        };
        if let Err(words) = demanded.await {
            accuse(world, Invariant::L1Liveness, words);
            return;
        }
    }
    if let Err(words) = demand_refusal(world, clients).await {
        accuse(world, Invariant::S8FormatOnce, words);
    }
    if let Err(words) = demand_removal(world, clients).await {
        accuse(world, Invariant::L1Liveness, words);
        return;
    }
    demand_cleanliness(world).await;
}

/// Waits until nothing is left of any volume, and tells whether it came to that.
async fn demand_cleanliness(world: &World) -> bool {
    let begin = Instant::now();
    let remains = loop {
        let remains = remains_of(world).await;
        if remains == Remains::default() || begin.elapsed() > CLEAN_WITHIN {
            break remains;
        }
        sleep(LOOK_EVERY).await;
    };
    for violation in check_leaks(&remains, world.start.elapsed()) {
        world.chronicle.accuse(violation);
    }
    remains == Remains::default()
}

fn accuse(world: &World, invariant: Invariant, words: String) {
    world.chronicle.accuse(Violation::new(invariant, world.start.elapsed(), words));
}

/// Mounts, writes, syncs and unmounts a volume on some node.
async fn demand_mount(
    world: &Arc<World>,
    clients: &Arc<Clients>,
    volume: &SimulatedVolume,
    (index, number): (NodeNumber, usize),
) -> Result<(), String> {
    let worker = &world.workers[index];
    let mount_id = last_id(number);
    let begin = Instant::now();
    let dir = loop {
        let last = match clients.mount(world, index, volume, &mount_id).await {
            Ok(dir) => break dir,
            Err(reason) => reason,
        };
        if begin.elapsed() > MOUNTABLE_WITHIN {
            let name = &worker.name;
            return Err(format!(
                "volume {} could not be mounted on {name} within {} s after all faults were gone; the last answer was: {last}",
                volume.name,
                MOUNTABLE_WITHIN.as_secs()
            ));
        }
        sleep(Duration::from_secs(1)).await;
    };
    let node = &worker.node;
    let written = async {
        let container = node.run_container(&dir).await?;
        node.append(container, "the last line").await?;
        // A write may be slow on its way; an fsync that was given up is asked again, as an application would.
        let mut synced = node.fsync(container).await;
        for _ in 0..FSYNC_TRIES {
            if !matches!(synced, Err(NodeError::TimedOut { .. })) {
                break;
            }
            synced = node.fsync(container).await;
        }
        synced?;
        node.stop_container(container).await;
        Ok::<_, NodeError>(())
    };
    written
        .await
        .map_err(|error| format!("volume {} mounted on {} could not be written: {error}", volume.name, worker.name))?;
    if clients.unmount(world, index, volume, &mount_id, 20).await {
        return Ok(());
    }
    Err(format!("volume {} could not be unmounted on {} after all faults were gone", volume.name, worker.name))
}

/// The mount id of the last Mount of a volume.
fn last_id(number: usize) -> String {
    format!("{:064x}", number + 1)
}

/// A store that was restored from a backup, while a node has a volume mounted: the node says so, and touches nothing.
async fn demand_refusal_of_older_store(
    world: &Arc<World>,
    clients: &Arc<Clients>,
    volume: &SimulatedVolume,
    (index, number): (NodeNumber, usize),
) -> Result<(), String> {
    let key = keys::volume(volume.id);
    let put = |value: Vec<u8>| {
        let changes = vec![Change::Put { key: key.clone(), value, lease: None }];
        let _ = world.store.transact(&Transaction { guards: Vec::new(), changes });
    };
    let mount_id = last_id(number);
    clients.mount(world, index, volume, &mount_id).await?;
    let Some(newer) = world.store.read(&key) else { return Err(format!("the record of {} is gone", volume.name)) };
    let exports = exports_of(world, volume);
    put(volume.first_record.clone());
    let answer = clients.mount(world, index, volume, &mount_id).await;
    // A request of long ago may still make one; none may go.
    let now = exports_of(world, volume);
    let touched = exports.iter().any(|export| !now.contains(export));
    put(newer.value);
    if touched || answer.is_ok() {
        return Err(format!(
            "the store was restored to an older state under volume {}, and the answer was {answer:?}; exports touched: {touched}",
            volume.name
        ));
    }
    match clients.unmount(world, index, volume, &mount_id, 20).await {
        true => Ok(()),
        false => Err(format!("volume {} could not be unmounted after its record was the newer one again", volume.name)),
    }
}

fn exports_of(world: &World, volume: &SimulatedVolume) -> Vec<String> {
    let rows = world.emulator.with(|array, _| array.vlun_rows(&VlunFilter::volume(volume.array_name.as_str())));
    let templates = rows.iter().filter(|row| !row.active);
    let words = templates.map(|row| {
        let host = row.hostname.as_deref().unwrap_or("everybody");
        format!("{} to {host} as LUN {}", volume.name, row.lun)
    });
    words.collect()
}

/// A volume that holds what its record does not expect is mounted nowhere.
async fn demand_refusal(world: &Arc<World>, clients: &Arc<Clients>) -> Result<(), String> {
    let Some(volume) = &world.unexpected else { return Ok(()) };
    match clients.mount(world, 0, volume, &last_id(world.volumes.len())).await {
        Ok(_) => Err(format!("volume {} holds what its record does not expect, and was mounted", volume.name)),
        Err(_) => Ok(()),
    }
}

/// The volume that comes and goes can be removed.
async fn demand_removal(world: &Arc<World>, clients: &Arc<Clients>) -> Result<(), String> {
    let begin = Instant::now();
    while world.swarm.comes_and_goes && !clients.remove(world, 0).await {
        if begin.elapsed() > MOUNTABLE_WITHIN {
            let within = MOUNTABLE_WITHIN.as_secs();
            return Err(format!("volume {} could not be removed within {within} s", world.coming_and_going));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// What is left of the volumes that are there from the start.
pub async fn remains_of(world: &World) -> Remains {
    let mut remains = Remains::default();
    let wwns: BTreeSet<Wwn> = world.all_volumes().iter().map(|volume| volume.wwn.clone()).collect();
    for volume in world.volumes.iter().chain(&world.unexpected) {
        remains.exports.extend(exports_of(world, volume));
        remains.records.extend(world.record_of(volume).and_then(|record| unfinished(&record)));
    }
    for worker in &world.workers {
        let left = worker.node.leftovers().of(&wwns);
        if !left.is_empty() {
            remains.nodes.push((worker.name.clone(), left));
        }
        let entries = worker.journal.entries().await.unwrap_or_default();
        remains.journals.extend(entries.iter().map(|entry| format!("{} on {}", entry.name, worker.name)));
    }
    let (keys, _) = world.store.read_all("/takeovers/");
    let forgotten = keys.iter().filter(|entry| entry.key.ends_with("/clock") || entry.key.ends_with("/permit"));
    remains.takeovers.extend(forgotten.map(|entry| entry.key.clone()));
    remains
}

/// What a record still says about an ended run.
fn unfinished(record: &VolumeRecord) -> Option<String> {
    let owner = record.ownership.owner().map(|owner| format!("owned by {}", owner.node));
    let takeover = record.takeover.as_ref().map(|takeover| format!("wanted by {}", takeover.by));
    let held: Vec<String> =
        record.path_info.iter().map(|(node, info)| format!("held on {node} by {} ids", info.mount_ids.len())).collect();
    let quarantine: Vec<String> = record.quarantine.keys().map(|node| format!("{node} in quarantine")).collect();
    let words: Vec<String> = owner.into_iter().chain(takeover).chain(held).chain(quarantine).collect();
    (!words.is_empty()).then(|| format!("{} is {}", record.display_name, words.join(", ")))
}
