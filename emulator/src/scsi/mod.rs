//! SCSI as a volume of an HPE 3PAR shows it (SAM-5, SPC-4, SBC-3): commands in, status, sense and data out.
//!
//! [`Array::execute`](crate::array::Array::execute) runs one command that has all its data. It resolves the LUN through the VLUN
//! table each time, so what WSAPI or command line change is what the next command meets. Nothing in here waits.

mod alua;
mod attention;
mod blocks;
mod capacity;
mod cdb;
mod enclosure;
mod execute;
mod inquiry;
mod mode;
mod opcodes;
mod provisioning;
mod reservation;
mod reservation_commands;
#[cfg(test)]
mod reservation_tests;
#[cfg(test)]
mod tests;
mod unit;
mod vital;

use bytes::Bytes;

pub(crate) use self::attention::Attentions;
pub use self::cdb::{BLOCK, data_out_length, write_extent};
pub use self::execute::Received;
pub(crate) use self::reservation::Registrant;
pub use self::unit::{LunField, lun_field};
use crate::datapath::{IoError, PageSlice, Sense, SessionId, TaskId};

/// Largest transfer of one command, bytes; VPD page 0xB0 tells it.
pub const TRANSFER_BYTES_MAX: u64 = 16 << 20;

/// What SCSI initiators have set on a volume: reservations and mode pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnitState {
    pub(crate) reservations: reservation::Reservations,
    /// RESERVE(6): one I_T nexus has the unit for itself, until it ends.
    pub(crate) reserved_by: Option<SessionId>,
    pub(crate) mode: mode::ModeState,
}

/// Status of a command (SAM-5 s. 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// GOOD.
    Good = 0x00,
    /// CHECK CONDITION: sense data says why.
    CheckCondition = 0x02,
    /// RESERVATION CONFLICT.
    ReservationConflict = 0x18,
    /// TASK ABORTED.
    TaskAborted = 0x40,
}

/// Sense data of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenseData {
    /// Key, code and qualifier.
    pub sense: Sense,
    /// Field INFORMATION, where there is one to tell.
    pub information: Option<u64>,
    /// Whether the unit is set to the descriptor format.
    pub descriptor: bool,
}

impl From<Sense> for SenseData {
    fn from(sense: Sense) -> Self {
        Self { sense, information: None, descriptor: false }
    }
}

impl SenseData {
    /// Sense data on the wire (SPC-4 s. 4.5).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Sense { key, asc, ascq } = self.sense;
        if self.descriptor {
            let mut bytes = vec![0x72, key, asc, ascq, 0, 0, 0, 0];
            if let Some(information) = self.information {
                bytes[7] = 12;
                bytes.extend_from_slice(&[0x00, 0x0A, 0x80, 0x00]);
                bytes.extend_from_slice(&information.to_be_bytes());
            }
            return bytes;
        }
        let mut bytes = vec![0; 18];
        (bytes[0], bytes[2], bytes[7], bytes[12], bytes[13]) = (0x70, key, 10, asc, ascq);
        if let Some(information) = self.information.and_then(|i| u32::try_from(i).ok()) {
            bytes[0] |= 0x80;
            bytes[3..7].copy_from_slice(&information.to_be_bytes());
        }
        bytes
    }
}

/// Data for the initiator.
#[derive(Debug, Clone, Default)]
pub enum DataIn {
    /// None.
    #[default]
    None,
    /// Made for this answer.
    Bytes(Vec<u8>),
    /// Data of a volume as it was when it was read.
    Pages(Vec<PageSlice>),
}

impl DataIn {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Pages(pages) => pages.iter().map(PageSlice::len).sum(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Pages(pages) => pages.iter().flat_map(|page| page.bytes().iter().copied()).collect(),
        }
    }
}

/// Data from the initiator, in the pieces in which it came.
#[derive(Debug, Clone, Default)]
pub struct DataOut {
    parts: Vec<Bytes>,
    length: usize,
}

impl DataOut {
    /// Adds a piece.
    pub fn push(&mut self, part: Bytes) {
        self.length += part.len();
        self.parts.push(part);
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Drops everything behind the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        let mut rest = length;
        for part in &mut self.parts {
            part.truncate(rest);
            rest -= part.len();
        }
        self.length = self.length.min(length);
    }

    /// The pieces.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| &part[..])
    }

    /// All bytes in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.parts.concat()
    }
}

impl From<Vec<u8>> for DataOut {
    fn from(bytes: Vec<u8>) -> Self {
        let mut data = Self::default();
        data.push(bytes.into());
        data
    }
}

/// A command with all its data.
#[derive(Debug)]
pub struct Request<'a> {
    /// Session it came through.
    pub session: SessionId,
    /// LUN field of the command.
    pub lun: [u8; 8],
    /// Command descriptor block.
    pub cdb: &'a [u8],
    /// Data from the initiator.
    pub data: &'a DataOut,
    /// Bytes that the initiator announced to send.
    pub announced: u64,
    /// The task under which it waited for its data, if it did.
    pub task: Option<TaskId>,
}

/// What a command ended with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: Status,
    /// Sense data with CHECK CONDITION.
    pub sense: Option<SenseData>,
    /// Data for the initiator.
    pub data: DataIn,
}

/// The session of a command is gone: there is nobody to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is gone")]
pub struct SessionGone;

/// Why a command ends without GOOD.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    Check(SenseData),
    Status(Status),
    SessionGone,
}

impl From<Sense> for Stop {
    fn from(sense: Sense) -> Self {
        Self::Check(sense.into())
    }
}

impl From<IoError> for Stop {
    fn from(error: IoError) -> Self {
        match error {
            IoError::Sense(sense) => sense.into(),
            IoError::NexusLost => Self::SessionGone,
            IoError::Aborted => Self::Status(Status::TaskAborted),
        }
    }
}

/// What a command gives.
type Outcome = Result<DataIn, Stop>;

/// Sense codes that only the SCSI commands use (SPC-4 annex D).
mod codes {
    use crate::datapath::Sense;

    pub(super) const INVALID_COMMAND: Sense = Sense::new(0x05, 0x20, 0x00);
    pub(super) const PARAMETER_LENGTH: Sense = Sense::new(0x05, 0x1A, 0x00);
    pub(super) const INVALID_PARAMETER: Sense = Sense::new(0x05, 0x26, 0x00);
    pub(super) const INVALID_RELEASE: Sense = Sense::new(0x05, 0x26, 0x04);
    pub(super) const SAVING_UNSUPPORTED: Sense = Sense::new(0x05, 0x39, 0x00);
    pub(super) const MISCOMPARE: Sense = Sense::new(0x0E, 0x1D, 0x00);
    pub(super) const SOFTWARE_WRITE_PROTECTED: Sense = Sense::new(0x07, 0x27, 0x02);
    pub(super) const RESERVATIONS_PREEMPTED: Sense = Sense::new(0x06, 0x2A, 0x03);
    pub(super) const RESERVATIONS_RELEASED: Sense = Sense::new(0x06, 0x2A, 0x04);
    pub(super) const REGISTRATIONS_PREEMPTED: Sense = Sense::new(0x06, 0x2A, 0x05);
    pub(super) const MODE_CHANGED: Sense = Sense::new(0x06, 0x2A, 0x01);
    pub(super) const CAPACITY_CHANGED: Sense = Sense::new(0x06, 0x2A, 0x09);
    pub(super) const BUS_RESET: Sense = Sense::new(0x06, 0x29, 0x02);
    pub(super) const UNIT_RESET: Sense = Sense::new(0x06, 0x29, 0x03);
}
