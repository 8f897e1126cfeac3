//! Reconciliation as a table: record, kernel and journal, and what must follow.

use super::*;
use crate::array::{Lun, Wwn};
use crate::node::{Device, NodeId};
use crate::volume::names::VolumeName;
use crate::volume::record::{
    Attempt, DeviceInfo, Epoch, Owner, Ownership, PathInfo, Quarantine, Rest, Stage::*, VolumeRecord,
};

const DIR: &str = "/opt/hpe/data/hpedocker-x";

fn me() -> Me {
    Me { node: NodeId::new("b"), boot: BootId::new("boot2") }
}

fn attempt() -> Attempt {
    Attempt { lun: Lun::try_from(5).unwrap() }
}

fn free() -> VolumeRecord {
    VolumeRecord::new(VolumeId(uuid::Uuid::from_u128(7)), VolumeName::of_existing("db").unwrap())
}

fn owned(node: &str, boot: &str, stage: Stage) -> VolumeRecord {
    let owner = Owner::new(NodeId::new(node), BootId::new(boot), None);
    VolumeRecord { ownership: Ownership::Owned { owner, stage }, ..free() }
}

fn held(mut record: VolumeRecord, ids: &[&str]) -> VolumeRecord {
    let device_info = DeviceInfo {
        path: "/dev/x".into(),
        scsi_wwn: String::new(),
        kind: "block".to_owned(),
        multipath_id: String::new(),
        rest: Rest::default(),
    };
    let info = PathInfo {
        name: "db".to_owned(),
        path: "/dev/dm-1".into(),
        device_info,
        connection_info: serde_json::Value::Null,
        mount_dir: DIR.into(),
        mount_ids: ids.iter().map(|&id| id.to_owned()).collect(),
        boot_id: me().boot,
        rest: Rest::default(),
    };
    record.path_info.insert(me().node, info);
    record
}

fn lost(mut record: VolumeRecord) -> VolumeRecord {
    let lost =
        Quarantine { epoch: Epoch(3), boot: BootId::new("boot2"), host: None, revoked: true, rest: Rest::default() };
    record.quarantine.insert(me().node, lost);
    record
}

fn wwn() -> Wwn {
    "60002ac0000000000000000100012345".parse().unwrap()
}

fn clean() -> LocalTruth {
    LocalTruth::default()
}

fn device_only() -> LocalTruth {
    let device = Device { wwn: wwn(), path: "/dev/dm-0".into(), by_id: "/dev/disk/by-id/x".into() };
    LocalTruth { device: Some(device), luns: [attempt().lun].into(), ..LocalTruth::default() }
}

fn mounted() -> LocalTruth {
    LocalTruth { mounted_at: vec![DIR.into()], ..device_only() }
}

fn remembered() -> JournalEntry {
    let record = held(owned("b", "boot2", Mounted(Some(attempt()))), &["1"]);
    JournalEntry {
        id: record.id,
        name: record.display_name.clone(),
        backend: record.backend.clone(),
        array_name: record.array_name.clone(),
        wwn: wwn(),
        epoch: record.epoch,
        boot: me().boot,
        lun: None,
        mount_dir: DIR.into(),
        device: "/dev/dm-0".into(),
        mount_ids: vec!["1".to_owned()],
        size_gib: 1,
        released: false,
        given_up: false,
        ahead_of_store: false,
    }
}

#[test]
fn each_case_has_its_step() {
    use ReconcileStep::*;
    let unknown = || owned("b", BootId::unknown().as_str(), Mounted(None));
    let cases = [
        (
            "mounted here and held",
            held(owned("b", "boot2", Mounted(Some(attempt()))), &["1"]),
            mounted(),
            None,
            Nothing,
        ),
        ("mounted here, nobody holds it", held(owned("b", "boot2", Mounted(None)), &[]), mounted(), None, Unclaimed),
        ("an attempt that stopped before its export", owned("b", "boot2", Fencing), clean(), None, FinishRelease),
        (
            "an attempt that stopped after it",
            owned("b", "boot2", Attaching(attempt())),
            device_only(),
            None,
            FinishRelease,
        ),
        ("a release that stopped", owned("b", "boot2", Releasing(Some(attempt()))), mounted(), None, FinishRelease),
        ("rebooted while it was mounted", owned("b", "boot1", Mounted(Some(attempt()))), clean(), None, FinishRelease),
        ("mounted by the earlier plugin", unknown(), mounted(), None, Nothing),
        ("the earlier plugin's mount is gone", unknown(), clean(), None, FinishRelease),
        ("another's, nothing here", owned("a", "boot1", Mounted(None)), clean(), None, Nothing),
        ("another's, a device an automatic scan left", owned("a", "boot1", Mounted(None)), device_only(), None, Leave),
        ("another's, mounted by hand here", owned("a", "boot1", Mounted(None)), mounted(), None, Nothing),
        (
            "another's, mounted here by us once",
            owned("a", "boot1", Mounted(None)),
            mounted(),
            Some(remembered()),
            Leave,
        ),
        ("taken from us, still mounted", lost(owned("a", "boot1", Mounted(None))), mounted(), None, Leave),
        ("taken from us, nothing left", lost(owned("a", "boot1", Mounted(None))), clean(), None, ClearQuarantine),
        ("taken from us, then released", lost(free()), mounted(), None, Leave),
        ("nobody's, nothing here", free(), clean(), None, Nothing),
        ("nobody's, a device here", free(), device_only(), None, Leave),
    ];
    for (what, record, local, journal, step) in cases {
        assert_eq!(next_reconcile_step(&record, &me(), &local, journal.as_ref()), step, "{what}");
    }
}
