//! The iSCSI targets as an initiator meets them: login, masking by the VLUN table, data in all its forms, and input that is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{
    CreateHost, CreateVlun, CreateVolume, InflightPolicy, LinkState, ModifyHost, VlunAddress,
};
use hpe3par_emulator::datapath::Verdict;
use hpe3par_emulator::iscsi::wire::pdu::{
    DataOut, FINAL, LogoutRequest, LogoutResponse, NopIn, NopOut, Pdu as _, ReadyToTransfer, Reject,
    TaskManagementRequest, TaskManagementResponse, TextRequest, TextResponse, reject_reason,
};
use hpe3par_emulator::iscsi::wire::text::Keys;
use hpe3par_emulator::iscsi::wire::{Framing, HEADER_BYTES, Header};
use hpe3par_emulator::server::{RunningEmulator, TlsMode};
use proptest::prelude::*;
use support::initiator::{Ended, Initiator, UNSOLICITED, Wish, proof, rw10};

const H1: &str = "iqn.1994-05.com.example:h1";
const TARGET: &str = "iqn.2000-05.com.3pardata:20210002ac00b69e";
const READ: u8 = 0x28;
const WRITE: u8 = 0x2A;
const GONE: Option<(u8, u8, u8)> = Some((5, 0x25, 0));

