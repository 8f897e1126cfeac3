//! The node port on Linux: sysfs, open-iscsi, dm-multipath, mkfs and mount.
//!
//! Nothing is remembered between calls but which volumes are being attached and which steps have not ended: the truth is read
//! from the kernel each time.
//! Tools are run with an argument vector and a deadline; what may hang in the kernel runs on a thread of its own.
//!
//! Tested on a kernel with loop devices: reading content, mkfs, mount, write-back, exclusive open, unmount, shutdown. Tested
//! on a made-up sysfs with stand-ins for the tools: identity, inspection, attach, scan, deletion, flush. The recipes for
//! open-iscsi and multipath were observed with open-iscsi 2.1.8 and multipath-tools 0.9.4; Fibre Channel has not been
//! tried with an adapter.

mod attaching;
mod command;
mod content;
mod fc;
mod filesystem;
mod identity;
mod inspection;
mod iscsi;
mod iscsi_record;
mod mountinfo;
mod multipath;
mod namespaces;
pub mod requirements;
mod scanning;
mod scsi_devices;
mod shutdown;
mod step;
mod sysfs;
mod unfinished;
mod vpd;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;

use self::command::Commands;
use self::filesystem::Unmounting;
use self::scsi_devices::ScsiDisk;
use self::step::Step;
use self::unfinished::{Object, Unfinished};
use super::{AttachRequest, Content, Device, Filesystem, LocalTruth, Node, NodeError, NodeFacts, RootAccess, Use};
use crate::array::{Lun, TargetPort, Wwn};

/// Deadline of a look at the kernel's tables.
const LOOK: Duration = Duration::from_secs(15);

/// Where the kernel's and the system's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// sysfs, `/sys`.
    pub sys: PathBuf,
    /// procfs, `/proc`.
    pub proc: PathBuf,
    /// Device nodes, `/dev`.
    pub dev: PathBuf,
    /// Configuration, `/etc`.
    pub etc: PathBuf,
    /// State, `/var`.
    pub var: PathBuf,
}

