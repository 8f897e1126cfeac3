//! Copies, promotions and conversions, rule by rule.

use std::time::Duration;

use super::super::*;

const NOW: Duration = Duration::from_secs(60);
/// When every task that was started at `NOW` is over.
const LATER: Duration = Duration::from_secs(600);

fn thin(name: &str) -> CreateVolume {
    CreateVolume { snap_cpg: Some("FC_r6".into()), ..CreateVolume::thin(name, "FC_r6", 1024) }
}

/// An array with the volume `v1`, whose copies take 100 seconds.
fn array() -> Array {
    let task_pace = TaskPace { at_least: Duration::from_secs(100), mib_per_second: 1000 };
    let mut array = Array::new(ArrayConfig { task_pace, ..ArrayConfig::default() });
    array.create_volume(NOW, &thin("v1")).unwrap();
    array.create_host(NOW, &CreateHost::iscsi("h1", &["iqn.1994-05.com.example:h1"])).unwrap();
    array
}

/// Writes through the data path.
fn write(array: &mut Array, now: Duration, volume: &str, data: &[u8]) {
    let made = array.create_vlun(now, &CreateVlun::host_sees(volume, 1, "h1").auto()).unwrap();
    let initiator = Initiator::parse("iqn.1994-05.com.example:h1").unwrap();
    let session = array.login(now, &initiator, PortPos::new(0, 2, 1).unwrap()).unwrap();
    array.write(now, session, made.lun, 0, data, None).unwrap();
    array.logout(now, session);
    array.remove_vlun(now, &made.address).unwrap();
}

fn code<T: std::fmt::Debug>(result: Result<T, ArrayError>) -> u32 {
    result.unwrap_err().code
}

fn row(array: &Array, volume: &str) -> serde_json::Value {
    serde_json::to_value(array.volume_row(volume).unwrap()).unwrap()
}

fn snap(array: &mut Array, of: &str, name: &str) {
    array.create_snapshot(NOW, of, &CreateSnapshot::named(name)).unwrap();
}

#[test]
fn a_snapshot_needs_a_snapshot_cpg_before_primera() {
    let mut array = array();
    array.create_volume(NOW, &CreateVolume::thin("bare", "FC_r6", 256)).unwrap();
    let refused = array.create_snapshot(NOW, "bare", &CreateSnapshot::named("s")).unwrap_err();
    assert_eq!(refused, ArrayError::no_snap_cpg());
    let mut primera = Array::new(ArrayConfig { personality: Personality::Primera4_2, ..ArrayConfig::default() });
    primera.create_volume(NOW, &CreateVolume::thin("bare", "FC_r6", 256)).unwrap();
    primera.create_snapshot(NOW, "bare", &CreateSnapshot::named("s")).unwrap();
}

#[test]
fn a_tree_of_snapshots_is_taken_down_from_its_leaves() {
    let mut array = array();
    array.create_snapshot(NOW, "v1", &CreateSnapshot::named("ro").read_only()).unwrap();
    let again = array.create_snapshot(NOW, "ro", &CreateSnapshot::named("ro2").read_only());
    assert_eq!(again.unwrap_err(), ArrayError::read_only_of_read_only());
    snap(&mut array, "ro", "rw");
    assert_eq!(row(&array, "rw")["baseId"], row(&array, "v1")["id"]);
    assert_eq!(code(array.remove_volume(NOW, "v1")), 25);
    assert_eq!(code(array.remove_volume(NOW, "ro")), 32);
    for name in ["rw", "ro", "v1"] {
        array.remove_volume(NOW, name).unwrap();
    }
}

#[test]
fn names_may_be_patterns_and_copies_go_into_a_set() {
    let mut array = array();
    let body = CreateSnapshot { add_to_set: Some("copies".into()), ..CreateSnapshot::named("@vvname@.@y@@m@@d@") };
    assert_eq!(array.create_snapshot(NOW, "v1", &body).unwrap(), "v1.20260101");
    assert_eq!(array.set_row(SetKind::Volume, "copies").unwrap().setmembers, ["v1.20260101"]);
    assert_eq!(code(array.remove_volume(NOW, "v1.20260101")), 34);
    assert_eq!(code(array.create_snapshot(NOW, "v1", &CreateSnapshot::named("x@nix@"))), 69);
}

