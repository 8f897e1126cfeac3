//! The data path as an initiator meets it, and what the ledger says of it.

use std::time::Duration;

use super::*;
use crate::array::{
    Array, ArrayConfig, CreateHost, CreateSnapshot, CreateVlun, CreateVolume, InflightPolicy, Initiator, LinkState,
    Lun, PortPos, VlunAddress,
};

const NOW: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

fn initiator(host: &str) -> Initiator {
    Initiator::parse(&format!("iqn.1994-05.com.redhat:{host}")).unwrap()
}

fn port(text: &str) -> PortPos {
    text.parse().unwrap()
}

fn lun(number: i64) -> Lun {
    Lun::new(number).unwrap()
}

fn label(epoch: u64) -> Option<WriteLabel> {
    Some(WriteLabel { node: "a".into(), boot: 1, epoch, serial: 0 })
}

/// Volumes v1 and v2; host h1 logged in on 0:2:1 and seeing v1 as LUN 5.
fn set_up(inflight: InflightPolicy) -> (Array, SessionId) {
    let mut array = Array::new(ArrayConfig { inflight, ..ArrayConfig::default() });
    for volume in ["v1", "v2"] {
        let thin = CreateVolume::thin(volume, "FC_r6", 1024);
        array.create_volume(NOW, &CreateVolume { snap_cpg: Some("FC_r6".into()), ..thin }).unwrap();
    }
    array.create_host(NOW, &CreateHost::iscsi("h1", &[&initiator("h1").to_string()])).unwrap();
    let session = array.login(NOW, &initiator("h1"), port("0:2:1")).unwrap();
    export(&mut array, "v1");
    (array, session)
}

fn export(array: &mut Array, volume: &str) {
    array.create_vlun(NOW, &CreateVlun::host_sees(volume, 5, "h1")).unwrap();
}

fn unexport(array: &mut Array, now: Duration, volume: &str) {
    array.remove_vlun(now, &VlunAddress::host_sees(volume, 5, "h1")).unwrap();
}

fn verdicts(array: &Array) -> Vec<Verdict> {
    array.ledger().all().iter().map(|e| e.verdict).collect()
}

const GONE: IoError = IoError::Sense(Sense::LUN_NOT_SUPPORTED);

#[test]
fn what_is_written_is_read_and_the_rest_is_zeros() {
    let (mut array, session) = set_up(InflightPolicy::default());
    array.write(NOW, session, lun(5), 4090, b"0123456789", label(1)).unwrap();
    assert_eq!(array.read(NOW, session, lun(5), 4088, 14).unwrap(), b"\0\x000123456789\0\0");
    array.flush(NOW, session, lun(5)).unwrap();
    let entry = &array.ledger().all()[0];
    assert_eq!((entry.offset, entry.length, entry.verdict), (4090, 10, Verdict::Accepted));
    assert_eq!(entry.host.as_ref().unwrap().as_str(), "h1");
    assert_eq!(entry.volume.as_ref().unwrap().as_str(), "v1");
    assert!(entry.generation.is_some());
}

#[test]
fn the_mask_is_the_vlun_table() {
    let (mut array, session) = set_up(InflightPolicy::default());
    assert_eq!(array.report_luns(NOW, session).unwrap(), [lun(5), lun(254)]);
    assert_eq!(array.vpd83(session, lun(5)).unwrap(), array.volume("v1").unwrap().wwn);
    assert_eq!(array.inquiry(session, lun(254)).unwrap(), Inquiry::Enclosure);
    assert_eq!(array.vpd83(session, lun(6)).unwrap_err(), GONE);
    unexport(&mut array, NOW, "v1");
    assert_eq!(array.vpd83(session, lun(5)).unwrap_err(), GONE);
    assert_eq!(array.write(NOW, session, lun(5), 0, b"late", label(1)).unwrap_err(), GONE);
    assert_eq!(verdicts(&array), [Verdict::Rejected(Sense::LUN_NOT_SUPPORTED)]);
    assert_eq!(array.peek("v1", 0, 4).unwrap(), [0; 4]);
}

#[test]
fn a_change_of_luns_raises_a_unit_attention() {
    let (mut array, session) = set_up(InflightPolicy::default());
    assert_eq!(array.take_unit_attention(session), Some(Sense::LUNS_CHANGED));
    assert_eq!(array.take_unit_attention(session), None);
    unexport(&mut array, NOW, "v1");
    array.report_luns(NOW, session).unwrap();
    assert_eq!(array.take_unit_attention(session), None, "REPORT LUNS took it");
    array.create_vlun(NOW, &CreateVlun { no_vcn: Some(true), ..CreateVlun::host_sees("v1", 5, "h1") }).unwrap();
    assert_eq!(array.take_unit_attention(session), None);
}

