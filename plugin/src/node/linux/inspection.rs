//! What this kernel has of the array's volumes: maps, disks and mounts, put together.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::command::Commands;
use super::mountinfo::{self, DeviceNumber, Mount};
use super::multipath::{self, Map};
use super::scsi_devices::{self, ScsiDisk};
use super::step::Step;
use super::{LOOK, Roots, vpd};
use crate::array::{Lun, Wwn};
use crate::node::{Device, LocalTruth, NodeError};

/// One look at the tables of the kernel.
struct View {
    disks: Vec<ScsiDisk>,
    maps: Vec<Map>,
    mounts: Vec<Mount>,
}

async fn look(roots: &Roots) -> Result<View, NodeError> {
    let roots = roots.clone();
    Step::new("looking at", "this node's devices")
        .blocking(LOOK, move |step| {
            Ok(View {
                disks: scsi_devices::disks(&roots)?,
                maps: multipath::maps(&roots)?,
                mounts: mountinfo::mounts(&roots.proc).map_err(|error| step.failed(error))?,
            })
        })
        .await
}

/// Everything of one volume.
pub(super) async fn inspect(roots: &Roots, commands: &Commands, wwn: &Wwn) -> Result<LocalTruth, NodeError> {
    let view = look(roots).await?;
    let map = view.maps.iter().find(|map| map.wwn == *wwn);
    let in_map = |disk: &ScsiDisk| map.is_some_and(|map| map.slaves.contains(&disk.name));
    let disks: Vec<&ScsiDisk> =
        view.disks.iter().filter(|disk| disk.wwn.as_ref() == Some(wwn) || in_map(disk)).collect();
    let numbers: BTreeSet<DeviceNumber> =
        map.and_then(|map| map.number).into_iter().chain(disks.iter().filter_map(|disk| disk.number)).collect();
    let mounts: Vec<&Mount> = view.mounts.iter().filter(|mount| is_of(mount, wwn, &numbers)).collect();
    Ok(LocalTruth {
        device: device(roots, wwn, map, &disks),
        luns: disks.iter().filter_map(|disk| disk.lun()).collect(),
        filesystem_dead: mounts.iter().any(|mount| mount.is_dead()),
        paths_down: !mounts.is_empty() && has_no_path(commands, map, &disks).await,
        mounted_at: mount_points(&mounts),
    })
}

fn device(roots: &Roots, wwn: &Wwn, map: Option<&Map>, disks: &[&ScsiDisk]) -> Option<Device> {
    let path = match map {
        Some(map) => map.node(roots),
        None => disks.first()?.node(roots),
    };
    let name = match map {
        Some(_) => format!("dm-uuid-mpath-{}", wwn.map_name()),
        None => format!("wwn-0x{wwn}"),
    };
    Some(Device { wwn: wwn.clone(), path, by_id: roots.dev.join("disk/by-id").join(name) })
}

/// The mount is of one of these devices, or of a device that is gone but bore the WWN in its name.
fn is_of(mount: &Mount, wwn: &Wwn, numbers: &BTreeSet<DeviceNumber>) -> bool {
    numbers.contains(&mount.device) || wwn_of_source(mount).as_ref() == Some(wwn)
}

/// The WWN in the source of a mount: `/dev/mapper/3<WWN>` or a name in `/dev/disk/by-id`.
fn wwn_of_source(mount: &Mount) -> Option<Wwn> {
    let name = std::path::Path::new(&mount.source).file_name()?.to_str()?;
    let name = name.strip_prefix("dm-uuid-mpath-").unwrap_or(name);
    name.strip_prefix("wwn-0x").map_or_else(|| vpd::wwn_of_map_name(name), |digits| digits.parse().ok())
}

/// Newest first, so that they can be unmounted in this order.
fn mount_points(mounts: &[&Mount]) -> Vec<PathBuf> {
    let mut points: Vec<PathBuf> = Vec::new();
    for mount in mounts.iter().rev() {
        if !points.contains(&mount.at) {
            points.push(mount.at.clone());
        }
    }
    points
}

/// Nothing is left right now that could carry writes. Only what is known counts.
async fn has_no_path(commands: &Commands, map: Option<&Map>, disks: &[&ScsiDisk]) -> bool {
    let no_disk_runs = !disks.iter().any(|disk| disk.is_running());
    match map {
        Some(map) => map.slaves.is_empty() || no_disk_runs || multipath::has_lost_every_path(commands, map).await,
        None => no_disk_runs,
    }
}

/// LUN numbers of every device of the array, stale ones included.
pub(super) async fn luns_present(roots: &Roots) -> Result<BTreeSet<Lun>, NodeError> {
    let view = look(roots).await?;
    Ok(view.disks.iter().filter(|disk| disk.is_of_array()).filter_map(ScsiDisk::lun).collect())
}

/// WWNs of the array's volumes this node has disks, maps or mounts of.
pub(super) async fn volumes_present(roots: &Roots) -> Result<BTreeSet<Wwn>, NodeError> {
    let view = look(roots).await?;
    let of_disks = view.disks.iter().filter(|disk| disk.is_of_array()).filter_map(|disk| disk.wwn.clone());
    let of_others = view.maps.iter().map(|map| map.wwn.clone()).chain(view.mounts.iter().filter_map(wwn_of_source));
    Ok(of_disks.chain(of_others.filter(vpd::is_of_array)).collect())
}
