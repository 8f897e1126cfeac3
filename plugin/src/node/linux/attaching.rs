//! From an export to a device: log in, look for exactly this LUN, read the identity afresh, wait for the map.
//!
//! A LUN number may have belonged to another volume before, and a kernel that was not told goes on believing in the old one:
//! a map of the old volume then writes into the new one (observed). So nothing is handed out whose paths did not all
//! answer a fresh INQUIRY with the wanted WWN. A volume without a map is not handed out either: a single path would not
//! survive its port, and could not be told from a map by those who mount it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::iscsi::{self, Target};
use super::mountinfo::DeviceNumber;
use super::multipath::{self, Map};
use super::scsi_devices::{self, Nexus, ScsiDisk};
use super::step::Step;
use super::unfinished::Object;
use super::{LOOK, LinuxNode, Roots, fc, sysfs, vpd};
use crate::array::{TargetPort, Wwn};
use crate::node::{AttachRequest, Device, NodeError};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(150);
/// How long after a scan the next one is made, if no disk appeared.
const SCAN_AGAIN: Duration = Duration::from_secs(2);
/// How long multipath may think before it is told that the disks belong together.
const ADOPT_AFTER: Duration = Duration::from_secs(3);

/// See [`crate::node::Node::attach`].
pub(super) async fn attach(node: &LinuxNode, request: &AttachRequest) -> Result<Device, NodeError> {
    let targets = Target::among(&request.ports)?;
    let _underway = node.logins.underway(&targets);
    let logins = node.logins.log_in(&node.roots, &node.commands, &targets, request.chap.as_ref()).fuse();
    let mut search = Search::new(node, request, targets.clone());
    let (mut refused, mut all_tried) = (Vec::new(), false);
    tokio::pin!(logins);
    loop {
        let outcome = {
            let mut look = std::pin::pin!(search.look(all_tried.then_some(refused.len())));
            loop {
                tokio::select! {
                    biased;
                    failed = &mut logins, if !all_tried => (refused, all_tried) = (failed, true),
                    outcome = &mut look => break outcome?,
                }
            }
        };
        match outcome {
            Found::Ready(device) => return Ok(device),
            Found::Nothing { hopes: 0 } if all_tried && search.is_hopeless(&refused) => {
                return Err(search.no_way(&refused));
            }
            Found::Nothing { .. } => {}
        }
        if search.is_over() {
            return search.give_up(&refused);
        }
        tokio::select! {
            biased;
            failed = &mut logins, if !all_tried => (refused, all_tried) = (failed, true),
            () = sleep(PAUSE) => {}
        }
    }
}

/// All ways of this node to these ports, sessions that are being brought back included.
///
/// # Errors
/// sysfs cannot be read, or a port is none.
pub(super) fn ways(roots: &Roots, ports: &[TargetPort]) -> Result<BTreeSet<Nexus>, NodeError> {
    let targets = Target::among(ports)?;
    let mut ways = fc::nexuses(roots, &fc_ports(ports))?;
    for session in iscsi::sessions(roots)?.into_iter().filter(|session| targets.contains(&session.target)) {
        ways.extend(session.nexuses);
    }
    Ok(ways)
}

fn fc_ports(ports: &[TargetPort]) -> BTreeSet<String> {
    let wwpn = |port: &TargetPort| match port {
        TargetPort::Fc { wwpn, .. } => Some(wwpn.to_ascii_uppercase()),
        TargetPort::Iscsi { .. } => None,
    };
    ports.iter().filter_map(wwpn).collect()
}

/// What one look came to.
enum Found {
    /// Map complete, identity proven.
    Ready(Device),
    /// Not yet.
    Nothing {
        /// Ways to the array, and sessions that may become one.
        hopes: usize,
    },
}

/// What the kernel shows of the wanted volume.
struct Sight {
    ways: BTreeSet<Nexus>,
    /// Sessions that iscsid is bringing back.
    reconnecting: usize,
    disks: Vec<ScsiDisk>,
    map: Option<Map>,
}

/// The search for one volume.
struct Search<'a> {
    node: &'a LinuxNode,
    request: &'a AttachRequest,
    targets: BTreeSet<Target>,
    fc_ports: BTreeSet<String>,
    step: Step,
    began: Instant,
    /// Last scan of each way, and how many there were.
    scans: BTreeMap<Nexus, (Instant, usize)>,
    /// Disks whose identity was read afresh and is the wanted one.
    proven: BTreeSet<String>,
    adopted: bool,
    /// What is usable so far, if fewer paths than wanted come.
    usable: Option<Device>,
}

