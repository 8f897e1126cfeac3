//! The data of a volume: sparse pages that a volume shares with its copies, and an array with its snapshots, until one of them
//! is written.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes per page.
pub const PAGE_BYTES: usize = 4096;

/// Pages per chunk of the index; a chunk covers 1 MiB.
const CHUNK_PAGES: usize = 256;

/// The data of one page.
pub type Page = [u8; PAGE_BYTES];

/// What is read where nothing was written.
static ZEROS: Page = [0; PAGE_BYTES];

/// A part of the index.
#[derive(Debug, Clone)]
struct Chunk {
    pages: [Option<Arc<Page>>; CHUNK_PAGES],
    used: usize,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { pages: [const { None }; CHUNK_PAGES], used: 0 }
    }
}

/// Sparse pages; what was never written, or was discarded, reads as zeros.
#[derive(Debug, Clone, Default)]
pub struct BlockStore {
    chunks: Arc<BTreeMap<u64, Arc<Chunk>>>,
    pages: u64,
}

/// A run of bytes as they were when they were read: whatever is written later is not seen in it.
#[derive(Debug, Clone)]
pub struct PageSlice {
    page: Option<Arc<Page>>,
    start: usize,
    length: usize,
}

impl PageSlice {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let page = self.page.as_deref().unwrap_or(&ZEROS);
        page.get(self.start..self.start + self.length).unwrap_or_default()
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Cuts the first `count` bytes off and gives them.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        let count = count.min(self.length);
        let front = Self { page: self.page.clone(), start: self.start, length: count };
        (self.start, self.length) = (self.start + count, self.length - count);
        front
    }

    /// Drops the first `count` bytes.
    pub fn advance(&mut self, count: usize) {
        let count = count.min(self.length);
        (self.start, self.length) = (self.start + count, self.length - count);
    }
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

/// Chunk of a byte, place of its page in the chunk, place of the byte in the page.
fn locate(offset: u64) -> (u64, usize, usize) {
    let page = offset / PAGE_BYTES as u64;
    (page / CHUNK_PAGES as u64, (page % CHUNK_PAGES as u64) as usize, (offset % PAGE_BYTES as u64) as usize)
}

impl BlockStore {
    /// Bytes of all pages that are held.
    #[must_use]
    pub fn bytes_in_use(&self) -> u64 {
        self.pages * PAGE_BYTES as u64
    }

    fn page(&self, chunk: u64, page: usize) -> Option<&Arc<Page>> {
        self.chunks.get(&chunk)?.pages[page].as_ref()
    }

