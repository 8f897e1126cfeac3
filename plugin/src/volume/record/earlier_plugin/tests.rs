//! Records as the earlier plugin wrote them: order of fields, JSON in a string, blanks after colons.

use crate::node::{BootId, NodeId, RootAccess};
use crate::volume::record::{Ownership, Stage, VolumeRecord};

/// A volume on the way: `MOUNT` is what a mount adds, `PATH` its `path_info`.
const VOLUME: &str = r#"{"id": "8a2818b7-11e8-4bed-a8f9-b099979be4f9", "name": "8a2818b7-11e8-4bed-a8f9-b099979be4f9",
    "3par_vol_name": "dcv-iigYtxHoS.2o.bCZl5vk.Q", "host": "", "size": 50, "availability_zone": "", "status": "", "attach_status": "",
    "display_name": "testvol20", "volume_id": "", "volume_type": null, "volume_attachment": null, "provider_location": null,
    "path_info": PATH, "provisioning": "thin", "flash_cache": null, "qos_name": null, "compression": null, "snapshots": [],
    "mount_conflict_delay": 30, "is_snap": false, "backend": "DEFAULT", "snap_metadata": null, "cpg": "FC_r6", "snap_cpg": "FC_r6",
    "has_schedule": false, "rcg_info": null, "fsOwner": null, "fsMode": null MOUNT}"#;

const ISCSI: &str = r#"{"name": "testvol20", "path": "/dev/dm-2", "device_info": {"type": "block", "scsi_wwn": "360002ac00000000000004b68000124b7", "multipath_id": "360002ac00000000000004b68000124b7", "path": "/dev/disk/by-id/dm-uuid-mpath-360002ac00000000000004b68000124b7"}, "connection_info": {"driver_volume_type": "iscsi", "data": {"target_portals": ["10.50.3.59:3260", "10.50.3.60:3260"], "target_iqns": ["iqn.2000-05.com.3pardata:21210002ac0124b7", "iqn.2000-05.com.3pardata:20210002ac0124b7"], "target_luns": [5, 5], "target_discovered": true, "auth_method": "CHAP", "auth_username": "worker1.example.com", "auth_password": "KJwDxdeLaVAts6Vs", "encrypted": false}}, "mount_dir": "/opt/hpe/data/hpedocker-dm-uuid-mpath-360002ac00000000000004b68000124b7"}"#;

const FC: &str = r#"{"name": "testvol20", "path": "/dev/dm-24", "device_info": {"scsi_wwn": "360002ac00000000000004b68000124b7", "type": "block", "multipath_id": null, "path": "/dev/sdb"}, "connection_info": {"driver_volume_type": "fibre_channel", "data": {"target_lun": 0, "target_discovered": true, "target_wwn": ["20110002AC0124B7", "21110002AC0124B7"], "initiator_target_map": {"10000090fa3c8b8a": ["20110002AC0124B7"]}, "encrypted": false}}, "mount_dir": "/opt/hpe/data/hpedocker-sdb"}"#;

const A: &str = "4f1c1e0e-9df2-4f2e-b0e0-2f5f9a2a8b11";
const B: &str = "51f3cf7b-6c3e-4a06-8a27-7c7b2a1e9d22";

fn record(path: &str, mount: &str) -> VolumeRecord {
    let text = VOLUME.replace("PATH", path).replace("MOUNT", mount);
    VolumeRecord::from_json("/volumes/x", text.as_bytes()).unwrap()
}

/// As `json.dumps` of a text that is JSON itself.
fn quoted(json: &str) -> String {
    serde_json::Value::from(json).to_string()
}

fn nodes(record: &VolumeRecord) -> Vec<&str> {
    record.quarantine.keys().map(NodeId::as_str).collect()
}

