//! Another volume, as far as the LUN numbers of one host are shared with it.
//!
//! The numbers of a host belong to all its volumes, and a kernel's SCSI devices are bound to numbers. So all that a
//! second volume can do to the first, and the first to it, passes through the numbers of a host; records, epochs and
//! everything else are apart. What is kept here is that side of the other volume alone. It may take any step at any
//! time that the protocol allows a volume to take, whatever its record says: more than a real one can do, never less.
//! That every step of the modelled volume itself is such a step is tested (`steps/neighbouring.rs`).

use super::LunSet;

/// The other volume at one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Neighbour {
    /// Written into its record for an export that was not requested yet.
    pub allotted: LunSet,
    /// Its VLUN templates.
    pub vluns: LunSet,
    /// Requests to create one that were given up and may still take effect. Its record has these numbers burned.
    pub late_creates: LunSet,
    /// Requests to remove one that may still take effect.
    pub late_removals: LunSet,
    /// LUN numbers that SCSI devices of it are bound to, stale ones included.
    pub scanned: LunSet,
    /// Its filesystem is mounted in this kernel, or its cache or queue may still be written.
    pub holds_data: bool,
}

impl Neighbour {
    /// How many numbers of a host the other volume uses at most at the same time.
    pub const NUMBERS: u32 = 2;

    /// Numbers that mean something to it.
    #[must_use]
    pub fn numbers(&self) -> LunSet {
        self.allotted | self.vluns | self.late_creates | self.late_removals | self.scanned
    }

    /// Every set of numbers it has.
    pub fn sets(&mut self) -> [&mut LunSet; 5] {
        [&mut self.allotted, &mut self.vluns, &mut self.late_creates, &mut self.late_removals, &mut self.scanned]
    }
}
