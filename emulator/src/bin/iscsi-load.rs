//! Loads an iSCSI target and prints operations and bytes per second: `iscsi-load ADDR TARGET LUN read|write random|sequential
//! BLOCK_BYTES DEPTH SESSIONS SECONDS`. It is the load of `ci/iscsi-speed`, and an example of an initiator on the wire format.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use hpe3par_emulator::iscsi::wire::pdu::{
    DataIn, DataOut, FINAL, LoginRequest, LoginResponse, Pdu as _, ReadyToTransfer, ScsiCommand, ScsiResponse,
    command_flags, response_flags,
};
use hpe3par_emulator::iscsi::wire::text::{self, Keys};
use hpe3par_emulator::iscsi::wire::{Frame, Framing};

const BLOCK: u64 = 512;
const SEGMENT: usize = 256 << 10;
const INITIATOR: &str = "iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test";

#[derive(Debug, Clone)]
struct Load {
    address: String,
    target: String,
    lun: u8,
    write: bool,
    random: bool,
    bytes: usize,
    depth: usize,
    sessions: u8,
    time: Duration,
}

fn load() -> Result<Load> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, target, lun, kind, order, bytes, depth, sessions, seconds] = words.as_slice() else {
        bail!("usage: iscsi-load ADDR TARGET LUN read|write random|sequential BLOCK_BYTES DEPTH SESSIONS SECONDS");
    };
    Ok(Load {
        address: address.clone(),
        target: target.clone(),
        lun: lun.parse()?,
        write: kind == "write",
        random: order == "random",
        bytes: bytes.parse()?,
        depth: depth.parse()?,
        sessions: sessions.parse()?,
        time: Duration::from_secs_f64(seconds.parse()?),
    })
}

struct Session {
    stream: TcpStream,
    input: BytesMut,
    framing: Framing,
    cmd_sn: u32,
    tag: u32,
    lun: u8,
    /// Longest data segment that the target takes.
    segment: usize,
    first_burst: usize,
    out: Vec<u8>,
}

impl Session {
    fn open(load: &Load, number: u8) -> Result<Self> {
        let stream = TcpStream::connect(&load.address)?;
        stream.set_nodelay(true)?;
        let framing = Framing { max_data: SEGMENT, ..Framing::default() };
        let input = BytesMut::with_capacity(2 * SEGMENT);
        let mut session = Self {
            stream,
            input,
            framing,
            cmd_sn: 1,
            tag: 0,
            lun: load.lun,
            segment: 8192,
            first_burst: 65_536,
            out: Vec::new(),
        };
        let mut keys = Keys::default();
        for (key, value) in [
            ("InitiatorName", INITIATOR),
            ("TargetName", load.target.as_str()),
            ("SessionType", "Normal"),
            ("AuthMethod", "None"),
        ] {
            keys.push(key, value);
        }
        session.login(number, FINAL | 1, &keys)?;
        let mut keys = Keys::default();
        for (key, value) in [
            ("HeaderDigest", "None"),
            ("DataDigest", "None"),
            ("InitialR2T", "No"),
            ("ImmediateData", "Yes"),
            ("MaxRecvDataSegmentLength", "262144"),
            ("MaxBurstLength", "1048576"),
            ("FirstBurstLength", "262144"),
            ("MaxOutstandingR2T", "1"),
            ("MaxConnections", "1"),
            ("ErrorRecoveryLevel", "0"),
        ] {
            keys.push(key, value);
        }
        let agreed = session.login(number, FINAL | 1 << 2 | 3, &keys)?;
        let length = |key: &str| agreed.get(key).and_then(text::number).map(|n| n as usize);
        session.segment = length("MaxRecvDataSegmentLength").unwrap_or(8192);
        session.first_burst = length("FirstBurstLength").unwrap_or(65_536);
        Ok(session)
    }

