//! Sense data: why a SCSI command ended with CHECK CONDITION.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Sense key, additional sense code and qualifier (SPC-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Additional sense code qualifier.
    pub ascq: u8,
}

impl Sense {
    /// Sense key, code and qualifier.
    #[must_use]
    pub const fn new(key: u8, asc: u8, ascq: u8) -> Self {
        Self { key, asc, ascq }
    }

    /// ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED: no VLUN for this LUN on this path.
    pub const LUN_NOT_SUPPORTED: Self = Self { key: 0x05, asc: 0x25, ascq: 0x00 };
    /// ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE.
    pub const OUT_OF_RANGE: Self = Self { key: 0x05, asc: 0x21, ascq: 0x00 };
    /// ILLEGAL REQUEST, INVALID FIELD IN CDB: a command for disks sent to the enclosure, or a range that is not whole blocks.
    pub const INVALID_FIELD: Self = Self { key: 0x05, asc: 0x24, ascq: 0x00 };
    /// DATA PROTECT, WRITE PROTECTED: a write to a read-only copy.
    pub const WRITE_PROTECTED: Self = Self { key: 0x07, asc: 0x27, ascq: 0x00 };
    /// MEDIUM ERROR, UNRECOVERED READ ERROR: an injected read fault.
    pub const READ_ERROR: Self = Self { key: 0x03, asc: 0x11, ascq: 0x00 };
    /// UNIT ATTENTION, REPORTED LUNS DATA HAS CHANGED.
    pub const LUNS_CHANGED: Self = Self { key: 0x06, asc: 0x3F, ascq: 0x0E };
    /// UNIT ATTENTION, POWER ON, RESET, OR BUS DEVICE RESET OCCURRED.
    pub const POWER_ON: Self = Self { key: 0x06, asc: 0x29, ascq: 0x00 };
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}/{:02x}/{:02x}", self.key, self.asc, self.ascq)
    }
}
