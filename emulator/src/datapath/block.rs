//! The data of a volume: sparse pages that a volume shares with its copies, and an array with its snapshots, until one of them
//! is written.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes per page.
pub const PAGE_BYTES: usize = 4096;

/// Sparse pages; what was never written reads as zeros.
#[derive(Debug, Clone, Default)]
pub struct BlockStore {
    pages: Arc<BTreeMap<u64, Arc<[u8]>>>,
}

/// An injected fault: reads that touch the range end with MEDIUM ERROR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadFault {
    /// First byte of the range.
    pub from: u64,
    /// First byte behind the range.
    pub to: u64,
    /// How many more reads fail; without bound when absent.
    pub remaining: Option<u32>,
}

impl ReadFault {
    /// Every read of the volume fails.
    pub const ALWAYS: Self = Self { from: 0, to: u64::MAX, remaining: None };

    /// Whether a read of this range fails; counts it when it does.
    pub(crate) fn strikes(&mut self, offset: u64, length: u64) -> bool {
        let hit = offset < self.to && self.from < offset.saturating_add(length);
        match &mut self.remaining {
            _ if !hit => false,
            None => true,
            Some(0) => false,
            Some(n) => {
                *n -= 1;
                true
            }
        }
    }
}

/// Number of the page of a byte and the place of the byte in it.
fn locate(offset: u64) -> (u64, usize) {
    (offset / PAGE_BYTES as u64, (offset % PAGE_BYTES as u64) as usize)
}

impl BlockStore {
    /// Bytes of all pages that were ever written.
    #[must_use]
    pub fn bytes_in_use(&self) -> u64 {
        self.pages.len() as u64 * PAGE_BYTES as u64
    }

    /// Reads into `buffer` from `offset`.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        let mut done = 0;
        while done < buffer.len() {
            let (page, start) = locate(offset + done as u64);
            let count = (PAGE_BYTES - start).min(buffer.len() - done);
            let target = &mut buffer[done..done + count];
            match self.pages.get(&page) {
                Some(held) => target.copy_from_slice(&held[start..start + count]),
                None => target.fill(0),
            }
            done += count;
        }
    }

    /// Writes `data` at `offset`.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let pages = Arc::make_mut(&mut self.pages);
        let mut done = 0;
        while done < data.len() {
            let (page, start) = locate(offset + done as u64);
            let count = (PAGE_BYTES - start).min(data.len() - done);
            let held = pages.entry(page).or_insert_with(|| Arc::from([0u8; PAGE_BYTES].as_slice()));
            Arc::make_mut(held)[start..start + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_clone_keeps_its_own_data() {
        let mut first = BlockStore::default();
        first.write(100, b"one");
        let second = first.clone();
        first.write(100, b"two");
        let mut buffer = [0; 3];
        second.read(100, &mut buffer);
        assert_eq!(&buffer, b"one");
    }

    #[test]
    fn a_fault_counts_its_hits() {
        let mut fault = ReadFault { from: 10, to: 20, remaining: Some(1) };
        assert!(!fault.strikes(0, 10));
        assert!(fault.strikes(19, 1));
        assert!(!fault.strikes(15, 1));
    }

    proptest! {
        #[test]
        fn it_is_a_flat_array_of_bytes(writes in prop::collection::vec((0u64..20_000, prop::collection::vec(any::<u8>(), 0..9000)), 0..8)) {
            let (mut store, mut flat) = (BlockStore::default(), vec![0u8; 30_000]);
            for (offset, data) in &writes {
                store.write(*offset, data);
                flat[*offset as usize..*offset as usize + data.len()].copy_from_slice(data);
            }
            let mut read = vec![1u8; flat.len()];
            store.read(0, &mut read);
            prop_assert_eq!(read, flat);
        }
    }
}
