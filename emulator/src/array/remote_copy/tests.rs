//! Two arrays and a group between them.

use super::super::*;
use super::*;

const NOW: Duration = Duration::from_secs(60);
/// When every task that was started at `NOW` is over.
const LATER: Duration = Duration::from_secs(600);

/// Two arrays that know each other as `there` and `here`, and the volume `v1` on the first one.
fn pair() -> (Array, Array) {
    let task_pace = TaskPace { at_least: Duration::from_secs(100), mib_per_second: 1 };
    let config = |system_id| ArrayConfig { system_id, task_pace, ..ArrayConfig::default() };
    let (mut here, mut there) = (Array::new(config(46_750)), Array::new(config(46_751)));
    here.add_rcopy_target("there", 46_751).unwrap();
    there.add_rcopy_target("here", 46_750).unwrap();
    here.create_volume(NOW, &CreateVolume::thin("v1", "FC_r6", 1024)).unwrap();
    for array in [&mut here, &mut there] {
        array.create_host(NOW, &CreateHost::iscsi("h1", &["iqn.1994-05.com.example:h1"])).unwrap();
    }
    (here, there)
}

fn partners(there: &mut Array) -> Partners<'_> {
    Partners::default().with("there", there)
}

fn group_body(mode: i64) -> CreateRcopyGroup {
    let target = CreateRcopyTarget {
        target_name: Some("there".into()),
        mode: Some(mode),
        user_cpg: Some("SSD_r6".into()),
        ..CreateRcopyTarget::default()
    };
    CreateRcopyGroup { name: Some("g1".into()), targets: Some(vec![target]), ..CreateRcopyGroup::default() }
}

fn admit_body(auto: bool) -> AdmitVolume {
    let target = AdmitRcopyTarget { target_name: Some("there".into()), sec_volume_name: Some("v1.mirror".into()) };
    AdmitVolume {
        volume_name: Some("v1".into()),
        targets: Some(vec![target]),
        volume_auto_creation: Some(auto),
        ..AdmitVolume::default()
    }
}

/// A pair with the group `g1` that holds `v1`, started and synchronised.
fn started(mode: i64) -> (Array, Array) {
    let (mut here, mut there) = pair();
    here.create_rcopy_group(&mut partners(&mut there), NOW, &group_body(mode)).unwrap();
    here.admit_volume(&mut partners(&mut there), NOW, "g1", &admit_body(true)).unwrap();
    here.start_rcopy_group(&mut partners(&mut there), NOW, "g1", &StartGroup::default()).unwrap();
    here.replicate(&mut partners(&mut there), LATER);
    (here, there)
}

/// Tries to write through the data path.
fn write(array: &mut Array, now: Duration, volume: &str, data: &[u8]) -> bool {
    let made = array.create_vlun(now, &CreateVlun::host_sees(volume, 1, "h1").auto()).unwrap();
    let initiator = Initiator::parse("iqn.1994-05.com.example:h1").unwrap();
    let session = array.login(now, &initiator, PortPos::new(0, 2, 1).unwrap()).unwrap();
    let done = array.write(now, session, made.lun, 0, data, None).is_ok();
    array.logout(now, session);
    array.remove_vlun(now, &made.address).unwrap();
    done
}

fn mirror_name() -> String {
    "g1.r46750".to_owned()
}

