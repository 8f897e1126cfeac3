//! The full feature phase of a connection: PDUs in, PDUs out. A state machine without I/O; at error recovery level 0 its end is the
//! end of the session.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::discovery::send_targets;
use super::login::{Established, Purpose};
use super::outbox::Outbox;
use super::parameters::{MAX_DATA_SEGMENT, Parameters};
use super::target::{Portal, Target};
use super::transfer::{Fate, Progress, Transfer, Transfers};
use super::wire::pdu::{
    CONTINUE, DataIn as DataInPdu, DataOut as DataOutPdu, FINAL, LogoutRequest, LogoutResponse, NO_TAG, NopIn, NopOut,
    Pdu, ReadyToTransfer, Reject, ScsiCommand, ScsiResponse, SnackRequest, TaskManagementRequest, TextRequest,
    TextResponse, command_flags, reject_reason, response_flags,
};
use super::wire::text::{Keys, TEXT_MAX};
use super::wire::{Frame, Framing, Header, serial};
use crate::array::PortPos;
use crate::datapath::{PageSlice, Sense, SessionId};
use crate::scsi::{self, Answer, DataIn, DataOut, Received, Request, SenseData, SessionGone, Status};

/// Commands that a session takes at once.
pub(super) const WINDOW: u32 = 128;

/// ABORTED COMMAND, DATA PHASE ERROR.
const DATA_PHASE_ERROR: Sense = Sense::new(0x0B, 0x4B, 0x00);

/// Whether the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does.
    On,
    /// It is closed once everything is written.
    Close,
}

/// Why a connection is dropped at once.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the array ended the session")]
    SessionGone(#[from] SessionGone),
}

type Handled = Result<Flow, Broken>;

/// A connection in the full feature phase.
pub(super) struct Session {
    pub(super) target: Arc<Target>,
    pub(super) portal: Arc<Portal>,
    pub(super) purpose: Purpose,
    parameters: Parameters,
    framing: Framing,
    stat_sn: u32,
    exp_cmd_sn: u32,
    /// Commands that came before their turn.
    early: BTreeMap<u32, Frame>,
    pub(super) transfers: Transfers,
    text: Vec<u8>,
}

impl Session {
    pub(super) fn new(target: Arc<Target>, portal: Arc<Portal>, established: Established) -> Self {
        let Established { purpose, parameters, stat_sn, exp_cmd_sn } = established;
        let framing = Framing {
            header_digest: parameters.header_digest,
            data_digest: parameters.data_digest,
            max_data: MAX_DATA_SEGMENT,
        };
        Self {
            target,
            portal,
            purpose,
            parameters,
            framing,
            stat_sn,
            exp_cmd_sn,
            early: BTreeMap::new(),
            transfers: Transfers::default(),
            text: Vec::new(),
        }
    }

    /// How PDUs are laid out from now on.
    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    /// Session and port, unless it is for discovery.
    pub(super) fn nexus(&self) -> Option<(SessionId, PortPos)> {
        match &self.purpose {
            Purpose::Normal(opened, port) => Some((opened.id, *port)),
            Purpose::Discovery => None,
        }
    }

    pub(super) fn exp_cmd_sn(&self) -> u32 {
        self.exp_cmd_sn
    }

    /// Highest command number taken. Commands that wait for data take their place in the window, so it never shrinks.
    pub(super) fn max_cmd_sn(&self) -> u32 {
        let waiting = u32::try_from(self.transfers.len()).unwrap_or(WINDOW).min(WINDOW);
        self.exp_cmd_sn.wrapping_add(WINDOW - 1 - waiting)
    }

    /// Status number of the response that is being made.
    pub(super) fn next_stat_sn(&mut self) -> u32 {
        let number = self.stat_sn;
        self.stat_sn = number.wrapping_add(1);
        number
    }

    pub(super) fn send(&self, out: &mut Outbox, pdu: &impl Pdu, data: &[u8]) {
        out.put(&self.framing, &pdu.encode(), data);
    }

