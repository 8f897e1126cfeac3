//! Volumes and their keys, command by command.

use std::time::Duration;

use super::*;

const NOW: Duration = Duration::from_secs(60);

fn array() -> Array {
    Array::new(ArrayConfig::default())
}

fn code<T: std::fmt::Debug>(result: Result<T, ArrayError>) -> u32 {
    result.unwrap_err().code
}

fn thin(name: &str) -> CreateVolume {
    CreateVolume { snap_cpg: Some("FC_r6".into()), ..CreateVolume::thin(name, "FC_r6", 1024) }
}

#[test]
fn a_row_looks_like_that_of_a_real_array() {
    let mut array = array();
    let body = CreateVolume { snap_cpg: Some("FC_r6".into()), comment: Some("docker".into()), ..thin("v1") };
    array.create_volume(NOW, &body).unwrap();
    let row = serde_json::to_value(array.volume_row("v1").unwrap()).unwrap();
    assert_eq!(row["wwn"], "60002AC000000000000000010000B69E");
    assert_eq!((&row["provisioningType"], &row["copyType"], &row["state"]), (&2.into(), &1.into(), &1.into()));
    assert_eq!((&row["sizeMiB"], &row["userCPG"], &row["snapCPG"]), (&1024.into(), &"FC_r6".into(), &"FC_r6".into()));
    assert_eq!(row["policies"]["staleSS"], true);
    assert_eq!(row["policies"]["hostDIF"], 3);
    assert_eq!(row["creationTime8601"], "2026-01-01T00:01:00+00:00");
    assert_eq!(row["comment"], "docker");
    assert_eq!(row["uuid"].as_str().unwrap().len(), 36);
    assert!(row.get("expirationTimeSec").is_none() && row.get("copyOf").is_none());
}

#[test]
fn create_checks_every_member() {
    let mut array = array();
    array.create_volume(NOW, &thin("v1")).unwrap();
    let mut refusal = |body: CreateVolume| code(array.create_volume(NOW, &body));
    assert_eq!(refusal(thin("v1")), 22);
    assert_eq!(refusal(CreateVolume { name: None, ..thin("x") }), 40);
    assert_eq!(refusal(CreateVolume { cpg: None, ..thin("x") }), 40);
    assert_eq!(refusal(CreateVolume { size_mib: None, ..thin("x") }), 40);
    assert_eq!(refusal(thin(&"x".repeat(32))), 57);
    assert_eq!(refusal(thin("a b")), 69);
    assert_eq!(refusal(CreateVolume { cpg: Some("nix".into()), ..thin("x") }), 15);
    assert_eq!(refusal(CreateVolume { size_mib: Some(255), ..thin("x") }), 43);
    assert_eq!(refusal(CreateVolume { size_mib: Some(SIZE_MAX_64_TIB + 1), ..thin("x") }), 28);
    assert_eq!(refusal(CreateVolume { id: Some(1), ..thin("x") }), 59);
    assert_eq!(refusal(CreateVolume { comment: Some("c".repeat(512)), ..thin("x") }), 57);
    assert_eq!(refusal(CreateVolume { tdvv: Some(true), ..thin("x") }), 44);
    assert_eq!(refusal(CreateVolume { tpvv: None, tdvv: Some(true), ..thin("x") }), 12);
    assert_eq!(refusal(CreateVolume { compression: Some(true), ..thin("x") }), 43);
    let zero_detect = Some(PolicyChange { zero_detect: Some(true), ..PolicyChange::default() });
    assert_eq!(refusal(CreateVolume { tpvv: None, policies: zero_detect, ..thin("x") }), 91);
    assert_eq!(refusal(CreateVolume { expiration_hours: Some(HOURS_MAX + 1), ..thin("x") }), 43);
}

#[test]
fn primera_wants_thin_or_reduced() {
    let mut array = Array::new(ArrayConfig { personality: Personality::Primera4_2, ..ArrayConfig::default() });
    let refusal = array.create_volume(NOW, &CreateVolume { tpvv: None, ..thin("x") }).unwrap_err();
    // The vendor's client compares code, text and member exactly.
    assert_eq!((refusal.code, refusal.desc.as_str()), (78, "invalid input: one of the parameters is required"));
    assert_eq!(refusal.reference.as_deref(), Some("tpvv,reduce"));
    array.create_volume(NOW, &CreateVolume { tpvv: None, reduce: Some(true), ..thin("x") }).unwrap();
}

