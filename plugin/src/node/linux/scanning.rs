//! Whether this kernel attaches LUNs of the array that nobody asked it to scan.
//!
//! The transport class of Fibre Channel scans a target whenever its port comes back, unless the kernel runs with
//! `scsi_mod.scan=manual`. An iSCSI session is scanned at login, unless its record says `node.session.scan = manual`,
//! as every record does that the attach has prepared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Roots, sysfs};

/// The naming authority of the array's iSCSI targets.
const ARRAY_TARGETS: &str = "iqn.2000-05.com.3pardata:";

/// A port or a session of this host scans by itself.
pub(super) fn finds_luns_by_itself(roots: &Roots) -> io::Result<bool> {
    Ok(fibre_channel_scans(roots)? || an_iscsi_record_scans(roots)?)
}

fn fibre_channel_scans(roots: &Roots) -> io::Result<bool> {
    if sysfs::names(&roots.sys.join("class/fc_host"))?.is_empty() {
        return Ok(false);
    }
    let scan = sysfs::text(&roots.sys.join("module/scsi_mod/parameters/scan"))?;
    Ok(!matches!(scan.as_deref(), Some("manual" | "none")))
}

fn an_iscsi_record_scans(roots: &Roots) -> io::Result<bool> {
    for nodes in [roots.etc.join("iscsi/nodes"), roots.var.join("lib/iscsi/nodes")] {
        for target in sysfs::names(&nodes)?.into_iter().filter(|name| name.starts_with(ARRAY_TARGETS)) {
            for record in records_below(&nodes.join(target))? {
                if !says_manual(&fs::read_to_string(record)?) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// `<address>,<port>,<tpgt>/<interface>`, or in older forms a file in the place of that directory.
fn records_below(target: &Path) -> io::Result<Vec<PathBuf>> {
    let mut records = Vec::new();
    for portal in sysfs::names(target)?.into_iter().map(|name| target.join(name)) {
        if portal.is_dir() {
            records.extend(sysfs::names(&portal)?.into_iter().map(|name| portal.join(name)));
        } else {
            records.push(portal);
        }
    }
    Ok(records)
}

/// The scan is automatic where the record does not say.
fn says_manual(record: &str) -> bool {
    record
        .lines()
        .filter_map(|line| line.split_once('='))
        .any(|(key, value)| key.trim() == "node.session.scan" && value.trim() == "manual")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Roots) {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::below(directory.path());
        (directory, roots)
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn fibre_channel_scans_unless_the_kernel_is_told_not_to() {
        let (_directory, roots) = tree();
        assert!(!finds_luns_by_itself(&roots).unwrap(), "no storage network at all");
        write(&roots.sys.join("class/fc_host/host3/port_state"), "Online\n");
        assert!(finds_luns_by_itself(&roots).unwrap());
        write(&roots.sys.join("module/scsi_mod/parameters/scan"), "async\n");
        assert!(finds_luns_by_itself(&roots).unwrap());
        write(&roots.sys.join("module/scsi_mod/parameters/scan"), "manual\n");
        assert!(!finds_luns_by_itself(&roots).unwrap());
    }

    #[test]
    fn one_record_of_the_array_that_scans_is_enough() {
        let (_directory, roots) = tree();
        let target = roots.var.join("lib/iscsi/nodes/iqn.2000-05.com.3pardata:20210002ac000b69");
        write(&target.join("127.0.0.1,3260,21/default"), "node.startup = manual\nnode.session.scan = manual\n");
        let other = roots.var.join("lib/iscsi/nodes/iqn.2003-01.org.linux-iscsi:other/127.0.0.1,3260,1/default");
        write(&other, "node.session.scan = auto\n");
        assert!(!finds_luns_by_itself(&roots).unwrap());
        write(&target.join("127.0.0.2,3260,22"), "node.startup = automatic\n");
        assert!(finds_luns_by_itself(&roots).unwrap());
    }
}
