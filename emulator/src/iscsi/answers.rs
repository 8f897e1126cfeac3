//! What a command ended with, on its way to the initiator: Data-In, status, sense and residual count.

use std::collections::VecDeque;

use super::outbox::Outbox;
use super::session::Session;
use super::wire::Header;
use super::wire::pdu::{
    DataIn as DataInPdu, FINAL, NO_TAG, Pdu as _, ScsiCommand, ScsiResponse, command_flags, response_flags,
};
use crate::datapath::{PAGE_BYTES, PageSlice};
use crate::scsi::{self, Answer, DataIn, Status};

/// Flag and count of the residual, and the status, which the last Data-In carries.
type Ending = (u8, u32, Status);

impl Session {
    /// Sends data, status and residual count of a command.
    pub(super) fn answer(&mut self, command: &ScsiCommand, answer: Answer, r2t_count: u32, out: &mut Outbox) {
        let Answer { status, sense, mut data } = answer;
        let reads = command.flags & command_flags::READ != 0;
        let writes = command.flags & command_flags::WRITE != 0;
        let expected = if reads || writes { command.expected_data_transfer_length as usize } else { 0 };
        let moved = if writes {
            if status == Status::Good {
                usize::try_from(scsi::data_out_length(&command.cdb)).unwrap_or(usize::MAX)
            } else {
                0
            }
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
            exp_cmd_sn: self.exp_cmd_sn(),
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
        (flag, residual, status): Ending,
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
            let header = self.data_in_header(
                command,
                sent,
                count,
                (last && with_status).then_some((flag, residual, status)),
                last || self.ends_burst(sent + step),
            );
            out.put_pages(&self.framing(), &header, part);
            (sent, count) = (sent + step, count + 1);
        }
        Some((count, with_status))
    }

    fn data_in_bytes(
        &mut self,
        command: &ScsiCommand,
        bytes: &[u8],
        (flag, residual, status): Ending,
        out: &mut Outbox,
    ) -> (u32, bool) {
        let (mut sent, mut count) = (0, 0);
        while sent < bytes.len() {
            let step = self.step(sent, bytes.len());
            let last = sent + step == bytes.len();
            let with_status = (last && status == Status::Good).then_some((flag, residual, status));
            let header = self.data_in_header(command, sent, count, with_status, last || self.ends_burst(sent + step));
            out.put(&self.framing(), &header, &bytes[sent..sent + step]);
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
        ending: Option<Ending>,
        is_final: bool,
    ) -> Header {
        let mut pdu = DataInPdu {
            flags: if is_final { FINAL } else { 0 },
            initiator_task_tag: command.initiator_task_tag,
            target_transfer_tag: NO_TAG,
            exp_cmd_sn: self.exp_cmd_sn(),
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
}

/// The first `count` bytes of some pages.
fn take_pages(pages: &mut VecDeque<PageSlice>, mut count: usize) -> Vec<PageSlice> {
    let mut taken = Vec::with_capacity(count / PAGE_BYTES + 2);
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
