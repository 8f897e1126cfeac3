//! The full feature phase of a connection: PDUs in, PDUs out. A state machine without I/O; at error recovery level 0 its end is the
//! end of the session.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::discovery::send_targets;
use super::login::{Established, Purpose};
use super::outbox::Outbox;
use super::parameters::{MAX_DATA_SEGMENT, Parameters};
use super::target::{Portal, Target};
use super::transfer::{Fate, Progress, Transfer, Transfers};
use super::wire::pdu::{
    CONTINUE, DataOut as DataOutPdu, FINAL, LogoutRequest, LogoutResponse, NO_TAG, NopIn, NopOut, Pdu, ReadyToTransfer,
    Reject, ScsiCommand, SnackRequest, TaskManagementRequest, TextRequest, TextResponse, command_flags, reject_reason,
};
use super::wire::text::{Keys, TEXT_MAX};
use super::wire::{Frame, Framing, Header, serial};
use crate::array::PortPos;
use crate::datapath::{Sense, SessionId};
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
    pub(super) parameters: Parameters,
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
        if broken || self.transfers.contains(command.initiator_task_tag) || self.transfers.len() >= 2 * WINDOW as usize
        {
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
                Progress::Broken(why) => self.break_off(&transfer, pdu, why, out),
                Progress::Wait | Progress::Complete => self.complete(transfer, out)?,
            }
        }
        self.solicit(out);
        Ok(Flow::On)
    }

    /// Ends a command whose data breaks the rules (s. 7.8): ABORTED COMMAND.
    fn break_off(&mut self, transfer: &Transfer, pdu: &DataOutPdu, why: &str, out: &mut Outbox) {
        tracing::info!(task = pdu.initiator_task_tag, "command ended by {why}");
        if let Fate::Run(task) = &transfer.fate {
            self.target.emulator().with(|array, _| array.abort_task(*task));
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
    pub(super) fn solicit(&mut self, out: &mut Outbox) {
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
