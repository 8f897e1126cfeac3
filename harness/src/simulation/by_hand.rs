//! What people do past the plugin: mounts, unmounts and exports by hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hpe3par_emulator::array::{CreateVlun, VlunAddress};

use super::nemesis::after;
use super::swarm::FaultKind;
use super::volumes::SimulatedVolume;
use super::worker::Worker;
use super::world::World;

/// A host of the array that is no node of the cluster.
pub const STRANGER: &str = "backup-server";
/// Its initiator.
pub const STRANGER_IQN: &str = "iqn.1993-08.org.debian:01:backup-server";
/// LUN number under which it gets volumes.
const STRANGER_LUN: i64 = 901;

/// Where people mount a volume by hand.
fn place_of(volume: &SimulatedVolume) -> PathBuf {
    PathBuf::from(format!("/mnt/{}", volume.name))
}

/// Carries out one of the faults by hand, and takes it back after its time.
pub(super) fn carry_out(
    world: &Arc<World>,
    kind: FaultKind,
    worker: Arc<Worker>,
    volume: SimulatedVolume,
    length: Duration,
) {
    match kind {
        FaultKind::UnmountByHand => worker.node.unmount_by_hand(&volume.wwn),
        FaultKind::MountByHand => {
            let place = place_of(&volume);
            worker.node.mount_by_hand(&volume.wwn, &place);
            after(length, move || worker.node.unmount_dir_by_hand(&place));
        }
        _ => {
            let name = volume.array_name.to_string();
            let export = CreateVlun::host_sees(&name, STRANGER_LUN, STRANGER);
            // An array with `oneHost` may refuse it.
            let _ = world.emulator.with(|array, now| array.create_vlun(now, &export));
            world.chronicle.hear_array();
            let world = world.clone();
            after(length, move || remove_export(&world, &volume));
        }
    }
}

fn remove_export(world: &World, volume: &SimulatedVolume) {
    let address = VlunAddress {
        volume: volume.array_name.to_string(),
        lun: STRANGER_LUN,
        host: Some(STRANGER.to_owned()),
        port: None,
    };
    // It may be gone already.
    let _ = world.emulator.with(|array, now| array.remove_vlun(now, &address));
    world.chronicle.hear_array();
}

/// Everything that was done by hand is taken back.
pub(super) fn heal(world: &World) {
    for volume in &world.volumes {
        remove_export(world, volume);
        for worker in &world.workers {
            worker.node.unmount_dir_by_hand(&place_of(volume));
        }
    }
}
