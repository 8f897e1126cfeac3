//! Filesystems: made, mounted, written back, unmounted. The kernel is asked directly; only mkfs is a program.
//!
//! Every step that names a directory first finds it in mountinfo: `sync`, `chown` or a shutdown of a directory that is not
//! mounted would hit the node's own root filesystem.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::command::Commands;
use super::mountinfo::{self, DeviceNumber, Mount};
use super::step::Step;
use super::unfinished::{Object, Unfinished};
use super::{Roots, content, shutdown};
use crate::node::{Content, Device, Filesystem, NodeError, RootAccess, Use};

/// Deadline of a mount, whose journal replay may take a while.
const MOUNT: Duration = Duration::from_secs(90);
/// Deadline of an unmount or a write-back.
const WRITE_BACK: Duration = Duration::from_secs(50);
/// Deadline of mkfs.
const MAKE: Duration = Duration::from_secs(90);
/// Deadline of everything short.
const SHORT: Duration = Duration::from_secs(20);
/// How often a directory that is busy is tried again, and the pause between tries.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// How many mounts on top of each other are taken off a directory.
const MOST_STACKED: usize = 16;

/// See [`crate::node::Node::probe`].
pub(super) async fn probe(device: &Device) -> Result<Content, NodeError> {
    let path = device.path.clone();
    let step = Step::new("reading head and tail", path.display());
    step.blocking(SHORT, move |step| content::probe(&path).map_err(|error| step.failed(error))).await
}

/// See [`crate::node::Node::make_filesystem`]. Nothing is discarded first: the volume is new, and a discard of some TiB
/// takes longer than a Mount may.
pub(super) async fn make(
    commands: &Commands,
    unfinished: &Unfinished,
    device: &Device,
    kind: Filesystem,
) -> Result<(), NodeError> {
    let path = device.path.display().to_string();
    let step = Step::new("making a filesystem", &path);
    let on = vec![Object::from(&device.wwn)];
    unfinished.wait_for_earlier(&step, &on).await?;
    let (tool, options): (_, &[&str]) = match kind {
        Filesystem::Ext4 => ("mkfs.ext4", &["-q", "-F", "-E", "nodiscard"]),
        Filesystem::Xfs => ("mkfs.xfs", &["-q", "-f", "-K"]),
    };
    let arguments: Vec<&str> = options.iter().copied().chain([path.as_str()]).collect();
    let beginning = unfinished.begin(&step, on);
    let ended = commands.run_to_its_end(&step, MAKE, tool, &arguments, beginning).await?;
    if ended.succeeded() { Ok(()) } else { Err(step.failed(ended.reason(tool))) }
}

/// See [`crate::node::Node::mount`].
pub(super) async fn mount(
    roots: &Roots,
    unfinished: &Unfinished,
    device: &Device,
    dir: &Path,
) -> Result<(), NodeError> {
    let (roots, device, dir) = (roots.clone(), device.clone(), dir.to_owned());
    let step = Step::new("mounting", format_args!("{} at {}", device.path.display(), dir.display()));
    let on = vec![Object::from(&device.wwn), Object::from(dir.as_path())];
    unfinished.wait_for_earlier(&step, &on).await?;
    step.changing(unfinished, on, MOUNT, move |step| mount_now(&roots, &device, &dir, step)).await
}

fn mount_now(roots: &Roots, device: &Device, dir: &Path, step: &Step) -> Result<(), NodeError> {
    if topmost(roots, dir, step)?.is_some() {
        return Err(Step::new("mounting", dir.display()).busy());
    }
    let number = fs::metadata(&device.path).map(|found| found.rdev()).map_err(|error| step.failed(error))?;
    // The ext4 driver also mounts ext2 and ext3, as the earlier plugin let it.
    let driver = match content::probe(&device.path) {
        Ok(Content::Filesystem(kind)) if kind == "xfs" => "xfs",
        Ok(Content::Filesystem(_)) => "ext4",
        Ok(Content::Blank | Content::Other) => return Err(step.failed("there is no filesystem on the device")),
        Err(error) => return Err(step.failed(error)),
    };
    fs::create_dir_all(dir).map_err(|error| step.failed(format_args!("making the directory: {error}")))?;
    let source = source(device, number);
    step.still_wanted()?;
    match rustix::mount::mount(&source, dir, driver, MountFlags::empty(), None) {
        Ok(()) => {}
        Err(Errno::BUSY) => return Err(step.busy()),
        Err(error) => return Err(step.failed(io::Error::from(error))),
    }
    match topmost(roots, dir, step)? {
        Some(mount) if mount.device == DeviceNumber::of(number) => Ok(()),
        found => Err(step.failed(format_args!("the kernel shows {found:?} there afterwards"))),
    }
}

