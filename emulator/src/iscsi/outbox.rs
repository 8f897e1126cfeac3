//! What waits to be written to a connection: headers made for it, and pages of volumes that are sent without being copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::wire::frame::digest_of_padded;
use super::wire::{Framing, Header};
use crate::datapath::PageSlice;

/// Most pieces handed to the system at once.
pub(super) const PIECES_AT_ONCE: usize = 128;

/// Headers up to this size are put together.
const JOINED: usize = 32 << 10;

/// A piece of the stream.
#[derive(Debug)]
enum Piece {
    Made { bytes: Vec<u8>, sent: usize },
    Page(PageSlice),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Made { bytes, sent } => bytes.get(*sent..).unwrap_or_default(),
            Self::Page(page) => page.bytes(),
        }
    }
}

/// PDUs on their way out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Piece>,
    waiting: usize,
    /// Memory of a piece that was sent, for the next one.
    spare: Vec<u8>,
}

impl Outbox {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Lets `put` append to the last made piece.
    fn append(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let room = matches!(self.pieces.back(), Some(Piece::Made { bytes, .. }) if bytes.len() < JOINED);
        if !room {
            let bytes = std::mem::take(&mut self.spare);
            self.pieces.push_back(Piece::Made { bytes, sent: 0 });
        }
        if let Some(Piece::Made { bytes, .. }) = self.pieces.back_mut() {
            let before = bytes.len();
            put(bytes);
            self.waiting += bytes.len() - before;
        }
    }

    /// Adds a PDU.
    pub(super) fn put(&mut self, framing: &Framing, header: &Header, data: &[u8]) {
        self.append(|out| framing.put(out, header, data));
    }

    /// Adds a PDU whose data is in pages.
    pub(super) fn put_pages(&mut self, framing: &Framing, header: &Header, pages: Vec<PageSlice>) {
        let length = pages.iter().map(PageSlice::len).sum();
        self.append(|out| framing.put_header(out, header, length));
        let digest = framing.data_digest.then(|| {
            let parts: Vec<&[u8]> = pages.iter().map(PageSlice::bytes).collect();
            digest_of_padded(&parts)
        });
        self.waiting += length;
        self.pieces.extend(pages.into_iter().map(Piece::Page));
        if digest.is_some() || length % 4 != 0 {
            self.append(|out| framing.put_trailer(out, length, || digest.unwrap_or_default()));
        }
    }

    /// The next pieces.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; PIECES_AT_ONCE]) -> usize {
        let count = self.pieces.len().min(PIECES_AT_ONCE);
        slices.iter_mut().zip(&self.pieces).for_each(|(slice, piece)| *slice = IoSlice::new(piece.bytes()));
        count
    }

    /// Takes what was written out.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.waiting = self.waiting.saturating_sub(written);
        while let Some(piece) = self.pieces.front_mut() {
            // An empty piece goes, too.
            let left = piece.bytes().len();
            if written < left {
                match piece {
                    Piece::Made { sent, .. } => *sent += written,
                    Piece::Page(page) => page.advance(written),
                }
                return;
            }
            written -= left;
            if let Some(Piece::Made { mut bytes, .. }) = self.pieces.pop_front()
                && self.spare.capacity() < bytes.capacity()
            {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }
}
