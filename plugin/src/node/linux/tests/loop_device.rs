//! Steps on a real block device: a loop device over a sparse file. Needs root; says so where it is not.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::node::linux::LinuxNode;
use crate::node::linux::vpd::tests::WWN;
use crate::node::{Content, Device, Filesystem, Node as _, NodeError, RootAccess, Use};

/// A loop device, detached when dropped.
struct LoopDevice {
    dir: tempfile::TempDir,
    device: Device,
}

impl LoopDevice {
    /// `None`: not possible here, and the reason was printed.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: loop devices need root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        fs::File::create(&file).unwrap().set_len(64 << 20).unwrap();
        let made = Command::new("losetup").args(["--find", "--show"]).arg(&file).output();
        let path = match made {
            Ok(made) if made.status.success() => String::from_utf8(made.stdout).unwrap(),
            other => {
                eprintln!("skipped: no loop device to be had: {other:?}");
                return None;
            }
        };
        let path = PathBuf::from(path.trim());
        let device = Device { wwn: WWN.parse().unwrap(), by_id: path.clone(), path };
        Some(Self { dir, device })
    }

    fn mount_point(&self) -> PathBuf {
        self.dir.path().join("mnt/with blank")
    }

    fn file(&self) -> fs::File {
        fs::OpenOptions::new().read(true).write(true).open(&self.device.path).unwrap()
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.mount_point(), rustix::mount::UnmountFlags::DETACH);
        let _ = Command::new("losetup").arg("--detach").arg(&self.device.path).status();
    }
}

#[tokio::test]
async fn the_life_of_a_filesystem() {
    let Some(disk) = LoopDevice::new() else { return };
    let (node, device, dir) = (LinuxNode::new(), &disk.device, disk.mount_point());
    assert_eq!(node.probe(device).await, Ok(Content::Blank));
    let unformatted = node.mount(device, &dir).await.unwrap_err();
    assert!(unformatted.to_string().contains("no filesystem"), "{unformatted}");
    node.make_filesystem(device, Filesystem::Ext4).await.unwrap();
    assert_eq!(node.probe(device).await, Ok(Content::Filesystem("ext4".into())));
    until_idle(&node, device).await;

    node.mount(device, &dir).await.unwrap();
    assert_eq!(node.device_use(device).await, Ok(Use::Busy));
    assert!(matches!(node.mount(device, &dir).await, Err(NodeError::Busy { .. })), "already mounted is an error");
    let access = RootAccess { owner: Some((1234, 5678)), mode: Some(0o750) };
    node.set_root_access(&dir, access).await.unwrap();
    check_access(&dir);
    fs::write(dir.join("data"), b"precious").unwrap();
    node.sync_filesystem(&dir).await.unwrap();

    let held = fs::File::open(dir.join("data")).unwrap();
    assert!(matches!(node.unmount(&dir).await, Err(NodeError::Busy { .. })), "never lazily");
    drop(held);
    node.unmount(&dir).await.unwrap();
    assert!(!dir.exists(), "the empty directory goes too");
    until_idle(&node, device).await;
    node.unmount(&dir).await.unwrap();

    node.mount(device, &dir).await.unwrap();
    assert_eq!(fs::read(dir.join("data")).unwrap(), b"precious");
    node.unmount(&dir).await.unwrap();
}

/// Processes that tests beside start hold copies of open files for a moment.
async fn until_idle(node: &LinuxNode, device: &Device) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while node.device_use(device).await != Ok(Use::Idle) {
        assert!(tokio::time::Instant::now() < deadline, "still in use");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn check_access(dir: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(dir).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1234, 5678, 0o750));
}

#[tokio::test]
async fn a_filesystem_that_is_shut_down_writes_nothing_back() {
    let Some(disk) = LoopDevice::new() else { return };
    let (node, device, dir) = (LinuxNode::new(), &disk.device, disk.mount_point());
    node.make_filesystem(device, Filesystem::Ext4).await.unwrap();
    node.mount(device, &dir).await.unwrap();
    fs::write(dir.join("kept"), b"written back").unwrap();
    node.sync_filesystem(&dir).await.unwrap();
    fs::write(dir.join("lost"), b"only in memory").unwrap();
    let held = fs::File::open(dir.join("kept")).unwrap();

    node.shutdown_filesystem(&dir).await.unwrap();
    node.shutdown_filesystem(&dir).await.unwrap();
    assert!(fs::write(dir.join("late"), b"x").is_err(), "no write succeeds any more");
    assert!(node.sync_filesystem(&dir).await.is_err(), "and nothing claims to have been written back");
    node.unmount_fenced(&dir).await.unwrap();
    assert_eq!(node.device_use(device).await, Ok(Use::Busy), "somebody still has a file of it open");
    drop(held);
    until_idle(&node, device).await;

    node.mount(device, &dir).await.unwrap();
    assert_eq!(fs::read(dir.join("kept")).unwrap(), b"written back");
    assert!(!dir.join("lost").exists());
    node.unmount(&dir).await.unwrap();
}

#[tokio::test]
async fn what_is_at_either_end_is_seen() {
    let Some(disk) = LoopDevice::new() else { return };
    let node = LinuxNode::new();
    let mut file = disk.file();
    file.seek(SeekFrom::End(-512)).unwrap();
    file.write_all(b"EFI PART").unwrap();
    file.sync_all().unwrap();
    assert_eq!(node.probe(&disk.device).await, Ok(Content::Other));
    let mut head = [0; 512];
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_exact(&mut head).unwrap();
    assert_eq!(head, [0; 512], "looking changes nothing");
}

#[tokio::test]
async fn a_directory_that_is_not_mounted_is_never_worked_on() {
    let dir = tempfile::tempdir().unwrap();
    let node = LinuxNode::new();
    assert!(node.shutdown_filesystem(dir.path()).await.is_err());
    assert!(node.sync_filesystem(dir.path()).await.is_err());
    let access = RootAccess { owner: None, mode: Some(0) };
    assert!(node.set_root_access(dir.path(), access).await.is_err());
    fs::write(dir.path().join("file"), b"x").unwrap();
    node.unmount(dir.path()).await.unwrap();
    assert!(dir.path().join("file").exists(), "a directory with something in it stays");
}
