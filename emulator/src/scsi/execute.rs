//! From a command to the part that does it.

use std::time::Duration;

use super::cdb::Cdb;
use super::opcodes::{self, Access};
use super::unit::Place;
use super::{
    Answer, DataIn, DataOut, IoError, Outcome, Registrant, Request, SenseData, SessionGone, Status, Stop, codes,
};
use crate::array::{Array, Lun, VlunGeneration, Volume};
use crate::datapath::{Sense, SessionId, TaskId};

/// What becomes of a command whose data is still to come.
#[derive(Debug)]
pub enum Received {
    /// It is done already: the data is not wanted.
    Done(Answer),
    /// It waits for its data under this number.
    Waits(TaskId),
}

/// A volume as a session reaches it through a LUN, while a command runs.
pub(super) struct Unit<'a> {
    pub(super) array: &'a mut Array,
    pub(super) session: SessionId,
    pub(super) lun: Lun,
    pub(super) generation: VlunGeneration,
    pub(super) id: u32,
    /// When the command was issued.
    pub(super) issued: Duration,
    /// Bytes that the initiator announced to send.
    pub(super) announced: u64,
}

impl Array {
    /// Runs a command that has all its data.
    ///
    /// # Errors
    /// [`SessionGone`].
    pub fn execute(&mut self, now: Duration, request: &Request<'_>) -> Result<Answer, SessionGone> {
        self.advance(now);
        let outcome = match request.task {
            None => self.run(request),
            Some(task) => self.run_waiting(request, task),
        };
        self.answer(request.session, request.lun, outcome)
    }

    /// Takes a command whose data is still to come. What needs no data to be refused is refused at once.
    ///
    /// # Errors
    /// [`SessionGone`].
    pub fn receive(&mut self, now: Duration, request: &Request<'_>) -> Result<Received, SessionGone> {
        self.advance(now);
        let Request { session, lun: field, cdb, .. } = *request;
        let waits = match self.place_of(session, field) {
            Ok(Place::Volume { lun, .. }) => match self.next_attention(session, lun) {
                Some(attention) => Err(attention.into()),
                None => {
                    let (offset, length) = super::write_extent(cdb);
                    self.receive_command(session, lun, offset, length).map_err(Stop::from)
                }
            },
            // Whoever is refused anyway is refused by the way of a command with its data.
            Ok(_) => {
                let answer = self.run(request);
                return self.answer(session, field, answer).map(Received::Done);
            }
            Err(stop) => Err(stop),
        };
        match waits {
            Ok(task) => Ok(Received::Waits(task)),
            Err(stop) => self.answer(session, field, Err(stop)).map(Received::Done),
        }
    }

    fn answer(&self, session: SessionId, field: [u8; 8], outcome: Outcome) -> Result<Answer, SessionGone> {
        let refused = |status, sense| Answer { status, sense, data: DataIn::None };
        match outcome {
            Ok(data) => Ok(Answer { status: Status::Good, sense: None, data }),
            Err(Stop::Status(status)) => Ok(refused(status, None)),
            Err(Stop::SessionGone) => Err(SessionGone),
            Err(Stop::Check(sense)) => {
                let descriptor = match self.place_of(session, field) {
                    Ok(Place::Volume { volume, .. }) => {
                        self.volumes.get(volume).is_some_and(|v| v.unit.mode.descriptor_sense)
                    }
                    _ => false,
                };
                Ok(refused(Status::CheckCondition, Some(SenseData { descriptor, ..sense })))
            }
        }
    }

    /// A command with a task: where it leads was found out when it was received.
    fn run_waiting(&mut self, request: &Request<'_>, task: TaskId) -> Outcome {
        let (issued, reached) = self.resume_command(task)?;
        let super::LunField::Unit(lun) = super::lun_field(request.lun) else {
            return Err(Sense::LUN_NOT_SUPPORTED.into());
        };
        let Some((generation, id)) = reached else {
            return Err(self.refuse_for_want_of_unit(request, Some(lun), issued));
        };
        let (session, announced) = (request.session, request.announced);
        Unit { array: self, session, lun, generation, id, issued, announced }.run(Cdb(request.cdb), request.data)
    }

    fn run(&mut self, request: &Request<'_>) -> Outcome {
        let (session, cdb) = (request.session, Cdb(request.cdb));
        let place = self.place_of(session, request.lun)?;
        match cdb.opcode() {
            opcodes::INQUIRY => return self.scsi_inquiry(session, place, cdb),
            opcodes::REPORT_LUNS => return self.scsi_report_luns(session, cdb),
            opcodes::REQUEST_SENSE => return self.request_sense(session, place, cdb),
            _ => {}
        }
        let attention = match place {
            Place::Volume { lun, .. } | Place::Enclosure(lun) => self.next_attention(session, lun),
            Place::ReportLuns | Place::Nothing(_) => None,
        };
        if let Some(attention) = attention {
            return Err(attention.into());
        }
        match place {
            Place::Volume { lun, generation, volume: id } => {
                let (issued, announced) = (self.now, request.announced);
                Unit { array: self, session, lun, generation, id, issued, announced }.run(cdb, request.data)
            }
            Place::Enclosure(_) => self.enclosure_command(cdb),
            Place::ReportLuns if cdb.opcode() == opcodes::TEST_UNIT_READY => Ok(DataIn::None),
            Place::ReportLuns => Err(codes::INVALID_COMMAND.into()),
            Place::Nothing(lun) => Err(self.refuse_for_want_of_unit(request, lun, self.now)),
        }
    }

