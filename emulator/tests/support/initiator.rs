//! A small iSCSI initiator on the emulator's own wire format.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::BytesMut;
use hpe3par_emulator::iscsi::wire::pdu::{
    CONTINUE, DataIn, DataOut, FINAL, LoginRequest, LoginResponse, NO_TAG, Pdu, ReadyToTransfer, ScsiCommand,
    ScsiResponse, command_flags, response_flags,
};
use hpe3par_emulator::iscsi::wire::text::{self, Keys};
use hpe3par_emulator::iscsi::wire::{Frame, Framing, Header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::DEADLINE;

/// Stages of a login, in the flags of a request that ends the first.
const SECURITY_TO_OPERATIONAL: u8 = FINAL | 1;
const OPERATIONAL_TO_FULL: u8 = FINAL | 1 << 2 | 3;

/// How to log in.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) initiator: String,
    pub(crate) target: Option<String>,
    pub(crate) isid: [u8; 6],
    /// Name and secret.
    pub(crate) chap: Option<(String, String)>,
    /// Asks for a proof of the target with this challenge.
    pub(crate) challenge: Option<Vec<u8>>,
    pub(crate) keys: Vec<(String, String)>,
}

impl Wish {
    pub(crate) fn new(initiator: &str, target: &str) -> Self {
        Self {
            initiator: initiator.to_owned(),
            target: Some(target.to_owned()),
            isid: [0x80, 0, 0, 0, 0, 1],
            chap: None,
            challenge: None,
            keys: Vec::new(),
        }
    }

    pub(crate) fn discovery(initiator: &str) -> Self {
        Self { target: None, ..Self::new(initiator, "") }
    }

    pub(crate) fn chap(mut self, name: &str, secret: &str) -> Self {
        self.chap = Some((name.to_owned(), secret.to_owned()));
        self
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.keys.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// What a command ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: u8,
    /// Key, code, qualifier.
    pub(crate) sense: Option<(u8, u8, u8)>,
    pub(crate) data: Vec<u8>,
    /// Positive for underflow, negative for overflow.
    pub(crate) residual: i64,
}

impl Ended {
    pub(crate) fn good(self) -> Vec<u8> {
        assert_eq!((self.status, self.sense), (0, None));
        self.data
    }
}

/// A connection.
pub(crate) struct Initiator {
    stream: TcpStream,
    input: BytesMut,
    pub(crate) framing: Framing,
    pub(crate) cmd_sn: u32,
    tag: u32,
    pub(crate) max_cmd_sn: u32,
    frames: VecDeque<Frame>,
    /// What the target said in its proof.
    pub(crate) proof: Option<Keys>,
}

impl Initiator {
    pub(crate) async fn connect(portal: SocketAddr) -> Self {
        let stream = TcpStream::connect(portal).await.unwrap();
        let framing = Framing { max_data: 256 << 10, ..Framing::default() };
        let (input, frames) = (BytesMut::new(), VecDeque::new());
        Self { stream, input, framing, cmd_sn: 1, tag: 0, max_cmd_sn: 1, frames, proof: None }
    }

    /// Connects and logs in; the status of the refusal otherwise.
    pub(crate) async fn log_in(portal: SocketAddr, wish: &Wish) -> Result<Self, u16> {
        let mut initiator = Self::connect(portal).await;
        let mut keys = Keys::default();
        keys.push("InitiatorName", wish.initiator.as_str());
        match &wish.target {
            Some(target) => keys.push("TargetName", target.as_str()),
            None => keys.push("SessionType", "Discovery"),
        }
        keys.push("AuthMethod", if wish.chap.is_some() { "CHAP,None" } else { "None" });
        let mut reply = initiator.login_step(wish, SECURITY_TO_OPERATIONAL, &keys).await?;
        if reply.get("AuthMethod") == Some("CHAP") {
            reply = initiator.prove(wish).await?;
            initiator.proof = Some(reply);
        }
        let mut keys = Keys::default();
        wish.keys.iter().for_each(|(key, value)| keys.push(key, value.as_str()));
        keys.push("MaxRecvDataSegmentLength", "65536");
        let agreed = initiator.login_step(wish, OPERATIONAL_TO_FULL, &keys).await?;
        assert_eq!(agreed.get("MaxRecvDataSegmentLength"), Some("262144"));
        initiator.framing.header_digest = agreed.get("HeaderDigest") == Some("CRC32C");
        initiator.framing.data_digest = agreed.get("DataDigest") == Some("CRC32C");
        Ok(initiator)
    }

