//! INQUIRY (SPC-4 s. 6.6): vendor `3PARdata`, product `VV` for volumes and `SES` for the enclosure.

use super::cdb::Cdb;
use super::unit::Place;
use super::{DataIn, Outcome};
use crate::array::{Array, Persona, Personality};
use crate::datapath::{Sense, SessionId};

/// Nothing is connected and nothing of a known type could be.
const NOTHING: u8 = 0x7F;
const ENCLOSURE: u8 = 0x0D;

/// Standards that a volume keeps to: SAM-5, SPC-4, SBC-3, iSCSI.
const VERSIONS: [u16; 4] = [0x00A0, 0x0460, 0x04C0, 0x0960];

impl Array {
    /// INQUIRY.
    pub(super) fn scsi_inquiry(&mut self, session: SessionId, place: Place, cdb: Cdb<'_>) -> Outcome {
        let (vital, page) = (cdb.byte(1) & 1 != 0, cdb.byte(2));
        if cdb.byte(1) & 2 != 0 || !vital && page != 0 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let mut bytes = match (vital, place) {
            (true, Place::Volume { volume, .. }) => self.vital_page(session, volume, page)?,
            (true, Place::Enclosure(_)) => super::vital::enclosure_page(page)?,
            (true, Place::ReportLuns | Place::Nothing(_)) => return Err(Sense::LUN_NOT_SUPPORTED.into()),
            (false, Place::Volume { .. }) => self.standard_inquiry(0x00, "VV", self.tells_port_groups(session)),
            (false, Place::Enclosure(_)) => self.standard_inquiry(ENCLOSURE, "SES", false),
            (false, Place::ReportLuns) => self.standard_inquiry(0x1E, "VV", false),
            (false, Place::Nothing(_)) => self.standard_inquiry(NOTHING, "VV", false),
        };
        bytes.truncate(cdb.u16(3).into());
        Ok(DataIn::Bytes(bytes))
    }

    fn standard_inquiry(&self, kind: u8, product: &str, port_groups: bool) -> Vec<u8> {
        let mut bytes = vec![0; 96];
        bytes[0] = kind;
        // SPC-4; hierarchical LUNs, answers in the format of SPC-2 and later.
        (bytes[2], bytes[3], bytes[4]) = (0x06, 0x12, 91);
        // Implicit port groups; several ports; command queueing.
        (bytes[5], bytes[6], bytes[7]) = (if port_groups { 0x10 } else { 0 }, 0x10, 0x02);
        put_text(&mut bytes[8..16], "3PARdata");
        put_text(&mut bytes[16..32], product);
        put_text(&mut bytes[32..36], &revision(self.config().personality));
        for (place, version) in bytes[58..].chunks_exact_mut(2).zip(VERSIONS) {
            place.copy_from_slice(&version.to_be_bytes());
        }
        bytes
    }

    /// Whether the persona of a session's host has target port groups (capability RTPG); an initiator without a host is taken for
    /// one with the default persona.
    pub(super) fn tells_port_groups(&self, session: SessionId) -> bool {
        let host = self.nexuses.get(session).and_then(|n| self.host_of(&n.initiator));
        let persona = host.map_or_else(Persona::default, |h| h.persona);
        matches!(persona, Persona::GenericAlua | Persona::Vmware | Persona::WindowsServer | Persona::AixAlua)
    }
}

/// Text, filled up with blanks.
pub(super) fn put_text(place: &mut [u8], text: &str) {
    place.fill(b' ');
    place.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
}

/// Product revision: the digits of the release, as `3310` for 3.3.1.
fn revision(personality: Personality) -> String {
    let digits = personality.os_version().split('.').take(3);
    digits.chain(["0"]).collect::<String>().chars().take(4).collect()
}