    /// LOGICAL UNIT NOT SUPPORTED; a write goes into the ledger as refused.
    fn refuse_for_want_of_unit(&mut self, request: &Request<'_>, lun: Option<Lun>, issued: Duration) -> Stop {
        let extent = super::write_extent(request.cdb);
        if let Some(lun) = lun.filter(|_| opcodes::access(Cdb(request.cdb)) == Access::Write && extent.1 > 0) {
            let entered = self.change_medium(issued, (request.session, lun), None, extent, |_| {});
            if entered == Err(IoError::NexusLost) {
                return Stop::SessionGone;
            }
        }
        Sense::LUN_NOT_SUPPORTED.into()
    }

    /// REQUEST SENSE (SPC-4 s. 6.39): the next unit attention as data.
    fn request_sense(&mut self, session: SessionId, place: Place, cdb: Cdb<'_>) -> Outcome {
        let sense = match place {
            Place::Volume { lun, .. } | Place::Enclosure(lun) => self.next_attention(session, lun),
            Place::Nothing(_) => Some(Sense::LUN_NOT_SUPPORTED),
            Place::ReportLuns => None,
        };
        let sense = sense.unwrap_or(Sense::new(0, 0, 0));
        let mut bytes = SenseData { sense, information: None, descriptor: cdb.byte(1) & 1 != 0 }.to_bytes();
        bytes.truncate(cdb.byte(4).into());
        Ok(DataIn::Bytes(bytes))
    }
}

impl Unit<'_> {
    /// The volume.
    pub(super) fn volume(&self) -> Result<&Volume, Stop> {
        self.array.volumes.get(self.id).ok_or_else(|| Sense::LUN_NOT_SUPPORTED.into())
    }

    pub(super) fn volume_mut(&mut self) -> Result<&mut Volume, Stop> {
        self.array.volumes.get_mut(self.id).ok_or_else(|| Sense::LUN_NOT_SUPPORTED.into())
    }

    /// Who asks, as reservations know it.
    pub(super) fn registrant(&self) -> Result<Registrant, Stop> {
        self.array.nexuses.get(self.session).map(Registrant::of).ok_or(Stop::SessionGone)
    }

    fn refuse_if_reserved(&self, cdb: Cdb<'_>) -> Result<(), Stop> {
        let unit = &self.volume()?.unit;
        let conflict = Err(Stop::Status(Status::ReservationConflict));
        if unit.reserved_by.is_some_and(|holder| holder != self.session) && cdb.opcode() != opcodes::RELEASE_6 {
            return conflict;
        }
        if unit.reservations.is_free() {
            return Ok(());
        }
        let who = self.registrant()?;
        match opcodes::access(cdb) {
            Access::Always => Ok(()),
            access if unit.reservations.admits(&who, access == Access::Write) => Ok(()),
            _ => conflict,
        }
    }

    fn run(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        self.refuse_if_reserved(cdb)?;
        match cdb.opcode() {
            opcodes::TEST_UNIT_READY => Ok(DataIn::None),
            0x08 | 0x28 | 0xA8 | 0x88 => self.read(cdb),
            0x0A | 0x2A | 0xAA | 0x8A => self.write(cdb, data),
            0x2E | 0xAE | 0x8E => self.write_and_verify(cdb, data),
            0x2F | 0xAF | 0x8F => self.verify(cdb, data),
            0x34 | 0x90 => self.prefetch(cdb),
            0x35 | 0x91 => self.synchronize_cache(cdb),
            0x89 => self.compare_and_write(cdb, data),
            0x8B => self.or_write(cdb, data),
            0x41 | 0x93 => self.write_same(cdb, data),
            0x42 => self.unmap(cdb, data),
            0x25 => self.read_capacity_10(cdb),
            0x9E if cdb.action() == 0x10 => self.read_capacity_16(cdb),
            0x9E if cdb.action() == 0x12 => self.get_lba_status(cdb),
            0x1A | 0x5A => self.mode_sense(cdb),
            0x15 | 0x55 => self.mode_select(cdb, data),
            0x1B => self.start_stop(cdb),
            opcodes::RESERVE_6 => self.reserve_6(cdb),
            opcodes::RELEASE_6 => self.release_6(cdb),
            0x5E => self.persistent_reserve_in(cdb),
            0x5F => self.persistent_reserve_out(cdb, data),
            0xA3 if cdb.action() == 0x0A => self.report_target_port_groups(cdb),
            0xA3 if cdb.action() == 0x0C => opcodes::report(cdb),
            0x9E | 0xA3 => Err(Sense::INVALID_FIELD.into()),
            _ => Err(codes::INVALID_COMMAND.into()),
        }
    }

    /// START STOP UNIT (SBC-3 s. 5.25): a volume is always ready and holds no medium to load or eject.
    fn start_stop(&mut self, cdb: Cdb<'_>) -> Outcome {
        let load_eject = cdb.byte(4) & 0x02 != 0;
        if load_eject { Err(Sense::INVALID_FIELD.into()) } else { Ok(DataIn::None) }
    }
}
