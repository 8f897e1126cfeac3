//! A made-up host: a tree of files in the shape of sysfs, and scripts in place of the tools.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::node::linux::vpd::tests::page;
use crate::node::linux::{LinuxNode, Roots};

/// The tree.
pub(super) struct FakeHost {
    dir: tempfile::TempDir,
}

/// A disk of the tree.
#[derive(Clone)]
pub(super) struct FakeDisk {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    pub(super) wwn: &'static str,
}

impl FakeHost {
    pub(super) fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        for directory in
            ["sys/block", "proc/self", "proc/sys/kernel/random", "dev/disk/by-id", "etc/iscsi", "var", "tools"]
        {
            fs::create_dir_all(host.path(directory)).unwrap();
        }
        host.write("proc/self/mountinfo", "");
        host
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.path(path), content);
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub(super) fn node(&self) -> LinuxNode {
        LinuxNode::in_tree(Roots::below(self.dir.path()), &self.path("tools"))
    }

    /// A script; it sees the tree as `$HOST` and appends its arguments to `tools/<name>.log`.
    ///
    /// Another process puts it in place: were it open for writing here, a fork of a test beside would keep it so for a moment,
    /// and the kernel runs no file that is open for writing.
    pub(super) fn tool(&self, name: &str, script: &str) {
        let host = self.dir.path().display();
        let text = format!("#!/bin/sh\nHOST={host}\necho \"$*\" >> $HOST/tools/{name}.log\n{script}\n");
        self.write("script", text);
        let mut install = std::process::Command::new("install");
        let installed =
            install.args(["-m", "755"]).arg(self.path("script")).arg(self.path("tools").join(name)).status();
        assert!(installed.unwrap().success());
    }

    pub(super) fn disk(&self, disk: &FakeDisk) {
        add_disk(self.dir.path(), disk);
    }

    pub(super) fn map(&self, kernel_name: &str, wwn: &str, number: &str, disks: &[&str]) {
        add_map(self.dir.path(), kernel_name, wwn, number, disks);
    }

    /// A session of open-iscsi that is logged in, with nothing scanned yet.
    pub(super) fn session(&self, id: u32, host: u32, iqn: &str, address: &str, port: u16) {
        add_session(self.dir.path(), id, host, iqn, address, port);
    }

    /// Plays the kernel: until the answer is dropped, `step` is called again and again.
    pub(super) fn kernel(&self, step: impl Fn(&Path) + Send + 'static) -> FakeKernel {
        let (stop, root) = (Arc::new(AtomicBool::new(false)), self.dir.path().to_owned());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                step(&root);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        FakeKernel { stop, thread: Some(thread) }
    }
}

/// See [`FakeHost::kernel`].
pub(super) struct FakeKernel {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for FakeKernel {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(super) fn add_disk(root: &Path, disk: &FakeDisk) {
    let device = root.join("sys/devices").join(disk.address);
    write(&device.join("vendor"), "3PARdata\n");
    write(&device.join("state"), "running\n");
    write(&device.join("vpd_pg83"), page(disk.wwn));
    write(&device.join("delete"), "");
    let block = root.join("sys/devices").join(disk.address).join("block").join(disk.name);
    write(&block.join("dev"), format!("8:{}\n", 16 * u32::from(disk.name.as_bytes()[2] - b'a')));
    fs::create_dir_all(block.join("holders")).unwrap();
    symlink(&device, block.join("device")).unwrap();
    let shown = root.join("sys/block").join(disk.name);
    let _ = fs::remove_file(&shown);
    symlink(&block, shown).unwrap();
    write(&root.join("dev").join(disk.name), disk.wwn);
}

pub(super) fn remove_disk(root: &Path, name: &str) {
    let shown = root.join("sys/block").join(name);
    let _ = fs::remove_file(shown);
    let _ = fs::remove_file(root.join("dev").join(name));
}

pub(super) fn add_map(root: &Path, kernel_name: &str, wwn: &str, number: &str, disks: &[&str]) {
    let block = root.join("sys/block").join(kernel_name);
    write(&block.join("dm/name"), format!("3{wwn}\n"));
    write(&block.join("dev"), format!("{number}\n"));
    write(&block.join("ro"), "0\n");
    for disk in disks {
        write(&block.join("slaves").join(disk), "");
        write(&root.join("sys/block").join(disk).join("holders").join(kernel_name), "");
    }
    // The uuid last: it is what the map is found by.
    write(&block.join("dm/uuid"), format!("mpath-3{wwn}\n"));
}

pub(super) fn add_session(root: &Path, id: u32, host: u32, iqn: &str, address: &str, port: u16) {
    let device = root.join(format!("sys/devices/platform/host{host}/session{id}"));
    fs::create_dir_all(&device).unwrap();
    let connection = root.join(format!("sys/class/iscsi_connection/connection{id}:0"));
    write(&connection.join("persistent_address"), format!("{address}\n"));
    write(&connection.join("persistent_port"), format!("{port}\n"));
    write(&root.join(format!("sys/class/scsi_host/host{host}/scan")), "");
    let session = root.join(format!("sys/class/iscsi_session/session{id}"));
    write(&session.join("state"), "LOGGED_IN\n");
    symlink(&device, session.join("device")).unwrap();
    write(&session.join("targetname"), format!("{iqn}\n"));
}
