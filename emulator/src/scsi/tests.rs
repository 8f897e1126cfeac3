//! SCSI commands on an array, without a wire.

use std::time::Duration;

use proptest::prelude::*;

use super::{Answer, DataOut, Request, Status, data_out_length};
use crate::array::{Array, ArrayConfig, CreateHost, CreateVlun, CreateVolume, Initiator, PortPos};
use crate::datapath::{Sense, SessionId};

const NOW: Duration = Duration::ZERO;
const LUN: [u8; 8] = [0, 5, 0, 0, 0, 0, 0, 0];

fn name(host: &str) -> Initiator {
    Initiator::parse(&format!("iqn.1994-05.com.redhat:{host}")).unwrap()
}

/// A volume of 256 MiB as LUN 5 of two hosts, both logged in and past their first unit attention.
fn set_up() -> (Array, [SessionId; 2]) {
    let mut array = Array::new(ArrayConfig::default());
    array.create_volume(NOW, &CreateVolume::thin("v1", "FC_r6", 256)).unwrap();
    let sessions = ["h1", "h2"].map(|host| {
        array.create_host(NOW, &CreateHost::iscsi(host, &[&name(host).to_string()])).unwrap();
        array.create_vlun(NOW, &CreateVlun::host_sees("v1", 5, host)).unwrap();
        let session = array.login_with_isid(NOW, &name(host), [1; 6], PortPos::fixed(0, 2, 1)).unwrap();
        assert_eq!(run(&mut array, session, &[0; 6], &[]).sense.unwrap().sense, Sense::POWER_ON);
        session
    });
    (array, sessions)
}

fn run(array: &mut Array, session: SessionId, cdb: &[u8], data: &[u8]) -> Answer {
    let announced = data.len() as u64;
    let data = DataOut::from(data.to_vec());
    array.execute(NOW, &Request { session, lun: LUN, cdb, data: &data, announced, task: None }).unwrap()
}

fn good(array: &mut Array, session: SessionId, cdb: &[u8], data: &[u8]) -> Vec<u8> {
    let answer = run(array, session, cdb, data);
    assert_eq!((answer.status, answer.sense), (Status::Good, None), "{cdb:02x?}");
    answer.data.to_vec()
}

#[test]
fn a_volume_says_what_it_is() {
    let (mut array, [session, _]) = set_up();
    let standard = good(&mut array, session, &[0x12, 0, 0, 0, 255, 0], &[]);
    assert_eq!((&standard[8..32], standard[5]), (&b"3PARdataVV              "[..], 0x10));
    let wwn = array.volume("v1").unwrap().wwn.to_bytes();
    let page = good(&mut array, session, &[0x12, 1, 0x83, 0, 255, 0], &[]);
    assert_eq!((&page[4..8], &page[8..24]), (&[0x01, 0x03, 0, 16][..], &wwn[..]));
    let short = good(&mut array, session, &[0x12, 1, 0x83, 0, 4, 0], &[]);
    assert_eq!(short, page[..4], "the length of a truncated page is that of the whole");
    let page = good(&mut array, session, &[0x12, 1, 0xC0, 0, 255, 0], &[]);
    assert_eq!((page[5] & 1, &page[40..46]), (1, &[0, 0, 0, 2, b'v', b'1'][..]));
    let groups = good(&mut array, session, &[0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], &[]);
    assert_eq!((groups[3] as usize, groups[4], groups[11]), (groups.len() - 4, 0, 4));
}

#[test]
fn space_is_given_back() {
    let (mut array, [session, _]) = set_up();
    let write = [0x2A, 0, 0, 0, 0, 0, 0, 0, 16, 0];
    good(&mut array, session, &write, &[1; 8192]);
    assert_eq!(array.volume("v1").unwrap().used_mib(), 1);
    let status = |array: &mut Array| {
        let bytes = good(array, session, &[0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0], &[]);
        (u32::from_be_bytes(bytes[16..20].try_into().unwrap()), bytes[20])
    };
    assert_eq!(status(&mut array), (16, 0));
    let mut list = vec![0, 22, 0, 16, 0, 0, 0, 0];
    list.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
    good(&mut array, session, &[0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], &list);
    assert_eq!(status(&mut array), (8, 1));
    assert_eq!(good(&mut array, session, &[0x28, 0, 0, 0, 0, 7, 0, 0, 2, 0], &[])[510..514], [0, 0, 1, 1]);
    assert_eq!(array.ledger().last_seq(), 2, "a discard is a write, too");
}