    fn login(&mut self, number: u8, flags: u8, keys: &Keys) -> Result<Keys> {
        let isid = [0x80, 0, 0, 0, 0, number];
        let request = LoginRequest { immediate: true, flags, isid, cmd_sn: self.cmd_sn, ..LoginRequest::default() };
        self.framing.put(&mut self.out, &request.encode(), &keys.encode());
        self.flush()?;
        let frame = self.next()?;
        let response = LoginResponse::decode(&frame.header).context("no answer to the login")?;
        ensure!(response.status == 0, "login refused: {:#06x}", response.status);
        Ok(Keys::parse(&frame.data)?)
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.framing.take(&mut self.input)? {
                return Ok(frame);
            }
            self.flush()?;
            let held = self.input.len();
            let missing = self.framing.length_of_next(&self.input)?.map_or(0, |length| length.saturating_sub(held));
            self.input.resize(held + missing.max(65_536), 0);
            let count = self.stream.read(&mut self.input[held..])?;
            self.input.truncate(held + count);
            ensure!(count > 0, "the target closed the connection");
        }
    }

    fn start(&mut self, cdb: [u8; 16], write: bool, length: usize, data: &[u8]) -> u32 {
        self.tag = self.tag.wrapping_add(1) & 0x7FFF_FFFF;
        let immediate = if write { length.min(self.segment).min(self.first_burst) } else { 0 };
        let command = ScsiCommand {
            flags: FINAL | if write { command_flags::WRITE } else { command_flags::READ },
            lun: [0, self.lun, 0, 0, 0, 0, 0, 0],
            initiator_task_tag: self.tag,
            expected_data_transfer_length: length as u32,
            cmd_sn: self.cmd_sn,
            cdb,
            ..ScsiCommand::default()
        };
        self.cmd_sn = self.cmd_sn.wrapping_add(1);
        self.framing.put(&mut self.out, &command.encode(), &data[..immediate]);
        self.tag
    }

    fn feed(&mut self, r2t: &ReadyToTransfer, data: &[u8]) {
        let (mut at, end) = (r2t.buffer_offset as usize, (r2t.buffer_offset + r2t.desired_length) as usize);
        let mut sn = 0;
        while at < end {
            let step = (end - at).min(self.segment);
            let pdu = DataOut {
                flags: if at + step == end { FINAL } else { 0 },
                initiator_task_tag: r2t.initiator_task_tag,
                target_transfer_tag: r2t.target_transfer_tag,
                data_sn: sn,
                buffer_offset: at as u32,
                ..DataOut::default()
            };
            self.framing.put(&mut self.out, &pdu.encode(), &data[at..at + step]);
            (at, sn) = (at + step, sn + 1);
        }
    }

    /// Waits for the end of a command; gives its tag and status.
    fn finish(&mut self, data: &[u8]) -> Result<(u32, u8)> {
        loop {
            let frame = self.next()?;
            if let Some(part) = DataIn::decode(&frame.header) {
                if part.flags & response_flags::STATUS != 0 {
                    return Ok((part.initiator_task_tag, part.status));
                }
            } else if let Some(response) = ScsiResponse::decode(&frame.header) {
                return Ok((response.initiator_task_tag, response.status));
            } else if let Some(r2t) = ReadyToTransfer::decode(&frame.header) {
                self.feed(&r2t, data);
            }
        }
    }
}

/// READ (10) or WRITE (10).
fn command(load: &Load, place: u64) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[0] = if load.write { 0x2A } else { 0x28 };
    cdb[2..6].copy_from_slice(&((place * load.bytes as u64 / BLOCK) as u32).to_be_bytes());
    cdb[7..9].copy_from_slice(&((load.bytes as u64 / BLOCK) as u16).to_be_bytes());
    cdb
}

/// One session for the whole time; gives how many commands ended well.
fn run(load: &Load, number: u8) -> Result<u64> {
    let mut session = Session::open(load, number)?;
    // Unit attentions of the login.
    for _ in 0..4 {
        session.start([0; 16], false, 0, &[]);
        session.finish(&[])?;
    }
    let mut capacity = [0; 16];
    capacity[0] = 0x25;
    session.start(capacity, false, 8, &[]);
    let size = loop {
        let frame = session.next()?;
        if DataIn::decode(&frame.header).is_some() {
            let last = frame.data.first_chunk().copied().map(u32::from_be_bytes).context("no capacity")?;
            break (u64::from(last) + 1) * BLOCK;
        }
    };
    let places = size / load.bytes as u64;
    ensure!(places > 0, "the volume is smaller than a block of the load");
    let data = vec![number.wrapping_add(1); load.bytes];
    let mut seed = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next_place = places / u64::from(load.sessions) * u64::from(number);
    let mut place = || {
        if load.random {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % places
        } else {
            next_place = (next_place + 1) % places;
            next_place
        }
    };
    let (begun, mut ended, mut flying) = (Instant::now(), 0, HashMap::new());
    for _ in 0..load.depth {
        flying.insert(session.start(command(load, place()), load.write, load.bytes, &data), ());
    }
    while !flying.is_empty() {
        let (tag, status) = session.finish(&data)?;
        ensure!(status == 0 && flying.remove(&tag).is_some(), "a command ended with status {status:#04x}");
        ended += 1;
        if begun.elapsed() < load.time {
            flying.insert(session.start(command(load, place()), load.write, load.bytes, &data), ());
        }
    }
    Ok(ended)
}

fn main() -> Result<()> {
    let load = load()?;
    let begun = Instant::now();
    let threads: Vec<_> = (0..load.sessions)
        .map(|number| {
            let load = load.clone();
            std::thread::spawn(move || run(&load, number))
        })
        .collect();
    let mut ended = 0;
    for thread in threads {
        ended += thread.join().map_err(|_| anyhow::anyhow!("a session panicked"))??;
    }
    let rate = ended as f64 / begun.elapsed().as_secs_f64();
    println!("{rate:.0} {:.1}", rate * load.bytes as f64 / f64::from(1 << 20));
    Ok(())
}