#[test]
fn a_group_is_copied_as_a_whole_or_not_at_all() {
    let mut array = array();
    array.create_volume(NOW, &thin("v2")).unwrap();
    array.create_set(NOW, SetKind::Volume, &CreateSet::new("vs", &["v1", "v2"])).unwrap();
    let names = array.create_set_snapshot(NOW, "vs", &CreateSnapshot::named("s@count@")).unwrap();
    assert_eq!(names.iter().map(VolumeName::as_str).collect::<Vec<_>>(), ["s0", "s1"]);
    assert_ne!(array.volume("s0").unwrap().wwn, array.volume("s1").unwrap().wwn);
    let same = array.create_set_snapshot(NOW, "vs", &CreateSnapshot::named("same")).unwrap_err();
    assert_eq!(same, ArrayError::duplicate_name().with_ref("name"));
    assert!(array.volume("same").is_err());
    let member = |of: &str, name: &str| GroupSnapshotMember {
        volume_name: Some(of.into()),
        snapshot_name: Some(name.into()),
        ..GroupSnapshotMember::default()
    };
    let group =
        GroupSnapshot { volume_group: Some(vec![member("v1", "a"), member("nix", "b")]), ..GroupSnapshot::default() };
    assert_eq!(code(array.create_group_snapshot(NOW, &group)), 23);
    assert!(array.volume("a").is_err());
}

#[test]
fn promotion_brings_the_old_data_back() {
    let mut array = array();
    write(&mut array, NOW, "v1", b"old");
    snap(&mut array, "v1", "s1");
    write(&mut array, NOW, "v1", b"new");
    let task = array.promote_snapshot(NOW, "s1", &PromoteSnapshot::default()).unwrap();
    assert_eq!(row(&array, "v1")["additionalStates"], serde_json::json!([12]));
    assert_eq!(array.peek("v1", 0, 3).unwrap(), b"new");
    assert_eq!(array.promote_snapshot(NOW, "s1", &PromoteSnapshot::default()).unwrap_err().status, 409);
    array.advance(LATER);
    assert_eq!(u8::from(array.task(task).unwrap().status), 1);
    assert_eq!(array.peek("v1", 0, 3).unwrap(), b"old");
    assert_eq!(row(&array, "v1")["additionalStates"], serde_json::json!([]));
}

#[test]
fn promotion_has_its_rules() {
    let mut array = array();
    snap(&mut array, "v1", "s1");
    let promote = |array: &mut Array, name: &str, body: &PromoteSnapshot| array.promote_snapshot(NOW, name, body);
    let online = PromoteSnapshot { online: Some(true), ..PromoteSnapshot::default() };
    let both = PromoteSnapshot { priority: Some(1), ..online.clone() };
    assert_eq!(code(promote(&mut array, "s1", &both)), 44);
    assert_eq!(promote(&mut array, "v1", &online).unwrap_err(), ArrayError::base_volume());
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    assert_eq!(promote(&mut array, "s1", &PromoteSnapshot::default()).unwrap_err(), ArrayError::volume_exported());
    promote(&mut array, "s1", &online).unwrap();
    array.stop_promotion(NOW, "s1").unwrap();
    assert_eq!(code(array.stop_promotion(NOW, "s1")), 185);
    array.grow_volume(NOW, "v1", 256).unwrap();
    assert_eq!(promote(&mut array, "s1", &online).unwrap_err(), ArrayError::parent_size_has_increased());
}

#[test]
fn what_is_written_during_an_online_promotion_stays() {
    let mut array = array();
    write(&mut array, NOW, "v1", b"old");
    snap(&mut array, "v1", "s1");
    let online = PromoteSnapshot { online: Some(true), ..PromoteSnapshot::default() };
    array.promote_snapshot(NOW, "s1", &online).unwrap();
    write(&mut array, NOW, "v1", b"new");
    array.advance(LATER);
    assert_eq!(array.peek("v1", 0, 3).unwrap(), b"new");
}

#[test]
fn an_offline_copy_fills_a_volume_that_is_there() {
    let mut array = array();
    write(&mut array, NOW, "v1", b"old");
    array.create_volume(NOW, &thin("v2")).unwrap();
    let body = CreatePhysicalCopy { save_snapshot: Some(true), ..CreatePhysicalCopy::offline("v2") };
    array.create_physical_copy(NOW, "v1", &body).unwrap();
    assert_eq!(row(&array, "v2")["additionalStates"], serde_json::json!([13]));
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::host_sees("v2", 5, "h1"))), 97);
    assert_eq!(array.remove_volume(NOW, "v2").unwrap_err().status, 409);
    assert_eq!(code(array.remove_volume(NOW, "v1")), 25, "it has the virtual copy that the copy is made from");
    // The copy is of the moment at which it was started.
    write(&mut array, NOW, "v1", b"new");
    array.advance(LATER);
    assert_eq!(array.peek("v2", 0, 3).unwrap(), b"old");
    assert_eq!(row(&array, "v2")["copyType"], 2);
    array.resync_physical_copy(LATER, "v2").unwrap();
    array.advance(2 * LATER);
    assert_eq!(array.peek("v2", 0, 3).unwrap(), b"new");
    array.promote_physical_copy(2 * LATER, "v2").unwrap();
    assert_eq!(row(&array, "v2")["copyType"], 1);
    assert_eq!(array.volumes().count(), 2, "nothing is left of the virtual copies in between");
}

