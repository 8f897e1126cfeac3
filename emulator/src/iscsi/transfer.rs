//! Commands whose data is still coming in: unsolicited data, R2T, and the order that data has to keep.

use std::collections::{BTreeMap, VecDeque};

use super::wire::pdu::{DataOut as DataOutPdu, FINAL, NO_TAG, ScsiCommand};
use crate::datapath::TaskId;
use crate::scsi::{Answer, DataOut};

/// As long as commands that were promised room for their data have more than this, no other command is asked for its data.
const PROMISED_MAX: usize = 32 << 20;

/// What becomes of a command when its data has come.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is run, under this task.
    Run(TaskId),
    /// It was refused already; data that was on its way is dropped, then it is answered.
    Answered(Box<Answer>),
}

/// An R2T that is being answered.
#[derive(Debug, Clone, Copy)]
struct Solicited {
    tag: u32,
    /// End of the data that was asked for.
    end: usize,
}

/// A command that waits for data.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) command: ScsiCommand,
    pub(super) fate: Fate,
    pub(super) data: DataOut,
    /// R2T sent so far.
    pub(super) r2t_sn: u32,
    /// Bytes that the command needs.
    wanted: usize,
    /// Bytes that came, those that are not needed included.
    received: usize,
    /// How far unsolicited data may go, while it is still coming.
    unsolicited_end: Option<usize>,
    solicited: Option<Solicited>,
    /// Bytes of room that its first R2T promised.
    promised: usize,
    next_data_sn: u32,
}

/// What a Data-Out led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More has to come.
    Wait,
    /// Everything is there.
    Complete,
    /// The data breaks the order that was agreed.
    Broken(&'static str),
}

/// An R2T to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Solicit {
    pub(super) initiator_task_tag: u32,
    pub(super) tag: u32,
    pub(super) sn: u32,
    pub(super) offset: usize,
    pub(super) length: usize,
}

impl Transfer {
    pub(super) fn new(command: ScsiCommand, fate: Fate, data: DataOut, wanted: usize, first_burst: usize) -> Self {
        let expected = command.expected_data_transfer_length as usize;
        let unsolicited = command.flags & FINAL == 0;
        Self {
            command,
            fate,
            wanted,
            received: data.len(),
            data,
            r2t_sn: 0,
            unsolicited_end: unsolicited.then(|| expected.min(first_burst)),
            solicited: None,
            promised: 0,
            next_data_sn: 0,
        }
    }

    fn is_complete(&self) -> bool {
        let enough = matches!(self.fate, Fate::Answered(_)) || self.received >= self.wanted;
        enough && self.unsolicited_end.is_none() && self.solicited.is_none()
    }

    /// Whether the next part has to be asked for.
    fn wants_r2t(&self) -> bool {
        !self.is_complete() && self.unsolicited_end.is_none() && self.solicited.is_none()
    }

    fn take(&mut self, pdu: &DataOutPdu, data: bytes::Bytes) -> Progress {
        let solicited = pdu.target_transfer_tag != NO_TAG;
        let end = match (self.solicited, self.unsolicited_end) {
            (Some(asked), _) if solicited && asked.tag == pdu.target_transfer_tag => asked.end,
            (_, Some(end)) if !solicited => end,
            _ => return Progress::Broken("data that nobody asked for"),
        };
        if pdu.data_sn != self.next_data_sn {
            return Progress::Broken("a data sequence number out of order");
        }
        if pdu.buffer_offset as usize != self.received || data.len() > end - self.received {
            return Progress::Broken("data outside of what was agreed");
        }
        self.next_data_sn = self.next_data_sn.wrapping_add(1);
        self.received += data.len();
        self.data.push(data);
        if self.data.len() > self.wanted {
            self.data.truncate(self.wanted);
        }
        if pdu.flags & FINAL != 0 {
            if solicited && self.received < end {
                return Progress::Broken("less data than was asked for");
            }
            (self.solicited, self.unsolicited_end, self.next_data_sn) = (None, None, 0);
        } else if self.received == end {
            return Progress::Broken("a sequence that does not end where it should");
        }
        if self.is_complete() { Progress::Complete } else { Progress::Wait }
    }
}

