//! One clock for several processes of one machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Time since the start of a soak. The kernel's monotonic clock is the same for every process, so what two processes
/// write down can be put into the order it happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedClock {
    origin: Duration,
}

impl SharedClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: monotonic() }
    }

    /// Time since its start.
    #[must_use]
    pub fn now(self) -> Duration {
        monotonic().saturating_sub(self.origin)
    }
}

fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_went_to_another_process_shows_the_same_time() {
        let clock = SharedClock::start();
        let text = serde_json::to_string(&clock).unwrap();
        let there: SharedClock = serde_json::from_str(&text).unwrap();
        let (first, second, third) = (clock.now(), there.now(), clock.now());
        assert!(first <= second && second <= third);
    }
}