#[test]
fn a_group_is_made_on_both_sides() {
    let (mut here, mut there) = pair();
    here.create_rcopy_group(&mut partners(&mut there), NOW, &group_body(1)).unwrap();
    let row = here.rcopy_group_row("g1").unwrap();
    assert_eq!(
        (&row["role"], &row["targets"][0]["state"], &row["targets"][0]["mode"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(there.rcopy_group_row(&mirror_name()).unwrap()["role"], 2);
    assert_eq!(here.create_rcopy_group(&mut partners(&mut there), NOW, &group_body(1)).unwrap_err().code, 237);
    let refused = there.remove_rcopy_group(&mut Partners::default().with("here", &mut here), NOW, &mirror_name());
    assert_eq!(refused.unwrap_err(), ArrayError::rcopy_only_on_primary());
    here.remove_rcopy_group(&mut partners(&mut there), NOW, "g1").unwrap();
    assert_eq!(here.rcopy_group("g1").unwrap_err().code, 187);
    assert!(there.rcopy_group(&mirror_name()).is_err());
}

#[test]
fn a_group_needs_what_it_names() {
    let (mut here, mut there) = pair();
    let mut refused =
        |body: CreateRcopyGroup| here.create_rcopy_group(&mut partners(&mut there), NOW, &body).unwrap_err();
    assert_eq!(refused(CreateRcopyGroup { name: None, ..group_body(1) }).code, 40);
    assert_eq!(refused(CreateRcopyGroup { name: Some("g".repeat(25)), ..group_body(1) }).code, 57);
    assert_eq!(
        refused(CreateRcopyGroup { targets: None, ..group_body(1) }).desc,
        ArrayError::rcopy_target_not_specified().desc
    );
    assert_eq!(refused(group_body(9)).code, 46);
    let targets = group_body(1).targets.unwrap();
    let unknown = CreateRcopyTarget { target_name: Some("nix".into()), ..targets[0].clone() };
    assert_eq!(refused(CreateRcopyGroup { targets: Some(vec![unknown]), ..group_body(1) }).status, 404);
    let no_cpg = CreateRcopyTarget { user_cpg: Some("nix".into()), ..targets[0].clone() };
    assert_eq!(refused(CreateRcopyGroup { targets: Some(vec![no_cpg]), ..group_body(1) }).code, 15);
    let away = here.create_rcopy_group(&mut Partners::default(), NOW, &group_body(1)).unwrap_err();
    assert_eq!(away.code, ArrayError::rcopy_target_not_ready().code);
    assert!(there.rcopy_groups().next().is_none(), "a refusal leaves nothing on the other side");
}

#[test]
fn a_volume_belongs_to_one_group_and_is_guarded() {
    let (mut here, mut there) = pair();
    here.create_rcopy_group(&mut partners(&mut there), NOW, &group_body(1)).unwrap();
    let empty = here.start_rcopy_group(&mut partners(&mut there), NOW, "g1", &StartGroup::default()).unwrap_err();
    assert_eq!(empty, ArrayError::rcopy_group_empty());
    let missing = here.admit_volume(&mut partners(&mut there), NOW, "g1", &admit_body(false)).unwrap_err();
    assert_eq!(missing.code, 23);
    here.admit_volume(&mut partners(&mut there), NOW, "g1", &admit_body(true)).unwrap();
    assert_eq!(there.volume_row("v1.mirror").unwrap().user_cpg.unwrap(), "SSD_r6");
    let again = here.admit_volume(&mut partners(&mut there), NOW, "g1", &admit_body(true)).unwrap_err();
    assert_eq!(again.status, 409);
    assert_eq!(here.remove_volume(NOW, "v1").unwrap_err().code, 34);
    let rename = ModifyVolume { new_name: Some("v2".into()), ..ModifyVolume::default() };
    assert_eq!(here.modify_volume(NOW, "v1", &rename).unwrap_err().code, 120);
    assert!(!write(&mut there, NOW, "v1.mirror", b"no"), "hosts do not write to a mirror");
    here.dismiss_volume(&mut partners(&mut there), NOW, "g1", "v1", true).unwrap();
    assert!(there.volume("v1.mirror").is_err());
    here.remove_volume(NOW, "v1").unwrap();
}

#[test]
fn a_started_group_mirrors_every_write() {
    let (mut here, mut there) = started(1);
    let row = here.rcopy_group_row("g1").unwrap();
    assert_eq!(
        (&row["targets"][0]["state"], &row["volumes"][0]["remoteVolumes"][0]["syncStatus"]),
        (&3.into(), &3.into())
    );
    let other = there.rcopy_group_row(&mirror_name()).unwrap();
    assert_eq!(
        (&other["targets"][0]["state"], &other["volumes"][0]["remoteVolumes"][0]["syncStatus"]),
        (&3.into(), &3.into())
    );
    assert!(write(&mut here, LATER, "v1", b"one"));
    assert!(here.has_replication_waiting());
    here.replicate(&mut partners(&mut there), LATER);
    assert!(!here.has_replication_waiting());
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"one");
    let twice = here.start_rcopy_group(&mut partners(&mut there), LATER, "g1", &StartGroup::default()).unwrap_err();
    assert_eq!(twice.code, 215);
    assert_eq!(here.remove_rcopy_group(&mut partners(&mut there), LATER, "g1").unwrap_err().code, 215);
    here.stop_rcopy_group(&mut partners(&mut there), LATER, "g1", &StopGroup::default()).unwrap();
    assert_eq!(here.rcopy_group_row("g1").unwrap()["targets"][0]["state"], 5);
    assert!(write(&mut here, LATER, "v1", b"two"));
    here.replicate(&mut partners(&mut there), LATER);
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"one", "a stopped group mirrors nothing");
}

#[test]
fn a_periodic_group_synchronises_when_its_time_has_come() {
    let (mut here, mut there) = started(3);
    let period =
        CreateRcopyTarget { target_name: Some("there".into()), sync_period: Some(300), ..CreateRcopyTarget::default() };
    let body = ModifyRcopyGroup { targets: Some(vec![period]), ..ModifyRcopyGroup::default() };
    here.modify_rcopy_group(&mut partners(&mut there), LATER, "g1", &body).unwrap();
    assert!(write(&mut here, LATER, "v1", b"one"));
    let task = here.sync_rcopy_group(&mut partners(&mut there), LATER, "g1", None).unwrap();
    assert_eq!(here.task(task[0]).unwrap().kind.cli_word(), "remote_copy_sync");
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"one");
    let done = LATER + Duration::from_secs(101);
    here.replicate(&mut partners(&mut there), done);
    assert!(write(&mut here, done, "v1", b"two"));
    here.replicate(&mut partners(&mut there), done);
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"one", "not before its time");
    here.replicate(&mut partners(&mut there), done + Duration::from_secs(300));
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"two");
}