#[test]
fn an_offline_copy_has_its_rules() {
    let mut array = array();
    array.create_volume(NOW, &CreateVolume { size_mib: Some(256), ..thin("small") }).unwrap();
    snap(&mut array, "v1", "s1");
    let copy = |array: &mut Array, body: &CreatePhysicalCopy| array.create_physical_copy(NOW, "v1", body).unwrap_err();
    let offline = CreatePhysicalCopy::offline;
    assert_eq!(copy(&mut array, &offline("nix")).code, 23);
    assert_eq!(copy(&mut array, &offline("v1")), ArrayError::copy_to_self());
    assert_eq!(copy(&mut array, &offline("s1")), ArrayError::non_base_volume());
    assert_eq!(copy(&mut array, &offline("small")), ArrayError::copy_parent_too_big());
    let with_cpg = CreatePhysicalCopy { dest_cpg: Some("FC_r6".into()), ..offline("small") };
    assert_eq!(copy(&mut array, &with_cpg).code, 44);
    assert_eq!(copy(&mut array, &CreatePhysicalCopy::default()).code, 40);
    assert_eq!(array.stop_physical_copy(NOW, "small").unwrap_err(), ArrayError::non_existent_copy());
    assert_eq!(array.resync_physical_copy(NOW, "small").unwrap_err(), ArrayError::non_existent_copy());
}

#[test]
fn a_stopped_offline_copy_leaves_a_base_volume() {
    let mut array = array();
    write(&mut array, NOW, "v1", b"old");
    array.create_volume(NOW, &thin("v2")).unwrap();
    array.create_physical_copy(NOW, "v1", &CreatePhysicalCopy::offline("v2")).unwrap();
    array.stop_physical_copy(NOW, "v2").unwrap();
    assert_eq!((&row(&array, "v2")["copyType"], array.peek("v2", 0, 3).unwrap()), (&1.into(), vec![0; 3]));
    array.remove_volume(NOW, "v2").unwrap();
    array.remove_volume(NOW, "v1").unwrap();
}

#[test]
fn an_online_copy_can_be_used_at_once_and_hangs_below_two_snapshots_meanwhile() {
    let mut array = array();
    write(&mut array, NOW, "v1", b"old");
    let started = array.create_physical_copy(NOW, "v1", &CreatePhysicalCopy::online("v2", "SSD_r6")).unwrap();
    assert_eq!(array.peek("v2", 0, 3).unwrap(), b"old");
    let parent = |array: &Array, name: &str| row(array, name)["copyOf"].as_str().unwrap_or_default().to_owned();
    let (second, first) = (parent(&array, "v2"), parent(&array, &parent(&array, "v2")));
    assert_eq!(parent(&array, &first), "v1");
    assert_ne!(second, first);
    assert_eq!(code(array.remove_volume(NOW, "v2")), 29);
    assert_eq!(code(array.remove_volume(NOW, "v1")), 25);
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 5, "h1")).unwrap();
    array.advance(LATER);
    assert_eq!(u8::from(array.task(started.task).unwrap().status), 1);
    assert_eq!((row(&array, "v2").get("copyOf"), array.volumes().count()), (None, 2));
    assert_eq!(row(&array, "v2")["userCPG"], "SSD_r6");
    array.remove_volume(LATER, "v1").unwrap();
}

#[test]
fn a_cancelled_online_copy_is_cleared_away_as_clients_do() {
    let mut array = array();
    let started = array.create_physical_copy(NOW, "v1", &CreatePhysicalCopy::online("v2", "FC_r6")).unwrap();
    array.cancel_task(NOW, started.task).unwrap();
    let second = row(&array, "v2")["copyOf"].as_str().unwrap().to_owned();
    let first = row(&array, &second)["copyOf"].as_str().unwrap().to_owned();
    for name in ["v2", &second, &first, "v1"] {
        array.remove_volume(NOW, name).unwrap();
    }
}