#[test]
fn a_settled_write_counts_before_the_removal() {
    let (mut array, session) = set_up(InflightPolicy::SettleBeforeReturn);
    let task = array.begin_write(NOW, session, lun(5), 0, b"x".to_vec(), label(1)).unwrap();
    unexport(&mut array, SECOND, "v1");
    assert_eq!(array.peek("v1", 0, 1).unwrap(), b"x");
    assert_eq!(array.ledger().all()[0].decided, SECOND);
    array.finish_write(2 * SECOND, task).unwrap();
    assert_eq!(verdicts(&array), [Verdict::Accepted], "the late question adds nothing");
}

#[test]
fn an_aborted_write_never_reaches_the_medium() {
    let (mut array, session) = set_up(InflightPolicy::Abort);
    let task = array.begin_write(NOW, session, lun(5), 0, b"x".to_vec(), label(1)).unwrap();
    unexport(&mut array, NOW, "v1");
    export(&mut array, "v1");
    assert_eq!(array.finish_write(NOW, task).unwrap_err(), IoError::Aborted);
    assert_eq!(verdicts(&array), [Verdict::Aborted]);
    assert_eq!(array.peek("v1", 0, 1).unwrap(), [0]);
}

#[test]
fn a_lingering_write_is_accepted_for_a_while() {
    for (finish, accepted) in [(3 * SECOND, true), (4 * SECOND, false)] {
        let (mut array, session) = set_up(InflightPolicy::Linger(2 * SECOND));
        let task = array.begin_write(NOW, session, lun(5), 0, b"x".to_vec(), label(1)).unwrap();
        unexport(&mut array, SECOND, "v1");
        assert_eq!(array.writes_in_flight(), 1);
        assert_eq!(array.finish_write(finish, task).is_ok(), accepted, "finished at {finish:?}");
        assert_eq!(array.peek("v1", 0, 1).unwrap(), if accepted { b"x" } else { b"\0" });
    }
}

#[test]
fn a_write_on_the_wire_reaches_whatever_has_the_lun_then() {
    let (mut array, session) = set_up(InflightPolicy::Abort);
    let ghost = array.send_write(NOW, session, lun(5), 0, b"ghost".to_vec(), label(1)).unwrap();
    unexport(&mut array, NOW, "v1");
    export(&mut array, "v2");
    array.finish_write(SECOND, ghost).unwrap();
    assert_eq!(array.peek("v2", 0, 5).unwrap(), b"ghost");
    let entry = &array.ledger().all()[0];
    assert_eq!(entry.volume.as_ref().unwrap().as_str(), "v2");
    assert_eq!((entry.issued, entry.decided), (NOW, SECOND));
}

#[test]
fn the_loss_of_the_session_ends_writes_on_the_wire() {
    let (mut array, session) = set_up(InflightPolicy::default());
    let second = array.login(NOW, &initiator("h1"), port("0:2:1")).unwrap();
    let ghost = array.send_write(NOW, session, lun(5), 0, b"ghost".to_vec(), label(1)).unwrap();
    let other = array.send_write(NOW, second, lun(5), 8, b"other".to_vec(), label(1)).unwrap();
    assert_eq!(array.logout(NOW, session), 1);
    assert_eq!(array.finish_write(NOW, ghost).unwrap_err(), IoError::Aborted);
    array.finish_write(NOW, other).unwrap();
    assert_eq!(array.write(NOW, session, lun(5), 0, b"x", None).unwrap_err(), IoError::NexusLost);
    assert_eq!(array.read(NOW, session, lun(5), 0, 1).unwrap_err(), IoError::NexusLost);
    assert_eq!(array.logout(NOW, session), 0);
}

#[test]
fn an_abort_ends_the_tasks_of_one_lun() {
    let (mut array, session) = set_up(InflightPolicy::default());
    array.create_vlun(NOW, &CreateVlun::host_sees("v2", 6, "h1")).unwrap();
    let five = array.send_write(NOW, session, lun(5), 0, b"x".to_vec(), None).unwrap();
    let six = array.begin_write(NOW, session, lun(6), 0, b"x".to_vec(), None).unwrap();
    assert_eq!(array.abort_tasks_of(NOW, session, lun(5)), 1);
    assert_eq!(array.finish_write(NOW, five).unwrap_err(), IoError::Aborted);
    array.finish_write(NOW, six).unwrap();
    assert_eq!(array.writes_in_flight(), 0);
}

