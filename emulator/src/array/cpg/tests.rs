use std::time::Duration;

use serde_json::json;

use super::*;
use crate::array::{ArrayConfig, CreateVolume, Personality};

const NOW: Duration = Duration::from_secs(60);

fn array() -> Array {
    Array::new(ArrayConfig::default())
}

fn code<T: std::fmt::Debug>(result: Result<T, ArrayError>) -> u32 {
    result.unwrap_err().code
}

fn named(name: &str) -> CreateCpg {
    CreateCpg { name: Some(name.into()), ..CreateCpg::default() }
}

fn laid_out(layout: Value) -> CreateCpg {
    CreateCpg { ld_layout: Some(layout), ..named("c1") }
}

#[test]
fn a_layout_is_checked_and_shown() {
    let mut array = array();
    let mut refused = |layout: Value| code(array.create_cpg(NOW, &laid_out(layout)));
    assert_eq!(refused(json!({"RAIDType": 5})), 46);
    assert_eq!(refused(json!({"RAIDType": 4, "setSize": 7})), 46);
    assert_eq!(refused(json!({"RAIDType": "R6"})), 39);
    assert_eq!(refused(json!({"raid": 6})), 12);
    assert_eq!(refused(json!({"diskPatterns": [{"diskType": 9}]})), 46);
    assert_eq!(refused(json!({"RAIDType": 3, "diskPatterns": [{"diskType": 2}]})), 93);
    assert!(refused(json!({"diskPatterns": [{"colour": 9}]})) > crate::array::PROVISIONAL);
    let layout = json!({"RAIDType": 2, "HA": 2, "setSize": 3, "diskPatterns": [{"diskType": 3, "nodeList": "0,1"}]});
    array.create_cpg(NOW, &laid_out(layout.clone())).unwrap();
    let row = array.cpg_row("c1").unwrap();
    assert_eq!((&row["SDGrowth"]["LDLayout"], &row["dedupCapable"]), (&layout, &json!(true)));
    assert_eq!(array.cpg("c1").unwrap().raw_mib(100), 300);
}

#[test]
fn primera_has_raid_6_only() {
    let mut array = Array::new(ArrayConfig { personality: Personality::Primera4_2, ..ArrayConfig::default() });
    assert_eq!(code(array.create_cpg(NOW, &laid_out(json!({"RAIDType": 2})))), 46);
    array.create_cpg(NOW, &laid_out(json!({"RAIDType": 4}))).unwrap();
}

#[test]
fn sizes_have_bounds() {
    let mut array = array();
    let small = CreateCpg { growth_increment_mib: Some(1024), ..named("c1") };
    assert_eq!(code(array.create_cpg(NOW, &small)), 94);
    let huge = CreateCpg { growth_limit_mib: Some(i64::MAX), ..named("c1") };
    assert_eq!(code(array.create_cpg(NOW, &huge)), 43);
    let upside_down = CreateCpg { growth_limit_mib: Some(8192), used_ld_warning_alert_mib: Some(9000), ..named("c1") };
    assert_eq!(array.create_cpg(NOW, &upside_down).unwrap_err(), ArrayError::warning_above_limit());
    assert_eq!(code(array.create_cpg(NOW, &named("FC_r6"))), 14);
}

#[test]
fn volumes_follow_a_renamed_cpg() {
    let mut array = array();
    array.create_cpg(NOW, &named("c1")).unwrap();
    let body = CreateVolume { snap_cpg: Some("c1".into()), ..CreateVolume::thin("v1", "c1", 1024) };
    array.create_volume(NOW, &body).unwrap();
    let rename = ModifyCpg { new_name: Some("c2".into()), ..ModifyCpg::default() };
    assert_eq!(array.modify_cpg(NOW, "c1", &rename).unwrap(), "c2");
    let row = array.volume_row("v1").unwrap();
    assert_eq!((row.user_cpg.unwrap().as_str(), row.snap_cpg.unwrap().as_str()), ("c2", "c2"));
    assert_eq!(array.cpg_row("c2").unwrap()["numTPVVs"], 1);
    assert_eq!(code(array.remove_cpg(NOW, "c2")), 34);
    array.create_cpg(NOW, &named("c1")).unwrap();
    array.remove_cpg(NOW, "c1").unwrap();
}

#[test]
fn limits_come_and_go() {
    let mut array = array();
    array.create_cpg(NOW, &named("c1")).unwrap();
    array.create_volume(NOW, &CreateVolume { tpvv: None, ..CreateVolume::thin("v1", "c1", 10_240) }).unwrap();
    let limit = |limit| ModifyCpg { growth_limit_mib: Some(limit), ..ModifyCpg::default() };
    assert_eq!(code(array.modify_cpg(NOW, "c1", &limit(8192))), 115);
    array.modify_cpg(NOW, "c1", &limit(20_480)).unwrap();
    assert_eq!(array.cpg_row("c1").unwrap()["SDGrowth"]["limitMiB"], 20_480);
    assert_eq!(array.cpg_row("c1").unwrap()["freeSpaceMiB"], 10_240);
    let both = ModifyCpg { rm_growth_limit: Some(true), ..limit(20_480) };
    assert_eq!(code(array.modify_cpg(NOW, "c1", &both)), 44);
    let remove = ModifyCpg { rm_growth_limit: Some(true), disable_auto_grow: Some(true), ..ModifyCpg::default() };
    array.modify_cpg(NOW, "c1", &remove).unwrap();
    let growth = array.cpg_row("c1").unwrap()["SDGrowth"].clone();
    assert_eq!((growth.get("limitMiB"), &growth["incrementMiB"]), (None, &json!(0)));
}

#[test]
fn the_space_reporter_counts_what_is_promised_and_what_is_there() {
    let mut array = array();
    let before = array.space_report(Some("FC_r6"), None).unwrap();
    array.create_volume(NOW, &CreateVolume::thin("v1", "FC_r6", 102_400)).unwrap();
    let after = array.space_report(Some("FC_r6"), None).unwrap();
    assert_eq!((before.virtual_mib, after.virtual_mib, after.used_mib), (0, 102_400, 0));
    assert!(after.raw_free_mib < before.raw_free_mib && after.usable_free_mib < after.raw_free_mib);
    assert_eq!(code(array.space_report(None, None)), 40);
    assert_eq!(code(array.space_report(Some("nix"), None)), 15);
    let mirrored = array.space_report(Some("FC_r6"), Some(&json!({"RAIDType": 2}))).unwrap();
    assert_eq!(mirrored.usable_free_mib, mirrored.raw_free_mib / 2);
    assert_eq!(array.total_capacity().allocated_mib(), array.class_capacity(DiskType::Fc).allocated_mib());
}
