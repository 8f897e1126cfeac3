//! Commands that read, write and compare blocks (SBC-3).

use super::cdb::{BLOCK, Cdb};
use super::execute::Unit;
use super::{DataIn, DataOut, Outcome, SenseData, Stop, TRANSFER_BYTES_MAX, codes};
use crate::datapath::{BlockStore, Sense};

/// Most blocks of one COMPARE AND WRITE; VPD page 0xB0 tells it.
pub(super) const COMPARE_AND_WRITE_MAX: u8 = 128;

/// Refuses protection information: volumes have none.
pub(super) fn refuse_protection(cdb: Cdb<'_>) -> Result<(), Stop> {
    // The six-byte forms have a part of the address there.
    let wanted = cdb.opcode() >> 5 != 0 && cdb.byte(1) >> 5 != 0;
    if wanted { Err(Sense::INVALID_FIELD.into()) } else { Ok(()) }
}

impl Unit<'_> {
    /// First byte and number of bytes of a command, inside the volume and not above the largest transfer.
    fn range(&self, cdb: Cdb<'_>) -> Result<(u64, u64), Stop> {
        refuse_protection(cdb)?;
        let (offset, length) = cdb.extent().bytes_within(self.volume()?.size_bytes())?;
        if length > TRANSFER_BYTES_MAX {
            return Err(Sense::INVALID_FIELD.into());
        }
        Ok((offset, length))
    }

    /// Fails where a read fault is injected.
    fn strike(&mut self, offset: u64, length: u64) -> Result<(), Stop> {
        let fault = self.volume_mut()?.read_fault.as_mut();
        if fault.is_some_and(|fault| fault.strikes(offset, length)) {
            return Err(Stop::Check(SenseData {
                information: Some(offset / BLOCK),
                ..SenseData::from(Sense::READ_ERROR)
            }));
        }
        Ok(())
    }

    /// READ (6), (10), (12), (16).
    pub(super) fn read(&mut self, cdb: Cdb<'_>) -> Outcome {
        let (offset, length) = self.range(cdb)?;
        self.strike(offset, length)?;
        let pages = self.volume()?.blocks.slices(offset, length as usize);
        self.array.count_read(self.session, self.lun, self.id, length);
        Ok(DataIn::Pages(pages))
    }

    /// Changes blocks, entered into the ledger.
    pub(super) fn change(
        &mut self,
        offset: u64,
        length: u64,
        change: impl FnOnce(&mut BlockStore),
    ) -> Result<(), Stop> {
        if self.volume()?.unit.mode.software_write_protect {
            return Err(codes::SOFTWARE_WRITE_PROTECTED.into());
        }
        let (way, reached) = ((self.session, self.lun), Some((self.generation, self.id)));
        Ok(self.array.change_medium(self.issued, way, reached, (offset, length), change)?)
    }

    /// First byte and number of bytes of a write. Whether it is inside the volume is found out when it is done, so that the
    /// ledger has it either way.
    fn write_range(&self, cdb: Cdb<'_>) -> Result<(u64, u64), Stop> {
        refuse_protection(cdb)?;
        let (offset, length) = super::write_extent(cdb.0);
        if length > TRANSFER_BYTES_MAX {
            return Err(Sense::INVALID_FIELD.into());
        }
        Ok((offset, length))
    }

    /// WRITE (6), (10), (12), (16). When the initiator sent less than the command says, the whole blocks that came are written.
    pub(super) fn write(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        let (offset, length) = self.write_range(cdb)?;
        if data.len() as u64 >= length {
            self.change(offset, length, |blocks| write_parts(blocks, offset, length, data))?;
        } else {
            // The range is judged as the command says it.
            self.range(cdb)?;
            let whole = data.len() as u64 / BLOCK * BLOCK;
            if whole > 0 {
                self.change(offset, whole, |blocks| write_parts(blocks, offset, whole, data))?;
            }
        }
        Ok(DataIn::None)
    }

    /// WRITE AND VERIFY (10), (12), (16): what was written is on the medium, so it compares equal.
    pub(super) fn write_and_verify(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        if cdb.byte(1) >> 1 & 3 > 1 {
            return Err(Sense::INVALID_FIELD.into());
        }
        self.write(cdb, data)
    }

    /// VERIFY (10), (12), (16).
    pub(super) fn verify(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        refuse_protection(cdb)?;
        let (offset, length) = cdb.extent().bytes_within(self.volume()?.size_bytes())?;
        let compared = match cdb.byte(1) >> 1 & 3 {
            0 => {
                self.strike(offset, length)?;
                return Ok(DataIn::None);
            }
            1 => data.to_vec(),
            3 => data.to_vec().repeat(usize::try_from(length / BLOCK).unwrap_or_default()),
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        if length > TRANSFER_BYTES_MAX || (compared.len() as u64) < length {
            return Err(Sense::INVALID_FIELD.into());
        }
        self.strike(offset, length)?;
        self.compare(offset, &compared[..length as usize])
    }

    /// MISCOMPARE with the place of the first byte that differs.
    fn compare(&self, offset: u64, expected: &[u8]) -> Outcome {
        let mut at = 0;
        for slice in self.volume()?.blocks.slices(offset, expected.len()) {
            let wanted = expected.get(at..at + slice.len()).unwrap_or_default();
            if slice.bytes() != wanted {
                let differs = slice.bytes().iter().zip(wanted).position(|(held, wanted)| held != wanted);
                let place = (at + differs.unwrap_or_default()) as u64;
                return Err(Stop::Check(SenseData { information: Some(place), ..codes::MISCOMPARE.into() }));
            }
            at += slice.len();
        }
        Ok(DataIn::None)
    }

    /// COMPARE AND WRITE.
    pub(super) fn compare_and_write(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        if cdb.byte(13) > COMPARE_AND_WRITE_MAX {
            return Err(Sense::INVALID_FIELD.into());
        }
        let (offset, length) = self.range(cdb)?;
        if self.announced != 2 * length {
            return Err(Sense::INVALID_FIELD.into());
        }
        let data = data.to_vec();
        let Some((expected, new)) =
            data.split_at_checked(length as usize).filter(|(_, new)| new.len() as u64 >= length)
        else {
            return Err(Sense::INVALID_FIELD.into());
        };
        self.strike(offset, length)?;
        self.compare(offset, expected)?;
        if length > 0 {
            self.change(offset, length, |blocks| blocks.write(offset, &new[..length as usize]))?;
        }
        Ok(DataIn::None)
    }

    /// ORWRITE (16).
    pub(super) fn or_write(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        let (offset, length) = self.range(cdb)?;
        let mut joined = data.to_vec();
        if (joined.len() as u64) < length {
            return Err(Sense::INVALID_FIELD.into());
        }
        joined.truncate(length as usize);
        self.strike(offset, length)?;
        let held = self.volume()?.blocks.slices(offset, joined.len());
        let held = held.iter().flat_map(|slice| slice.bytes());
        joined.iter_mut().zip(held).for_each(|(new, held)| *new |= held);
        if length > 0 {
            self.change(offset, length, |blocks| blocks.write(offset, &joined))?;
        }
        Ok(DataIn::None)
    }

    /// PRE-FETCH (10), (16): everything is in memory already.
    pub(super) fn prefetch(&mut self, cdb: Cdb<'_>) -> Outcome {
        cdb.extent().bytes_within(self.volume()?.size_bytes())?;
        Ok(DataIn::None)
    }

    /// SYNCHRONIZE CACHE (10), (16): an accepted write is durable already.
    pub(super) fn synchronize_cache(&mut self, cdb: Cdb<'_>) -> Outcome {
        cdb.extent().bytes_within(self.volume()?.size_bytes())?;
        Ok(DataIn::None)
    }
}

/// Writes the first `length` bytes of data that came in pieces.
fn write_parts(blocks: &mut BlockStore, offset: u64, length: u64, data: &DataOut) {
    let mut done = 0;
    for part in data.parts() {
        let part = &part[..part.len().min((length - done) as usize)];
        blocks.write(offset + done, part);
        done += part.len() as u64;
    }
}
