//! Attach on the made-up host: which tools are asked, which LUN is scanned, what is believed.

use std::path::Path;
use std::time::Duration;

use super::fake_host::{FakeDisk, FakeHost, add_disk, add_map};
use crate::array::{Lun, TargetPort};
use crate::node::linux::step::Step;
use crate::node::linux::unfinished::Object;
use crate::node::{AttachRequest, Chap, Node as _, NodeError};

const WWN: &str = "60002ac0000000000000000100012345";
const OTHER: &str = "60002ac0000000000000000200012345";
const IQN: &str = "iqn.2000-05.com.3pardata:20210002ac012345";

fn request(ports: Vec<TargetPort>, lun: u32) -> AttachRequest {
    AttachRequest {
        wwn: WWN.parse().unwrap(),
        lun: Lun::try_from(lun).unwrap(),
        ports,
        chap: None,
        paths_wanted: 2,
        patience: Duration::from_secs(20),
    }
}

fn portals() -> Vec<TargetPort> {
    ["10.0.0.1:3260", "10.0.0.2:3260"]
        .into_iter()
        .map(|portal| TargetPort::Iscsi { position: "0:2:1".parse().unwrap(), portal: portal.into(), iqn: IQN.into() })
        .collect()
}

/// `dev/dm-4` has to be a block device with the number of the map; borrow one this machine has.
fn borrow_block_device(host: &FakeHost) -> Option<String> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let loops = (0..64).map(|number| format!("/dev/loop{number}"));
    let found =
        loops.into_iter().find(|path| std::fs::metadata(path).is_ok_and(|found| found.file_type().is_block_device()));
    let Some(path) = found else {
        eprintln!("skipped: no loop device node to stand in for a map");
        return None;
    };
    std::os::unix::fs::symlink(&path, host.path("dev/dm-4")).unwrap();
    let number = std::fs::metadata(&path).unwrap().rdev();
    Some(format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number)))
}

/// scsi_id answers with the WWN the array has at the device now.
const SCSI_ID: &str = "for word in \"$@\"; do case $word in --device=*) echo 3$(cat ${word#--device=});; esac; done";

/// Finds the LUN when it is scanned for, and makes the map when both paths are there.
fn finds_lun(root: &Path, lun: &str, wwn: &'static str, number: &str) {
    let disks = [("sda", "3", "3:0:0:"), ("sdb", "4", "4:0:0:")];
    for (name, host, address) in disks {
        let scanned =
            std::fs::read_to_string(root.join(format!("sys/class/scsi_host/host{host}/scan"))).unwrap_or_default();
        if scanned == format!("0 0 {lun}") && !root.join("sys/block").join(name).exists() {
            let address: &'static str = if host == "3" { "3:0:0:5" } else { "4:0:0:5" };
            add_disk(root, &FakeDisk { name, address, wwn });
        }
        assert!(address.starts_with(host));
    }
    let both = disks.iter().all(|(name, ..)| root.join("sys/block").join(name).exists());
    if both && !root.join("sys/block/dm-4").exists() {
        add_map(root, "dm-4", wwn, number, &["sda", "sdb"]);
    }
}