    /// Reads into `buffer` from `offset`.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        let mut done = 0;
        while done < buffer.len() {
            let (chunk, page, start) = locate(offset + done as u64);
            let count = (PAGE_BYTES - start).min(buffer.len() - done);
            let target = &mut buffer[done..done + count];
            match self.page(chunk, page) {
                Some(held) => target.copy_from_slice(&held[start..start + count]),
                None => target.fill(0),
            }
            done += count;
        }
    }

    /// The bytes from `offset` as they are now, without copying them.
    pub(crate) fn slices(&self, offset: u64, length: usize) -> Vec<PageSlice> {
        let mut slices = Vec::with_capacity(length / PAGE_BYTES + 2);
        let mut done = 0;
        while done < length {
            let (chunk, page, start) = locate(offset + done as u64);
            let count = (PAGE_BYTES - start).min(length - done);
            slices.push(PageSlice { page: self.page(chunk, page).cloned(), start, length: count });
            done += count;
        }
        slices
    }

    /// Writes `data` at `offset`.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let chunks = Arc::make_mut(&mut self.chunks);
        let mut done = 0;
        while done < data.len() {
            let (number, page, start) = locate(offset + done as u64);
            let count = (PAGE_BYTES - start).min(data.len() - done);
            let part = &data[done..done + count];
            let chunk = Arc::make_mut(chunks.entry(number).or_default());
            let slot = &mut chunk.pages[page];
            match slot {
                Some(held) => match (Arc::get_mut(held), part.first_chunk()) {
                    (Some(own), _) => own[start..start + count].copy_from_slice(part),
                    // Shared and wholly replaced: there is no use in copying the old page first.
                    (None, Some(whole)) => *held = Arc::new(*whole),
                    (None, None) => Arc::make_mut(held)[start..start + count].copy_from_slice(part),
                },
                None => {
                    let mut fresh = Arc::new(ZEROS);
                    Arc::make_mut(&mut fresh)[start..start + count].copy_from_slice(part);
                    *slot = Some(fresh);
                    chunk.used += 1;
                    self.pages += 1;
                }
            }
            done += count;
        }
    }

    /// Lets the bytes from `offset` read as zeros; pages that are covered as a whole are given back.
    pub(crate) fn discard(&mut self, offset: u64, length: u64) {
        let end = offset.saturating_add(length);
        let mut at = offset;
        while at < end {
            let (number, page, start) = locate(at);
            let rest = end - at;
            if self.chunks.get(&number).is_none() {
                // Nothing in this chunk: go on behind it.
                at += (((CHUNK_PAGES - page) * PAGE_BYTES - start) as u64).min(rest);
                continue;
            }
            let count = ((PAGE_BYTES - start) as u64).min(rest);
            self.discard_in_page(number, page, start, count as usize);
            at += count;
        }
    }

    fn discard_in_page(&mut self, number: u64, page: usize, start: usize, count: usize) {
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(held) = chunks.get_mut(&number) else { return };
        if held.pages[page].is_none() {
            return;
        }
        let chunk = Arc::make_mut(held);
        if count < PAGE_BYTES {
            if let Some(held) = &mut chunk.pages[page] {
                Arc::make_mut(held)[start..start + count].fill(0);
            }
            return;
        }
        chunk.pages[page] = None;
        chunk.used -= 1;
        self.pages -= 1;
        if chunk.used == 0 {
            chunks.remove(&number);
        }
    }

    /// Whether the page of a byte is held, and how many bytes from there, at most `length`, are alike.
    pub(crate) fn run_at(&self, offset: u64, length: u64) -> (bool, u64) {
        let held = |at: u64| {
            let (chunk, page, _) = locate(at);
            self.page(chunk, page).is_some()
        };
        let (end, kind) = (offset.saturating_add(length), held(offset));
        let mut at = offset;
        while at < end && held(at) == kind {
            let (chunk, page, start) = locate(at);
            let pages = if self.chunks.contains_key(&chunk) { 1 } else { CHUNK_PAGES - page };
            at = at.saturating_add((pages * PAGE_BYTES - start) as u64);
        }
        (kind, at.min(end) - offset)
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
    fn what_was_read_does_not_change() {
        let mut store = BlockStore::default();
        store.write(0, &[1; PAGE_BYTES]);
        let read = store.slices(0, PAGE_BYTES + 10);
        store.write(0, &[2; 2 * PAGE_BYTES]);
        store.discard(0, PAGE_BYTES as u64);
        assert_eq!(read[0].bytes(), [1; PAGE_BYTES]);
        assert_eq!(read[1].bytes(), [0; 10]);
    }

    #[test]
    fn a_fault_counts_its_hits() {
        let mut fault = ReadFault { from: 10, to: 20, remaining: Some(1) };
        assert!(!fault.strikes(0, 10));
        assert!(fault.strikes(19, 1));
        assert!(!fault.strikes(15, 1));
    }

    #[test]
    fn a_huge_discard_of_nothing_is_quick() {
        let mut store = BlockStore::default();
        store.write(1 << 40, b"x");
        store.discard(0, 1 << 41);
        assert_eq!(store.bytes_in_use(), 0);
        assert_eq!(store.run_at(5, 1 << 40), (false, 1 << 40));
    }

    proptest! {
        #[test]
        fn it_is_a_flat_array_of_bytes(
            steps in prop::collection::vec((any::<bool>(), 0u64..20_000, prop::collection::vec(any::<u8>(), 0..9000)), 0..8),
        ) {
            // The place of a boundary between chunks, so that both sides are met.
            let base = (CHUNK_PAGES * PAGE_BYTES) as u64 - 10_000;
            let (mut store, mut flat) = (BlockStore::default(), vec![0u8; 30_000]);
            for (discard, offset, data) in &steps {
                let range = *offset as usize..*offset as usize + data.len();
                if *discard {
                    store.discard(base + offset, data.len() as u64);
                    flat[range].fill(0);
                } else {
                    store.write(base + offset, data);
                    flat[range].copy_from_slice(data);
                }
            }
            let mut read = vec![1u8; flat.len()];
            store.read(base, &mut read);
            prop_assert_eq!(&read, &flat);
            let slices: Vec<u8> = store.slices(base, flat.len()).iter().flat_map(|s| s.bytes().to_vec()).collect();
            prop_assert_eq!(&slices, &flat);
            let (mut at, mut held) = (0, 0);
            while at < 30_000 {
                let (kind, run) = store.run_at(base + at, 30_000 - at);
                prop_assert!(run > 0);
                prop_assert!(kind || flat[at as usize..(at + run) as usize].iter().all(|b| *b == 0));
                held += if kind { run } else { 0 };
                at += run;
            }
            prop_assert!(held <= store.bytes_in_use());
        }
    }
}
