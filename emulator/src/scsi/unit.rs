//! Logical units: how LUNs are written, and what stands behind one on a session.

use super::cdb::Cdb;
use super::{DataIn, Outcome, Stop};
use crate::array::{Array, Lun, VlunGeneration};
use crate::datapath::{IoError, Sense, SessionId};

/// What a LUN field names (SAM-5 s. 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LunField {
    /// A logical unit.
    Unit(Lun),
    /// The well-known logical unit that answers REPORT LUNS.
    ReportLuns,
    /// A form or number that the array does not have.
    Unknown,
}

/// Reads a LUN field: peripheral device or flat space addressing on one level, or the well-known unit.
#[must_use]
pub fn lun_field(field: [u8; 8]) -> LunField {
    match field {
        [0xC1, 0x01, 0, 0, 0, 0, 0, 0] => LunField::ReportLuns,
        [high @ 0..=0x7F, low, 0, 0, 0, 0, 0, 0] if high == 0 || high & 0x40 != 0 => {
            Lun::new(i64::from(high & 0x3F) << 8 | i64::from(low)).map_or(LunField::Unknown, LunField::Unit)
        }
        _ => LunField::Unknown,
    }
}

/// Writes a LUN: peripheral device addressing below 256, flat space above.
fn to_field(lun: Lun) -> [u8; 8] {
    let [high, low] = lun.get().to_be_bytes();
    [if high == 0 { 0 } else { high | 0x40 }, low, 0, 0, 0, 0, 0, 0]
}

/// What stands behind a LUN of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A volume.
    Volume { lun: Lun, generation: VlunGeneration, volume: u32 },
    /// The enclosure.
    Enclosure(Lun),
    /// The well-known unit for REPORT LUNS.
    ReportLuns,
    /// Nothing.
    Nothing(Option<Lun>),
}

impl Array {
    /// What a LUN field leads to at the moment.
    pub(super) fn place_of(&self, session: SessionId, field: [u8; 8]) -> Result<Place, Stop> {
        let nexus = self.nexuses.get(session).ok_or(Stop::SessionGone)?;
        let lun = match lun_field(field) {
            LunField::ReportLuns => return Ok(Place::ReportLuns),
            LunField::Unknown => return Ok(Place::Nothing(None)),
            LunField::Unit(lun) => lun,
        };
        if let Some(template) = self.resolve_for(&nexus.initiator, nexus.port, lun) {
            return Ok(Place::Volume { lun, generation: template.generation, volume: template.volume });
        }
        match self.inquiry(session, lun) {
            Ok(_) => Ok(Place::Enclosure(lun)),
            Err(IoError::NexusLost) => Err(Stop::SessionGone),
            Err(_) => Ok(Place::Nothing(Some(lun))),
        }
    }

    /// REPORT LUNS (SPC-4 s. 6.33).
    pub(super) fn scsi_report_luns(&mut self, session: SessionId, cdb: Cdb<'_>) -> Outcome {
        if cdb.u32(6) < 16 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let luns: Vec<[u8; 8]> = match cdb.byte(2) {
            0x00 | 0x02 => {
                let mut luns: Vec<_> = self.report_luns(self.now, session)?.into_iter().map(to_field).collect();
                if cdb.byte(2) == 0x02 {
                    luns.insert(0, [0xC1, 0x01, 0, 0, 0, 0, 0, 0]);
                }
                luns
            }
            0x01 => vec![[0xC1, 0x01, 0, 0, 0, 0, 0, 0]],
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        let mut bytes = ((luns.len() * 8) as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend(luns.iter().flatten());
        bytes.truncate(cdb.u32(6) as usize);
        Ok(DataIn::Bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn luns_survive_their_field(number in 0i64..16_384) {
            let lun = Lun::new(number).unwrap();
            prop_assert_eq!(lun_field(to_field(lun)), LunField::Unit(lun));
        }

        #[test]
        fn no_field_breaks_it(field in prop::array::uniform8(any::<u8>())) {
            let _ = lun_field(field);
        }
    }

    #[test]
    fn other_forms_name_nothing() {
        assert_eq!(lun_field([0, 1, 0, 1, 0, 0, 0, 0]), LunField::Unknown, "a second level");
        assert_eq!(lun_field([1, 1, 0, 0, 0, 0, 0, 0]), LunField::Unknown, "another bus");
        assert_eq!(lun_field([0x40, 1, 0, 0, 0, 0, 0, 0]), LunField::Unit(Lun::new(1).unwrap()));
    }
}