#[tokio::test]
async fn a_volume_is_attached_over_new_sessions_with_its_account_in_no_argument() {
    let host = FakeHost::new();
    let Some(number) = borrow_block_device(&host) else { return };
    host.tool("scsi_id", SCSI_ID);
    host.tool(
        "iscsiadm",
        "record=$HOST/etc/iscsi/nodes/$4/$(echo $6 | tr : ,),-1\n\
         case \"$*\" in\n\
         *--op*new*) mkdir -p $record; printf 'node.session.scan = auto\\n# END RECORD\\n' > $record/default;;\n\
         *--login*) touch $HOST/login-$6;;\n\
         *) test -e $record/default || exit 21;;\n\
         esac",
    );
    let _kernel = host.kernel(move |root| {
        for (id, scsi_host, address) in [(1, 3, "10.0.0.1"), (2, 4, "10.0.0.2")] {
            let session = root.join(format!("sys/class/iscsi_session/session{id}"));
            if root.join(format!("login-{address}:3260")).exists() && !session.exists() {
                super::fake_host::add_session(root, id, scsi_host, IQN, address, 3260);
            }
        }
        finds_lun(root, "5", WWN, &number);
    });
    let chap = Chap { user: "node1".into(), secret: "s3cret-of-16-ch".to_owned().into() };
    let device = host.node().attach(&AttachRequest { chap: Some(chap), ..request(portals(), 5) }).await.unwrap();
    assert_eq!(device.path, host.path("dev/dm-4"));
    let record = host.read(&format!("etc/iscsi/nodes/{IQN}/10.0.0.1,3260,-1/default"));
    assert!(
        record.contains("node.session.scan = manual\n") && record.contains("auth.password = s3cret-of-16-ch\n"),
        "{record}"
    );
    let asked = host.read("tools/iscsiadm.log");
    assert!(asked.contains(&format!("-m node -T {IQN} -p 10.0.0.2:3260 --login\n")), "{asked}");
    assert!(!asked.contains("s3cret"), "{asked}");
}

#[tokio::test]
async fn a_device_with_another_fresh_identity_is_refused() {
    let host = FakeHost::new();
    for (id, scsi_host, address) in [(1, 3, "10.0.0.1"), (2, 4, "10.0.0.2")] {
        host.session(id, scsi_host, IQN, address, 3260);
    }
    host.tool("scsi_id", SCSI_ID);
    // The kernel believes in the wanted volume, the array has another one there.
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: WWN });
    host.write("dev/sda", OTHER);
    let error = host.node().attach(&request(portals(), 5)).await.unwrap_err();
    assert_eq!(
        error,
        NodeError::WrongDevice { lun: Lun::try_from(5).unwrap(), found: OTHER.into(), wanted: WWN.parse().unwrap() }
    );
}

#[tokio::test]
async fn without_any_way_to_the_array_the_reasons_are_told_at_once() {
    let host = FakeHost::new();
    host.tool("iscsiadm", "case \"$*\" in *--login*) exit 24;; esac\nmkdir -p $HOST/etc/iscsi/nodes/$4/$(echo $6 | tr : ,),-1; touch $HOST/etc/iscsi/nodes/$4/$(echo $6 | tr : ,),-1/default");
    let error = host.node().attach(&request(portals(), 5)).await.unwrap_err().to_string();
    assert!(error.contains("no session") && error.contains("CHAP account"), "{error}");
}

#[tokio::test]
async fn paths_without_a_map_are_not_handed_out() {
    let host = FakeHost::new();
    host.session(1, 3, IQN, "10.0.0.1", 3260);
    host.session(2, 4, IQN, "10.0.0.2", 3260);
    host.tool("scsi_id", SCSI_ID);
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: WWN });
    let short = AttachRequest { patience: Duration::from_secs(1), ..request(portals(), 5) };
    let error = host.node().attach(&short).await.unwrap_err().to_string();
    assert!(error.contains("1 paths appeared, but no usable multipath map"), "{error}");
}

#[tokio::test]
async fn fewer_paths_than_wanted_are_accepted_after_the_wait() {
    let host = FakeHost::new();
    let Some(number) = borrow_block_device(&host) else { return };
    host.session(1, 3, IQN, "10.0.0.1", 3260);
    host.tool("scsi_id", SCSI_ID);
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: WWN });
    host.map("dm-4", WWN, &number, &["sda"]);
    let short = AttachRequest { patience: Duration::from_secs(1), ..request(portals(), 5) };
    assert_eq!(host.node().attach(&short).await.unwrap().path, host.path("dev/dm-4"));
}

