//! dm-multipath: the maps as sysfs shows them, and what multipathd is asked to do with them.
//!
//! A map is found by its uuid (`mpath-3<WWN>`), never by its name: names may be aliases. Commands of multipath-tools 0.9.4;
//! their effect on a real map cannot be tried where the kernel has no device-mapper, so tests stop at what is asked of them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::command::Commands;
use super::mountinfo::DeviceNumber;
use super::step::Step;
use super::{Roots, sysfs, vpd};
use crate::array::Wwn;
use crate::node::NodeError;

/// Deadline of one command.
const COMMAND: Duration = Duration::from_secs(30);
/// How often a map that is "in use" is tried again: udev holds a map open for moments.
const IN_USE_TRIES: usize = 4;
const IN_USE_PAUSE: Duration = Duration::from_millis(500);
/// How long a flushed map may stay visible.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A multipath map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map {
    /// Kernel name, such as `dm-4`.
    pub(super) kernel_name: String,
    /// Name or alias, as multipathd knows it.
    pub(super) name: String,
    /// WWN of the volume, from the map's uuid.
    pub(super) wwn: Wwn,
    /// Disks it is made of.
    pub(super) slaves: Vec<String>,
    /// Its number.
    pub(super) number: Option<DeviceNumber>,
    /// The kernel refuses writes to it.
    pub(super) is_read_only: bool,
}

impl Map {
    /// `/dev/dm-4`
    pub(super) fn node(&self, roots: &Roots) -> PathBuf {
        roots.dev.join(&self.kernel_name)
    }
}

/// All maps of volumes that have a WWN of NAA type 6.
///
/// # Errors
/// sysfs cannot be read.
pub(super) fn maps(roots: &Roots) -> Result<Vec<Map>, NodeError> {
    let directory = roots.sys.join("block");
    let step = Step::new("listing multipath maps", directory.display());
    let names = sysfs::names(&directory).map_err(|error| step.failed(error))?;
    let mut maps = Vec::new();
    for name in names.into_iter().filter(|name| name.starts_with("dm-")) {
        if let Some(map) = map(roots, name).map_err(|error| step.failed(error))? {
            maps.push(map);
        }
    }
    Ok(maps)
}

/// `None` when it vanished or is another kind of map.
fn map(roots: &Roots, kernel_name: String) -> io::Result<Option<Map>> {
    let block = roots.sys.join("block").join(&kernel_name);
    let Some(uuid) = sysfs::text(&block.join("dm/uuid"))? else { return Ok(None) };
    let Some(wwn) = uuid.strip_prefix("mpath-").and_then(vpd::wwn_of_map_name) else { return Ok(None) };
    Ok(Some(Map {
        name: sysfs::text(&block.join("dm/name"))?.unwrap_or_else(|| wwn.map_name()),
        wwn,
        slaves: sysfs::names(&block.join("slaves"))?,
        number: sysfs::text(&block.join("dev"))?.as_deref().and_then(DeviceNumber::parse),
        is_read_only: sysfs::text(&block.join("ro"))?.as_deref() == Some("1"),
        kernel_name,
    }))
}

/// The map of a volume.
pub(super) fn map_of(roots: &Roots, wwn: &Wwn) -> Result<Option<Map>, NodeError> {
    Ok(maps(roots)?.into_iter().find(|map| map.wwn == *wwn))
}

/// Removes the map of a volume and waits until the kernel has forgotten it. Absent is no error.
///
/// # Errors
/// [`NodeError::Busy`] while somebody has it open; the tool's own words otherwise.
pub(super) async fn flush(roots: &Roots, commands: &Commands, wwn: &Wwn) -> Result<(), NodeError> {
    for attempt in 1..=IN_USE_TRIES {
        let Some(map) = map_of(roots, wwn)? else { return Ok(()) };
        let step = Step::new("removing multipath map", &map.name);
        let ended = commands.run(&step, COMMAND, "multipath", &["-f", &map.name]).await?;
        if ended.succeeded() {
            return wait_until_gone(roots, wwn, &step).await;
        }
        let reason = ended.reason("multipath");
        if !reason.contains("in use") {
            return Err(step.failed(reason));
        }
        if attempt == IN_USE_TRIES {
            return Err(step.busy());
        }
        sleep(IN_USE_PAUSE).await;
    }
    Ok(())
}