#[test]
fn ranges_and_faults() {
    let (mut array, session) = set_up(InflightPolicy::default());
    let size = array.read_capacity(session, lun(5)).unwrap();
    assert_eq!(size, 1 << 30);
    let out = IoError::Sense(Sense::OUT_OF_RANGE);
    assert_eq!(array.write(NOW, session, lun(5), size - 1, b"xy", None).unwrap_err(), out);
    assert_eq!(array.read(NOW, session, lun(5), size, 1).unwrap_err(), out);
    assert_eq!(array.read(NOW, session, lun(5), u64::MAX, 2).unwrap_err(), out);
    let huge = array.read(NOW, session, lun(5), 0, TRANSFER_MAX + 1).unwrap_err();
    assert_eq!(huge, IoError::Sense(Sense::INVALID_FIELD));
    array.set_read_fault("v1", Some(ReadFault { from: 0, to: 512, remaining: None })).unwrap();
    assert_eq!(array.read(NOW, session, lun(5), 511, 1).unwrap_err(), IoError::Sense(Sense::READ_ERROR));
    assert!(array.read(NOW, session, lun(5), 512, 1).is_ok());
    array.set_read_fault("v1", None).unwrap();
    assert!(array.read(NOW, session, lun(5), 0, 1).is_ok());
}

#[test]
fn a_copy_keeps_the_data_of_its_moment() {
    let (mut array, session) = set_up(InflightPolicy::default());
    array.write(NOW, session, lun(5), 0, b"old", None).unwrap();
    let copy = CreateSnapshot { name: Some("s1".into()), read_only: Some(true), ..CreateSnapshot::default() };
    array.create_snapshot(NOW, "v1", &copy).unwrap();
    array.write(NOW, session, lun(5), 0, b"new", None).unwrap();
    assert_eq!(array.peek("s1", 0, 3).unwrap(), b"old");
    array.create_vlun(NOW, &CreateVlun::host_sees("s1", 6, "h1")).unwrap();
    let refused = array.write(NOW, session, lun(6), 0, b"x", None).unwrap_err();
    assert_eq!(refused, IoError::Sense(Sense::WRITE_PROTECTED));
    assert_eq!(array.remove_volume(NOW, "v1").unwrap_err().code, 26);
}

#[test]
fn logins_need_a_ready_port_of_the_protocol() {
    let (mut array, session) = set_up(InflightPolicy::default());
    let mut refusal = |i: &Initiator, p: &str| array.login(NOW, i, port(p)).unwrap_err();
    assert_eq!(refusal(&initiator("h1"), "5:2:1"), LoginError::NoSuchPort(port("5:2:1")));
    assert!(matches!(refusal(&initiator("h1"), "0:1:1"), LoginError::WrongProtocol(..)));
    let fc = Initiator::parse("10000090FA13C172").unwrap();
    assert!(matches!(refusal(&fc, "0:2:1"), LoginError::WrongProtocol(..)));
    array.set_port_link(NOW, port("0:2:1"), LinkState::Offline).unwrap();
    assert!(array.nexus(session).is_none(), "a link that goes down ends its sessions");
    assert_eq!(array.login(NOW, &initiator("h1"), port("0:2:1")), Err(LoginError::PortNotReady(port("0:2:1"))));
    assert!(array.login(NOW, &fc, port("0:1:1")).is_ok());
}

#[test]
fn the_ledger_answers_questions() {
    let (mut array, session) = set_up(InflightPolicy::default());
    array.write(NOW, session, lun(5), 0, b"a", label(1)).unwrap();
    unexport(&mut array, NOW, "v1");
    let _ = array.write(NOW, session, lun(5), 0, b"b", label(1));
    let fence = array.ledger().last_seq();
    export(&mut array, "v1");
    array.write(NOW, session, lun(5), 0, b"c", label(3)).unwrap();
    let accepted = |query: LedgerQuery| array.ledger().query(&query).map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!(
        accepted(LedgerQuery { accepted: Some(true), volume: Some("v1".into()), ..LedgerQuery::default() }),
        [1, 3]
    );
    assert_eq!(accepted(LedgerQuery { accepted: Some(false), ..LedgerQuery::default() }), [2]);
    assert_eq!(accepted(LedgerQuery { after_seq: fence, node: Some("a".into()), ..LedgerQuery::default() }), [3]);
    assert_eq!(accepted(LedgerQuery { host: Some("h2".into()), ..LedgerQuery::default() }), [0u64; 0]);
}
