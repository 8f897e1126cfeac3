//! PERSISTENT RESERVE IN and OUT, RESERVE (6) and RELEASE (6).

use super::cdb::Cdb;
use super::execute::Unit;
use super::reservation::{Effects, Kind, Refusal, Registrant, Reservations};
use super::{DataIn, DataOut, Outcome, Status, Stop, codes};
use crate::array::Array;
use crate::datapath::{Sense, SessionId};

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict => Self::Status(Status::ReservationConflict),
            Refusal::InvalidParameter => codes::INVALID_PARAMETER.into(),
            Refusal::InvalidRelease => codes::INVALID_RELEASE.into(),
        }
    }
}

/// A list with generation and length in front.
fn listed(reservations: &Reservations, body: &[u8]) -> Vec<u8> {
    let mut bytes = reservations.generation().to_be_bytes().to_vec();
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// READ RESERVATION.
fn read_reservation(reservations: &Reservations) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some((held, key)) = reservations.reservation().zip(reservations.holder_key()) {
        body.extend_from_slice(&key.to_be_bytes());
        body.extend_from_slice(&[0, 0, 0, 0, 0, held.kind as u8, 0, 0]);
    }
    listed(reservations, &body)
}

/// REPORT CAPABILITIES.
fn capabilities(reservations: &Reservations) -> Vec<u8> {
    // CRH no, SIP_C no, ATP_C no, PTPL_C yes; mask valid, all commands of the allow list 001b; PTPL_A as asked; all six types.
    vec![0, 8, 0x01, 0x80 | 0x10 | u8::from(reservations.persists), 0xEA, 0x01, 0, 0]
}

/// READ FULL STATUS.
fn full_status(array: &Array, reservations: &Reservations) -> Vec<u8> {
    let mut body = Vec::new();
    for (who, key) in reservations.registrations() {
        let holds = reservations.is_holder(who);
        let kind = reservations.reservation().filter(|_| holds).map_or(0, |held| held.kind as u8);
        let port = array.port(who.port).map_or(0, crate::array::Port::relative_id);
        let id = transport_id(who);
        body.extend_from_slice(&key.to_be_bytes());
        body.extend_from_slice(&[0, 0, 0, 0, u8::from(holds), kind, 0, 0, 0, 0]);
        body.extend_from_slice(&port.to_be_bytes());
        body.extend_from_slice(&(id.len() as u32).to_be_bytes());
        body.extend_from_slice(&id);
    }
    listed(reservations, &body)
}

/// TransportID of an iSCSI initiator port (SPC-4 s. 7.6.4.6).
fn transport_id(who: &Registrant) -> Vec<u8> {
    let mut name = who.initiator.to_string();
    let form = match who.isid {
        Some(isid) => {
            name.push_str(",i,0x");
            name.extend(isid.iter().map(|byte| format!("{byte:02x}")));
            0x45
        }
        None => 0x05,
    };
    let mut text = name.into_bytes();
    text.push(0);
    text.resize(text.len().next_multiple_of(4).max(20), 0);
    let mut id = vec![form, 0];
    id.extend_from_slice(&(text.len() as u16).to_be_bytes());
    id.extend_from_slice(&text);
    id
}