#[test]
fn a_volume_moves_and_converts() {
    let mut array = array();
    let tune = |array: &mut Array, body: &TuneVolume| array.tune_volume(NOW, "v1", body);
    assert_eq!(code(tune(&mut array, &TuneVolume::default())), 40);
    let to_ssd = TuneVolume { tune_operation: Some(1), user_cpg: Some("SSD_r6".into()), ..TuneVolume::default() };
    tune(&mut array, &to_ssd).unwrap();
    assert_eq!(code(tune(&mut array, &to_ssd)), 151);
    assert_eq!(code(array.grow_volume(NOW, "v1", 256)), 151);
    assert_eq!(code(array.remove_volume(NOW, "v1")), 151);
    array.advance(LATER);
    assert_eq!(row(&array, "v1")["userCPG"], "SSD_r6");
    assert_eq!(
        (array.cpg_row("FC_r6").unwrap()["numTPVVs"].clone(), array.cpg_row("SSD_r6").unwrap()["numTPVVs"].clone()),
        (0.into(), 1.into())
    );

    let dedup = TuneVolume { conversion_operation: Some(3), ..to_ssd };
    array.create_snapshot(LATER, "v1", &CreateSnapshot::named("s1")).unwrap();
    let refused = array.tune_volume(LATER, "v1", &dedup).unwrap_err();
    assert!(refused.code == 40 && refused.desc.contains("keepVV"), "clients look for both: {refused:?}");
    let keeping = TuneVolume { keep_vv: Some("former".into()), ..dedup };
    array.tune_volume(LATER, "v1", &keeping).unwrap();
    array.advance(2 * LATER);
    assert_eq!(row(&array, "v1")["provisioningType"], 6);
    assert_eq!(
        (&row(&array, "former")["provisioningType"], &row(&array, "s1")["copyOf"]),
        (&2.into(), &"former".into())
    );
    array.remove_volume(2 * LATER, "v1").unwrap();
}

#[test]
fn a_snapshot_is_brought_up_to_date() {
    let mut array = array();
    write(&mut array, NOW, "v1", b"old");
    snap(&mut array, "v1", "s1");
    write(&mut array, NOW, "v1", b"new");
    let (wwn, names) = (array.volume("s1").unwrap().wwn.clone(), ["s1".to_owned()]);
    array.update_snapshots(NOW, &names, true).unwrap();
    assert_eq!((array.peek("s1", 0, 3).unwrap(), &array.volume("s1").unwrap().wwn), (b"new".to_vec(), &wwn));
    assert!(array.volume("s1").unwrap().read_only);
    assert_eq!(array.update_snapshots(NOW, &["v1".to_owned()], false).unwrap_err(), ArrayError::base_volume());
}

#[test]
fn retention_is_made_longer_but_not_shorter() {
    let mut array = array();
    let kept = CreateSnapshot { retention_hours: Some(10), ..CreateSnapshot::named("s1") };
    array.create_snapshot(NOW, "v1", &kept).unwrap();
    assert_eq!(array.remove_volume(NOW, "s1").unwrap_err(), ArrayError::retained());
    let hours = |hours| ModifyVolume { retention_hours: Some(hours), ..ModifyVolume::default() };
    assert_eq!(array.modify_volume(NOW, "s1", &hours(5)).unwrap_err().status, 403);
    array.modify_volume(NOW, "s1", &hours(20)).unwrap();
    let expiring = ModifyVolume { expiration_hours: Some(10), ..ModifyVolume::default() };
    assert_eq!(array.modify_volume(NOW, "s1", &expiring).unwrap_err(), ArrayError::retention_above_expiration());
}

#[test]
fn space_follows_what_is_written() {
    let mut array = array();
    assert_eq!(row(&array, "v1")["userSpace"]["usedMiB"], 0);
    write(&mut array, NOW, "v1", &[1; 4096]);
    assert_eq!(row(&array, "v1")["userSpace"]["usedMiB"], 1);
    assert_eq!(array.cpg_row("FC_r6").unwrap()["UsrUsage"]["usedMiB"], 512);
    snap(&mut array, "v1", "s1");
    write(&mut array, NOW, "v1", &[2; 4096]);
    assert_eq!(row(&array, "v1")["snapshotSpace"]["usedMiB"], 1);
    array.remove_volume(NOW, "s1").unwrap();
    assert_eq!(row(&array, "v1")["snapshotSpace"]["usedMiB"], 0);
    array.remove_volume(NOW, "v1").unwrap();
    assert_eq!(array.cpg_row("FC_r6").unwrap()["UsrUsage"]["usedMiB"], 0);
}
