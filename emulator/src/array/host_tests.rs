//! Hosts and sets, command by command.

use std::time::Duration;

use super::*;

const NOW: Duration = Duration::ZERO;
const WWN: &str = "10000090FA13C172";
const IQN: &str = "iqn.1994-05.com.redhat:h1";

fn array() -> Array {
    let mut array = Array::new(ArrayConfig::default());
    array.create_host(NOW, &CreateHost::iscsi("h1", &[IQN])).unwrap();
    array
}

fn code<T: std::fmt::Debug>(result: Result<T, ArrayError>) -> u32 {
    result.unwrap_err().code
}

#[test]
fn rows_show_paths_with_the_ports_they_are_logged_in_on() {
    let mut array = array();
    array.create_host(NOW, &CreateHost::fc("h2", &["10:00:00:90:fa:13:c1:72"])).unwrap();
    let row = |array: &Array, name: &str| serde_json::to_value(array.host_row(name).unwrap()).unwrap();
    assert_eq!(
        row(&array, "h2"),
        serde_json::json!({
            "id": 2, "name": "h2", "FCPaths": [{"wwn": WWN, "hostSpeed": 0}], "iSCSIPaths": [], "persona": 2,
            "initiatorChapEnabled": false, "targetChapEnabled": false,
        })
    );
    for port in ["0:2:1", "1:2:1"] {
        array.login(NOW, &Initiator::parse(IQN).unwrap(), port.parse().unwrap()).unwrap();
    }
    let paths = row(&array, "h1")["iSCSIPaths"].clone();
    assert_eq!(paths.as_array().unwrap().len(), 2);
    assert_eq!(paths[1]["portPos"], serde_json::json!({"node": 1, "slot": 2, "cardPort": 1}));
    assert_eq!(array.port_row("0:2:1".parse().unwrap()).unwrap().device, ["h1"]);
}

#[test]
fn a_path_belongs_to_one_host() {
    let mut array = array();
    let refusal = array.create_host(NOW, &CreateHost::iscsi("h2", &[&IQN.to_uppercase()])).unwrap_err();
    assert_eq!((refusal.code, refusal.status), (73, 409));
    assert_eq!(array.host_rows().len(), 1, "nothing is left of the refused host");
    let twice = CreateHost::fc("h2", &[WWN, "10:00:00:90:FA:13:C1:72"]);
    assert_eq!(code(array.create_host(NOW, &twice)), 98);
    array.remove_host(NOW, "h1").unwrap();
    array.create_host(NOW, &CreateHost::iscsi("h2", &[IQN])).unwrap();
    assert_eq!(array.hosts_with_paths(&[Initiator::parse(IQN).unwrap()])[0].name, "h2");
}

#[test]
fn create_checks_every_member() {
    let mut array = array();
    let good = CreateHost::iscsi("h2", &[]);
    assert_eq!(code(array.create_host(NOW, &CreateHost { name: None, ..good.clone() })), 40);
    assert_eq!(code(array.create_host(NOW, &CreateHost::iscsi("h1", &[]))), 16);
    assert_eq!(code(array.create_host(NOW, &CreateHost { persona: Some(13), ..good.clone() })), 46);
    assert_eq!(code(array.create_host(NOW, &CreateHost { domain: Some("nix".into()), ..good.clone() })), 38);
    assert_eq!(code(array.create_host(NOW, &CreateHost { fc_wwns: Some(vec![WWN.into()]), ..good })), 44);
    assert_eq!(code(array.create_host(NOW, &CreateHost::fc("h2", &["123"]))), 39);
    assert_eq!(code(array.create_host(NOW, &CreateHost::iscsi("h2", &[&"q".repeat(224)]))), 57);
}

#[test]
fn modify_paths_follows_the_rules_of_the_guide() {
    let mut array = array();
    let more = "iqn.1994-05.com.redhat:more";
    let paths = |operation: Option<i64>, iqn: &str| ModifyHost {
        path_operation: operation,
        iscsi_names: Some(vec![iqn.to_owned()]),
        ..ModifyHost::default()
    };
    assert_eq!(code(array.modify_host(NOW, "h1", &ModifyHost::default())), 78);
    assert_eq!(code(array.modify_host(NOW, "h1", &paths(None, more))), 78);
    assert_eq!(
        code(array.modify_host(NOW, "h1", &ModifyHost { path_operation: Some(1), ..ModifyHost::default() })),
        78
    );
    assert_eq!(code(array.modify_host(NOW, "h1", &paths(Some(3), more))), 46);
    assert_eq!(code(array.modify_host(NOW, "h1", &paths(Some(1), IQN))), 98);
    assert_eq!(code(array.modify_host(NOW, "h1", &paths(Some(2), more))), 80);
    let force_add = ModifyHost { force_path_removal: Some(true), ..paths(Some(1), more) };
    assert_eq!(code(array.modify_host(NOW, "h1", &force_add)), 44);
    array.modify_host(NOW, "h1", &paths(Some(1), more)).unwrap();
    assert_eq!(array.host("h1").unwrap().initiators.len(), 2);
    array.modify_host(NOW, "h1", &paths(Some(2), more)).unwrap();
    assert_eq!(array.host("h1").unwrap().initiators.len(), 1);
}

