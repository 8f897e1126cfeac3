//! VLUN rules one by one; random sequences of commands are in `properties`.

use std::time::Duration;

use super::*;
use crate::array::{
    Array, ArrayConfig, CreateHost, CreateSet, CreateVolume, EventKind, InflightPolicy, ModifySet, ModifyVolume,
    PolicyChange, SecondLun, SetKind,
};

const NOW: Duration = Duration::ZERO;

fn port(text: &str) -> PortPos {
    text.parse().unwrap()
}

fn iqn(host: &str) -> String {
    format!("iqn.1994-05.com.redhat:{host}")
}

/// An array with the volumes v1 and v2 and the iSCSI hosts h1 and h2.
fn array_with(config: ArrayConfig) -> Array {
    let mut array = Array::new(config);
    for volume in ["v1", "v2"] {
        array.create_volume(NOW, &CreateVolume::thin(volume, "FC_r6", 1024)).unwrap();
    }
    for host in ["h1", "h2"] {
        array.create_host(NOW, &CreateHost::iscsi(host, &[&iqn(host)])).unwrap();
    }
    array
}

fn array() -> Array {
    array_with(ArrayConfig::default())
}

fn log_in(array: &mut Array, host: &str, at: &str) -> crate::datapath::SessionId {
    array.login(NOW, &Initiator::parse(&iqn(host)).unwrap(), port(at)).unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T, ArrayError>) -> u32 {
    result.unwrap_err().code
}

#[test]
fn a_template_becomes_active_on_every_logged_in_path() {
    let mut array = array();
    log_in(&mut array, "h1", "0:2:1");
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    log_in(&mut array, "h1", "1:2:1");
    log_in(&mut array, "h1", "1:2:1");
    log_in(&mut array, "h2", "0:2:1");
    let rows = array.vlun_rows(&VlunFilter::default());
    let places: Vec<_> = rows.iter().map(|r| (r.active, r.port_pos.map(|p| p.to_string()))).collect();
    assert_eq!(places, [(false, None), (true, Some("0:2:1".into())), (true, Some("1:2:1".into()))]);
    assert_eq!(rows[1].remote_name.as_deref(), Some(iqn("h1").as_str()));

    array.remove_vlun(NOW, &VlunAddress::host_sees("v1", 5, "h1")).unwrap();
    assert!(array.vlun_rows(&VlunFilter::default()).is_empty());
}

#[test]
fn rows_look_like_those_of_a_real_array() {
    let mut array = array();
    log_in(&mut array, "h1", "0:2:1");
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    let rows = serde_json::to_value(array.vlun_rows(&VlunFilter::default())).unwrap();
    assert_eq!(
        rows[0],
        serde_json::json!({
            "lun": 5, "volumeName": "v1", "hostname": "h1", "type": 3, "volumeWWN": "60002AC000000000000000010000B69E",
            "multipathing": 1, "failedPathPol": 1, "failedPathInterval": 0, "active": false,
        })
    );
    assert_eq!(rows[1]["portPos"], serde_json::json!({"node": 0, "slot": 2, "cardPort": 1}));
    assert_eq!(rows[1]["remoteName"], iqn("h1"));
}

#[test]
fn a_matched_set_is_active_on_its_port_only_and_needs_the_port_to_go() {
    let mut array = array();
    log_in(&mut array, "h1", "0:2:1");
    log_in(&mut array, "h1", "1:2:1");
    let made = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1").on_port(port("1:2:1"))).unwrap();
    assert_eq!(made.address.to_string(), "v1,5,h1,1:2:1");
    assert!(made.has_active_paths);
    assert_eq!(array.vlun_rows(&VlunFilter { active: Some(true), ..VlunFilter::default() }).len(), 1);
    assert_eq!(code(array.remove_vlun(NOW, &VlunAddress::host_sees("v1", 5, "h1"))), 19);
    array.remove_vlun(NOW, &made.address).unwrap();
    assert_eq!(array.vlun_template_count(), 0);
}