    async fn prove(&mut self, wish: &Wish) -> Result<Keys, u16> {
        let (name, secret) = wish.chap.clone().unwrap();
        let mut keys = Keys::default();
        keys.push("CHAP_A", "5");
        let asked = self.login_step(wish, 0, &keys).await?;
        let identifier: u8 = asked.get("CHAP_I").unwrap().parse().unwrap();
        let challenge = text::bytes(asked.get("CHAP_C").unwrap()).unwrap();
        let mut keys = Keys::default();
        keys.push("CHAP_N", name);
        keys.push("CHAP_R", proof(identifier, &secret, &challenge));
        if let Some(challenge) = &wish.challenge {
            keys.push("CHAP_I", "77");
            keys.push("CHAP_C", text::to_hex(challenge));
        }
        self.login_step(wish, SECURITY_TO_OPERATIONAL, &keys).await
    }

    async fn login_step(&mut self, wish: &Wish, flags: u8, keys: &Keys) -> Result<Keys, u16> {
        let request = LoginRequest {
            immediate: true,
            flags,
            isid: wish.isid,
            initiator_task_tag: 1,
            cmd_sn: self.cmd_sn,
            ..LoginRequest::default()
        };
        self.send(&request, &keys.encode()).await;
        let frame = self.next_frame().await.expect("an answer to the login");
        let response = LoginResponse::decode(&frame.header).unwrap();
        assert_eq!(response.flags & CONTINUE, 0);
        self.max_cmd_sn = response.max_cmd_sn;
        if response.status == 0 { Ok(Keys::parse(&frame.data).unwrap()) } else { Err(response.status) }
    }

    pub(crate) async fn send(&mut self, pdu: &impl Pdu, data: &[u8]) {
        let mut bytes = Vec::new();
        self.framing.put(&mut bytes, &pdu.encode(), data);
        self.send_bytes(&bytes).await;
    }