/// The stable name, if it leads to the same device: it shows the volume's WWN in the mount table even when the device is
/// gone. Else the device node.
fn source(device: &Device, number: u64) -> PathBuf {
    let same = fs::metadata(&device.by_id).is_ok_and(|found| found.rdev() == number);
    if same { device.by_id.clone() } else { device.path.clone() }
}

fn topmost(roots: &Roots, dir: &Path, step: &Step) -> Result<Option<Mount>, NodeError> {
    let mounts = mountinfo::mounts(&roots.proc).map_err(|error| step.failed(error))?;
    Ok(mountinfo::topmost(&mounts, dir).cloned())
}

/// The topmost mount at a directory; an error if a filesystem of another device lies over the one mounted first, which is
/// the volume's: nothing may be done to somebody else's.
fn uncovered(roots: &Roots, dir: &Path, step: &Step) -> Result<Option<Mount>, NodeError> {
    let mounts = mountinfo::mounts(&roots.proc).map_err(|error| step.failed(error))?;
    let lowest = mounts.iter().find(|mount| mount.at == dir);
    let topmost = mountinfo::topmost(&mounts, dir);
    match (lowest, topmost) {
        (Some(lowest), Some(topmost)) if lowest.device != topmost.device => Err(step.failed(format_args!(
            "a filesystem of another device ({}) is mounted over it; unmount that first",
            topmost.device
        ))),
        _ => Ok(topmost.cloned()),
    }
}

/// Opens the root of the filesystem mounted at `dir`, having made sure that it is that filesystem and not the one below.
fn open_mounted(roots: &Roots, dir: &Path, step: &Step) -> Result<File, NodeError> {
    let Some(mount) = uncovered(roots, dir, step)? else { return Err(step.failed("nothing is mounted there")) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(dir, flags, Mode::empty()).map_err(|error| step.failed(io::Error::from(error)))?;
    let found = rustix::fs::fstat(&opened).map_err(|error| step.failed(io::Error::from(error)))?;
    if DeviceNumber::of(found.st_dev) != mount.device {
        return Err(step.failed(format_args!("the directory is not on device {}", mount.device)));
    }
    Ok(File::from(opened))
}

/// See [`crate::node::Node::set_root_access`].
pub(super) async fn set_root_access(
    roots: &Roots,
    unfinished: &Unfinished,
    dir: &Path,
    access: RootAccess,
) -> Result<(), NodeError> {
    if access == RootAccess::default() {
        return Ok(());
    }
    let (roots, dir) = (roots.clone(), dir.to_owned());
    let step = Step::new("setting owner and mode", dir.display());
    let on = vec![Object::from(dir.as_path())];
    step.changing(unfinished, on, SHORT, move |step| {
        let root = open_mounted(&roots, &dir, step)?;
        step.still_wanted()?;
        if let Some((user, group)) = access.owner {
            let changed = std::os::unix::fs::fchown(&root, Some(user), Some(group));
            changed.map_err(|error| step.failed(error))?;
        }
        if let Some(mode) = access.mode {
            rustix::fs::fchmod(&root, Mode::from_raw_mode(mode))
                .map_err(|error| step.failed(io::Error::from(error)))?;
        }
        Ok(())
    })
    .await
}

/// See [`crate::node::Node::sync_filesystem`].
pub(super) async fn write_back(roots: &Roots, unfinished: &Unfinished, dir: &Path) -> Result<(), NodeError> {
    let (roots, dir) = (roots.clone(), dir.to_owned());
    let step = Step::new("writing back", dir.display());
    let on = vec![Object::from(dir.as_path())];
    // One thread that hangs in the kernel is enough.
    unfinished.wait_for_earlier(&step, &on).await?;
    step.changing(unfinished, on, WRITE_BACK, move |step| {
        let root = open_mounted(&roots, &dir, step)?;
        rustix::fs::syncfs(&root).map_err(|error| step.failed(io::Error::from(error)))
    })
    .await
}

/// See [`crate::node::Node::shutdown_filesystem`].
pub(super) async fn shut_down(roots: &Roots, unfinished: &Unfinished, dir: &Path) -> Result<(), NodeError> {
    let (roots, dir) = (roots.clone(), dir.to_owned());
    let step = Step::new("shutting down the filesystem", dir.display());
    // It waits for no write-back, which it is there to end, only for another shutdown.
    let shutdown = Object::ShuttingDown(dir.clone());
    unfinished.wait_for_earlier(&step, std::slice::from_ref(&shutdown)).await?;
    let on = vec![Object::from(dir.as_path()), shutdown];
    step.changing(unfinished, on, SHORT, move |step| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if rustix::fs::open(&dir, flags, Mode::empty()).is_err_and(|error| error == Errno::IO) {
            // XFS that is shut down already fails even to open its root.
            return Ok(());
        }
        let root = open_mounted(&roots, &dir, step)?;
        step.still_wanted()?;
        match shutdown::shut_down(&root) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(Errno::NOTTY.raw_os_error()) => {
                Err(step.unsupported("the filesystem cannot be shut down; only ext4 and XFS can"))
            }
            // A filesystem that is shut down already may fail every request.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(()),
            Err(error) => Err(step.failed(error)),
        }
    })
    .await
}

