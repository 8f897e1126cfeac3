//! What is read from sysfs and mountinfo, and what is deleted there.

use std::path::{Path, PathBuf};

use super::fake_host::{FakeDisk, FakeHost, remove_disk};
use crate::array::{Lun, TargetPort, Wwn};
use crate::node::{Device, MachineId, Node as _, NodeError};

const ONE: &str = "60002ac0000000000000000100012345";
const TWO: &str = "60002ac0000000000000000200012345";

fn wwn(text: &str) -> Wwn {
    text.parse().unwrap()
}

fn lun(number: u32) -> Lun {
    Lun::try_from(number).unwrap()
}

/// Two paths and a map of volume ONE, a lone path of volume TWO.
fn host() -> FakeHost {
    let host = FakeHost::new();
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: ONE });
    host.disk(&FakeDisk { name: "sdb", address: "4:0:0:5", wwn: ONE });
    host.disk(&FakeDisk { name: "sdc", address: "3:0:0:16684", wwn: TWO });
    host.map("dm-4", ONE, "253:4", &["sda", "sdb"]);
    host
}

#[tokio::test]
async fn the_identity_of_a_host_is_read() {
    let host = host();
    let missing = host.node().facts().await.unwrap_err().to_string();
    assert!(missing.contains("etc/machine-id") && missing.contains("systemd-machine-id-setup"), "{missing}");
    host.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    host.write("proc/sys/kernel/random/boot_id", "b0071d00-0000-4000-8000-000000000000\n");
    host.write("etc/iscsi/initiatorname.iscsi", "## x\nInitiatorName=iqn.1993-08.org.debian:01:abc\n");
    host.write("sys/class/fc_host/host1/port_name", "0x500143802426baf6\n");
    host.write("sys/class/fc_host/host1/port_state", "Online\n");
    host.write("sys/class/fc_host/host2/port_name", "0x500143802426baf8\n");
    host.write("sys/class/fc_host/host2/port_state", "Linkdown\n");
    let facts = host.node().facts().await.unwrap();
    let by_file = MachineId::of("0123456789abcdef0123456789abcdef", None);
    assert_eq!(facts.machine, by_file);
    host.write("sys/class/dmi/id/product_uuid", "4c4c4544-0042-3510-8056-c2c04f4b4d32\n");
    let by_firmware = host.node().facts().await.unwrap().machine;
    assert!(by_firmware != by_file && by_firmware.may_be(&by_file));
    assert_eq!(facts.boot.as_str(), "b0071d00-0000-4000-8000-000000000000");
    assert_eq!(facts.initiators.iqn.as_deref(), Some("iqn.1993-08.org.debian:01:abc"));
    assert_eq!(facts.initiators.wwpns, ["500143802426BAF6"]);
    assert!(!facts.hostname.is_empty());
}

#[tokio::test]
async fn a_volume_is_found_by_its_wwn_with_map_luns_and_mounts() {
    let host = host();
    let at = "/opt/hpe/data/hpedocker-dm-uuid-mpath-360002ac0000000000000000100012345";
    host.write("proc/self/mountinfo", format!("30 1 253:4 / {at} rw - ext4 /dev/dm-4 rw\n"));
    let truth = host.node().inspect(&wwn(ONE)).await.unwrap();
    let device = truth.device.clone().unwrap();
    assert_eq!(device.path, host.path("dev/dm-4"));
    assert_eq!(device.by_id, host.path(&format!("dev/disk/by-id/dm-uuid-mpath-3{ONE}")));
    assert_eq!(truth.luns.iter().copied().collect::<Vec<_>>(), [lun(5)]);
    assert!(truth.is_mounted_at(Path::new(at)));
    let lone = host.node().inspect(&wwn(TWO)).await.unwrap();
    assert_eq!(lone.device.unwrap().path, host.path("dev/sdc"));
    assert_eq!(lone.luns.iter().copied().collect::<Vec<_>>(), [lun(300)], "flat addressing");
    let none = host.node().inspect(&wwn("60002ac0000000000000000300012345")).await.unwrap();
    assert!(none.is_clean());
    assert_eq!(host.node().luns_present().await.unwrap().into_iter().collect::<Vec<_>>(), [lun(5), lun(300)]);
    assert_eq!(host.node().volumes_present().await.unwrap().into_iter().collect::<Vec<_>>(), [wwn(ONE), wwn(TWO)]);
}

