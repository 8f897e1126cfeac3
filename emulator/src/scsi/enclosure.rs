//! The enclosure services device at LUN 254: it exists, is ready and has an empty configuration.

use super::cdb::Cdb;
use super::{DataIn, Outcome, codes};
use crate::array::Array;
use crate::datapath::Sense;

impl Array {
    pub(super) fn enclosure_command(&mut self, cdb: Cdb<'_>) -> Outcome {
        match cdb.opcode() {
            // TEST UNIT READY
            0x00 => Ok(DataIn::None),
            // RECEIVE DIAGNOSTIC RESULTS: the list of pages, and the configuration (SES-3 s. 6.1.2) with one enclosure.
            0x1C => {
                let mut bytes = match (cdb.byte(1) & 1, cdb.byte(2)) {
                    (0, _) | (_, 0x00) => vec![0x00, 0, 0, 2, 0x00, 0x01],
                    (_, 0x01) => configuration(&self.config().serial),
                    _ => return Err(Sense::INVALID_FIELD.into()),
                };
                bytes.truncate(cdb.u16(3).into());
                Ok(DataIn::Bytes(bytes))
            }
            _ => Err(codes::INVALID_COMMAND.into()),
        }
    }
}

/// The configuration page: one enclosure without elements.
fn configuration(serial: &str) -> Vec<u8> {
    let mut enclosure = vec![0x11, 0, 0, 36];
    let mut identity = [0; 8];
    identity.iter_mut().zip(serial.bytes()).for_each(|(place, byte)| *place = byte);
    enclosure.extend_from_slice(&identity);
    let mut names = [b' '; 28];
    super::inquiry::put_text(&mut names[..8], "3PARdata");
    super::inquiry::put_text(&mut names[8..24], "SES");
    enclosure.extend_from_slice(&names);
    let mut bytes = vec![0x01, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(&enclosure);
    let length = (bytes.len() - 4) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes
}
