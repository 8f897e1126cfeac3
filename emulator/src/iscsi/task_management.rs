//! Task management functions (RFC 7143 s. 11.5 and 11.6).

use super::outbox::Outbox;
use super::session::{Flow, Session};
use super::transfer::{Fate, Transfer};
use super::wire::pdu::{FINAL, TaskManagementRequest, TaskManagementResponse, reject_reason};
use super::wire::{Header, serial};
use crate::scsi::{LunField, lun_field};

mod function {
    pub(super) const ABORT_TASK: u8 = 1;
    pub(super) const ABORT_TASK_SET: u8 = 2;
    pub(super) const CLEAR_TASK_SET: u8 = 4;
    pub(super) const UNIT_RESET: u8 = 5;
    pub(super) const WARM_RESET: u8 = 6;
    pub(super) const COLD_RESET: u8 = 7;
    pub(super) const REASSIGN: u8 = 8;
}

mod response {
    pub(super) const COMPLETE: u8 = 0;
    pub(super) const NO_TASK: u8 = 1;
    pub(super) const NO_UNIT: u8 = 2;
    pub(super) const NO_REASSIGNMENT: u8 = 4;
    pub(super) const NOT_SUPPORTED: u8 = 5;
}

impl Session {
    /// Does a function and answers it. Commands that have their data are done by the time the next PDU is read, so only those that
    /// wait for data can be aborted.
    pub(super) fn manage(&mut self, header: &Header, request: &TaskManagementRequest, out: &mut Outbox) -> Flow {
        let Some((session, port)) = self.nexus() else {
            return self.reject(header, reject_reason::PROTOCOL, out);
        };
        let emulator = self.target.emulator().clone();
        let function = request.function & 0x7F;
        let response = match function {
            function::ABORT_TASK => self.abort(request),
            function::ABORT_TASK_SET | function::CLEAR_TASK_SET | function::UNIT_RESET => {
                match lun_field(request.lun) {
                    LunField::Unit(lun) => {
                        self.drop_waiting(|transfer| transfer.command.lun == request.lun);
                        let there = emulator.with(|array, now| match function {
                            function::ABORT_TASK_SET => {
                                array.abort_tasks_of(now, session, lun);
                                true
                            }
                            function::CLEAR_TASK_SET => array.clear_unit(session, request.lun),
                            _ => array.reset_unit(session, request.lun),
                        });
                        if there { response::COMPLETE } else { response::NO_UNIT }
                    }
                    _ => response::NO_UNIT,
                }
            }
            function::WARM_RESET | function::COLD_RESET => {
                self.drop_waiting(|_| true);
                emulator.with(|array, _| array.reset_target(session));
                response::COMPLETE
            }
            function::REASSIGN => response::NO_REASSIGNMENT,
            _ => response::NOT_SUPPORTED,
        };
        let answer = TaskManagementResponse {
            final_bit: FINAL,
            response,
            initiator_task_tag: request.initiator_task_tag,
            stat_sn: self.next_stat_sn(),
            exp_cmd_sn: self.exp_cmd_sn(),
            max_cmd_sn: self.max_cmd_sn(),
        };
        self.send(out, &answer, &[]);
        // What was dropped has left room for others.
        self.solicit(out);
        if function == function::COLD_RESET {
            self.target.sever_port(port, session);
            return Flow::Close;
        }
        Flow::On
    }

    fn abort(&mut self, request: &TaskManagementRequest) -> u8 {
        let tag = request.referenced_task_tag;
        if self.transfers.contains(tag) {
            self.drop_waiting(|transfer| transfer.command.initiator_task_tag == tag);
            return response::COMPLETE;
        }
        // A command that never came is taken for received; one that is done does not exist any more (s. 11.6.1).
        if !serial::in_window(request.ref_cmd_sn, self.exp_cmd_sn(), self.max_cmd_sn())
            || !serial::before(request.ref_cmd_sn, request.cmd_sn)
        {
            return response::NO_TASK;
        }
        self.take_for_received(request.ref_cmd_sn);
        response::COMPLETE
    }

    /// Drops commands that wait for data, without an answer.
    fn drop_waiting(&mut self, which: impl Fn(&Transfer) -> bool) {
        for tag in self.transfers.tags(which) {
            if let Some(Transfer { fate: Fate::Run(task), .. }) = self.transfers.remove(tag) {
                self.target.emulator().with(|array, _| array.abort_task(task));
            }
        }
    }
}