#[test]
fn port_presents_reaches_hosts_nobody_defined() {
    let mut array = array();
    let stranger = Initiator::parse("iqn.2000-01.org.example:stranger").unwrap();
    array.login(NOW, &stranger, port("0:2:2")).unwrap();
    let body = CreateVlun { hostname: None, ..CreateVlun::host_sees("v1", 5, "").on_port(port("0:2:2")) };
    let made = array.create_vlun(NOW, &body).unwrap();
    assert_eq!((made.kind, made.address.to_string().as_str()), (VlunKind::Port, "v1,5,,0:2:2"));
    let rows = array.vlun_rows(&VlunFilter::volume("v1"));
    assert_eq!((rows[1].active, rows[1].hostname.clone()), (true, None));
    array.remove_vlun(NOW, &"v1,5,,0:2:2".parse().unwrap()).unwrap();
}

#[test]
fn a_host_set_follows_its_members() {
    let mut array = array();
    array.create_set(NOW, SetKind::Host, &CreateSet::new("cluster", &["h1"])).unwrap();
    log_in(&mut array, "h1", "0:2:1");
    log_in(&mut array, "h2", "0:2:1");
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "set:cluster")).unwrap();
    let active = |array: &Array| {
        let rows = array.vlun_rows(&VlunFilter { active: Some(true), ..VlunFilter::default() });
        rows.into_iter().filter_map(|r| r.hostname).collect::<Vec<_>>()
    };
    assert_eq!(active(&array), ["h1"]);
    let both = ModifySet { action: Some(1), setmembers: Some(vec!["h2".into()]), ..ModifySet::default() };
    array.modify_set(NOW, SetKind::Host, "cluster", &both).unwrap();
    assert_eq!(active(&array), ["h1", "h2"]);
    assert_eq!(array.vlun_rows(&VlunFilter::host("set:cluster")).len(), 1);
    assert_eq!(code(array.remove_set(NOW, SetKind::Host, "cluster")), 26);
    assert_eq!(code(array.remove_host(NOW, "h1")), 77);
    array.remove_vlun(NOW, &VlunAddress::host_sees("v1", 5, "set:cluster")).unwrap();
    array.remove_set(NOW, SetKind::Host, "cluster").unwrap();
}

#[test]
fn a_new_member_may_not_have_the_lun_already() {
    let mut array = array();
    array.create_set(NOW, SetKind::Host, &CreateSet::new("cluster", &["h1"])).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "set:cluster")).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 5, "h2")).unwrap();
    let both = ModifySet { action: Some(1), setmembers: Some(vec!["h2".into()]), ..ModifySet::default() };
    assert_eq!(code(array.modify_set(NOW, SetKind::Host, "cluster", &both)), 18);
    assert_eq!(array.set_row(SetKind::Host, "cluster").unwrap().setmembers, ["h1"]);
}

#[test]
fn a_lun_is_one_volume_per_host() {
    let mut array = array();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1"))), 18);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::host_sees("v2", 5, "h1"))), 18);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::host_sees("v2", 5, "h1").on_port(port("0:2:1")))), 18);
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 5, "h2")).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 6, "h1")).unwrap();
}

#[test]
fn an_overlap_needs_a_higher_rank_and_the_override() {
    let mut array = array();
    let session = log_in(&mut array, "h1", "0:2:1");
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    let matched = CreateVlun::host_sees("v2", 5, "h1").on_port(port("0:2:1"));
    assert_eq!(code(array.create_vlun(NOW, &matched)), 18);
    let overriding = CreateVlun { override_lower_priority: Some(true), ..matched };
    let made = array.create_vlun(NOW, &overriding).unwrap();
    let wwn = |array: &Array, volume: &str| array.volume(volume).unwrap().wwn.clone();
    assert_eq!(array.vpd83(session, made.lun).unwrap(), wwn(&array, "v2"));
    let active = array.vlun_rows(&VlunFilter { active: Some(true), ..VlunFilter::default() });
    assert_eq!(active.iter().map(|r| r.volume_name.as_str()).collect::<Vec<_>>(), ["v2"]);
    array.remove_vlun(NOW, &made.address).unwrap();
    assert_eq!(array.vpd83(session, made.lun).unwrap(), wwn(&array, "v1"));
}