#[test]
fn compare_and_write_compares() {
    let (mut array, [session, _]) = set_up();
    let cdb = [0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    good(&mut array, session, &cdb, &[vec![0; 512], vec![7; 512]].concat());
    let mut expected = vec![7; 512];
    expected[100] = 8;
    let differs = run(&mut array, session, &cdb, &[expected, vec![9; 512]].concat()).sense.unwrap();
    assert_eq!((differs.sense, differs.information), (Sense::new(0x0E, 0x1D, 0), Some(100)));
    assert_eq!(array.peek("v1", 0, 1).unwrap(), [7]);
}

#[test]
fn a_preempted_host_is_fenced_and_told() {
    let (mut array, [a, b]) = set_up();
    let out = |action: u8, kind: u8, key: u8, new: u8| {
        let mut list = vec![0; 24];
        (list[7], list[15]) = (key, new);
        (vec![0x5F, action, kind, 0, 0, 0, 0, 0, 24, 0], list)
    };
    let mut prout = |session, (cdb, list): (Vec<u8>, Vec<u8>)| run(&mut array, session, &cdb, &list).status;
    assert_eq!(prout(a, out(0, 0, 0, 1)), Status::Good);
    assert_eq!(prout(b, out(6, 0, 0, 2)), Status::Good);
    assert_eq!(prout(a, out(1, 5, 1, 0)), Status::Good);
    assert_eq!(prout(b, out(5, 5, 2, 1)), Status::Good);
    let write = [0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let told = run(&mut array, a, &write, &[1; 512]).sense.unwrap().sense;
    assert_eq!(told, Sense::new(0x06, 0x2A, 0x05));
    assert_eq!(run(&mut array, a, &write, &[1; 512]).status, Status::ReservationConflict);
    good(&mut array, b, &write, &[2; 512]);
    let status = good(&mut array, b, &[0x5E, 3, 0, 0, 0, 0, 0, 1, 0, 0], &[]);
    assert_eq!((status[3], status[15], status[20], status[21]), (3, 2, 1, 5));
    assert!(String::from_utf8_lossy(&status).contains("redhat:h2,i,0x010101010101"));
}

#[test]
fn modes_are_kept() {
    let (mut array, [session, other]) = set_up();
    let mut page = good(&mut array, session, &[0x1A, 0x08, 0x0A, 0, 255, 0], &[])[4..].to_vec();
    page[2] |= 0x04;
    page[4] |= 0x08;
    good(&mut array, session, &[0x15, 0x10, 0, 0, 16, 0], &[vec![0; 4], page].concat());
    assert_eq!(run(&mut array, other, &[0; 6], &[]).sense.unwrap().sense, Sense::new(0x06, 0x2A, 0x01));
    let refused = run(&mut array, other, &[0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0], &[1; 512]).sense.unwrap();
    assert_eq!((refused.sense.key, refused.to_bytes()[0]), (7, 0x72), "write protected, in the descriptor format");
}

#[test]
fn a_larger_volume_is_told() {
    let (mut array, [session, _]) = set_up();
    array.grow_volume(NOW, "v1", 256).unwrap();
    assert_eq!(run(&mut array, session, &[0; 6], &[]).sense.unwrap().sense, Sense::new(0x06, 0x2A, 0x09));
    let capacity = good(&mut array, session, &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0], &[]);
    assert_eq!(u64::from_be_bytes(capacity[..8].try_into().unwrap()), (512 << 11) - 1);
}

proptest! {
    /// Whatever a command says, with any LUN and any data, the array answers, within its limits.
    #[test]
    fn no_command_breaks_it(
        opcode in prop::sample::select(super::opcodes::known()),
        rest in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()], 15),
        data in prop::collection::vec(any::<u8>(), 0..700),
        lun in prop_oneof![Just(LUN), Just([0, 254, 0, 0, 0, 0, 0, 0]), Just([0; 8]), prop::array::uniform8(any::<u8>())],
    ) {
        let (mut array, [session, _]) = set_up();
        let cdb = [vec![opcode], rest].concat();
        let _ = data_out_length(&cdb);
        let announced = data.len() as u64;
        let data = DataOut::from(data);
        for _ in 0..2 {
            let request = Request { session, lun, cdb: &cdb, data: &data, announced, task: None };
            let answer = array.execute(NOW, &request).unwrap();
            prop_assert!(answer.data.len() as u64 <= super::TRANSFER_BYTES_MAX);
            prop_assert_eq!(answer.status == Status::CheckCondition, answer.sense.is_some());
        }
    }
}