impl<'a> Search<'a> {
    fn new(node: &'a LinuxNode, request: &'a AttachRequest, targets: BTreeSet<Target>) -> Self {
        Self {
            node,
            request,
            targets,
            fc_ports: fc_ports(&request.ports),
            step: Step::new("attaching", format_args!("volume {} at LUN {}", request.wwn, request.lun)),
            began: Instant::now(),
            scans: BTreeMap::new(),
            proven: BTreeSet::new(),
            adopted: false,
            usable: None,
        }
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.request.patience
    }

    /// Every login failed and there is no other way. A session shows up a moment after its login, and a Fibre Channel link
    /// may come back: those are waited for.
    fn is_hopeless(&self, refused: &[NodeError]) -> bool {
        self.fc_ports.is_empty() && refused.len() >= self.targets.len()
    }

    /// `refused`: how many targets refused the login, once all have been tried.
    async fn look(&mut self, refused: Option<usize>) -> Result<Found, NodeError> {
        let sight = self.sight().await?;
        self.scan(&sight).await?;
        for disk in &sight.disks {
            self.prove(disk).await?;
        }
        self.usable = self.check_map(&sight).await?;
        self.adopt(&sight).await;
        let paths = sight.map.as_ref().map_or(0, |map| map.slaves.len());
        match &self.usable {
            Some(device)
                if paths >= self.request.paths_wanted.max(1) || self.has_all_there_can_be(&sight, paths, refused) =>
            {
                Ok(Found::Ready(device.clone()))
            }
            _ => Ok(Found::Nothing { hopes: sight.ways.len() + sight.reconnecting }),
        }
    }

    /// There is a path over every session, and no further session will come: portals that are dead are not waited for. A
    /// Fibre Channel port may come back any moment.
    fn has_all_there_can_be(&self, sight: &Sight, paths: usize, refused: Option<usize>) -> bool {
        let Some(refused) = refused.filter(|_| self.fc_ports.is_empty() && sight.reconnecting == 0) else {
            return false;
        };
        paths > 0 && paths == sight.ways.len() && sight.ways.len() + refused >= self.targets.len()
    }

    async fn sight(&self) -> Result<Sight, NodeError> {
        let leaving: BTreeSet<Target> =
            self.targets.iter().filter(|target| self.node.logins.is_leaving(target)).cloned().collect();
        let targets: BTreeSet<Target> = self.targets.difference(&leaving).cloned().collect();
        let (roots, fc_ports) = (self.node.roots.clone(), self.fc_ports.clone());
        let (wwn, lun) = (self.request.wwn.clone(), self.request.lun);
        let looking = self.step.clone().blocking(LOOK, move |_| {
            let mut ways = fc::nexuses(&roots, &fc_ports)?;
            let mut reconnecting = 0;
            for session in iscsi::sessions(&roots)?.into_iter().filter(|session| targets.contains(&session.target)) {
                if session.logged_in {
                    ways.extend(session.nexuses);
                } else {
                    reconnecting += 1;
                }
            }
            let at_lun = |disk: &ScsiDisk| ways.contains(&disk.nexus) && disk.lun() == Some(lun);
            let disks = scsi_devices::disks(&roots)?.into_iter().filter(at_lun).collect();
            Ok(Sight { disks, map: multipath::map_of(&roots, &wwn)?, ways, reconnecting })
        });
        looking.await
    }

    /// Asks for the LUN on every way that does not show it yet, now and then again.
    async fn scan(&mut self, sight: &Sight) -> Result<(), NodeError> {
        let numbers = scsi_devices::scan_numbers(self.request.lun);
        for way in &sight.ways {
            let (due, round) = match self.scans.get(way) {
                Some((last, rounds)) => (last.elapsed() >= SCAN_AGAIN, *rounds),
                None => (true, 0),
            };
            if !due || sight.disks.iter().any(|disk| disk.nexus == *way) {
                continue;
            }
            let Some(number) = numbers.get(round % numbers.len().max(1)).copied() else { continue };
            let (roots, way) = (self.node.roots.clone(), *way);
            // The kernel waits for the answers of the target.
            let on = vec![Object::from(&self.request.wwn)];
            let step = Step::new("scanning for", &self.request.wwn);
            let scanned = step
                .changing(&self.node.unfinished, on, LOOK, move |step| {
                    step.still_wanted()?;
                    scsi_devices::scan(&roots, way, number)
                })
                .await;
            if let Err(error) = scanned {
                tracing::warn!(%error, "scan failed");
            }
            self.scans.insert(way, (Instant::now(), round + 1));
        }
        Ok(())
    }