#[test]
fn a_used_number_gets_another_world_wide_name() {
    let mut array = array();
    let body = CreateVolume { id: Some(77), ..thin("v1") };
    array.create_volume(NOW, &body).unwrap();
    let first = array.volume("v1").unwrap().wwn.clone();
    array.remove_volume(NOW, "v1").unwrap();
    array.create_volume(NOW, &body).unwrap();
    assert_ne!(array.volume("v1").unwrap().wwn, first);
    array.create_volume(NOW, &thin("v2")).unwrap();
    assert_eq!(array.volume("v2").unwrap().id, 78, "numbers are not used again unasked");
}

#[test]
fn modify_is_all_or_nothing() {
    let mut array = array();
    array.create_volume(NOW, &thin("v1")).unwrap();
    array.create_volume(NOW, &thin("v2")).unwrap();
    let bad = ModifyVolume { comment: Some("new".into()), snap_cpg: Some("nix".into()), ..ModifyVolume::default() };
    assert_eq!(code(array.modify_volume(NOW, "v1", &bad)), 15);
    assert_eq!(array.volume("v1").unwrap().comment, None);
    let taken = ModifyVolume { new_name: Some("v2".into()), ..ModifyVolume::default() };
    assert_eq!(code(array.modify_volume(NOW, "v1", &taken)), 22);
    let good = ModifyVolume { new_name: Some("w".into()), comment: Some("new".into()), ..ModifyVolume::default() };
    assert_eq!(array.modify_volume(NOW, "v1", &good).unwrap(), "w");
    assert_eq!(code(array.volume("v1")), 23);
    assert_eq!(array.volume("w").unwrap().comment.as_deref(), Some("new"));
    let marks = ModifyVolume {
        usr_spc_alloc_warning_pct: Some(90),
        usr_spc_alloc_limit_pct: Some(80),
        ..ModifyVolume::default()
    };
    assert!(array.modify_volume(NOW, "w", &marks).unwrap_err().is_provisional());
}

#[test]
fn grow_adds_and_rounds_up() {
    let mut array = array();
    array.create_volume(NOW, &thin("v1")).unwrap();
    assert_eq!(array.grow_volume(NOW, "v1", 100).unwrap(), 1280);
    assert_eq!(code(array.grow_volume(NOW, "v1", 0)), 152);
    assert_eq!(code(array.grow_volume(NOW, "v1", i64::MAX)), 28);
    assert_eq!(code(array.grow_volume(NOW, "nix", 256)), 23);
    array.create_snapshot(NOW, "v1", &CreateSnapshot { name: Some("s".into()), ..CreateSnapshot::default() }).unwrap();
    assert_eq!(code(array.grow_volume(NOW, "s", 256)), 150);
}

#[test]
fn a_full_cpg_refuses() {
    let mut array = array();
    let small = CreateCpg { name: Some("small".into()), growth_limit_mib: Some(2048), ..CreateCpg::default() };
    array.create_cpg(NOW, &small).unwrap();
    let full = |name: &str| CreateVolume { tpvv: None, ..CreateVolume::thin(name, "small", 2048) };
    array.create_volume(NOW, &full("v1")).unwrap();
    assert_eq!(code(array.create_volume(NOW, &full("v2"))), 24);
    assert_eq!(code(array.grow_volume(NOW, "v1", 256)), 153);
    assert_eq!(code(array.remove_cpg(NOW, "small")), 34);
    array.remove_volume(NOW, "v1").unwrap();
    array.remove_cpg(NOW, "small").unwrap();
}

#[test]
fn a_volume_in_use_stays() {
    let mut array = array();
    array.create_volume(NOW, &thin("v1")).unwrap();
    array.create_set(NOW, SetKind::Volume, &CreateSet::new("set1", &["v1"])).unwrap();
    let refusal = array.remove_volume(NOW, "v1").unwrap_err();
    assert_eq!((refusal.code, refusal.status, refusal.desc.as_str()), (34, 409, "resource in use"));
    array.remove_set(NOW, SetKind::Volume, "set1").unwrap();
    let copy =
        |read_only| CreateSnapshot { name: Some("s".into()), read_only: Some(read_only), ..CreateSnapshot::default() };
    for (read_only, expected) in [(false, 32), (true, 25)] {
        array.create_snapshot(NOW, "v1", &copy(read_only)).unwrap();
        assert_eq!(code(array.remove_volume(NOW, "v1")), expected);
        array.remove_volume(NOW, "s").unwrap();
    }
    array.remove_volume(NOW, "v1").unwrap();
    assert_eq!(code(array.remove_volume(NOW, "v1")), 23);
}