async fn wait_until_gone(roots: &Roots, wwn: &Wwn, step: &Step) -> Result<(), NodeError> {
    let deadline = Instant::now() + GONE_WITHIN;
    while map_of(roots, wwn)?.is_some() {
        if Instant::now() >= deadline {
            return Err(step.failed("multipath removed it, but the kernel still shows it"));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Makes the map of a volume fail what it queues, from now on. Absent is no error.
///
/// # Errors
/// Neither multipathd nor dmsetup did it.
pub(super) async fn fail_queued_io(roots: &Roots, commands: &Commands, wwn: &Wwn) -> Result<(), NodeError> {
    let Some(map) = map_of(roots, wwn)? else { return Ok(()) };
    let step = Step::new("failing queued I/O", &map.name);
    let asked = commands.run(&step, COMMAND, "multipathd", &["disablequeueing", "map", &map.name]).await;
    let reason = match asked {
        // It exits with 0 for "fail" too.
        Ok(ended) if ended.succeeded() && ended.output.trim() == "ok" => return Ok(()),
        Ok(ended) => ended.reason("multipathd"),
        Err(error) => error.to_string(),
    };
    // The same order, given to the kernel without the daemon.
    let message = ["message", map.name.as_str(), "0", "fail_if_no_path"];
    match commands.run(&step, COMMAND, "dmsetup", &message).await {
        Ok(ended) if ended.succeeded() => Ok(()),
        Ok(ended) => Err(step.failed(format_args!("{reason}; {}", ended.reason("dmsetup")))),
        Err(error) => Err(step.failed(format_args!("{reason}; {error}"))),
    }
}

/// Tells multipath that this disk belongs into a map, for hosts that build maps only for known WWNs
/// (`find_multipaths strict`, the default of some distributions). Failure shows in the map that does not come.
pub(super) async fn adopt(commands: &Commands, disk: &str, node: &str) {
    let step = Step::new("adding path to multipath", disk);
    for (tool, arguments) in [("multipath", vec!["-a", node]), ("multipathd", vec!["add", "path", disk])] {
        match commands.run(&step, COMMAND, tool, &arguments).await {
            Ok(ended) if ended.succeeded() => {}
            Ok(ended) => tracing::debug!(disk, reason = ended.reason(tool), "path was not added to multipath"),
            Err(error) => tracing::debug!(disk, %error, "path was not added to multipath"),
        }
    }
}

/// Whether the map has paths and every one of them is known to have failed. `false` when nobody can say.
pub(super) async fn has_lost_every_path(commands: &Commands, map: &Map) -> bool {
    let step = Step::new("asking for the paths", &map.name);
    match commands.run(&step, Duration::from_secs(5), "dmsetup", &["status", "--target", "multipath", &map.name]).await
    {
        Ok(ended) if ended.succeeded() => every_path_failed(&ended.output),
        Ok(_) | Err(_) => false,
    }
}

/// Reads a status line of the kernel's multipath target:
/// `0 4194304 multipath 2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:16 F 3 1`, where each path is `major:minor A|F failures`.
fn every_path_failed(status: &str) -> bool {
    let words: Vec<&str> = status.split_whitespace().collect();
    let states = words.windows(2).filter(|pair| DeviceNumber::parse(pair[0]).is_some()).map(|pair| pair[1]);
    let states: Vec<&str> = states.filter(|state| matches!(*state, "A" | "F")).collect();
    !states.is_empty() && states.iter().all(|state| *state == "F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_lost_only_when_every_path_is_known_to_have_failed() {
        let both = "0 4194304 multipath 2 0 1 0 2 1 A 0 1 2 8:0 F 4 0 1 E 0 1 2 8:16 F 3 1";
        assert!(every_path_failed(both));
        assert!(!every_path_failed(&both.replace("8:16 F", "8:16 A")));
        assert!(!every_path_failed("0 4194304 multipath 2 0 1 0 0 1"), "no path is no evidence");
        assert!(!every_path_failed(""));
    }
}
