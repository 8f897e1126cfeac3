//! A Mount as the volume logic sees it: somebody who waits for it, and what is answered.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether somebody still waits for the answer of a running Mount. A reference is recorded only for a caller
/// that will hear of it: dockerd never unmounts what it believes failed.
///
/// A repeated request may take the place of one that left ([`Caller::rejoin`]), but only until the operation has
/// looked: what it decided because nobody waited is not undone by somebody who comes late.
#[derive(Debug, Clone, Default)]
pub struct Caller(Arc<AtomicU8>);

/// Somebody waits.
const WAITING: u8 = 0;
/// Nobody waits; the operation has not looked yet.
const LEFT: u8 = 1;
/// Nobody waited when the operation looked, and it acted on that.
const KNOWN_TO_HAVE_LEFT: u8 = 2;

impl Caller {
    /// A caller that waits.
    #[must_use]
    pub fn waiting() -> Self {
        Self::default()
    }

    /// The caller has gone or was answered.
    pub fn leave(&self) {
        let _ = self.0.compare_exchange(WAITING, LEFT, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Somebody waits again. `false`: too late, the operation has already seen that nobody waited.
    #[must_use]
    pub fn rejoin(&self) -> bool {
        self.0.compare_exchange(LEFT, WAITING, Ordering::SeqCst, Ordering::SeqCst) != Err(KNOWN_TO_HAVE_LEFT)
    }

    /// Somebody still waits. Once this has answered `false` it stays `false`.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let seen = self.0.compare_exchange(LEFT, KNOWN_TO_HAVE_LEFT, Ordering::SeqCst, Ordering::SeqCst);
        seen == Err(WAITING)
    }
}

/// Answer of a Mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Directory the volume is mounted at.
    pub mountpoint: PathBuf,
    /// Device node.
    pub device: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::Caller;

    #[test]
    fn a_place_can_be_taken_until_the_operation_has_looked() {
        let caller = Caller::waiting();
        assert!(caller.is_waiting() && caller.rejoin());
        caller.leave();
        assert!(caller.rejoin(), "nobody looked yet");
        assert!(caller.is_waiting());
        caller.leave();
        assert!(!caller.is_waiting());
        assert!(!caller.rejoin() && !caller.is_waiting(), "what was seen stays");
    }
}