#[tokio::test]
async fn a_mount_outlives_its_device_and_is_still_seen() {
    let host = FakeHost::new();
    let line = |source: &str| format!("30 1 253:9 / /mnt/x rw - ext4 {source} rw\n");
    for source in [
        format!("/dev/mapper/3{ONE}"),
        format!("/dev/disk/by-id/dm-uuid-mpath-3{ONE}"),
        format!("/dev/disk/by-id/wwn-0x{ONE}"),
    ] {
        host.write("proc/self/mountinfo", line(&source));
        let truth = host.node().inspect(&wwn(ONE)).await.unwrap();
        assert_eq!(truth.mounted_at, [PathBuf::from("/mnt/x")], "{source}");
        assert!(truth.device.is_none() && truth.paths_down, "{source}: nothing carries its writes");
    }
}

#[tokio::test]
async fn a_stopped_filesystem_is_dead_and_lost_paths_are_only_down() {
    let host = host();
    let mounted = |options: &str| format!("30 1 253:4 / /mnt/x rw - ext4 /dev/dm-4 {options}\n");
    let dead = async || host.node().inspect(&wwn(ONE)).await.unwrap().filesystem_dead;
    let down = async || host.node().inspect(&wwn(ONE)).await.unwrap().paths_down;
    host.write("proc/self/mountinfo", mounted("rw"));
    assert!(!down().await, "no tool to ask, no evidence");
    host.tool("dmsetup", "echo '0 8 multipath 2 0 1 0 2 1 A 0 1 2 8:0 F 4 0 1 E 0 1 2 8:16 A 3 1'");
    assert!(!down().await, "one path lives");
    host.tool("dmsetup", "echo '0 8 multipath 2 0 1 0 2 1 A 0 1 2 8:0 F 4 0 1 E 0 1 2 8:16 F 3 1'");
    assert!(down().await && !dead().await);
    host.tool("dmsetup", "exit 1");
    host.write("proc/self/mountinfo", mounted("rw,emergency_ro"));
    assert!(dead().await);
    host.write("proc/self/mountinfo", mounted("rw"));
    for disk in ["3:0:0:5", "4:0:0:5"] {
        host.write(&format!("sys/devices/{disk}/state"), "transport-offline\n");
    }
    assert!(down().await && !dead().await);
}

#[tokio::test]
async fn an_unreadable_mount_table_is_an_error() {
    let host = host();
    host.write("proc/self/mountinfo", "what is this\n");
    assert!(host.node().inspect(&wwn(ONE)).await.is_err());
}

#[tokio::test]
async fn paths_are_deleted_once_no_map_is_made_of_them() {
    let host = host();
    assert!(matches!(host.node().delete_paths(&wwn(ONE)).await, Err(NodeError::Busy { .. })), "the map is still there");
    for (disk, address) in [("sda", "3:0:0:5"), ("sdb", "4:0:0:5")] {
        std::fs::remove_file(host.path(&format!("sys/devices/{address}/block/{disk}/holders/dm-4"))).unwrap();
    }
    let _kernel = host.kernel(|root| {
        for (disk, address) in [("sda", "3:0:0:5"), ("sdb", "4:0:0:5")] {
            if std::fs::read(root.join(format!("sys/devices/{address}/delete"))).unwrap_or_default() == b"1" {
                remove_disk(root, disk);
            }
        }
    });
    host.node().delete_paths(&wwn(ONE)).await.unwrap();
    assert_eq!(host.read("sys/devices/3:0:0:16684/delete"), "", "the other volume is left alone");
    host.node().delete_paths(&wwn(ONE)).await.unwrap();
}