    /// Sends anything; a target that has closed the connection already is no fault.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next PDU; `None` at the end of the connection.
    pub(crate) async fn next_frame(&mut self) -> Option<Frame> {
        if let Some(frame) = self.frames.pop_front() {
            return Some(frame);
        }
        let reading = async {
            loop {
                if let Some(frame) = self.framing.take(&mut self.input).unwrap() {
                    return Some(frame);
                }
                if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.unwrap()
    }

    /// The next PDU, which has to be of this kind.
    pub(crate) async fn next<P: Pdu>(&mut self) -> (P, Frame) {
        let frame = self.next_frame().await.expect("another PDU");
        let header: Header = frame.header;
        let pdu = P::decode(&header).unwrap_or_else(|| panic!("opcode {:#04x}", header.opcode()));
        (pdu, frame)
    }

    pub(crate) fn next_tag(&mut self) -> u32 {
        self.tag += 1;
        self.tag
    }

    /// Starts a command with immediate data; gives its tag.
    pub(crate) async fn start(&mut self, lun: u16, cdb: &[u8], expected: u32, write: bool, immediate: &[u8]) -> u32 {
        let mut padded = [0; 16];
        padded[..cdb.len()].copy_from_slice(cdb);
        let [high, low] = lun.to_be_bytes();
        let command = ScsiCommand {
            flags: FINAL | if write { command_flags::WRITE } else { command_flags::READ },
            lun: [if high == 0 { 0 } else { high | 0x40 }, low, 0, 0, 0, 0, 0, 0],
            initiator_task_tag: self.next_tag(),
            expected_data_transfer_length: expected,
            cmd_sn: self.cmd_sn,
            cdb: padded,
            ..ScsiCommand::default()
        };
        self.cmd_sn = self.cmd_sn.wrapping_add(1);
        self.send(&command, immediate).await;
        command.initiator_task_tag
    }

    /// Sends the data that an R2T asks for.
    pub(crate) async fn feed(&mut self, r2t: &ReadyToTransfer, data: &[u8]) {
        let (start, end) = (r2t.buffer_offset as usize, (r2t.buffer_offset + r2t.desired_length) as usize);
        let mut at = start;
        let mut sn = 0;
        while at < end {
            let step = (end - at).min(65_536);
            let pdu = DataOut {
                flags: if at + step == end { FINAL } else { 0 },
                initiator_task_tag: r2t.initiator_task_tag,
                target_transfer_tag: r2t.target_transfer_tag,
                data_sn: sn,
                buffer_offset: at as u32,
                ..DataOut::default()
            };
            self.send(&pdu, &data[at..at + step]).await;
            (at, sn) = (at + step, sn + 1);
        }
    }

    /// Waits for the end of a command, and feeds it.
    pub(crate) async fn finish(&mut self, data: &[u8]) -> Ended {
        let mut read = Vec::new();
        loop {
            let frame = self.next_frame().await.expect("the end of a command");
            if let Some(r2t) = ReadyToTransfer::decode(&frame.header) {
                self.feed(&r2t, data).await;
            } else if let Some(part) = DataIn::decode(&frame.header) {
                assert_eq!(part.buffer_offset as usize, read.len());
                read.extend_from_slice(&frame.data);
                if part.flags & response_flags::STATUS != 0 {
                    let residual = residual(part.flags, part.residual);
                    return Ended { status: part.status, sense: None, data: read, residual };
                }
            } else {
                let response = ScsiResponse::decode(&frame.header)
                    .unwrap_or_else(|| panic!("opcode {:#04x}", frame.header.opcode()));
                let sense = (frame.data.len() >= 16).then(|| (frame.data[4], frame.data[14], frame.data[15]));
                let residual = residual(response.flags, response.residual);
                return Ended { status: response.status, sense, data: read, residual };
            }
        }
    }

    /// A command that reads.
    pub(crate) async fn read(&mut self, lun: u16, cdb: &[u8], expected: u32) -> Ended {
        self.start(lun, cdb, expected, false, &[]).await;
        self.finish(&[]).await
    }

    /// A command that sends data, none of it immediate.
    pub(crate) async fn write(&mut self, lun: u16, cdb: &[u8], data: &[u8]) -> Ended {
        self.start(lun, cdb, data.len() as u32, true, &[]).await;
        self.finish(data).await
    }

    /// Takes the unit attention of a LUN that was not used before.
    pub(crate) async fn meet(&mut self, lun: u16) {
        assert_eq!(self.read(lun, &[0; 6], 0).await.sense, Some((6, 0x29, 0)));
    }
}

fn residual(flags: u8, count: u32) -> i64 {
    match flags & (response_flags::OVERFLOW | response_flags::UNDERFLOW) {
        0 => 0,
        response_flags::UNDERFLOW => count.into(),
        _ => -i64::from(count),
    }
}

/// The proof of CHAP with MD5.
pub(crate) fn proof(identifier: u8, secret: &str, challenge: &[u8]) -> String {
    text::to_hex(&md5::compute([&[identifier], secret.as_bytes(), challenge].concat()).0)
}

/// READ (10) and WRITE (10).
pub(crate) fn rw10(opcode: u8, lba: u32, blocks: u16) -> [u8; 10] {
    let [a, b, c, d] = lba.to_be_bytes();
    let [high, low] = blocks.to_be_bytes();
    [opcode, 0, a, b, c, d, 0, high, low, 0]
}

/// The tag of data that nobody asked for.
pub(crate) const UNSOLICITED: u32 = NO_TAG;