#[test]
fn a_mounted_volume_belongs_to_the_node_of_its_mount_ids() {
    let mount = format!(r#", "node_mount_info": {{"{A}": ["id1", "id2"]}}"#);
    for (path, device) in [(ISCSI, "/dev/dm-2"), (FC, "/dev/dm-24")] {
        let record = record(&quoted(path), &mount);
        let owner = record.ownership.owner().unwrap();
        assert_eq!((owner.node.as_str(), &owner.boot, &owner.host), (A, &BootId::unknown(), &None));
        assert_eq!(record.ownership.stage(), Some(Stage::Mounted(None)), "through an export nobody wrote down");
        let info = &record.path_info[&NodeId::new(A)];
        assert_eq!(
            (info.path.to_str(), info.mount_ids.as_slice()),
            (Some(device), &["id1".to_owned(), "id2".to_owned()][..])
        );
        assert_eq!(info.device_info.scsi_wwn, "360002ac00000000000004b68000124b7");
        assert_eq!(info.boot_id, BootId::unknown());
        let written = String::from_utf8(record.to_json()).unwrap();
        assert!(!written.contains("KJwDxdeLaVAts6Vs") && !written.contains("node_mount_info"), "{written}");
        assert_eq!(VolumeRecord::from_json("/volumes/x", written.as_bytes()).unwrap(), record);
    }
}

#[test]
fn the_path_may_be_an_object_too_and_the_id_may_have_a_line_end() {
    let record = record(ISCSI, &format!(r#", "node_mount_info": {{"{A}\n": ["id1"]}}"#));
    assert_eq!(record.ownership.owner().unwrap().node, NodeId::new(A));
    assert!(record.path_info.contains_key(&NodeId::new(A)));
}

#[test]
fn between_the_last_unmount_and_its_end_the_volume_is_still_owned_without_a_reference() {
    let record = record(&quoted(ISCSI), &format!(r#", "node_mount_info": {{"{A}": []}}"#));
    assert_eq!(record.ownership.owner().unwrap().node, NodeId::new(A));
    assert!(record.path_info[&NodeId::new(A)].mount_ids.is_empty());
}

#[test]
fn a_mount_whose_path_was_not_written_yet_is_owned_all_the_same() {
    for path in ["null", r#""null""#, r#""""#] {
        let record = record(path, &format!(r#", "node_mount_info": {{"{A}": ["id1"]}}"#));
        assert_eq!(record.ownership.owner().unwrap().node, NodeId::new(A), "{path}");
        assert!(record.path_info.is_empty());
    }
}

#[test]
fn an_unmount_that_was_not_finished_leaves_the_owner_to_the_exports() {
    let record = record(&quoted(ISCSI), "");
    assert_eq!(record.ownership, Ownership::Free);
    let kept = record.rest["legacy_path_info"].to_string();
    assert!(kept.contains("hpedocker-dm-uuid-mpath") && !kept.contains("KJwDxdeLaVAts6Vs"), "{kept}");
    assert_eq!(self::record("null", "").ownership, Ownership::Free);
}

#[test]
fn a_node_that_lost_the_volume_is_in_quarantine_until_it_proves_itself_clean() {
    let old = format!(r#"["{A}", {}]"#, quoted(ISCSI));
    let taken =
        record(&quoted(ISCSI), &format!(r#", "node_mount_info": {{"{B}": ["id3"]}}, "old_path_info": [{old}]"#));
    assert_eq!(nodes(&taken), [A]);
    assert!(!taken.quarantine[&NodeId::new(A)].revoked, "the earlier plugin did not read back");
    assert!(!String::from_utf8(taken.to_json()).unwrap().contains("KJwDxdeLaVAts6Vs"));
    let back = record(&quoted(ISCSI), &format!(r#", "node_mount_info": {{"{A}": ["id4"]}}, "old_path_info": [{old}]"#));
    assert!(back.quarantine.is_empty(), "it took the volume back");
    assert_eq!(nodes(&record("null", &format!(r#", "old_path_info": [{old}]"#))), [A]);
}

#[test]
fn a_snapshot_has_its_own_name_owner_and_mode() {
    let text = VOLUME.replace("PATH", "null").replace("MOUNT", "").replace(r#""is_snap": false"#, r#""is_snap": true"#);
    let metadata =
        r#""snap_metadata": {"name": "snap-1", "parent_name": "v", "fsMode": "0755", "fsOwner": "1001:1002"}"#;
    let text = text.replace(r#""snap_metadata": null"#, metadata);
    let text = text.replace(r#""3par_vol_name": "dcv-iigYtxHoS.2o.bCZl5vk.Q", "#, "");
    let snapshot = VolumeRecord::from_json("/volumes/x", text.as_bytes()).unwrap();
    assert_eq!(snapshot.array_name.as_str(), "dcs-iigYtxHoS.2o.bCZl5vk.Q");
    assert_eq!(snapshot.access, RootAccess { owner: Some((1001, 1002)), mode: Some(0o755) });
    assert_eq!(snapshot.rest["snap_metadata"]["parent_name"], "v");
}

#[test]
fn a_path_that_cannot_be_read_is_an_error_that_names_it() {
    let text = VOLUME.replace("PATH", r#""{broken""#).replace("MOUNT", "");
    let error = VolumeRecord::from_json("/volumes/x", text.as_bytes()).unwrap_err();
    assert_eq!(error.field, "path_info");
}