#[test]
fn a_path_in_use_is_removed_by_force_only() {
    let mut array = array();
    let session = array.login(NOW, &Initiator::parse(IQN).unwrap(), "0:2:1".parse().unwrap()).unwrap();
    array.create_volume(NOW, &CreateVolume::thin("v1", "FC_r6", 256)).unwrap();
    let lun = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 1, "h1")).unwrap().lun;
    let remove = ModifyHost { path_operation: Some(2), iscsi_names: Some(vec![IQN.into()]), ..ModifyHost::default() };
    assert_eq!(code(array.modify_host(NOW, "h1", &remove)), 26);
    let persona = ModifyHost { persona: Some(1), ..ModifyHost::default() };
    assert_eq!(code(array.modify_host(NOW, "h1", &persona)), 26);
    array.modify_host(NOW, "h1", &ModifyHost { force_path_removal: Some(true), ..remove }).unwrap();
    assert!(array.vpd83(session, lun).is_err(), "the initiator is nobody's now");
}

#[test]
fn chap_follows_the_rules_of_the_guide() {
    let mut array = array();
    let chap = |mode: i64, secret: &str| ModifyHost {
        chap_operation: Some(1),
        chap_operation_mode: Some(mode),
        chap_name: Some("user".into()),
        chap_secret: Some(secret.into()),
        ..ModifyHost::default()
    };
    let status = |result: Result<HostName, ArrayError>| result.unwrap_err().status;
    assert_eq!(status(array.modify_host(NOW, "h1", &chap(2, "target-secret"))), 404);
    assert_eq!(status(array.modify_host(NOW, "h1", &chap(1, "short"))), 400);
    array.modify_host(NOW, "h1", &chap(1, "initiator-sec")).unwrap();
    assert_eq!(status(array.modify_host(NOW, "h1", &chap(2, "initiator-sec"))), 409);
    array.modify_host(NOW, "h1", &chap(2, "target-secret")).unwrap();
    let row = array.host_row("h1").unwrap();
    assert!(row.initiator_chap_enabled && row.target_chap_enabled);
    assert_eq!(row.initiator_chap_name.as_deref(), Some("user"));
    let remove = ModifyHost { chap_operation: Some(2), ..ModifyHost::default() };
    assert_eq!(code(array.modify_host(NOW, "h1", &ModifyHost { chap_name: Some("x".into()), ..remove.clone() })), 44);
    assert!(!format!("{array:?}").contains("initiator-sec"), "secrets are not shown");
    array.modify_host(NOW, "h1", &remove).unwrap();
    assert_eq!(status(array.modify_host(NOW, "h1", &remove)), 404);
}

#[test]
fn a_rename_keeps_exports_and_sets() {
    let mut array = array();
    array.create_set(NOW, SetKind::Host, &CreateSet::new("cluster", &["h1"])).unwrap();
    array.create_host(NOW, &CreateHost::iscsi("h2", &[])).unwrap();
    let name = |text: &str| ModifyHost { new_name: Some(text.into()), ..ModifyHost::default() };
    assert_eq!(code(array.modify_host(NOW, "h1", &name("h2"))), 16);
    assert_eq!(array.modify_host(NOW, "h1", &name("h9")).unwrap(), "h9");
    assert_eq!(array.set_row(SetKind::Host, "cluster").unwrap().setmembers, ["h9"]);
    assert_eq!(code(array.remove_host(NOW, "h9")), 77);
}

#[test]
fn sets_check_their_members() {
    let mut array = array();
    assert_eq!(code(array.create_set(NOW, SetKind::Host, &CreateSet::new("s", &["nix"]))), 17);
    assert_eq!(code(array.create_set(NOW, SetKind::Volume, &CreateSet::new("s", &["nix"]))), 23);
    assert_eq!(code(array.create_set(NOW, SetKind::Host, &CreateSet::new(&"s".repeat(28), &[]))), 57);
    array.create_set(NOW, SetKind::Host, &CreateSet::new("s", &["h1"])).unwrap();
    let again = array.create_set(NOW, SetKind::Host, &CreateSet::new("s", &[])).unwrap_err();
    assert_eq!((again.code, again.status), (101, 400));
    array.create_set(NOW, SetKind::Volume, &CreateSet::new("s", &[])).unwrap();
    let change = |action: Option<i64>, member: &str| ModifySet {
        action,
        setmembers: Some(vec![member.to_owned()]),
        ..ModifySet::default()
    };
    let mut refusal = |body: &ModifySet| array.modify_set(NOW, SetKind::Host, "s", body).unwrap_err();
    assert_eq!(refusal(&change(Some(1), "h1")), ArrayError::member_in_set());
    assert_eq!(refusal(&change(None, "h1")).code, 78);
    assert_eq!(refusal(&ModifySet { new_name: Some("t".into()), ..change(Some(2), "h1") }).code, 44);
    array.modify_set(NOW, SetKind::Host, "s", &change(Some(2), "h1")).unwrap();
    let row = serde_json::to_value(array.set_row(SetKind::Host, "s").unwrap()).unwrap();
    assert!(row.get("setmembers").is_none(), "absent when empty");
    assert_eq!(
        array.modify_set(NOW, SetKind::Host, "s", &change(Some(2), "h1")).unwrap_err(),
        ArrayError::member_not_in_set()
    );
    assert_eq!(code(array.remove_set(NOW, SetKind::Host, "nix")), 102);
    assert_eq!(code(array.remove_set(NOW, SetKind::Host, "s*")), 69);
}
