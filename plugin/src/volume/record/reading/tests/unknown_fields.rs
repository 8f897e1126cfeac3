//! Unknown fields at every depth, on both ways of reading.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::node::{BootId, Filesystem};
use crate::volume::names::VolumeName;
use crate::volume::record::{DeviceInfo, Owner, Stage};

/// Objects whose fields are named by nodes: what stands there is no unknown field but a node.
const BY_NODE: [&str; 3] = ["/path_info", "/fencing/quarantine", "/fencing/burned_luns"];

/// A record in which every part is there.
fn full() -> VolumeRecord {
    let (node, boot, host) = (NodeId::new("a"), BootId::new("boot1"), "worker1".parse().unwrap());
    let lun = crate::array::Lun::try_from(17).unwrap();
    let id = VolumeId(uuid::Uuid::from_u128(7));
    let mut record = VolumeRecord::new(id, VolumeName::of_existing("db").unwrap());
    record.epoch = Epoch(4);
    record.format = Format::Formatting { epoch: Epoch(4), filesystem: Filesystem::Xfs };
    let stage = Stage::Attaching(Attempt { lun });
    record.ownership = Ownership::Owned { owner: Owner::new(node.clone(), boot.clone(), Some(host)), stage };
    record.takeover = Some(Takeover { by: NodeId::new("b"), of_epoch: Epoch(4), delay: 3, rest: Rest::default() });
    let lost = Quarantine { epoch: Epoch(3), boot: boot.clone(), host: None, revoked: true, rest: Rest::default() };
    record.quarantine.insert(NodeId::new("c"), lost);
    record.burn(&node, &"worker1".parse().unwrap(), lun);
    record.note(&node, "one");
    record.note(&node, "two");
    let device_info = DeviceInfo {
        path: PathBuf::from("/dev/disk/by-id/x"),
        scsi_wwn: "3".to_owned(),
        kind: "block".to_owned(),
        multipath_id: "m".to_owned(),
        rest: Rest::default(),
    };
    let info = PathInfo {
        name: "db".to_owned(),
        path: PathBuf::from("/dev/dm-1"),
        device_info,
        connection_info: json!({"driver_volume_type": "iscsi", "data": {"target_lun": 17}}),
        mount_dir: PathBuf::from("/opt/hpe/data/x"),
        mount_ids: vec!["1".to_owned()],
        boot_id: boot,
        rest: Rest::default(),
    };
    record.path_info.insert(node, info);
    record
}

/// Pointers to every object that may hold fields this version does not know.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if !BY_NODE.contains(&at) {
                found.push(at.to_owned());
            }
            fields.iter().for_each(|(field, value)| objects(value, &format!("{at}/{field}"), found));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, value)| objects(value, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

fn places() -> Vec<String> {
    let mut found = Vec::new();
    objects(&serde_json::from_slice(&full().to_json()).unwrap(), "", &mut found);
    found
}

/// The full record with these fields put in.
fn with_fields<'f>(added: impl IntoIterator<Item = (&'f String, &'f Value)>) -> Value {
    let mut value: Value = serde_json::from_slice(&full().to_json()).unwrap();
    for (place, unknown) in added {
        value.pointer_mut(place).unwrap().as_object_mut().unwrap().insert("future".to_owned(), unknown.clone());
    }
    value
}

fn survives(value: &Value) {
    let bytes = serde_json::to_vec(value).unwrap();
    let quickly = written::read(&bytes).expect("of the shape this version writes");
    let patiently = VolumeRecord::read_field_by_field("/volumes/x", &bytes).unwrap();
    assert_eq!(quickly, patiently);
    let mut changed = quickly;
    changed.burn(&NodeId::new("b"), &"worker2".parse().unwrap(), crate::array::Lun::try_from(3).unwrap());
    changed.burned_luns.remove(&NodeId::new("b"));
    let written: Value = serde_json::from_slice(&changed.to_json()).unwrap();
    assert_eq!(written, *value);
}

#[test]
fn a_field_survives_at_every_depth() {
    let places = places();
    for part in ["", "/format", "/path_info/a/device_info", "/fencing/owner", "/fencing/attempt", "/fencing/steps/1"] {
        assert!(places.iter().any(|place| place == part), "{part} is among {places:?}");
    }
    for place in &places {
        survives(&with_fields([(place, &json!({"a": [1, {"b": null}]}))]));
    }
}

#[test]
fn fields_of_what_is_replaced_go_with_it() {
    let everywhere: Vec<_> = places().into_iter().map(|place| (place, json!("kept"))).collect();
    let text = with_fields(everywhere.iter().map(|(place, value)| (place, value))).to_string();
    let mut record = super::read(&text);
    let owner = record.ownership.owner().unwrap().clone();
    let lun = crate::array::Lun::try_from(18).unwrap();
    record.ownership = Ownership::Owned { owner, stage: Stage::Attaching(Attempt { lun }) };
    record.format = Format::Formatted;
    let written: Value = serde_json::from_slice(&record.to_json()).unwrap();
    assert_eq!(written["fencing"]["attempt"], json!({"lun": 18}), "another attempt");
    assert_eq!(written["format"], json!({"state": "formatted"}));
    assert_eq!(written["fencing"]["owner"]["future"], "kept");
}

#[test]
fn no_secret_of_a_path_is_carried_on_by_either_way_of_reading() {
    let mut value = with_fields([]);
    let secret =
        json!({"data": {"auth_password": "KJwDxdeLaVAts6Vs", "discovery": [{"Chap_Secret": "KJwDxdeLaVAts6Vs"}]}});
    value["path_info"]["a"]["connection_info"] = secret.clone();
    value["path_info"]["a"]["remote_connection_info"] = secret;
    let bytes = serde_json::to_vec(&value).unwrap();
    for record in [written::read(&bytes), VolumeRecord::read_field_by_field("/volumes/x", &bytes).ok()] {
        let written = String::from_utf8(record.unwrap().to_json()).unwrap();
        assert!(!written.contains("KJwDxdeLaVAts6Vs"), "{written}");
        assert!(written.contains(r#""remote_connection_info":{"data":{"discovery":[{}]}}"#), "{written}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-zµ\"\\\\ ]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_fields_anywhere_survive(added in proptest::collection::btree_map(proptest::sample::select(places()), json_value(), 0..8)) {
        survives(&with_fields(&added));
    }
}