/// The commands of a connection that wait for data.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    waiting: BTreeMap<u32, Transfer>,
    /// Those whose next R2T is due, in the order of their turns.
    turns: VecDeque<u32>,
    promised: usize,
    last_tag: u32,
}

impl Transfers {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn contains(&self, tag: u32) -> bool {
        self.waiting.contains_key(&tag)
    }

    /// Adds a command; gives it back when nothing has to be waited for.
    pub(super) fn add(&mut self, transfer: Transfer) -> Option<Transfer> {
        if transfer.is_complete() {
            return Some(transfer);
        }
        let tag = transfer.command.initiator_task_tag;
        if transfer.wants_r2t() {
            self.turns.push_back(tag);
        }
        self.waiting.insert(tag, transfer);
        None
    }

    /// Takes data in. A command that is complete or broken is given out; data of a command that is not known is dropped, as it may
    /// have been on its way when the command was aborted.
    pub(super) fn take(&mut self, pdu: &DataOutPdu, data: bytes::Bytes) -> Option<(Transfer, Progress)> {
        let tag = pdu.initiator_task_tag;
        let transfer = self.waiting.get_mut(&tag)?;
        match transfer.take(pdu, data) {
            Progress::Wait => {
                // One that has begun goes on first, so that few hold memory at a time.
                if transfer.wants_r2t() && transfer.promised > 0 {
                    self.turns.push_front(tag);
                } else if transfer.wants_r2t() {
                    self.turns.push_back(tag);
                }
                None
            }
            done => self.remove(tag).map(|transfer| (transfer, done)),
        }
    }

    /// Takes a command out.
    pub(super) fn remove(&mut self, tag: u32) -> Option<Transfer> {
        let transfer = self.waiting.remove(&tag)?;
        self.promised = self.promised.saturating_sub(transfer.promised);
        self.turns.retain(|turn| *turn != tag);
        Some(transfer)
    }

    /// Tags of the commands that `which` picks.
    pub(super) fn tags(&self, which: impl Fn(&Transfer) -> bool) -> Vec<u32> {
        self.waiting.iter().filter(|(_, transfer)| which(transfer)).map(|(tag, _)| *tag).collect()
    }