/// How a directory is unmounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmounting {
    /// Only if nobody uses it.
    Orderly,
    /// The filesystem was shut down: if somebody still uses it, it is taken out of the tree and ends with its last user.
    Fenced,
}

/// See [`crate::node::Node::unmount`] and [`crate::node::Node::unmount_fenced`].
pub(super) async fn unmount(
    roots: &Roots,
    unfinished: &Unfinished,
    dir: &Path,
    how: Unmounting,
) -> Result<(), NodeError> {
    let mut tries = 1;
    loop {
        let (roots, dir) = (roots.clone(), dir.to_owned());
        let step = Step::new("unmounting", dir.display());
        let on = vec![Object::from(dir.as_path())];
        unfinished.wait_for_earlier(&step, &on).await?;
        match step.changing(unfinished, on, WRITE_BACK, move |step| unmount_all(&roots, &dir, how, step)).await {
            // A process being started holds copies of all open files until its program runs.
            Err(NodeError::Busy { .. }) if tries < BUSY_TRIES => tokio::time::sleep(BUSY_PAUSE).await,
            outcome => return outcome,
        }
        tries += 1;
    }
}

fn unmount_all(roots: &Roots, dir: &Path, how: Unmounting, step: &Step) -> Result<(), NodeError> {
    for _ in 0..MOST_STACKED {
        if uncovered(roots, dir, step)?.is_none() {
            remove_directory(dir);
            return Ok(());
        }
        step.still_wanted()?;
        unmount_once(dir, how, step)?;
    }
    Err(step.failed(format_args!("more than {MOST_STACKED} mounts are stacked there")))
}

fn unmount_once(dir: &Path, how: Unmounting, step: &Step) -> Result<(), NodeError> {
    let orderly = rustix::mount::unmount(dir, UnmountFlags::NOFOLLOW);
    let outcome = match (orderly, how) {
        (Err(Errno::BUSY), Unmounting::Fenced) => {
            rustix::mount::unmount(dir, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)
        }
        (outcome, _) => outcome,
    };
    match outcome {
        // INVAL: somebody else has unmounted it meanwhile.
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(Errno::BUSY) => Err(step.busy()),
        Err(error) => Err(step.failed(io::Error::from(error))),
    }
}

/// Only an empty directory goes; a directory with something in it is none of ours.
fn remove_directory(dir: &Path) {
    match fs::remove_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::debug!(dir = %dir.display(), %error, "mount directory was kept"),
    }
}

/// See [`crate::node::Node::device_use`].
pub(super) async fn use_of(roots: &Roots, device: &Path) -> Result<Use, NodeError> {
    let (roots, device) = (roots.clone(), device.to_owned());
    let step = Step::new("opening exclusively", device.display());
    step.blocking(SHORT, move |step| {
        let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(&device, flags, Mode::empty()) {
            Ok(_) => Ok(Use::Idle),
            Err(Errno::BUSY) => Ok(Use::Busy),
            // No device, no user. But a missing device node alone proves nothing.
            Err(Errno::NOENT | Errno::NXIO | Errno::NODEV) if !kernel_has(&roots, &device) => Ok(Use::Idle),
            Err(error) => Err(step.failed(io::Error::from(error))),
        }
    })
    .await
}

fn kernel_has(roots: &Roots, device: &Path) -> bool {
    device.file_name().is_some_and(|name| roots.sys.join("block").join(name).exists())
}