#[test]
fn one_volume_may_have_one_lun_per_port() {
    let mut array = array();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 0, "h1").on_port(port("0:2:1"))).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 1, "h1").on_port(port("0:2:2"))).unwrap();
    assert_eq!(array.vlun_template_count(), 2);
}

#[test]
fn a_second_lun_on_the_same_path_is_a_setting() {
    let mut lenient = array();
    lenient.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    lenient.create_vlun(NOW, &CreateVlun::host_sees("v1", 6, "h1")).unwrap();
    let mut strict = array_with(ArrayConfig { second_lun: SecondLun::Refuse, ..ArrayConfig::default() });
    strict.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    assert_eq!(code(strict.create_vlun(NOW, &CreateVlun::host_sees("v1", 6, "h1"))), 18);
}

#[test]
fn the_array_chooses_the_lowest_free_lun_of_the_range() {
    let mut array = array();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 253, "h1")).unwrap();
    let auto = CreateVlun::host_sees("v2", 253, "h1").auto();
    assert_eq!(array.create_vlun(NOW, &auto).unwrap().lun.get(), 255, "253 is taken, 254 is the enclosure's");
    let narrow = CreateVlun { max_auto_lun: Some(254), ..auto };
    let refusal = array.create_vlun(NOW, &narrow).unwrap_err();
    assert_eq!((refusal.status, refusal.is_provisional()), (409, true));
}

#[test]
fn one_host_admits_no_second_host() {
    let mut array = array();
    let policies = Some(PolicyChange { one_host: Some(true), ..PolicyChange::default() });
    array.modify_volume(NOW, "v1", &ModifyVolume { policies, ..ModifyVolume::default() }).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1").on_port(port("0:2:1"))).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1").on_port(port("0:2:2"))).unwrap();
    let refusal = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h2")).unwrap_err();
    assert_eq!(refusal, ArrayError::one_host_policy());
    let body = CreateVlun { hostname: None, ..CreateVlun::host_sees("v1", 9, "").on_port(port("1:2:1")) };
    assert_eq!(array.create_vlun(NOW, &body).unwrap_err(), ArrayError::one_host_policy());
    // The other way round: two hosts first, then the policy.
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 6, "h1")).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 6, "h2")).unwrap();
    let refusal = array.modify_volume(NOW, "v2", &ModifyVolume { policies, ..ModifyVolume::default() }).unwrap_err();
    assert_eq!(refusal, ArrayError::one_host_policy());
}

#[test]
fn personas_keep_luns_for_themselves() {
    let mut array = array();
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::host_sees("v1", 254, "h1"))), 99);
    let vmware = CreateHost { persona: Some(8), ..CreateHost::iscsi("esx", &[]) };
    array.create_host(NOW, &vmware).unwrap();
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::host_sees("v1", 256, "esx"))), 99);
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 254, "esx")).unwrap();
}

#[test]
fn domains_do_not_mix() {
    let mut array = array();
    let inside = CreateHost { domain: Some("UNIT_TEST_DOMAIN".into()), ..CreateHost::iscsi("h3", &[]) };
    array.create_host(NOW, &inside).unwrap();
    let refusal = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 1, "h3")).unwrap_err();
    assert_eq!(refusal.status, 400);
    assert!(refusal.desc.contains("must be in the same domain"));
}

#[test]
fn refusals_have_their_codes() {
    let mut array = array();
    let good = CreateVlun::host_sees("v1", 5, "h1");
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun::default())), 40);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { volume_name: Some("nix".into()), ..good.clone() })), 23);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { hostname: Some("nix".into()), ..good.clone() })), 17);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { hostname: Some("set:nix".into()), ..good.clone() })), 102);
    assert_eq!(code(array.create_vlun(NOW, &good.clone().on_port(port("3:2:1")))), 20);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { lun: Some(16_384), ..good.clone() })), 28);
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { lun: None, ..good.clone() })), 40);
    let half = PortPosInput { node: Some(0), ..PortPosInput::default() };
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { port_pos: Some(half), ..good.clone() })), 40);
    let wild = PortPosInput { node: Some(9), slot: Some(2), card_port: Some(1) };
    assert_eq!(code(array.create_vlun(NOW, &CreateVlun { port_pos: Some(wild), ..good.clone() })), 55);
    let nobody = array.create_vlun(NOW, &CreateVlun { hostname: None, ..good }).unwrap_err();
    assert_eq!(nobody, ArrayError::missing_export_info());
    assert_eq!(code(array.remove_vlun(NOW, &VlunAddress::host_sees("v1", 5, "h1"))), 19);
    assert_eq!(code(array.remove_vlun(NOW, &VlunAddress::host_sees("v1", 5, "nix"))), 17);
    assert_eq!(code(array.remove_vlun(NOW, &VlunAddress::host_sees("nix", 5, "h1"))), 23);
}

