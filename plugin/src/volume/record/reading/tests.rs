//! Records of both plugins, as they are read and written.

use super::*;
use crate::volume::record::{Stage, Takeover};

fn read(text: &str) -> VolumeRecord {
    VolumeRecord::from_json("/volumes/x", text.as_bytes()).unwrap()
}

mod unknown_fields;

const PYTHON: &str = r#"{"status": "", "display_name": "testvol20", "name": "8a2818b7-11e8-4bed-a8f9-b099979be4f9",
    "id": "8a2818b7-11e8-4bed-a8f9-b099979be4f9", "volume_type": null, "size": 50, "provisioning": "thin", "backend": "DEFAULT",
    "cpg": "FC_r6", "snap_cpg": "FC_r6", "mount_conflict_delay": 40, "fsOwner": "1001:1002", "fsMode": "0755", "future": {"a": [1]},
    "node_mount_info": {"node-a": ["id1", "id2"]}, "old_path_info": [["node-b", "{}"]],
    "path_info": "{\"name\": \"testvol20\", \"path\": \"/dev/dm-2\", \"device_info\": {\"type\": \"block\", \"scsi_wwn\": \"360002ac00000000000004b68000124b7\", \"multipath_id\": \"m\", \"path\": \"/dev/disk/by-id/x\"}, \"connection_info\": {\"data\": {\"auth_password\": \"KJwDxdeLaVAts6Vs\", \"target_luns\": [5]}}, \"mount_dir\": \"/opt/hpe/data/x\"}"}"#;

#[test]
fn a_record_of_the_earlier_plugin_is_migrated_without_loss_and_without_its_secret() {
    let record = read(PYTHON);
    let owner = record.ownership.owner().unwrap();
    assert_eq!(owner.node, NodeId::new("node-a"));
    assert_eq!(record.path_info[&owner.node].mount_ids, ["id1", "id2"]);
    assert!(record.quarantine.contains_key(&NodeId::new("node-b")));
    assert_eq!(record.access, RootAccess { owner: Some((1001, 1002)), mode: Some(0o755) });
    let text = String::from_utf8(record.to_json()).unwrap();
    assert!(text.contains("\"future\":{\"a\":[1]}") && !text.contains("KJwDxdeLaVAts6Vs"), "{text}");
    assert_eq!(read(&text), record);
}

#[test]
fn every_stage_survives_writing_and_reading() {
    let mut record = read(PYTHON);
    let owner = record.ownership.owner().unwrap().clone();
    let attempt = Attempt { lun: crate::array::Lun::try_from(17).unwrap() };
    for stage in [
        Stage::Fencing,
        Stage::Attaching(attempt),
        Stage::Mounted(Some(attempt)),
        Stage::Mounted(None),
        Stage::Releasing(Some(attempt)),
    ] {
        record.ownership = Ownership::Owned { owner: owner.clone(), stage };
        record.burn(&owner.node.clone(), &"worker1".parse().unwrap(), attempt.lun);
        record.note(&owner.node.clone(), "export");
        record.takeover =
            Some(Takeover { by: owner.node.clone(), of_epoch: record.epoch, delay: 3, rest: Rest::default() });
        let written = record.to_json();
        assert_eq!(written::read(&written).as_ref(), Some(&record));
        assert_eq!(VolumeRecord::read_field_by_field("/volumes/x", &written).as_ref(), Ok(&record));
    }
}

#[test]
fn an_unreadable_record_names_its_key_and_field() {
    let broken = PYTHON.replace("\"size\": 50", "\"size\": \"many\"");
    let error = VolumeRecord::from_json("/volumes/x", broken.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("/volumes/x") && error.field == "size", "{error}");
}