#[tokio::test]
async fn a_map_is_removed_by_its_name_and_absence_is_no_error() {
    let host = host();
    let device = Device { wwn: wwn(ONE), path: host.path("dev/dm-4"), by_id: host.path("dev/x") };
    host.tool("multipath", "echo 'map in use' >&2; exit 1");
    assert!(matches!(host.node().flush_map(&device).await, Err(NodeError::Busy { .. })));
    host.tool("multipath", "rm -r $HOST/sys/block/dm-4");
    host.node().flush_map(&device).await.unwrap();
    assert!(host.read("tools/multipath.log").contains(&format!("-f 3{ONE}")));
    host.node().flush_map(&device).await.unwrap();
}

#[tokio::test]
async fn queued_io_is_failed_by_the_daemon_or_else_by_the_kernel() {
    let host = host();
    let device = Device { wwn: wwn(ONE), path: host.path("dev/dm-4"), by_id: host.path("dev/x") };
    let nobody = host.node().fail_queued_io(&device).await.unwrap_err().to_string();
    assert!(nobody.contains("multipathd is not installed") && nobody.contains("dmsetup is not installed"), "{nobody}");
    host.tool("multipathd", "echo fail");
    host.tool("dmsetup", "exit 0");
    host.node().fail_queued_io(&device).await.unwrap();
    assert_eq!(host.read("tools/multipathd.log"), format!("disablequeueing map 3{ONE}\n"));
    assert_eq!(host.read("tools/dmsetup.log"), format!("message 3{ONE} 0 fail_if_no_path\n"));
    host.tool("multipathd", "echo ok");
    host.node().fail_queued_io(&device).await.unwrap();
    assert_eq!(host.read("tools/dmsetup.log").lines().count(), 1, "the daemon did it");
}

#[tokio::test]
async fn a_stale_device_at_a_lun_is_purged_and_others_are_not() {
    const OTHER_ARRAY: &str = "60002ac0000000000000000300099999";
    let host = host();
    let ports = [TargetPort::Iscsi {
        position: "0:2:1".parse().unwrap(),
        portal: "127.0.0.1:3260".to_owned(),
        iqn: "iqn.2000-05.com.3pardata:20210002ac012345".to_owned(),
    }];
    host.session(1, 3, "iqn.2000-05.com.3pardata:20210002ac012345", "127.0.0.1", 3260);
    host.session(2, 7, "iqn.2000-05.com.3pardata:20210002ac099999", "127.0.0.1", 3261);
    host.disk(&FakeDisk { name: "sdd", address: "7:0:0:16684", wwn: OTHER_ARRAY });
    let _kernel = host.kernel(|root| {
        if std::fs::read(root.join("sys/devices/3:0:0:16684/delete")).unwrap_or_default() == b"1" {
            remove_disk(root, "sdc");
        }
    });
    host.node().purge_stale_lun(lun(300), &ports).await.unwrap();
    assert!(!host.path("sys/block/sdc").exists());
    assert_eq!(host.read("sys/devices/3:0:0:5/delete"), "");
    assert_eq!(host.read("sys/devices/7:0:0:16684/delete"), "", "behind another array's port");
    host.node().purge_stale_lun(lun(300), &ports).await.unwrap();
}

#[tokio::test]
async fn a_session_is_ended_with_its_last_disk_and_not_before() {
    const IQN: &str = "iqn.2000-05.com.3pardata:20210002ac012345";
    let host = FakeHost::new();
    host.session(1, 3, IQN, "10.0.0.1", 3260);
    host.tool("iscsiadm", "exit 0");
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: ONE });
    host.disk(&FakeDisk { name: "sdb", address: "3:0:0:6", wwn: TWO });
    let _kernel = host.kernel(|root| {
        for (disk, address) in [("sda", "3:0:0:5"), ("sdb", "3:0:0:6")] {
            if std::fs::read(root.join(format!("sys/devices/{address}/delete"))).unwrap_or_default() == b"1" {
                remove_disk(root, disk);
            }
        }
    });
    host.node().delete_paths(&wwn(ONE)).await.unwrap();
    assert_eq!(host.read("tools/iscsiadm.log"), "", "another volume still comes over it");
    host.node().delete_paths(&wwn(TWO)).await.unwrap();
    assert_eq!(host.read("tools/iscsiadm.log"), format!("-m node -T {IQN} -p 10.0.0.1:3260 --logout\n"));
}