#[tokio::test]
async fn over_fibre_channel_exactly_the_lun_is_scanned_at_the_wanted_ports() {
    let host = FakeHost::new();
    let Some(number) = borrow_block_device(&host) else { return };
    for (remote, name, target) in [
        ("rport-3:0-1", "0x20110002ac012345", "0"),
        ("rport-4:0-7", "0x21110002ac012345", "0"),
        ("rport-3:0-2", "0x5000000000000001", "9"),
    ] {
        host.write(&format!("sys/class/fc_remote_ports/{remote}/port_name"), name);
        host.write(&format!("sys/class/fc_remote_ports/{remote}/port_state"), "Online");
        host.write(&format!("sys/class/fc_remote_ports/{remote}/scsi_target_id"), target);
    }
    for scsi_host in [3, 4] {
        host.write(&format!("sys/class/scsi_host/host{scsi_host}/scan"), "");
    }
    host.tool("scsi_id", SCSI_ID);
    let _kernel = host.kernel(move |root| finds_lun(root, "5", WWN, &number));
    let ports = ["20110002AC012345", "21110002AC012345"]
        .into_iter()
        .map(|wwpn| TargetPort::Fc { position: "0:1:1".parse().unwrap(), wwpn: wwpn.into() })
        .collect();
    host.node().attach(&request(ports, 5)).await.unwrap();
}

#[tokio::test]
async fn a_dead_portal_costs_all_attaches_together_one_login() {
    let host = FakeHost::new();
    let Some(number) = borrow_block_device(&host) else { return };
    host.session(1, 3, IQN, "10.0.0.1", 3260);
    host.tool("scsi_id", SCSI_ID);
    host.tool("iscsiadm", "exec sleep 1000");
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: WWN });
    host.map("dm-4", WWN, &number, &["sda"]);
    let (node, began) = (host.node(), tokio::time::Instant::now());
    let patient = AttachRequest { patience: Duration::from_secs(60), ..request(portals(), 5) };
    let attaches = (0..4).map(|_| node.attach(&patient));
    for attached in futures::future::join_all(attaches).await {
        assert_eq!(attached.unwrap().path, host.path("dev/dm-4"));
    }
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "one login of 2 s each, not one after the other or the whole patience"
    );
    assert_eq!(host.read("tools/iscsiadm.log").lines().count(), 1, "the others take the failure of the first");
}

#[tokio::test]
async fn the_record_of_a_session_that_is_there_goes_on_saying_how_it_scans() {
    let host = FakeHost::new();
    let Some(number) = borrow_block_device(&host) else { return };
    for (id, scsi_host, address) in [(1, 3, "10.0.0.1"), (2, 4, "10.0.0.2")] {
        host.session(id, scsi_host, IQN, address, 3260);
    }
    let record = format!("etc/iscsi/nodes/{IQN}/10.0.0.1,3260,21/default");
    host.write(&record, "node.startup = automatic\nnode.session.scan = auto\n# END RECORD\n");
    host.tool("scsi_id", SCSI_ID);
    host.disk(&FakeDisk { name: "sda", address: "3:0:0:5", wwn: WWN });
    host.disk(&FakeDisk { name: "sdb", address: "4:0:0:5", wwn: WWN });
    host.map("dm-4", WWN, &number, &["sda", "sdb"]);
    host.node().attach(&request(portals(), 5)).await.unwrap();
    assert_eq!(host.read(&record), "node.startup = automatic\nnode.session.scan = auto\n# END RECORD\n");
    assert!(host.node().finds_luns_by_itself().await.unwrap(), "as it does until its next login");
}

#[tokio::test]
async fn nothing_is_begun_on_a_volume_while_an_earlier_step_hangs_and_it_is_not_clean() {
    let host = FakeHost::new();
    let (node, wwn) = (host.node(), WWN.parse().unwrap());
    let hung = node.unfinished.begin(&Step::new("mounting", "/dev/dm-4 at /mnt"), vec![Object::from(&wwn)]);
    assert!(matches!(node.inspect(&wwn).await, Err(NodeError::StillRunning { .. })));
    let refused = node.attach(&request(portals(), 5)).await.unwrap_err();
    assert!(matches!(refused, NodeError::StillRunning { .. }) && refused.to_string().contains("mounting"), "{refused}");
    drop(hung);
    assert!(node.inspect(&wwn).await.unwrap().is_clean());
}