/// An array with one portal for each port; volumes v1 and v2 exported to h1 as LUN 7 and 8.
async fn start() -> RunningEmulator {
    let portals = vec!["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
    let running = Emulator::builder().seed(1).tls(TlsMode::Off).iscsi_portals(portals).start().await.unwrap();
    running.handle().with(|array, now| {
        array.create_host(now, &CreateHost::iscsi("h1", &[H1])).unwrap();
        for (volume, lun) in [("v1", 7), ("v2", 8)] {
            array.create_volume(now, &CreateVolume::thin(volume, "FC_r6", 1024)).unwrap();
            array.create_vlun(now, &CreateVlun::host_sees(volume, lun, "h1")).unwrap();
        }
    });
    running
}

fn unexport(running: &RunningEmulator) {
    running.handle().with(|array, now| array.remove_vlun(now, &VlunAddress::host_sees("v1", 7, "h1"))).unwrap();
}

/// h1, logged in and done with its first unit attentions.
async fn log_in(running: &RunningEmulator) -> Initiator {
    let mut initiator = Initiator::log_in(running.iscsi_portals()[0], &Wish::new(H1, TARGET)).await.unwrap();
    initiator.meet(7).await;
    initiator.meet(8).await;
    initiator
}

#[tokio::test]
async fn discovery_names_what_is_behind_a_portal() {
    let running = start().await;
    let portal = running.iscsi_portals()[1];
    let mut initiator = Initiator::log_in(portal, &Wish::discovery(H1)).await.unwrap();
    let request = TextRequest {
        flags: FINAL,
        initiator_task_tag: 5,
        target_transfer_tag: UNSOLICITED,
        cmd_sn: 1,
        ..TextRequest::default()
    };
    initiator.send(&request, b"SendTargets=All\0").await;
    let (_, frame) = initiator.next::<TextResponse>().await;
    let text = String::from_utf8(frame.data.to_vec()).unwrap();
    let expected = |name: &str, tag: u16| {
        format!("TargetName=iqn.2000-05.com.3pardata:{name}0002ac00b69e\0TargetAddress={portal},{tag}\0")
    };
    assert_eq!(text, expected("2022", 22) + &expected("2122", 122), "ports share portals in turn");
    let elsewhere = Initiator::log_in(portal, &Wish::new(H1, TARGET)).await.err();
    assert_eq!(elsewhere, Some(0x0203), "another port's target");
}

#[tokio::test]
async fn what_is_written_is_read() {
    let running = start().await;
    let mut initiator = log_in(&running).await;
    let data: Vec<u8> = (0..300_000u32.next_multiple_of(512)).map(|n| (n % 251) as u8).collect();
    let blocks = (data.len() / 512) as u16;
    initiator.write(7, &rw10(WRITE, 100, blocks), &data).await.good();
    assert_eq!(initiator.read(7, &rw10(READ, 100, blocks), data.len() as u32).await.good(), data);
    assert_eq!(running.handle().with(|array, _| array.peek("v1", 51_200, data.len())).unwrap(), data);
    // Immediate data, and what the initiator announces not being what the command says.
    initiator.start(7, &rw10(WRITE, 0, 1), 512, true, &[9; 512]).await;
    initiator.finish(&[]).await.good();
    let read = initiator.read(7, &rw10(READ, 0, 2), 4096).await;
    assert_eq!((read.residual, &read.data[..512], read.data.len()), (3072, &[9; 512][..], 1024));
    let read = initiator.read(7, &rw10(READ, 0, 2), 512).await;
    assert_eq!((read.residual, read.data.len()), (-512, 512));
    let beyond = initiator.write(7, &rw10(WRITE, 1 << 21, 1), &[1; 512]).await;
    assert_eq!((beyond.status, beyond.sense), (2, Some((5, 0x21, 0))));
    let verdicts = running
        .handle()
        .with(|array, _| array.ledger().all())
        .into_iter()
        .map(|e| (e.verdict == Verdict::Accepted, e.length));
    assert_eq!(verdicts.collect::<Vec<_>>(), [(true, data.len() as u64), (true, 512), (false, 512)]);
}

#[tokio::test]
async fn the_mask_is_the_vlun_table() {
    let running = start().await;
    let mut initiator = log_in(&running).await;
    assert_eq!(initiator.read(9, &rw10(READ, 0, 1), 512).await.sense, GONE, "never exported");
    let mut stranger =
        Initiator::log_in(running.iscsi_portals()[0], &Wish::new("iqn.2000-01.org.example:x", TARGET)).await.unwrap();
    assert_eq!(stranger.read(7, &rw10(READ, 0, 1), 512).await.sense, GONE, "exported to another host");
    unexport(&running);
    let refused = initiator.write(7, &rw10(WRITE, 0, 1), &[1; 512]).await;
    assert_eq!((refused.status, refused.sense), (2, GONE));
    assert_eq!(initiator.read(8, &[0; 6], 0).await.sense, Some((6, 0x3F, 0x0E)), "the LUNs changed");
    initiator.read(8, &[0; 6], 0).await.good();
    let luns = initiator.read(0, &[0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 256).await.good();
    assert_eq!((luns.len(), luns[9], luns[17]), (24, 8, 254));
    let last = running.handle().with(|array, _| array.ledger().all()).pop().unwrap();
    assert_eq!((last.volume.is_none(), last.verdict == Verdict::Accepted, last.lun.get()), (true, false, 7));
}

/// Starts a write, takes the VLUN away while the data is on its way, and sends the data.
async fn unexport_during_a_write(policy: InflightPolicy) -> (Ended, Vec<u8>) {
    let running = start().await;
    running.handle().with(|array, _| array.set_inflight_policy(policy));
    let mut initiator = log_in(&running).await;
    initiator.start(7, &rw10(WRITE, 0, 8), 4096, true, &[]).await;
    let (r2t, _) = initiator.next::<ReadyToTransfer>().await;
    unexport(&running);
    initiator.feed(&r2t, &[7; 4096]).await;
    let ended = initiator.finish(&[]).await;
    (ended, running.handle().with(|array, _| array.peek("v1", 0, 1)).unwrap())
}

#[tokio::test]
async fn a_write_whose_data_comes_after_the_removal() {
    let (ended, held) = unexport_during_a_write(InflightPolicy::SettleBeforeReturn).await;
    assert_eq!((ended.status, ended.sense, held), (2, GONE, vec![0]), "rejected: there was nothing to settle");
    let (ended, held) = unexport_during_a_write(InflightPolicy::Abort).await;
    assert_eq!((ended.status, held), (0x40, vec![0]), "TASK ABORTED");
    let (ended, held) = unexport_during_a_write(InflightPolicy::Linger(support::DEADLINE)).await;
    assert_eq!((ended.status, held), (0, vec![7]));
}

#[tokio::test]
async fn chap_accounts_are_those_of_the_host() {
    let running = start().await;
    let portal = running.iscsi_portals()[0];
    let change = |body: serde_json::Value| {
        let body: ModifyHost = serde_json::from_value(body).unwrap();
        running.handle().with(|array, now| array.modify_host(now, "h1", &body)).unwrap();
    };
    change(
        serde_json::json!({"chapOperation": 1, "chapOperationMode": 1, "chapName": "h1", "chapSecret": "secret-of-h1-1"}),
    );
    let plain = Wish::new(H1, TARGET);
    let right = plain.clone().chap("h1", "secret-of-h1-1");
    for (wish, status) in [
        (plain.clone(), 0x0201),
        (plain.clone().chap("h1", "secret-of-h1-2"), 0x0201),
        (plain.clone().chap("h2", "secret-of-h1-1"), 0x0201),
        (Wish { challenge: Some(vec![1, 2, 3]), ..right.clone() }, 0x0201),
    ] {
        assert_eq!(Initiator::log_in(portal, &wish).await.err(), Some(status), "{wish:?}");
    }
    Initiator::log_in(portal, &right).await.unwrap().meet(7).await;
    change(
        serde_json::json!({"chapOperation": 1, "chapOperationMode": 2, "chapName": "array", "chapSecret": "secret-of-array"}),
    );
    let mutual = Wish { challenge: Some(vec![1, 2, 3]), ..right };
    let initiator = Initiator::log_in(portal, &mutual).await.unwrap();
    let proved = initiator.proof.unwrap();
    assert_eq!(
        (proved.get("CHAP_N"), proved.get("CHAP_R")),
        (Some("array"), Some(&*proof(77, "secret-of-array", &[1, 2, 3])))
    );
}

#[tokio::test]
async fn digests_hold_and_a_wrong_one_ends_the_session() {
    let running = start().await;
    let wish = Wish::new(H1, TARGET).with("HeaderDigest", "CRC32C,None").with("DataDigest", "CRC32C");
    let mut initiator = Initiator::log_in(running.iscsi_portals()[0], &wish).await.unwrap();
    assert!(initiator.framing.header_digest && initiator.framing.data_digest);
    initiator.meet(7).await;
    initiator.write(7, &rw10(WRITE, 3, 300), &[5; 300 * 512]).await.good();
    assert_eq!(initiator.read(7, &rw10(READ, 3, 300), 300 * 512).await.good(), [5; 300 * 512]);
    let ping = NopOut {
        final_bit: FINAL,
        initiator_task_tag: 9,
        target_transfer_tag: UNSOLICITED,
        cmd_sn: initiator.cmd_sn,
        ..NopOut::default()
    };
    let mut bytes = Vec::new();
    initiator.framing.put(&mut bytes, &ping.encode(), b"abcd");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    initiator.send_bytes(&bytes).await;
    let (reject, frame) = initiator.next::<Reject>().await;
    assert_eq!((reject.reason, frame.data[0]), (reject_reason::DATA_DIGEST, 0));
    assert!(initiator.next_frame().await.is_none());
}

#[tokio::test]
async fn sessions_are_told_apart_by_isid_and_reinstated() {
    let running = start().await;
    let mut first = log_in(&running).await;
    let other = Wish { isid: [0x80, 0, 0, 0, 0, 2], ..Wish::new(H1, TARGET) };
    let mut second = Initiator::log_in(running.iscsi_portals()[0], &other).await.unwrap();
    second.meet(7).await;
    let sessions = || running.handle().with(|array, _| array.nexuses().count());
    assert_eq!(sessions(), 2);
    let mut again = log_in(&running).await;
    assert!(first.next_frame().await.is_none(), "the former session of that name ends");
    assert_eq!(sessions(), 2);
    second.read(7, &[0; 6], 0).await.good();
    let request =
        LogoutRequest { reason: FINAL, initiator_task_tag: 70, cmd_sn: again.cmd_sn, ..LogoutRequest::default() };
    again.send(&request, &[]).await;
    assert_eq!(again.next::<LogoutResponse>().await.0.response, 0);
    assert!(again.next_frame().await.is_none());
    // The array ends sessions, too: a port that goes down, a restart.
    running.handle().with(|array, now| array.set_port_link(now, "0:2:1".parse().unwrap(), LinkState::Offline)).unwrap();
    assert!(second.next_frame().await.is_none());
    assert_eq!(Initiator::log_in(running.iscsi_portals()[0], &other).await.err(), Some(0x0301));
}

#[tokio::test]
async fn tasks_are_managed() {
    let running = start().await;
    let mut initiator = log_in(&running).await;
    let tag = initiator.start(7, &rw10(WRITE, 0, 8), 4096, true, &[]).await;
    let (r2t, _) = initiator.next::<ReadyToTransfer>().await;
    let manage = |function: u8, cmd_sn: u32| TaskManagementRequest {
        immediate: true,
        function: FINAL | function,
        lun: [0, 7, 0, 0, 0, 0, 0, 0],
        initiator_task_tag: 90,
        referenced_task_tag: tag,
        ref_cmd_sn: cmd_sn.wrapping_sub(1),
        cmd_sn,
        ..TaskManagementRequest::default()
    };
    let ask = async |initiator: &mut Initiator, function: u8| {
        let request = manage(function, initiator.cmd_sn);
        initiator.send(&request, &[]).await;
        initiator.next::<TaskManagementResponse>().await.0.response
    };
    assert_eq!(ask(&mut initiator, 1).await, 0, "ABORT TASK");
    assert_eq!(ask(&mut initiator, 1).await, 1, "it is gone");
    initiator.feed(&r2t, &[1; 4096]).await;
    assert_eq!(running.handle().with(|array, _| array.peek("v1", 0, 1)).unwrap(), [0]);
    for (function, response) in [(2, 0), (4, 0), (5, 0), (6, 0), (3, 5), (8, 4)] {
        assert_eq!(ask(&mut initiator, function).await, response, "function {function}");
    }
    initiator.read(7, &[0; 6], 0).await.good();
    assert_eq!(ask(&mut initiator, 7).await, 0, "TARGET COLD RESET");
    assert!(initiator.next_frame().await.is_none());
}

#[tokio::test]
async fn unsolicited_data_and_pings() {
    let running = start().await;
    let wish = Wish::new(H1, TARGET).with("InitialR2T", "No").with("FirstBurstLength", "2048");
    let mut initiator = Initiator::log_in(running.iscsi_portals()[0], &wish).await.unwrap();
    initiator.meet(7).await;
    let mut command = hpe3par_emulator::iscsi::wire::pdu::ScsiCommand {
        flags: 0x20,
        lun: [0, 7, 0, 0, 0, 0, 0, 0],
        initiator_task_tag: 200,
        expected_data_transfer_length: 4096,
        cmd_sn: initiator.cmd_sn,
        ..Default::default()
    };
    command.cdb[..10].copy_from_slice(&rw10(WRITE, 0, 8));
    initiator.cmd_sn += 1;
    initiator.send(&command, &[1; 512]).await;
    let unsolicited = DataOut {
        flags: FINAL,
        initiator_task_tag: 200,
        target_transfer_tag: UNSOLICITED,
        buffer_offset: 512,
        ..DataOut::default()
    };
    initiator.send(&unsolicited, &[2; 1536]).await;
    let (r2t, _) = initiator.next::<ReadyToTransfer>().await;
    assert_eq!((r2t.buffer_offset, r2t.desired_length), (2048, 2048));
    initiator.feed(&r2t, &[3; 4096]).await;
    initiator.finish(&[]).await.good();
    let held = running.handle().with(|array, _| array.peek("v1", 0, 4096)).unwrap();
    assert_eq!((held[511], held[512], held[2047], held[2048]), (1, 2, 2, 3));
    let ping = NopOut {
        immediate: true,
        final_bit: FINAL,
        initiator_task_tag: 9,
        target_transfer_tag: UNSOLICITED,
        cmd_sn: initiator.cmd_sn,
        ..NopOut::default()
    };
    initiator.send(&ping, b"ping").await;
    let (pong, frame) = initiator.next::<NopIn>().await;
    assert_eq!((pong.initiator_task_tag, &frame.data[..]), (9, &b"ping"[..]));
}

/// Whether the target still serves.
async fn serves(running: &RunningEmulator) {
    log_in(running).await.read(7, &rw10(READ, 0, 1), 512).await.good();
}

#[tokio::test]
async fn wrong_input_is_rejected_clearly() {
    let running = start().await;
    let portal = running.iscsi_portals()[0];
    // Not a login first; a data segment above what was declared; a login that never ends its text.
    let mut stranger = Initiator::connect(portal).await;
    stranger.send(&NopOut { final_bit: FINAL, ..NopOut::default() }, &[]).await;
    assert!(stranger.next_frame().await.is_none());
    let mut stranger = Initiator::connect(portal).await;
    stranger.send_bytes(&Header([0x43; HEADER_BYTES]).with_data_bytes(1 << 20).0).await;
    assert!(stranger.next_frame().await.is_none());
    // In the full feature phase.
    let mut initiator = log_in(&running).await;
    let mut unknown = [0; HEADER_BYTES];
    unknown[0] = 0x1C;
    initiator.send_bytes(&unknown).await;
    assert_eq!(initiator.next::<Reject>().await.0.reason, reject_reason::NOT_SUPPORTED);
    unknown[0] = 0x10;
    initiator.send_bytes(&unknown).await;
    assert_eq!(initiator.next::<Reject>().await.0.reason, reject_reason::SNACK);
    initiator.read(7, &[0; 6], 0).await.good();
    // Data outside of what an R2T asked for ends the command, not the session.
    initiator.start(7, &rw10(WRITE, 0, 8), 4096, true, &[]).await;
    let (r2t, _) = initiator.next::<ReadyToTransfer>().await;
    let shifted = ReadyToTransfer { buffer_offset: 512, desired_length: 3584, ..r2t };
    initiator.feed(&shifted, &[1; 4096]).await;
    assert_eq!(initiator.finish(&[]).await.sense, Some((0x0B, 0x4B, 0)));
    initiator.read(7, &[0; 6], 0).await.good();
    // A command outside of the window is not seen at all.
    let number = initiator.cmd_sn;
    initiator.cmd_sn = number.wrapping_add(5000);
    initiator.start(7, &[0; 6], 0, false, &[]).await;
    initiator.cmd_sn = number;
    initiator.read(7, &[0; 6], 0).await.good();
    initiator.send_bytes(&Header([0x01; HEADER_BYTES]).with_data_bytes(0xFF_FFFF).0).await;
    assert!(initiator.next_frame().await.is_none(), "longer than declared");
    serves(&running).await;
}

#[tokio::test]
async fn a_login_text_without_end_is_refused() {
    let running = start().await;
    let mut stranger = Initiator::connect(running.iscsi_portals()[0]).await;
    let mut bytes = Vec::new();
    let mut header = [0; HEADER_BYTES];
    (header[0], header[1]) = (0x43, 0x40);
    Framing::default().put(&mut bytes, &Header(header), &[b'x'; 8192]);
    for _ in 0..20 {
        stranger.send_bytes(&bytes).await;
    }
    let mut last = None;
    while let Some(frame) = stranger.next_frame().await {
        last = Some(frame);
    }
    assert_eq!(last.unwrap().header.0[36..38], [2, 0], "initiator error");
    serves(&running).await;
    assert!(Keys::parse(&[b'x'; 8192]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever comes after a login, the target goes on serving others.
    #[test]
    fn no_bytes_break_the_target(pdus in prop::collection::vec((0u8..64, prop::collection::vec(any::<u8>(), 0..48), 0usize..600), 1..12)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let running = start().await;
            let mut initiator = log_in(&running).await;
            for (opcode, bytes, length) in pdus {
                let mut header = [0; HEADER_BYTES];
                header[..bytes.len()].copy_from_slice(&bytes);
                (header[0], header[4]) = (opcode | 0x40, 0);
                let mut pdu = Header(header).with_data_bytes(length).0.to_vec();
                pdu.resize(HEADER_BYTES + length.next_multiple_of(4), 0xA5);
                initiator.send_bytes(&pdu).await;
            }
            serves(&running).await;
            running.shutdown().await;
        });
    }
}
