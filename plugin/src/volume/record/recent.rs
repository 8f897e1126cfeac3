//! The records this thread has written and read last.
//!
//! A record that was just written comes back by the watch, is read again by the reconciliation that follows, and by the
//! next step of the operation: mostly the same bytes, which need not be taken apart again.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::VolumeRecord;

/// How many records are kept.
const KEPT: usize = 8;
/// Longer records are not kept.
const LONGEST: usize = 16 * 1024;

thread_local! {
    static RECENT: RefCell<VecDeque<(Vec<u8>, VolumeRecord)>> = const { RefCell::new(VecDeque::new()) };
}

/// The record with exactly this text.
pub(super) fn find(bytes: &[u8]) -> Option<VolumeRecord> {
    RECENT.with_borrow(|recent| recent.iter().find(|(text, _)| text == bytes).map(|(_, record)| record.clone()))
}

/// Keeps a record with its text; the oldest goes.
pub(super) fn keep(bytes: &[u8], record: &VolumeRecord) {
    if bytes.len() > LONGEST {
        return;
    }
    RECENT.with_borrow_mut(|recent| {
        recent.truncate(KEPT - 1);
        recent.push_front((bytes.to_vec(), record.clone()));
    });
}