impl Unit<'_> {
    /// PERSISTENT RESERVE IN (SPC-4 s. 6.15).
    pub(super) fn persistent_reserve_in(&mut self, cdb: Cdb<'_>) -> Outcome {
        let reservations = &self.volume()?.unit.reservations;
        let mut bytes = match cdb.action() {
            0x00 => {
                let keys: Vec<u8> = reservations.registrations().flat_map(|(_, key)| key.to_be_bytes()).collect();
                listed(reservations, &keys)
            }
            0x01 => read_reservation(reservations),
            0x02 => capabilities(reservations),
            0x03 => full_status(self.array, reservations),
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        bytes.truncate(cdb.u16(7).into());
        Ok(DataIn::Bytes(bytes))
    }

    /// PERSISTENT RESERVE OUT (SPC-4 s. 6.16).
    pub(super) fn persistent_reserve_out(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        let (action, kind) = (cdb.action(), cdb.byte(2));
        let list = data.to_vec();
        if cdb.u32(5) != 24 || list.len() != 24 {
            return Err(codes::PARAMETER_LENGTH.into());
        }
        let list = Cdb(&list);
        let (key, new, flags) = (list.u64(0), list.u64(8), list.byte(20));
        // Registering for other initiators or for all ports is not offered.
        if flags & 0x0C != 0 {
            return Err(codes::INVALID_PARAMETER.into());
        }
        let who = self.registrant()?;
        // Scope: the logical unit.
        let kind = || Kind::from_wire(kind & 0x0F).filter(|_| kind >> 4 == 0).ok_or(Stop::from(Sense::INVALID_FIELD));
        let state = &mut self.volume_mut()?.unit.reservations;
        let effects = match action {
            0x00 | 0x06 => {
                let effects = state.register(&who, key, new, action == 0x06)?;
                state.persists = flags & 0x01 != 0;
                effects
            }
            0x01 => state.reserve(&who, key, kind()?)?,
            0x02 => state.release(&who, key, kind()?)?,
            0x03 => state.clear(&who, key)?,
            0x04 | 0x05 => state.preempt(&who, key, new, kind()?)?,
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        if action == 0x05 {
            self.abort_tasks_of(&effects.preempted);
        }
        self.tell(&effects);
        Ok(DataIn::None)
    }

    /// Aborts the writes in flight of some initiators on the volume.
    fn abort_tasks_of(&mut self, whom: &[Registrant]) {
        let named = |nexus: &&crate::datapath::Nexus| whom.contains(&Registrant::of(nexus));
        let sessions: Vec<SessionId> = self.array.nexuses().filter(named).map(|n| n.id).collect();
        let volume = self.id;
        self.array.abort_tasks(|task| task.is_for(volume) && sessions.iter().any(|session| task.is_of(*session)));
    }

    fn tell(&mut self, effects: &Effects) {
        let news = [
            (codes::RESERVATIONS_RELEASED, &effects.released),
            (codes::RESERVATIONS_PREEMPTED, &effects.cleared),
            (codes::REGISTRATIONS_PREEMPTED, &effects.preempted),
        ];
        for (sense, whom) in news.into_iter().filter(|(_, whom)| !whom.is_empty()) {
            self.array.tell_users_of(self.id, sense, Some(self.session), |user| whom.contains(user));
        }
    }

    /// RESERVE (6) (SPC-2): the whole unit for this session.
    pub(super) fn reserve_6(&mut self, cdb: Cdb<'_>) -> Outcome {
        // Third parties and extents are obsolete.
        if cdb.byte(1) & 0x1F != 0 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let session = self.session;
        let unit = &mut self.volume_mut()?.unit;
        if !unit.reservations.is_free() {
            return Err(Stop::Status(Status::ReservationConflict));
        }
        unit.reserved_by = Some(session);
        Ok(DataIn::None)
    }

    /// RELEASE (6) (SPC-2): nothing happens when another session has it.
    pub(super) fn release_6(&mut self, cdb: Cdb<'_>) -> Outcome {
        if cdb.byte(1) & 0x1F != 0 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let session = self.session;
        let unit = &mut self.volume_mut()?.unit;
        unit.reserved_by = unit.reserved_by.filter(|holder| *holder != session);
        Ok(DataIn::None)
    }
}

impl Array {
    /// Gives up what a session reserved with RESERVE (6).
    pub(crate) fn release_units_of(&mut self, session: SessionId) {
        for volume in self.volumes.iter_mut() {
            volume.unit.reserved_by = volume.unit.reserved_by.filter(|holder| *holder != session);
        }
    }
}