impl Roots {
    /// All of them below another directory, such as the root of a host's tree.
    #[must_use]
    pub fn below(directory: &Path) -> Self {
        let at = |name: &str| directory.join(name);
        Self { sys: at("sys"), proc: at("proc"), dev: at("dev"), etc: at("etc"), var: at("var") }
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

/// This host.
#[derive(Debug, Default)]
pub struct LinuxNode {
    roots: Roots,
    commands: Commands,
    logins: iscsi::Logins,
    unfinished: Unfinished,
    /// Volumes between the beginning of an attach and the deletion of their paths: never stale.
    attached: Mutex<BTreeSet<Wwn>>,
}

impl LinuxNode {
    /// This host as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another tree of files, tools from one directory, and a short deadline for logins.
    #[cfg(test)]
    fn in_tree(roots: Roots, tools: &Path) -> Self {
        let logins = iscsi::Logins::with_deadline(Duration::from_secs(2));
        Self { roots, commands: Commands::only_from(tools), logins, ..Self::default() }
    }

    fn attached(&self) -> MutexGuard<'_, BTreeSet<Wwn>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn disks(&self) -> Result<Vec<ScsiDisk>, NodeError> {
        let roots = self.roots.clone();
        Step::new("looking at", "SCSI disks").blocking(LOOK, move |_| scsi_devices::disks(&roots)).await
    }

    /// Ends sessions that had these disks and have none any more, so that whatever was on its way ends with them.
    async fn log_out_of_emptied(&self, deleted: &[ScsiDisk]) -> Result<(), NodeError> {
        let sessions = iscsi::sessions(&self.roots)?;
        for session in sessions {
            if !deleted.iter().any(|disk| session.nexuses.contains(&disk.nexus)) {
                continue;
            }
            let is_unused = || {
                let left = scsi_devices::disks(&self.roots)?;
                Ok(!left.iter().any(|disk| session.nexuses.contains(&disk.nexus)))
            };
            self.logins.log_out_if_unused(&self.commands, &session.target, is_unused).await?;
        }
        Ok(())
    }

    /// Whether somebody on this host uses a disk, itself or through its map.
    async fn is_in_use(&self, disk: &ScsiDisk) -> Result<bool, NodeError> {
        let above = if disk.holders.is_empty() { vec![disk.name.clone()] } else { disk.holders.clone() };
        for name in above {
            let path = self.roots.dev.join(&name);
            if filesystem::use_of(&self.roots, &path).await? == Use::Busy {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Node for LinuxNode {
    async fn facts(&self) -> Result<NodeFacts, NodeError> {
        let roots = self.roots.clone();
        Step::new("reading", "this node's identity").blocking(LOOK, move |_| identity::facts(&roots)).await
    }

    async fn inspect(&self, wwn: &Wwn) -> Result<LocalTruth, NodeError> {
        let truth = inspection::inspect(&self.roots, &self.commands, wwn).await?;
        // Nothing is there, but something may be on its way.
        let step = Step::new("proving that nothing is left", format_args!("volume {wwn}"));
        if truth.is_clean() && self.unfinished.wait_for_earlier(&step, &[Object::from(wwn)]).await? {
            return inspection::inspect(&self.roots, &self.commands, wwn).await;
        }
        Ok(truth)
    }

    async fn luns_present(&self) -> Result<BTreeSet<Lun>, NodeError> {
        inspection::luns_present(&self.roots).await
    }

    async fn volumes_present(&self) -> Result<BTreeSet<Wwn>, NodeError> {
        inspection::volumes_present(&self.roots).await
    }

    async fn attach(&self, request: &AttachRequest) -> Result<Device, NodeError> {
        let step = Step::new("attaching", format_args!("volume {}", request.wwn));
        self.unfinished.wait_for_earlier(&step, &[Object::from(&request.wwn)]).await?;
        self.attached().insert(request.wwn.clone());
        let outcome = attaching::attach(self, request).await;
        if outcome.is_err() {
            self.attached().remove(&request.wwn);
        }
        outcome
    }

    async fn probe(&self, device: &Device) -> Result<Content, NodeError> {
        filesystem::probe(device).await
    }

    async fn make_filesystem(&self, device: &Device, kind: Filesystem) -> Result<(), NodeError> {
        filesystem::make(&self.commands, &self.unfinished, device, kind).await
    }

    async fn mount(&self, device: &Device, dir: &Path) -> Result<(), NodeError> {
        filesystem::mount(&self.roots, &self.unfinished, device, dir).await
    }

    async fn set_root_access(&self, dir: &Path, access: RootAccess) -> Result<(), NodeError> {
        filesystem::set_root_access(&self.roots, &self.unfinished, dir, access).await
    }

    async fn sync_filesystem(&self, dir: &Path) -> Result<(), NodeError> {
        filesystem::write_back(&self.roots, &self.unfinished, dir).await
    }

    async fn unmount(&self, dir: &Path) -> Result<(), NodeError> {
        filesystem::unmount(&self.roots, &self.unfinished, dir, Unmounting::Orderly).await
    }

    async fn device_use(&self, device: &Device) -> Result<Use, NodeError> {
        filesystem::use_of(&self.roots, &device.path).await
    }

    async fn flush_map(&self, device: &Device) -> Result<(), NodeError> {
        multipath::flush(&self.roots, &self.commands, &device.wwn).await
    }

    async fn delete_paths(&self, wwn: &Wwn) -> Result<(), NodeError> {
        let disks = self.disks().await?;
        let ours: Vec<ScsiDisk> = disks.into_iter().filter(|disk| disk.wwn.as_ref() == Some(wwn)).collect();
        try_join_all(ours.iter().map(|disk| scsi_devices::delete(&self.roots, &self.unfinished, disk))).await?;
        self.attached().remove(wwn);
        self.log_out_of_emptied(&ours).await
    }

    async fn shutdown_filesystem(&self, dir: &Path) -> Result<(), NodeError> {
        filesystem::shut_down(&self.roots, &self.unfinished, dir).await
    }

    async fn fail_queued_io(&self, device: &Device) -> Result<(), NodeError> {
        multipath::fail_queued_io(&self.roots, &self.commands, &device.wwn).await
    }

    async fn unmount_fenced(&self, dir: &Path) -> Result<(), NodeError> {
        filesystem::unmount(&self.roots, &self.unfinished, dir, Unmounting::Fenced).await
    }

    async fn is_mounted_elsewhere(&self, device: &Device, dir: &Path) -> Result<bool, NodeError> {
        let name = device.path.display().to_string();
        let (roots, device, dir) = (self.roots.clone(), device.path.clone(), dir.to_owned());
        let look = move |step: &Step| {
            namespaces::is_mounted_elsewhere(&roots, &device, &dir).map_err(|error| step.failed(error))
        };
        Step::new("looking for other mounts of", name).blocking(LOOK, look).await
    }

    async fn finds_luns_by_itself(&self) -> Result<bool, NodeError> {
        let roots = self.roots.clone();
        let step = Step::new("looking at", "how new LUNs are scanned");
        let failed = step.clone();
        step.blocking(LOOK, move |_| scanning::finds_luns_by_itself(&roots).map_err(|error| failed.failed(error))).await
    }

    async fn purge_stale_lun(&self, lun: Lun, ports: &[TargetPort]) -> Result<(), NodeError> {
        let (roots, ports) = (self.roots.clone(), ports.to_vec());
        let step = Step::new("looking for stale devices at", format_args!("LUN {lun}"));
        let ways = step.blocking(LOOK, move |_| attaching::ways(&roots, &ports)).await?;
        let is_stale = |disk: &ScsiDisk| {
            let is_ours = disk.wwn.as_ref().is_some_and(|wwn| self.attached().contains(wwn));
            ways.contains(&disk.nexus) && disk.is_of_array() && disk.lun() == Some(lun) && !is_ours
        };
        for disk in self.disks().await?.into_iter().filter(is_stale) {
            if let (Some(wwn), false) = (&disk.wwn, disk.holders.is_empty() || self.is_in_use(&disk).await?) {
                multipath::flush(&self.roots, &self.commands, wwn).await?;
            }
        }
        for disk in self.disks().await?.into_iter().filter(is_stale) {
            if disk.holders.is_empty() && !self.is_in_use(&disk).await? {
                tracing::info!(disk = disk.name, %lun, "deleting a stale device at the LUN of a new export");
                scsi_devices::delete(&self.roots, &self.unfinished, &disk).await?;
            }
        }
        Ok(())
    }
}
