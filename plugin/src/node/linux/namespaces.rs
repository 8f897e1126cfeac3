//! Who else on this host has a filesystem mounted: other directories, and the mount namespaces of containers.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::mountinfo::{self, DeviceNumber};
use super::{Roots, sysfs};

/// The device is mounted anywhere but at `dir` in this process's namespace. What may not be read counts as "yes".
pub(super) fn is_mounted_elsewhere(roots: &Roots, device: &Path, dir: &Path) -> io::Result<bool> {
    let number = DeviceNumber::of(std::fs::metadata(device)?.rdev());
    in_any_namespace(&roots.proc, number, dir).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Ok(true),
        _ => Err(error),
    })
}

fn in_any_namespace(proc_root: &Path, number: DeviceNumber, dir: &Path) -> io::Result<bool> {
    let here = mountinfo::mounts(proc_root)?;
    if here.iter().any(|mount| mount.device == number && mount.at != dir) {
        return Ok(true);
    }
    let mut seen: BTreeSet<OsString> = namespace_of(proc_root, "self")?.into_iter().collect();
    for process in sysfs::names(proc_root)?.into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit())) {
        // A process that ended between two looks holds nothing any more.
        let Some(namespace) = namespace_of(proc_root, &process)? else { continue };
        if seen.contains(&namespace) {
            continue;
        }
        let Some(table) = present(sysfs::bytes(&proc_root.join(&process).join("mountinfo")))?.flatten() else {
            continue;
        };
        // Only now: had the process ended, another one of the namespace would have to tell.
        seen.insert(namespace);
        let mounts = mountinfo::parse(&table).map_err(io::Error::other)?;
        if mounts.iter().any(|mount| mount.device == number) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `mnt:[4026531841]`; `None` when the process is gone or is a thread of the kernel that is ending.
fn namespace_of(proc_root: &Path, process: &str) -> io::Result<Option<OsString>> {
    Ok(present(std::fs::read_link(proc_root.join(process).join("ns/mnt")))?.map(PathBuf::into_os_string))
}

/// A process that ends while it is looked at is no error: it is not there (ENOENT, ESRCH) or has no mounts any more (EINVAL).
fn present<T>(look: io::Result<T>) -> io::Result<Option<T>> {
    match look {
        Ok(found) => Ok(Some(found)),
        Err(error) if [2, 3, 22].contains(&error.raw_os_error().unwrap_or(0)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const DIR: &str = "/opt/hpe/data/hpedocker-x";

    fn process(proc_root: &Path, name: &str, namespace: &str, table: &str) {
        fs::create_dir_all(proc_root.join(name).join("ns")).unwrap();
        symlink(namespace, proc_root.join(name).join("ns/mnt")).unwrap();
        fs::write(proc_root.join(name).join("mountinfo"), table).unwrap();
    }

    fn ours() -> String {
        format!("36 35 252:4 / {DIR} rw - ext4 /dev/dm-4 rw\n")
    }

    fn elsewhere(proc_root: &Path) -> bool {
        in_any_namespace(proc_root, DeviceNumber { major: 252, minor: 4 }, Path::new(DIR)).unwrap()
    }

    #[test]
    fn the_plugins_own_mount_is_nowhere_else() {
        let proc_root = tempfile::tempdir().unwrap();
        process(proc_root.path(), "self", "mnt:[1]", &ours());
        process(proc_root.path(), "7", "mnt:[1]", &ours());
        process(proc_root.path(), "8", "mnt:[2]", "40 35 8:1 / / rw - ext4 /dev/sda1 rw\n");
        fs::create_dir(proc_root.path().join("9")).unwrap();
        assert!(!elsewhere(proc_root.path()), "own namespace, another's without it, a process that ended");
        process(proc_root.path(), "10", "mnt:[3]", "41 35 252:4 / /data rw - ext4 /dev/dm-4 rw\n");
        assert!(elsewhere(proc_root.path()), "a container");
    }

    #[test]
    fn a_second_directory_counts() {
        let proc_root = tempfile::tempdir().unwrap();
        process(proc_root.path(), "self", "mnt:[1]", &format!("{}42 35 252:4 / /mnt rw - ext4 /dev/dm-4 rw\n", ours()));
        assert!(elsewhere(proc_root.path()));
    }
}