    /// Reads the identity of a disk from the disk itself, once.
    async fn prove(&mut self, disk: &ScsiDisk) -> Result<(), NodeError> {
        if self.proven.contains(&disk.name) {
            return Ok(());
        }
        match fresh_wwn(self.node, disk).await {
            Ok(Some(found)) if found == self.request.wwn => {
                self.proven.insert(disk.name.clone());
                Ok(())
            }
            Ok(found) => Err(NodeError::WrongDevice {
                lun: self.request.lun,
                found: found.map_or_else(|| "none".to_owned(), |wwn| wwn.to_string()),
                wanted: self.request.wwn.clone(),
            }),
            // A path that does not answer yet is looked at again.
            Err(error) => {
                tracing::debug!(disk = disk.name, %error, "identity not read yet");
                Ok(())
            }
        }
    }

    /// The device, if the map is there, writable, and made of proven paths only.
    async fn check_map(&mut self, sight: &Sight) -> Result<Option<Device>, NodeError> {
        let Some(map) = &sight.map else { return Ok(None) };
        let foreign = map.slaves.iter().find(|slave| !sight.disks.iter().any(|disk| disk.name == **slave));
        if let Some(slave) = foreign {
            // A path the map kept from another export of the same volume.
            tracing::debug!(map = map.kernel_name, slave, "the map has a path that is not at this LUN");
        }
        let all_proven = !map.slaves.is_empty() && map.slaves.iter().all(|slave| self.proven.contains(slave));
        if !all_proven || map.is_read_only || !is_ready(&self.node.roots, map) {
            return Ok(None);
        }
        Ok(Some(Device {
            wwn: self.request.wwn.clone(),
            path: map.node(&self.node.roots),
            by_id: self.node.roots.dev.join("disk/by-id").join(format!("dm-uuid-mpath-{}", map.wwn.map_name())),
        }))
    }

    /// Disks are there, but no map: the host may build maps only of known volumes.
    async fn adopt(&mut self, sight: &Sight) {
        if self.adopted || sight.map.is_some() || self.proven.is_empty() || self.began.elapsed() < ADOPT_AFTER {
            return;
        }
        self.adopted = true;
        for disk in &sight.disks {
            let node = disk.node(&self.node.roots).display().to_string();
            multipath::adopt(&self.node.commands, &disk.name, &node).await;
        }
    }

    fn no_way(&self, refused: &[NodeError]) -> NodeError {
        self.step
            .failed(format_args!("this node has no session and no link to the array's ports: {}", reasons(refused)))
    }

    /// The time is over: fewer paths than wanted are accepted, none is an error.
    fn give_up(&mut self, refused: &[NodeError]) -> Result<Device, NodeError> {
        if let Some(device) = self.usable.take() {
            tracing::warn!(
                wwn = %self.request.wwn,
                wanted = self.request.paths_wanted,
                reasons = reasons(refused),
                "attached with fewer paths than wanted"
            );
            return Ok(device);
        }
        let seconds = self.request.patience.as_secs();
        Err(match self.proven.len() {
            0 => self.step.failed(format_args!(
                "no path to it appeared within {seconds} s over {} ways ({})",
                self.scans.len(),
                reasons(refused)
            )),
            paths => self.step.failed(format_args!(
                "{paths} paths appeared, but no usable multipath map within {seconds} s; check that multipathd runs and does \
                 not ignore the device"
            )),
        })
    }
}

fn reasons(refused: &[NodeError]) -> String {
    if refused.is_empty() {
        return "no login failed".to_owned();
    }
    refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// udev has made the device node of this very map.
fn is_ready(roots: &Roots, map: &Map) -> bool {
    let node = std::fs::metadata(map.node(roots));
    node.is_ok_and(|found| found.file_type().is_block_device() && Some(DeviceNumber::of(found.rdev())) == map.number)
}

/// The WWN the disk answers with now: by `scsi_id`, which sends an INQUIRY, or by making the kernel read it again.
async fn fresh_wwn(node: &LinuxNode, disk: &ScsiDisk) -> Result<Option<Wwn>, NodeError> {
    let step = Step::new("reading the identity", &disk.name);
    if node.commands.has("scsi_id") {
        let device = format!("--device={}", disk.node(&node.roots).display());
        let ended = node.commands.run(&step, LOOK, "scsi_id", &["--page=0x83", "--whitelisted", &device]).await?;
        if !ended.succeeded() {
            return Err(step.failed(ended.reason("scsi_id")));
        }
        return Ok(vpd::wwn_of_map_name(&ended.output));
    }
    let device = node.roots.sys.join("block").join(&disk.name).join("device");
    step.blocking(LOOK, move |step| {
        let read = sysfs::write(&device.join("rescan"), "1").and_then(|_| sysfs::bytes(&device.join("vpd_pg83")));
        let page = read.map_err(|error| step.failed(error))?;
        Ok(vpd::wwn(&page.ok_or_else(|| step.failed("the disk is gone"))?))
    })
    .await
}