    /// The next R2T that may be sent.
    pub(super) fn next_r2t(&mut self, max_burst: usize) -> Option<Solicit> {
        let tag = *self.turns.front()?;
        let transfer = self.waiting.get_mut(&tag)?;
        if transfer.promised == 0 {
            if self.promised >= PROMISED_MAX {
                return None;
            }
            transfer.promised = transfer.wanted - transfer.received;
            self.promised += transfer.promised;
        }
        self.turns.pop_front();
        let length = (transfer.wanted - transfer.received).min(max_burst);
        self.last_tag = self.last_tag.wrapping_add(1) % NO_TAG;
        let solicit = Solicit {
            initiator_task_tag: tag,
            tag: self.last_tag,
            sn: transfer.r2t_sn,
            offset: transfer.received,
            length,
        };
        transfer.r2t_sn += 1;
        transfer.solicited = Some(Solicited { tag: self.last_tag, end: transfer.received + length });
        Some(solicit)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn transfer(expected: u32, flags: u8, immediate: usize, wanted: usize) -> Transfer {
        let command = ScsiCommand {
            flags,
            initiator_task_tag: 1,
            expected_data_transfer_length: expected,
            ..ScsiCommand::default()
        };
        Transfer::new(command, Fate::Run(TaskId(1)), vec![1; immediate].into(), wanted, 1000)
    }

    fn data(tag: u32, sn: u32, offset: usize, length: usize, last: bool) -> (DataOutPdu, Bytes) {
        let pdu = DataOutPdu {
            flags: if last { FINAL } else { 0 },
            initiator_task_tag: 1,
            target_transfer_tag: tag,
            data_sn: sn,
            buffer_offset: offset as u32,
            ..DataOutPdu::default()
        };
        (pdu, vec![2; length].into())
    }

    fn take(transfers: &mut Transfers, (pdu, bytes): (DataOutPdu, Bytes)) -> Option<Progress> {
        transfers.take(&pdu, bytes).map(|(_, progress)| progress)
    }

    #[test]
    fn immediate_unsolicited_and_solicited_data_come_one_after_the_other() {
        let mut transfers = Transfers::default();
        assert!(transfers.add(transfer(3000, 0, 200, 3000)).is_none());
        assert_eq!(transfers.next_r2t(1500), None, "unsolicited data comes first");
        assert_eq!(take(&mut transfers, data(NO_TAG, 0, 200, 500, false)), None);
        assert_eq!(take(&mut transfers, data(NO_TAG, 1, 700, 300, true)), None);
        let first = transfers.next_r2t(1500).unwrap();
        assert_eq!((first.sn, first.offset, first.length), (0, 1000, 1500));
        assert_eq!(transfers.next_r2t(1500), None, "one at a time");
        assert_eq!(take(&mut transfers, data(first.tag, 0, 1000, 1500, true)), None);
        let second = transfers.next_r2t(1500).unwrap();
        assert_eq!((second.sn, second.offset, second.length), (1, 2500, 500));
        assert_eq!(take(&mut transfers, data(second.tag, 0, 2500, 500, true)), Some(Progress::Complete));
        assert_eq!((transfers.len(), transfers.promised), (0, 0));
    }

    #[test]
    fn a_command_that_has_everything_does_not_wait() {
        assert!(Transfers::default().add(transfer(200, FINAL, 200, 200)).is_some());
    }

    #[test]
    fn data_out_of_order_breaks_the_command() {
        let broken = |pdu: (DataOutPdu, Bytes)| {
            let mut transfers = Transfers::default();
            transfers.add(transfer(3000, FINAL, 0, 3000));
            let asked = transfers.next_r2t(1500).unwrap();
            assert_eq!(asked.tag, 1);
            let broken = matches!(take(&mut transfers, pdu), Some(Progress::Broken(_)));
            assert!(!broken || transfers.promised == 0, "its room is free again");
            broken
        };
        assert!(broken(data(NO_TAG, 0, 0, 10, false)), "unsolicited");
        assert!(broken(data(2, 0, 0, 10, false)), "another tag");
        assert!(broken(data(1, 5, 0, 10, false)), "number");
        assert!(broken(data(1, 0, 8, 10, false)), "place");
        assert!(broken(data(1, 0, 0, 1501, true)), "too much");
        assert!(broken(data(1, 0, 0, 10, true)), "too little");
        assert!(!broken(data(1, 0, 0, 10, false)));
    }

    #[test]
    fn few_commands_hold_memory_at_a_time() {
        let mut transfers = Transfers::default();
        let size = PROMISED_MAX / 2;
        for tag in 0..5 {
            let mut one = transfer(size as u32, FINAL, 0, size);
            one.command.initiator_task_tag = tag;
            transfers.add(one);
        }
        let asked: Vec<_> = std::iter::from_fn(|| transfers.next_r2t(1000)).map(|r2t| r2t.initiator_task_tag).collect();
        assert_eq!(asked, [0, 1]);
        transfers.remove(0);
        assert_eq!(transfers.next_r2t(1000).unwrap().initiator_task_tag, 2);
    }

    proptest! {
        #[test]
        fn no_data_breaks_the_books(steps in prop::collection::vec((0u32..4, 0u32..3, 0usize..2000, 0usize..2000, any::<bool>()), 0..30)) {
            let mut transfers = Transfers::default();
            transfers.add(transfer(3000, 0, 100, 2500));
            for (tag, sn, offset, length, last) in steps {
                let tag = if tag == 0 { NO_TAG } else { tag };
                let _ = take(&mut transfers, data(tag, sn, offset, length, last));
                let _ = transfers.next_r2t(700);
                prop_assert!(transfers.promised <= 2500);
                for tag in transfers.tags(|_| true) {
                    prop_assert!(transfers.waiting[&tag].data.len() <= 2500);
                }
            }
        }
    }
}