    /// Takes a PDU in.
    pub(super) fn handle(&mut self, frame: Frame, out: &mut Outbox) -> Handled {
        let header = frame.header;
        if let Some(pdu) = DataOutPdu::decode(&header) {
            return self.data_out(&pdu, frame.data, out);
        }
        if SnackRequest::decode(&header).is_some() {
            return Ok(self.reject(&header, reject_reason::SNACK, out));
        }
        if !matches!(header.opcode(), 0x00..=0x02 | 0x04 | 0x06) {
            return Ok(self.reject(&header, reject_reason::NOT_SUPPORTED, out));
        }
        let number = header.command_number();
        if header.is_immediate() {
            let flow = self.request(frame, out)?;
            return self.go_on(flow, out);
        }
        if !serial::in_window(number, self.exp_cmd_sn, self.max_cmd_sn()) {
            // Has to be ignored (s. 4.2.2.1).
            return Ok(Flow::On);
        }
        if number != self.exp_cmd_sn {
            self.early.insert(number, frame);
            return Ok(Flow::On);
        }
        let flow = self.in_turn(frame, out)?;
        self.go_on(flow, out)
    }

    /// Takes the commands whose turn has come.
    fn go_on(&mut self, mut flow: Flow, out: &mut Outbox) -> Handled {
        while flow == Flow::On
            && let Some(next) = self.early.remove(&self.exp_cmd_sn)
        {
            flow = self.in_turn(next, out)?;
        }
        Ok(flow)
    }

    /// Takes a command that never came for received, as its abort demands (s. 11.6.1): a ping without an answer fills its place.
    pub(super) fn take_for_received(&mut self, number: u32) {
        let ping = NopOut { initiator_task_tag: NO_TAG, cmd_sn: number, ..NopOut::default() };
        self.early.insert(number, Frame { header: ping.encode(), additional: Bytes::new(), data: Bytes::new() });
    }

    fn in_turn(&mut self, frame: Frame, out: &mut Outbox) -> Handled {
        self.exp_cmd_sn = self.exp_cmd_sn.wrapping_add(1);
        self.request(frame, out)
    }

    fn request(&mut self, frame: Frame, out: &mut Outbox) -> Handled {
        let Frame { header, data, .. } = frame;
        if let Some(command) = ScsiCommand::decode(&header) {
            let Some((session, _)) = self.nexus() else {
                return Ok(self.reject(&header, reject_reason::PROTOCOL, out));
            };
            return self.command(session, &command, data, out);
        }
        if let Some(ping) = NopOut::decode(&header) {
            return Ok(self.ping(&ping, &data, out));
        }
        if let Some(request) = TaskManagementRequest::decode(&header) {
            return Ok(self.manage(&header, &request, out));
        }
        if let Some(request) = TextRequest::decode(&header) {
            return Ok(self.text(&header, &request, &data, out));
        }
        match LogoutRequest::decode(&header) {
            Some(request) => Ok(self.log_out(&request, out)),
            None => Ok(self.reject(&header, reject_reason::NOT_SUPPORTED, out)),
        }
    }

    /// A SCSI command: run at once when its data is there, else its data is waited for.
    fn command(&mut self, session: SessionId, command: &ScsiCommand, data: Bytes, out: &mut Outbox) -> Handled {
        let header = command.encode();
        let writes = command.flags & command_flags::WRITE != 0;
        let expected = if writes { command.expected_data_transfer_length as usize } else { 0 };
        let unsolicited = writes && command.flags & FINAL == 0;
        let allowed = if self.parameters.immediate_data { expected.min(self.parameters.first_burst) } else { 0 };
        let broken = data.len() > allowed || unsolicited && self.parameters.initial_r2t;
        if broken || self.transfers.contains(command.initiator_task_tag) || self.transfers.len() >= 2 * WINDOW as usize {
            return Ok(self.reject(&header, reject_reason::PROTOCOL, out));
        }
        let needed = scsi::data_out_length(&command.cdb);
        let wanted = usize::try_from(needed.min(expected as u64)).unwrap_or(usize::MAX);
        let mut sent = DataOut::default();
        if !data.is_empty() {
            sent.push(data);
            sent.truncate(wanted);
        }
        let nothing = DataOut::default();
        let announced = expected as u64;
        let request = |data| Request { session, lun: command.lun, cdb: &command.cdb, data, announced, task: None };
        let emulator = self.target.emulator();
        // What is longer than any transfer is refused without its data.
        if sent.len() >= wanted && !unsolicited || needed > scsi::TRANSFER_BYTES_MAX {
            let answer = emulator.with(|array, now| array.execute(now, &request(&sent)))?;
            if !unsolicited {
                self.answer(command, answer, 0, out);
                return Ok(Flow::On);
            }
            return self.wait_for_data(*command, Fate::Answered(Box::new(answer)), sent, wanted, out);
        }
        let received = emulator.with(|array, now| array.receive(now, &request(&nothing)))?;
        let fate = match received {
            Received::Waits(task) => Fate::Run(task),
            Received::Done(answer) => Fate::Answered(Box::new(answer)),
        };
        self.wait_for_data(*command, fate, sent, wanted, out)
    }