#[test]
fn after_a_failover_the_other_side_is_written_and_data_comes_back() {
    let (mut here, mut there) = started(1);
    let recover = |array: &mut Array, partner: Partners<'_>, name: &str, action, now| {
        let mut partner = partner;
        array.recover_rcopy_group(&mut partner, now, name, action, &RecoverGroup::default())
    };
    let reachable = recover(
        &mut there,
        Partners::default().with("here", &mut here),
        &mirror_name(),
        RecoveryAction::ChangeToPrimary,
        LATER,
    );
    assert_eq!(reachable.unwrap_err(), ArrayError::rcopy_group_not_stopped());
    // The first array is gone: the second one takes over.
    recover(&mut there, Partners::default(), &mirror_name(), RecoveryAction::ChangeToPrimary, LATER).unwrap();
    let row = there.rcopy_group_row(&mirror_name()).unwrap();
    assert_eq!((&row["role"], &row["roleReversed"]), (&1.into(), &true.into()));
    assert!(write(&mut there, LATER, "v1.mirror", b"new"));
    // It is back: it becomes the mirror and gets what was written meanwhile.
    here.stop_rcopy_group(&mut Partners::default(), LATER, "g1", &StopGroup::default()).unwrap();
    recover(
        &mut there,
        Partners::default().with("here", &mut here),
        &mirror_name(),
        RecoveryAction::ChangeToSecondary,
        LATER,
    )
    .unwrap();
    assert_eq!(here.peek("v1", 0, 3).unwrap(), b"new");
    assert!(!write(&mut here, LATER, "v1", b"no"));
    there.replicate(&mut Partners::default().with("here", &mut here), 2 * LATER);
    // Both sides become again what they were.
    let stop = there.stop_rcopy_group(
        &mut Partners::default().with("here", &mut here),
        2 * LATER,
        &mirror_name(),
        &StopGroup::default(),
    );
    stop.unwrap();
    recover(
        &mut there,
        Partners::default().with("here", &mut here),
        &mirror_name(),
        RecoveryAction::ChangeToNaturalDirection,
        2 * LATER,
    )
    .unwrap();
    let row = here.rcopy_group_row("g1").unwrap();
    assert_eq!(
        (&row["role"], &row["roleReversed"], &row["targets"][0]["state"]),
        (&1.into(), &false.into(), &3.into())
    );
    assert!(write(&mut here, 2 * LATER, "v1", b"end"));
    here.replicate(&mut partners(&mut there), 2 * LATER);
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"end");
}

#[test]
fn a_switchover_loses_nothing() {
    let (mut here, mut there) = started(1);
    assert!(write(&mut here, LATER, "v1", b"one"));
    here.recover_rcopy_group(&mut partners(&mut there), LATER, "g1", RecoveryAction::Migrate, &RecoverGroup::default())
        .unwrap();
    assert!(!write(&mut here, LATER, "v1", b"no"));
    assert_eq!(there.peek("v1.mirror", 0, 3).unwrap(), b"one");
    assert!(write(&mut there, LATER, "v1.mirror", b"two"));
    there.replicate(&mut Partners::default().with("here", &mut here), LATER);
    assert_eq!(here.peek("v1", 0, 3).unwrap(), b"two");
}

#[test]
fn a_group_stops_when_its_partner_is_lost() {
    let (mut here, there) = started(1);
    drop(there);
    assert!(write(&mut here, LATER, "v1", b"one"));
    here.replicate(&mut Partners::default(), LATER);
    assert_eq!(here.rcopy_group_row("g1").unwrap()["targets"][0]["state"], 5);
}
