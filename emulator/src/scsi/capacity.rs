//! READ CAPACITY (SBC-3 s. 5.15 and 5.16).

use super::cdb::{BLOCK, Cdb};
use super::execute::Unit;
use super::{DataIn, Outcome};
use crate::array::{Provisioning, Volume};
use crate::datapath::Sense;

/// Whether space is allocated on demand, so that it can be given back.
pub(super) fn is_thin(volume: &Volume) -> bool {
    volume.provisioning != Provisioning::Full
}

impl Unit<'_> {
    /// READ CAPACITY (10).
    pub(super) fn read_capacity_10(&mut self, cdb: Cdb<'_>) -> Outcome {
        if cdb.byte(8) & 1 != 0 || cdb.u32(2) != 0 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let last = (self.volume()?.size_bytes() / BLOCK).saturating_sub(1);
        let mut bytes = u32::try_from(last).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        bytes.extend_from_slice(&(BLOCK as u32).to_be_bytes());
        Ok(DataIn::Bytes(bytes))
    }

    /// READ CAPACITY (16).
    pub(super) fn read_capacity_16(&mut self, cdb: Cdb<'_>) -> Outcome {
        if cdb.byte(14) & 1 != 0 || cdb.u64(2) != 0 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let volume = self.volume()?;
        let mut bytes = (volume.size_bytes() / BLOCK).saturating_sub(1).to_be_bytes().to_vec();
        bytes.extend_from_slice(&(BLOCK as u32).to_be_bytes());
        // LBPME and LBPRZ: unmapped blocks exist, and read as zeros.
        let provisioning = if is_thin(volume) { 0xC0 } else { 0 };
        bytes.extend_from_slice(&[0, 0, provisioning, 0]);
        bytes.resize(32, 0);
        bytes.truncate(cdb.u32(10) as usize);
        Ok(DataIn::Bytes(bytes))
    }
}