    fn wait_for_data(
        &mut self,
        command: ScsiCommand,
        fate: Fate,
        sent: DataOut,
        wanted: usize,
        out: &mut Outbox,
    ) -> Handled {
        let transfer = Transfer::new(command, fate, sent, wanted, self.parameters.first_burst);
        if let Some(complete) = self.transfers.add(transfer) {
            self.complete(complete, out)?;
        }
        self.solicit(out);
        Ok(Flow::On)
    }

    /// Data of a command.
    fn data_out(&mut self, pdu: &DataOutPdu, data: Bytes, out: &mut Outbox) -> Handled {
        if let Some((transfer, progress)) = self.transfers.take(pdu, data) {
            match progress {
                Progress::Broken(why) => self.break_off(transfer, pdu, why, out),
                Progress::Wait | Progress::Complete => self.complete(transfer, out)?,
            }
        }
        self.solicit(out);
        Ok(Flow::On)
    }

    /// Ends a command whose data breaks the rules (s. 7.8): ABORTED COMMAND.
    fn break_off(&mut self, transfer: Transfer, pdu: &DataOutPdu, why: &str, out: &mut Outbox) {
        tracing::info!(task = pdu.initiator_task_tag, "command ended by {why}");
        if let Fate::Run(task) = transfer.fate {
            self.target.emulator().with(|array, _| array.abort_task(task));
        }
        let sense = Some(SenseData::from(DATA_PHASE_ERROR));
        let answer = Answer { status: Status::CheckCondition, sense, data: DataIn::None };
        self.answer(&transfer.command, answer, transfer.r2t_sn, out);
    }

    fn complete(&mut self, transfer: Transfer, out: &mut Outbox) -> Result<(), Broken> {
        let Transfer { command, fate, data, r2t_sn, .. } = transfer;
        let answer = match fate {
            Fate::Answered(answer) => *answer,
            Fate::Run(task) => {
                let Some((session, _)) = self.nexus() else { return Ok(()) };
                let announced = command.expected_data_transfer_length.into();
                let (lun, cdb) = (command.lun, &command.cdb);
                let request = Request { session, lun, cdb, data: &data, announced, task: Some(task) };
                self.target.emulator().with(|array, now| array.execute(now, &request))?
            }
        };
        self.answer(&command, answer, r2t_sn, out);
        Ok(())
    }

    /// Asks for data as far as there is room for it.
    fn solicit(&mut self, out: &mut Outbox) {
        while let Some(solicit) = self.transfers.next_r2t(self.parameters.max_burst) {
            let r2t = ReadyToTransfer {
                final_bit: FINAL,
                initiator_task_tag: solicit.initiator_task_tag,
                target_transfer_tag: solicit.tag,
                stat_sn: self.stat_sn,
                exp_cmd_sn: self.exp_cmd_sn,
                max_cmd_sn: self.max_cmd_sn(),
                r2t_sn: solicit.sn,
                buffer_offset: solicit.offset as u32,
                desired_length: solicit.length as u32,
                ..ReadyToTransfer::default()
            };
            self.send(out, &r2t, &[]);
        }
    }