#[test]
fn retention_holds_until_its_time() {
    let mut array = array();
    array.create_volume(NOW, &CreateVolume { retention_hours: Some(1), ..thin("v1") }).unwrap();
    assert_eq!(array.remove_volume(NOW, "v1").unwrap_err(), ArrayError::retained());
    array.remove_volume(NOW + Duration::from_secs(3600), "v1").unwrap();
    let upside_down = CreateVolume { retention_hours: Some(2), expiration_hours: Some(1), ..thin("v2") };
    assert_eq!(array.create_volume(NOW, &upside_down).unwrap_err(), ArrayError::retention_above_expiration());
}

#[test]
fn a_copy_names_its_parent() {
    let mut array = array();
    array.create_volume(NOW, &thin("v1")).unwrap();
    array.create_snapshot(NOW, "v1", &CreateSnapshot { name: Some("s1".into()), ..CreateSnapshot::default() }).unwrap();
    array.create_snapshot(NOW, "s1", &CreateSnapshot { name: Some("s2".into()), ..CreateSnapshot::default() }).unwrap();
    let row = serde_json::to_value(array.volume_row("s2").unwrap()).unwrap();
    assert_eq!((&row["provisioningType"], &row["copyType"]), (&3.into(), &3.into()));
    assert_eq!((&row["copyOf"], &row["parentId"], &row["baseId"]), (&"s1".into(), &2.into(), &1.into()));
    assert!(row.get("userCPG").is_none());
    assert_ne!(array.volume("s2").unwrap().wwn, array.volume("v1").unwrap().wwn);
}

#[test]
fn keys_live_with_their_volume() {
    let mut array = array();
    array.create_volume(NOW, &thin("v1")).unwrap();
    let pair = |key: &str, value: &str| SetObjectKey { key: Some(key.into()), value: Some(value.into()) };
    array.create_object_key(NOW, "v1", &pair("HPQ-chap-secret", "s3cr3ts3cr3t")).unwrap();
    assert_eq!(array.create_object_key(NOW, "v1", &pair("HPQ-chap-secret", "x")).unwrap_err().code, 181);
    array.modify_object_key(NOW, "v1", "HPQ-chap-secret", &pair("", "other")).unwrap();
    assert_eq!(array.object_key_row("v1", "HPQ-chap-secret").unwrap_or_else(|e| panic!("{e}")).value, "other");
    assert_eq!(array.modify_object_key(NOW, "v1", "nix", &pair("", "x")).unwrap_err().code, 180);
    let text = format!("{array:?}");
    assert!(!text.contains("s3cr3t"), "secrets are not shown");
    array.remove_object_key(NOW, "v1", "HPQ-chap-secret").unwrap();
    assert_eq!(array.object_key_rows("v1").unwrap_or_else(|e| panic!("{e}")).len(), 0);
    assert_eq!(array.remove_object_key(NOW, "v1", "HPQ-chap-secret").unwrap_err().code, 180);
}

#[test]
fn releases_differ_where_clients_branch() {
    let of = |personality| Array::new(ArrayConfig { personality, ..ArrayConfig::default() });
    let compressed = CreateVolume { compression: Some(true), size_mib: Some(COMPRESSED_MIN_MIB), ..thin("x") };
    let reduced = CreateVolume { tpvv: None, reduce: Some(true), ..thin("x") };
    let huge = CreateVolume { size_mib: Some(SIZE_MAX_16_TIB + 256), ..thin("x") };
    let result =
        |personality, body: &CreateVolume| of(personality).create_volume(NOW, body).map_or_else(|e| e.code, |_| 0);
    for (personality, expected) in [
        (Personality::V3_2_1, [12, 12, 28]),
        (Personality::V3_2_2, [12, 12, 28]),
        (Personality::V3_3_1, [0, 12, 0]),
        (Personality::Primera4_2, [12, 0, 0]),
    ] {
        assert_eq!([&compressed, &reduced, &huge].map(|body| result(personality, body)), expected, "{personality:?}");
    }
    assert_eq!("3.2.2".parse::<Personality>().unwrap().api_version().build, 30_202_530);
    assert!("2.3".parse::<Personality>().unwrap_err().contains("3.3.1"));
}
