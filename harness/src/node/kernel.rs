//! What one boot of a node's kernel holds: sessions, SCSI devices, multipath maps, filesystems and mounts.
//!
//! Everything here is lost with the boot. SCSI devices stay when the export behind them is gone: they are bound
//! to port and LUN number, and reach whatever volume is exported there later, with the identity of the first scan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hpe3par_docker_plugin::array::{Lun, PortPosition, TargetPort, Wwn};
use hpe3par_docker_plugin::node::{BootId, Device};

use super::fabric::{Life, Nexus};
use super::format::{Record, Superblock};

/// Where a SCSI device is: the port of the array and the LUN number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScsiAddress {
    /// Port of the array.
    pub port: PortPosition,
    /// LUN number.
    pub lun: Lun,
}

/// A SCSI device as the kernel keeps it.
#[derive(Debug, Clone)]
pub(super) struct ScsiDevice {
    /// Identity read when the device was scanned; never read again on its own.
    pub(super) wwn: Wwn,
    /// Set when the device is deleted while the array can be told: commands on their way are called back.
    pub(super) recalled: Arc<AtomicBool>,
}

/// A session of iscsid: it is kept and logged in again until somebody logs out.
#[derive(Debug, Clone)]
pub(super) struct PortSession {
    pub(super) port: TargetPort,
    pub(super) nexus: Option<Nexus>,
}

/// A multipath map.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) number: u32,
    /// I/O waits while no path is usable.
    pub(super) queueing: bool,
}

/// Whether a filesystem still takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesystemState {
    /// Takes writes.
    Alive,
    /// An I/O error aborted its journal: nothing is written any more.
    Aborted,
    /// Shut down on purpose: nothing is written any more.
    Shut,
}

/// A mounted filesystem: one in the kernel, however many mounts show it.
#[derive(Debug)]
pub(super) struct Filesystem {
    pub(super) wwn: Wwn,
    pub(super) life: Life,
    pub(super) superblock: Superblock,
    /// The log as this node's cache has it.
    pub(super) records: Vec<Record>,
    /// How many of them are on the device, as far as this node knows. The rest is dirty.
    pub(super) durable: usize,
    pub(super) state: FilesystemState,
    /// A flusher is on its way.
    pub(super) flusher: bool,
    /// One write-back at a time.
    pub(super) writing: Arc<tokio::sync::Mutex<()>>,
}

/// Number of a filesystem in the kernel.
pub(super) type FilesystemNumber = u64;

/// Number of a mount namespace. 0 is the host's own.
pub(super) type Namespace = u64;
/// The host's mount namespace.
pub(super) const HOST: Namespace = 0;

/// One entry of a mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) namespace: Namespace,
    pub(super) dir: PathBuf,
    pub(super) filesystem: FilesystemNumber,
}

/// One boot of the kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) boot: BootId,
    pub(super) sessions: BTreeMap<PortPosition, PortSession>,
    pub(super) devices: BTreeMap<ScsiAddress, ScsiDevice>,
    pub(super) maps: BTreeMap<Wwn, Map>,
    pub(super) filesystems: BTreeMap<FilesystemNumber, Filesystem>,
    pub(super) mounts: Vec<Mount>,
    /// Volumes whose device is held by a mount or mkfs that is under way, and how many hold it.
    pub(super) held: BTreeMap<Wwn, u32>,
    /// Last number given out by [`Kernel::number`].
    pub(super) next: u64,
    /// Mounts and mkfs so far: numbers the lives.
    pub(super) mounts_made: u64,
}

impl Kernel {
    pub(super) fn new(boot: BootId) -> Self {
        Self {
            boot,
            sessions: BTreeMap::new(),
            devices: BTreeMap::new(),
            maps: BTreeMap::new(),
            filesystems: BTreeMap::new(),
            mounts: Vec::new(),
            held: BTreeMap::new(),
            next: 0,
            mounts_made: 0,
        }
    }

    /// A number never used before in this boot.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Path devices that were scanned with this identity.
    pub(super) fn paths_of(&self, wwn: &Wwn) -> Vec<ScsiAddress> {
        self.devices.iter().filter(|(_, device)| device.wwn == *wwn).map(|(address, _)| *address).collect()
    }

    /// Binds a path device to a LUN and its identity; tells whether it is new.
    pub(super) fn add_device(&mut self, address: ScsiAddress, wwn: &Wwn) -> bool {
        let before = self.devices.len();
        self.devices.entry(address).or_insert_with(|| ScsiDevice { wwn: wwn.clone(), recalled: Arc::default() });
        self.devices.len() > before
    }