    /// Sends data, status and residual count of a command.
    fn answer(&mut self, command: &ScsiCommand, answer: Answer, r2t_count: u32, out: &mut Outbox) {
        let Answer { status, sense, mut data } = answer;
        let reads = command.flags & command_flags::READ != 0;
        let writes = command.flags & command_flags::WRITE != 0;
        let expected = if reads || writes { command.expected_data_transfer_length as usize } else { 0 };
        let moved = if writes {
            if status == Status::Good { usize::try_from(scsi::data_out_length(&command.cdb)).unwrap_or(usize::MAX) } else { 0 }
        } else {
            data.len()
        };
        let (flag, residual) = match moved.cmp(&expected) {
            std::cmp::Ordering::Less => (response_flags::UNDERFLOW, expected - moved),
            std::cmp::Ordering::Greater => (response_flags::OVERFLOW, moved - expected),
            std::cmp::Ordering::Equal => (0, 0),
        };
        let residual = u32::try_from(residual).unwrap_or(u32::MAX);
        let shown = if reads { expected } else { 0 };
        let in_sent = self.data_in(command, &mut data, shown, (flag, residual, status), out);
        if let Some((_, true)) = in_sent {
            return;
        }
        let mut text = Vec::new();
        if let Some(sense) = sense {
            let bytes = sense.to_bytes();
            text.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
            text.extend_from_slice(&bytes);
        }
        let response = ScsiResponse {
            flags: FINAL | flag,
            status: status as u8,
            initiator_task_tag: command.initiator_task_tag,
            stat_sn: self.next_stat_sn(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn(),
            exp_data_sn: in_sent.map_or(r2t_count, |(count, _)| count),
            residual,
            ..ScsiResponse::default()
        };
        self.send(out, &response, &text);
    }

    /// Sends data in PDUs that the initiator takes; the last one carries the status GOOD. Gives how many there were, and whether the
    /// status went with them.
    fn data_in(
        &mut self,
        command: &ScsiCommand,
        data: &mut DataIn,
        shown: usize,
        (flag, residual, status): (u8, u32, Status),
        out: &mut Outbox,
    ) -> Option<(u32, bool)> {
        let length = data.len().min(shown);
        if length == 0 {
            return None;
        }
        let with_status = status == Status::Good;
        let mut pages: VecDeque<PageSlice> = match std::mem::take(data) {
            DataIn::Pages(pages) => pages.into(),
            other => {
                let bytes = other.to_vec();
                return Some(self.data_in_bytes(command, bytes.get(..length)?, (flag, residual, status), out));
            }
        };
        let (mut sent, mut count) = (0, 0);
        while sent < length {
            let step = self.step(sent, length);
            let part = take_pages(&mut pages, step);
            let last = sent + step == length;
            let header = self.data_in_header(command, sent, count, (last && with_status).then_some((flag, residual, status)), last || self.ends_burst(sent + step));
            out.put_pages(&self.framing, &header, part);
            (sent, count) = (sent + step, count + 1);
        }
        Some((count, with_status))
    }

    fn data_in_bytes(
        &mut self,
        command: &ScsiCommand,
        bytes: &[u8],
        (flag, residual, status): (u8, u32, Status),
        out: &mut Outbox,
    ) -> (u32, bool) {
        let (mut sent, mut count) = (0, 0);
        while sent < bytes.len() {
            let step = self.step(sent, bytes.len());
            let last = sent + step == bytes.len();
            let with_status = (last && status == Status::Good).then_some((flag, residual, status));
            let header = self.data_in_header(command, sent, count, with_status, last || self.ends_burst(sent + step));
            out.put(&self.framing, &header, &bytes[sent..sent + step]);
            (sent, count) = (sent + step, count + 1);
        }
        (count, status == Status::Good)
    }

    /// Bytes of the next Data-In: not longer than the initiator takes, and not across the end of a burst.
    fn step(&self, sent: usize, length: usize) -> usize {
        let burst = self.parameters.max_burst - sent % self.parameters.max_burst;
        (length - sent).min(self.parameters.initiator_data_segment).min(burst)
    }

    fn ends_burst(&self, sent: usize) -> bool {
        sent.is_multiple_of(self.parameters.max_burst)
    }

    fn data_in_header(
        &mut self,
        command: &ScsiCommand,
        offset: usize,
        data_sn: u32,
        ending: Option<(u8, u32, Status)>,
        is_final: bool,
    ) -> Header {
        let mut pdu = DataInPdu {
            flags: if is_final { FINAL } else { 0 },
            initiator_task_tag: command.initiator_task_tag,
            target_transfer_tag: NO_TAG,
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn(),
            data_sn,
            buffer_offset: offset as u32,
            ..DataInPdu::default()
        };
        if let Some((flag, residual, status)) = ending {
            pdu.flags |= response_flags::STATUS | flag;
            (pdu.status, pdu.residual, pdu.stat_sn) = (status as u8, residual, self.next_stat_sn());
        }
        pdu.encode()
    }

    /// NOP-Out: answers a ping with what it carried.
    fn ping(&mut self, ping: &NopOut, data: &[u8], out: &mut Outbox) -> Flow {
        if ping.initiator_task_tag == NO_TAG {
            return Flow::On;
        }
        let answer = NopIn {
            final_bit: FINAL,
            lun: ping.lun,
            initiator_task_tag: ping.initiator_task_tag,
            target_transfer_tag: NO_TAG,
            stat_sn: self.next_stat_sn(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn(),
        };
        self.send(out, &answer, &data[..data.len().min(self.parameters.initiator_data_segment)]);
        Flow::On
    }

    /// Text: SendTargets, and keys that may change within a session.
    fn text(&mut self, header: &Header, request: &TextRequest, data: &[u8], out: &mut Outbox) -> Flow {
        if self.text.len() + data.len() > TEXT_MAX {
            self.text.clear();
            return self.reject(header, reject_reason::PROTOCOL, out);
        }
        self.text.extend_from_slice(data);
        let mut response = TextResponse {
            flags: FINAL,
            initiator_task_tag: request.initiator_task_tag,
            target_transfer_tag: NO_TAG,
            ..TextResponse::default()
        };
        let mut reply = Keys::default();
        if request.flags & CONTINUE != 0 {
            // More of the text follows, under a tag.
            (response.flags, response.target_transfer_tag) = (0, request.initiator_task_tag & 0x7FFF_FFFF);
        } else {
            match Keys::parse(&std::mem::take(&mut self.text)) {
                Ok(keys) => reply = self.answer_keys(&keys),
                Err(_) => return self.reject(header, reject_reason::PROTOCOL, out),
            }
        }
        response.stat_sn = self.next_stat_sn();
        (response.exp_cmd_sn, response.max_cmd_sn) = (self.exp_cmd_sn, self.max_cmd_sn());
        self.send(out, &response, &reply.encode());
        Flow::On
    }

    fn answer_keys(&mut self, keys: &Keys) -> Keys {
        let mut reply = Keys::default();
        for (key, value) in keys.iter() {
            match key {
                "SendTargets" => {
                    let own = self.nexus().map(|(_, port)| port);
                    let found = send_targets(&self.target, &self.portal.ports, value, own);
                    found.iter().for_each(|(key, value)| reply.push(key, value));
                }
                // The only key of the full feature phase that says something about the initiator.
                "MaxRecvDataSegmentLength" => {
                    if let Some(answer) = self.parameters.negotiate(key, value) {
                        reply.push(key, answer);
                    }
                }
                _ => reply.push(key, if key.starts_with("X-") { "NotUnderstood" } else { "Reject" }),
            }
        }
        reply
    }

    fn log_out(&mut self, request: &LogoutRequest, out: &mut Outbox) -> Flow {
        // Keeping the connection's tasks for another one is not supported.
        let recovery = request.reason & 0x7F == 2;
        let response = LogoutResponse {
            final_bit: FINAL,
            response: if recovery { 2 } else { 0 },
            initiator_task_tag: request.initiator_task_tag,
            stat_sn: self.next_stat_sn(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn(),
            time2wait: 2,
            ..LogoutResponse::default()
        };
        self.send(out, &response, &[]);
        if recovery { Flow::On } else { Flow::Close }
    }

    /// Rejects a PDU.
    pub(super) fn reject(&mut self, header: &Header, reason: u8, out: &mut Outbox) -> Flow {
        tracing::info!(opcode = format_args!("{:#04x}", header.opcode()), reason, "PDU rejected");
        let reject = Reject {
            final_bit: FINAL,
            reason,
            initiator_task_tag: NO_TAG,
            stat_sn: self.next_stat_sn(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn(),
            data_sn: 0,
        };
        self.send(out, &reject, &header.0);
        Flow::On
    }
}

/// The first `count` bytes of some pages.
fn take_pages(pages: &mut VecDeque<PageSlice>, mut count: usize) -> Vec<PageSlice> {
    let mut taken = Vec::with_capacity(count / crate::datapath::PAGE_BYTES + 2);
    while count > 0
        && let Some(page) = pages.front_mut()
    {
        if page.len() > count {
            taken.push(page.split_to(count));
            break;
        }
        count -= page.len();
        taken.extend(pages.pop_front());
    }
    taken
}
