//! Reading command descriptor blocks.

use super::Stop;
use crate::datapath::Sense;

/// Bytes of a logical block.
pub const BLOCK: u64 = 512;

/// A command descriptor block; bytes it does not have read as zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cdb<'a>(pub(super) &'a [u8]);

/// Blocks that a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) lba: u64,
    pub(super) blocks: u64,
}

impl Extent {
    /// First byte and number of bytes.
    ///
    /// # Errors
    /// LOGICAL BLOCK ADDRESS OUT OF RANGE when it is not inside `size` bytes.
    pub(super) fn bytes_within(self, size: u64) -> Result<(u64, u64), Stop> {
        let end = self.lba.checked_add(self.blocks).filter(|end| *end <= size / BLOCK);
        // An empty extent has to start on a block that exists, too (SBC-3 s. 5.8 and others).
        if end.is_none() || self.lba >= size / BLOCK && !(self.blocks == 0 && self.lba == size / BLOCK) {
            return Err(Sense::OUT_OF_RANGE.into());
        }
        Ok((self.lba * BLOCK, self.blocks * BLOCK))
    }
}

impl Cdb<'_> {
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn number(&self, at: usize, length: usize) -> u64 {
        (at..at + length).fold(0, |number, place| number << 8 | u64::from(self.byte(place)))
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        self.number(at, 2) as u16
    }

    pub(super) fn u24(&self, at: usize) -> u32 {
        self.number(at, 3) as u32
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        self.number(at, 4) as u32
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        self.number(at, 8)
    }

    pub(super) fn opcode(&self) -> u8 {
        self.byte(0)
    }

    /// Service action of the commands that have one in byte 1.
    pub(super) fn action(&self) -> u8 {
        self.byte(1) & 0x1F
    }

    /// The blocks of a command in the form of its size: 6, 10, 12 or 16 bytes, told by the group of the operation code.
    pub(super) fn extent(&self) -> Extent {
        match self.opcode() >> 5 {
            0 => {
                let blocks = if self.byte(4) == 0 { 256 } else { u64::from(self.byte(4)) };
                Extent { lba: u64::from(self.u24(1) & 0x1F_FFFF), blocks }
            }
            1 | 2 => Extent { lba: self.u32(2).into(), blocks: self.u16(7).into() },
            5 => Extent { lba: self.u32(2).into(), blocks: self.u32(6).into() },
            _ => match self.opcode() {
                0x89 => Extent { lba: self.u64(2), blocks: self.byte(13).into() },
                0x9C => Extent { lba: self.u64(2), blocks: self.u16(12).into() },
                _ => Extent { lba: self.u64(2), blocks: self.u32(10).into() },
            },
        }
    }
}

/// Bytes that the initiator has to send with a command, as its command descriptor block says.
#[must_use]
pub fn data_out_length(cdb: &[u8]) -> u64 {
    let cdb = Cdb(cdb);
    let blocks = || cdb.extent().blocks * BLOCK;
    match cdb.opcode() {
        // WRITE, ORWRITE, WRITE AND VERIFY, WRITE ATOMIC
        0x0A | 0x2A | 0x2E | 0x8A | 0x8B | 0x8E | 0x9C | 0xAA | 0xAE => blocks(),
        // VERIFY with a comparison
        0x2F | 0x8F | 0xAF => match cdb.byte(1) >> 1 & 3 {
            1 => blocks(),
            3 => BLOCK,
            _ => 0,
        },
        // COMPARE AND WRITE: what is compared, and what is written
        0x89 => 2 * blocks(),
        // WRITE SAME, the longer one with its bit for "no data"
        0x41 => BLOCK,
        0x93 if cdb.byte(1) & 1 == 0 => BLOCK,
        // MODE SELECT
        0x15 => cdb.byte(4).into(),
        0x55 => cdb.u16(7).into(),
        // UNMAP
        0x42 => cdb.u16(7).into(),
        // PERSISTENT RESERVE OUT
        0x5F => cdb.u32(5).into(),
        // EXTENDED COPY
        0x83 => cdb.u32(10).into(),
        // SEND DIAGNOSTIC
        0x1D => cdb.u16(3).into(),
        _ => 0,
    }
}

/// First byte and number of bytes that a command changes, for the ledger of writes in flight.
#[must_use]
pub fn write_extent(cdb: &[u8]) -> (u64, u64) {
    let cdb = Cdb(cdb);
    match cdb.opcode() {
        0x0A | 0x2A | 0x2E | 0x8A | 0x8B | 0x8E | 0x9C | 0xAA | 0xAE | 0x89 | 0x41 | 0x93 => {
            let extent = cdb.extent();
            (extent.lba.saturating_mul(BLOCK), extent.blocks.saturating_mul(BLOCK))
        }
        _ => (0, 0),
    }
}