    /// Deletes a path device; with `recall`, its commands on the way are called back. Gives its identity.
    pub(super) fn delete_device(&mut self, address: ScsiAddress, recall: bool) -> Option<Wwn> {
        let device = self.devices.remove(&address)?;
        device.recalled.store(recall, Ordering::SeqCst);
        Some(device.wwn)
    }

    /// The map of a WWN, made if it is not there; multipathd lets it queue again.
    pub(super) fn ensure_map(&mut self, wwn: &Wwn) -> u32 {
        let fresh = u32::try_from(self.number()).unwrap_or(u32::MAX);
        let map = self.maps.entry(wwn.clone()).or_insert(Map { number: fresh, queueing: true });
        map.queueing = true;
        map.number
    }

    /// The device that bears a WWN: its map, or its path devices without a map.
    pub(super) fn device_of(&self, wwn: &Wwn) -> Option<Device> {
        let path = match self.maps.get(wwn) {
            Some(map) => format!("/dev/dm-{}", map.number),
            None => {
                let address = *self.paths_of(wwn).first()?;
                format!("/dev/disk/by-path/{}-lun-{}", address.port, address.lun)
            }
        };
        let by_id = PathBuf::from(format!("/dev/disk/by-id/dm-uuid-mpath-{}", wwn.map_name()));
        Some(Device { wwn: wwn.clone(), path: PathBuf::from(path), by_id })
    }

    /// Number of the map that a device handle speaks of, if it is still the same map.
    pub(super) fn map_of(&self, device: &Device) -> Option<u32> {
        let map = self.maps.get(&device.wwn)?;
        (device.path == Path::new(&format!("/dev/dm-{}", map.number)) || device.path == device.by_id)
            .then_some(map.number)
    }

    /// A filesystem on this volume is in the kernel, mounted somewhere or still being taken down.
    pub(super) fn filesystem_on(&self, wwn: &Wwn) -> Option<FilesystemNumber> {
        self.filesystems.iter().find(|(_, fs)| fs.wwn == *wwn).map(|(number, _)| *number)
    }

    /// The device of this volume is in use: `O_EXCL` fails and its map cannot be flushed.
    pub(super) fn is_busy(&self, wwn: &Wwn) -> bool {
        self.held.contains_key(wwn) || self.filesystem_on(wwn).is_some()
    }

    /// A mount or mkfs opens the device.
    pub(super) fn hold(&mut self, wwn: &Wwn) {
        *self.held.entry(wwn.clone()).or_default() += 1;
    }

    /// A mount or mkfs closes the device.
    pub(super) fn let_go(&mut self, wwn: &Wwn) {
        if let Some(count) = self.held.get_mut(wwn) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(wwn);
            }
        }
    }

    /// What is mounted at `dir` in a namespace.
    pub(super) fn mounted_at(&self, namespace: Namespace, dir: &Path) -> Option<FilesystemNumber> {
        self.mounts.iter().find(|m| m.namespace == namespace && m.dir == dir).map(|m| m.filesystem)
    }

    /// Where the volume is mounted in the host's namespace.
    pub(super) fn host_mounts_of(&self, wwn: &Wwn) -> Vec<PathBuf> {
        let on =
            |m: &&Mount| m.namespace == HOST && self.filesystems.get(&m.filesystem).is_some_and(|fs| fs.wwn == *wwn);
        self.mounts.iter().filter(on).map(|m| m.dir.clone()).collect()
    }

    /// Takes an entry out of the mount table; gives the filesystem if that was its last mount.
    pub(super) fn detach(&mut self, namespace: Namespace, dir: &Path) -> Option<FilesystemNumber> {
        let filesystem = self.mounted_at(namespace, dir)?;
        self.mounts.retain(|m| !(m.namespace == namespace && m.dir == dir));
        (!self.mounts.iter().any(|m| m.filesystem == filesystem)).then_some(filesystem)
    }

    /// WWNs of everything this kernel has something of.
    pub(super) fn volumes(&self) -> BTreeSet<Wwn> {
        let devices = self.devices.values().map(|device| &device.wwn);
        let filesystems = self.filesystems.values().map(|fs| &fs.wwn);
        devices.chain(self.maps.keys()).chain(filesystems).cloned().collect()
    }
}