#[test]
fn an_export_survives_renames_but_not_deletions() {
    let mut array = array();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    assert_eq!(code(array.remove_volume(NOW, "v1")), 26);
    assert_eq!(code(array.remove_host(NOW, "h1")), 26);
    let rename = ModifyVolume { new_name: Some("w1".into()), ..ModifyVolume::default() };
    array.modify_volume(NOW, "v1", &rename).unwrap();
    assert!(array.vlun_rows(&VlunFilter::volume("v1")).is_empty());
    assert_eq!(array.vlun_rows(&VlunFilter::volume("w1")).len(), 1);
    array.remove_vlun(NOW, &VlunAddress::host_sees("w1", 5, "h1")).unwrap();
    array.remove_host(NOW, "h1").unwrap();
    array.remove_volume(NOW, "w1").unwrap();
}

#[test]
fn a_generation_is_never_used_again() {
    let mut array = array();
    let first = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    array.remove_vlun(NOW, &first.address).unwrap();
    let second = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    assert!(second.generation > first.generation);
    let mut fresh = Array::new(ArrayConfig::default()).in_place_of(&array);
    assert_eq!(fresh.vluns.next_generation(), VlunGeneration(3));
}

#[test]
fn a_slow_removal_happens_when_it_is_due() {
    let mut array = array();
    log_in(&mut array, "h1", "0:2:1");
    let made = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    let slow = RemovalAnomaly::Slow(Duration::from_secs(10));
    array.remove_vlun_as(NOW, &made.address, slow).unwrap();
    assert_eq!(array.next_due(), Some(Duration::from_secs(10)));
    array.advance(Duration::from_secs(9));
    assert_eq!(array.vlun_rows(&VlunFilter::default()).len(), 2);
    array.advance(Duration::from_secs(10));
    assert!(array.vlun_rows(&VlunFilter::default()).is_empty());
    assert!(array.events().all().iter().any(|e| matches!(e.kind, EventKind::VlunRemovalFaked { due: Some(_), .. })));
}

#[test]
fn a_slow_removal_does_not_hit_a_later_export() {
    let mut array = array();
    let made = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    array.remove_vlun_as(NOW, &made.address, RemovalAnomaly::Slow(Duration::from_secs(10))).unwrap();
    array.remove_vlun(NOW, &made.address).unwrap();
    array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    array.advance(Duration::from_secs(60));
    assert_eq!(array.vlun_template_count(), 1);
}

#[test]
fn a_lying_removal_leaves_everything() {
    let mut array = array();
    let made = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    array.remove_vlun_as(NOW, &made.address, RemovalAnomaly::Lying).unwrap();
    assert_eq!(array.vlun_rows(&VlunFilter::default()).len(), 1);
    array.remove_vlun(NOW, &made.address).unwrap();
    assert_eq!(array.vlun_template_count(), 0);
}

#[test]
fn a_partial_removal_leaves_an_active_row_until_repeated() {
    let mut array = array();
    let (left, gone) = (log_in(&mut array, "h1", "0:2:1"), log_in(&mut array, "h1", "1:2:1"));
    let made = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
    array.remove_vlun_as(NOW, &made.address, RemovalAnomaly::Partial).unwrap();
    let rows = array.vlun_rows(&VlunFilter::volume("v1"));
    assert_eq!(rows.iter().map(|r| r.active).collect::<Vec<_>>(), [true]);
    assert!(array.vpd83(left, made.lun).is_ok() && array.vpd83(gone, made.lun).is_err());
    assert_eq!(code(array.remove_volume(NOW, "v1")), 26);
    array.remove_vlun(NOW, &made.address).unwrap();
    assert!(array.vpd83(left, made.lun).is_err());
}

