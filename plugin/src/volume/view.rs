//! A volume as Get and List show it, in the shape existing deployments read.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::docker::driver::VolumeView;
use crate::fencing::Me;
use crate::store::journal::JournalEntry;
use crate::volume::record::VolumeRecord;

/// A volume as its record says. Mount point and device are those of this node only.
#[must_use]
pub fn of_record(record: &VolumeRecord, me: &Me, mounted_here: Option<(PathBuf, PathBuf)>) -> VolumeView {
    let info = record.path_info.get(&me.node).filter(|_| record.is_owned_by(&me.node, &me.boot));
    let here = info.map(|info| (info.mount_dir.clone(), info.path.clone())).or(mounted_here);
    let (mountpoint, device) = here.unzip();
    VolumeView {
        name: record.display_name.as_str().to_owned(),
        mountpoint,
        device,
        size_gib: record.size_gib,
        status: status(record),
    }
}

/// A volume as this node's journal remembers it.
#[must_use]
pub fn of_journal(entry: &JournalEntry) -> VolumeView {
    VolumeView {
        name: entry.name.as_str().to_owned(),
        mountpoint: (!entry.released).then(|| entry.mount_dir.clone()),
        device: (!entry.released).then(|| entry.device.clone()),
        size_gib: entry.size_gib,
        status: Map::new(),
    }
}

/// `Status`: the keys of the earlier plugin, and who owns the volume.
fn status(record: &VolumeRecord) -> Map<String, Value> {
    let owner = record.ownership.owner();
    let detail = json!({
        "id": record.id,
        "size": record.size_gib,
        "flash_cache": record.rest.get("flash_cache").cloned().unwrap_or(Value::Null),
        "compression": record.rest.get("compression").cloned().unwrap_or(Value::Null),
        "provisioning": record.provisioning,
        "fsOwner": record.access.owner.map(|(user, group)| format!("{user}:{group}")),
        "fsMode": record.access.mode.map(|mode| format!("{mode:04o}")),
        "mountConflictDelay": record.mount_conflict_delay,
        "cpg": record.cpg,
        "snap_cpg": record.snap_cpg,
        "backend": record.backend,
        "3par_vol_name": record.array_name.as_str(),
        "wwn": record.wwn,
    });
    let fencing = json!({
        "epoch": record.epoch,
        "owner": owner.map(|owner| owner.node.clone()),
        "takeover_by": record.takeover.as_ref().map(|takeover| takeover.by.clone()),
        "quarantine": record.quarantine.keys().collect::<Vec<_>>(),
    });
    Map::from_iter([("volume_detail".to_owned(), detail), ("fencing".to_owned(), fencing)])
}
