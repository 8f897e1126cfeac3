//! Giving space back and asking for it: UNMAP, WRITE SAME, GET LBA STATUS (SBC-3 s. 5.28, 5.43, 5.5).

use super::blocks::refuse_protection;
use super::capacity::is_thin;
use super::cdb::{BLOCK, Cdb, Extent};
use super::execute::Unit;
use super::{DataIn, DataOut, Outcome, Stop, codes};
use crate::datapath::{BlockStore, PAGE_BYTES, Sense};

/// Most blocks of one WRITE SAME: as many as can be read back in one transfer.
pub(super) const WRITE_SAME_BLOCKS_MAX: u64 = super::TRANSFER_BYTES_MAX / BLOCK;
/// Most blocks of one UNMAP, over all its descriptors.
pub(super) const UNMAP_BLOCKS_MAX: u64 = 1 << 20;
/// Most descriptors of one UNMAP.
pub(super) const UNMAP_DESCRIPTORS_MAX: usize = 256;
/// Blocks that are given back together.
pub(super) const UNMAP_GRANULARITY: u32 = (PAGE_BYTES as u64 / BLOCK) as u32;

/// A number in a parameter list; what is missing reads as zero.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    (at..at + length).fold(0, |n, place| n << 8 | u64::from(bytes.get(place).copied().unwrap_or_default()))
}

impl Unit<'_> {
    /// UNMAP.
    pub(super) fn unmap(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        // Anchoring is not offered.
        if cdb.byte(1) & 1 != 0 {
            return Err(Sense::INVALID_FIELD.into());
        }
        if !is_thin(self.volume()?) {
            return Err(codes::INVALID_COMMAND.into());
        }
        if cdb.u16(7) == 0 {
            return Ok(DataIn::None);
        }
        let list = data.to_vec();
        if list.len() < 8 {
            return Err(codes::PARAMETER_LENGTH.into());
        }
        let described = (number(&list, 2, 2) as usize).min(list.len() - 8);
        let descriptors = list[8..8 + described].chunks_exact(16);
        let extents: Vec<Extent> =
            descriptors.map(|d| Extent { lba: number(d, 0, 8), blocks: number(d, 8, 4) }).collect();
        let blocks: u64 = extents.iter().map(|e| e.blocks).sum();
        if extents.len() > UNMAP_DESCRIPTORS_MAX || blocks > UNMAP_BLOCKS_MAX {
            return Err(codes::INVALID_PARAMETER.into());
        }
        let size = self.volume()?.size_bytes();
        let ranges = extents.into_iter().map(|e| e.bytes_within(size)).collect::<Result<Vec<_>, Stop>>()?;
        for (offset, length) in ranges.into_iter().filter(|(_, length)| *length > 0) {
            self.change(offset, length, |blocks| blocks.discard(offset, length))?;
        }
        Ok(DataIn::None)
    }

    /// WRITE SAME (10), (16).
    pub(super) fn write_same(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        refuse_protection(cdb)?;
        let (anchor, unmap) = (cdb.byte(1) & 0x10 != 0, cdb.byte(1) & 0x08 != 0);
        let no_data = cdb.opcode() == 0x93 && cdb.byte(1) & 0x01 != 0;
        let volume = self.volume()?;
        // LBDATA and PBDATA are obsolete, anchoring is not offered.
        if anchor || cdb.byte(1) & 0x06 != 0 || unmap && !is_thin(volume) {
            return Err(Sense::INVALID_FIELD.into());
        }
        let mut extent = cdb.extent();
        if extent.blocks == 0 {
            // To the end of the volume.
            extent.blocks = (volume.size_bytes() / BLOCK).saturating_sub(extent.lba);
        }
        let (offset, length) = extent.bytes_within(volume.size_bytes())?;
        if extent.blocks > WRITE_SAME_BLOCKS_MAX {
            return Err(Sense::INVALID_FIELD.into());
        }
        let pattern = if no_data { vec![0; BLOCK as usize] } else { data.to_vec() };
        if pattern.len() as u64 != BLOCK {
            return Err(Sense::INVALID_FIELD.into());
        }
        // With the bit UNMAP the pattern counts for nothing, as on the targets that initiators are tested with.
        let zeros = || pattern.iter().all(|byte| *byte == 0);
        let discards = unmap || is_thin(volume) && volume.policies.zero_detect && zeros();
        self.change(offset, length, |blocks| {
            if discards { blocks.discard(offset, length) } else { fill(blocks, offset, length, &pattern) }
        })?;
        Ok(DataIn::None)
    }

    /// GET LBA STATUS.
    pub(super) fn get_lba_status(&mut self, cdb: Cdb<'_>) -> Outcome {
        let volume = self.volume()?;
        let (size, thin) = (volume.size_bytes(), is_thin(volume));
        let (first, room) = (cdb.u64(2), cdb.u32(10) as usize);
        if first >= size / BLOCK {
            return Err(Sense::OUT_OF_RANGE.into());
        }
        let mut bytes = vec![0; 8];
        let mut lba = first;
        // One descriptor at least: its length tells how much there is to ask for.
        while lba < size / BLOCK && (bytes.len() == 8 || bytes.len() + 16 <= room.min(4096)) {
            let rest = size - lba * BLOCK;
            let (mapped, run) = if thin { volume.blocks.run_at(lba * BLOCK, rest) } else { (true, rest) };
            let blocks = (run / BLOCK).clamp(1, u32::MAX.into());
            bytes.extend_from_slice(&lba.to_be_bytes());
            bytes.extend_from_slice(&(blocks as u32).to_be_bytes());
            bytes.extend_from_slice(&[u8::from(!mapped), 0, 0, 0]);
            lba += blocks;
        }
        let length = (bytes.len() - 4) as u32;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.truncate(room);
        Ok(DataIn::Bytes(bytes))
    }
}

/// Writes a block over and over.
fn fill(blocks: &mut BlockStore, offset: u64, length: u64, pattern: &[u8]) {
    let piece = pattern.repeat(128);
    let mut done = 0;
    while done < length {
        let count = (piece.len() as u64).min(length - done);
        blocks.write(offset + done, &piece[..count as usize]);
        done += count;
    }
}