#[test]
fn removal_deals_with_received_writes_as_configured() {
    let outcome = |inflight| {
        let mut array = array_with(ArrayConfig { inflight, ..ArrayConfig::default() });
        let session = log_in(&mut array, "h1", "0:2:1");
        let made = array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, "h1")).unwrap();
        array.begin_write(NOW, session, made.lun, 0, b"x".to_vec(), None).unwrap();
        let removed = array.remove_vlun(NOW, &made.address).unwrap();
        (removed.settled, removed.aborted, removed.lingering)
    };
    assert_eq!(outcome(InflightPolicy::SettleBeforeReturn), (1, 0, 0));
    assert_eq!(outcome(InflightPolicy::Abort), (0, 1, 0));
    assert_eq!(outcome(InflightPolicy::Linger(Duration::from_secs(1))), (0, 0, 1));
}

#[test]
fn addresses_are_read_from_resources() {
    let read = |text: &str| text.parse::<VlunAddress>();
    assert_eq!(read("v1,5,h1").unwrap(), VlunAddress::host_sees("v1", 5, "h1"));
    assert_eq!(read("v1,5,h1,0:2:1").unwrap().port, Some(port("0:2:1")));
    assert_eq!(read("v1,5,,0:2:1").unwrap().host, None);
    assert_eq!(code(read("v1")), 40);
    assert_eq!(code(read("v1,x,h1")), 39);
    assert_eq!(code(read("v1,5,h1,0:2")), 55);
    assert_eq!(code(read("v1,5,h1,0:2:1,9")), 12);
}

#[test]
fn a_volume_set_is_exported_as_a_whole() {
    let mut array = Array::new(ArrayConfig::default());
    let now = Duration::from_secs(60);
    for name in ["s1", "s2", "s3"] {
        array.create_volume(now, &CreateVolume::thin(name, "FC_r6", 256)).unwrap();
    }
    array.create_host(now, &CreateHost::iscsi("sh", &[])).unwrap();
    array.create_set(now, SetKind::Volume, &CreateSet::new("vs", &["s1", "s2"])).unwrap();
    let made = array.create_vlun(now, &CreateVlun::host_sees("set:vs", 10, "sh")).unwrap();
    assert_eq!(made.address.to_string(), "set:vs,10,sh");
    let luns = |array: &Array| -> Vec<(String, u16)> {
        let rows = array.vlun_rows(&VlunFilter::host("sh"));
        rows.iter().map(|row| (row.volume_name.to_string(), row.lun.get())).collect()
    };
    assert_eq!(luns(&array), [("s1".to_owned(), 10), ("s2".to_owned(), 11)]);
    let members = |action, name: &str| ModifySet {
        action: Some(action),
        setmembers: Some(vec![name.to_owned()]),
        ..ModifySet::default()
    };
    array.modify_set(now, SetKind::Volume, "vs", &members(1, "s3")).unwrap();
    array.modify_set(now, SetKind::Volume, "vs", &members(2, "s1")).unwrap();
    assert_eq!(luns(&array), [("s2".to_owned(), 11), ("s3".to_owned(), 12)]);
    assert_eq!(array.remove_set(now, SetKind::Volume, "vs").unwrap_err().code, 26);
    array.remove_vlun(now, &made.address).unwrap();
    assert_eq!(array.remove_vlun(now, &made.address).unwrap_err().code, 19);
    assert!(luns(&array).is_empty());
    // One LUN that is taken refuses the whole.
    array.create_vlun(now, &CreateVlun::host_sees("s1", 21, "sh")).unwrap();
    assert_eq!(array.create_vlun(now, &CreateVlun::host_sees("set:vs", 20, "sh")).unwrap_err().code, 18);
    assert_eq!(luns(&array), [("s1".to_owned(), 21)]);
    array.remove_set(now, SetKind::Volume, "vs").unwrap();
}
