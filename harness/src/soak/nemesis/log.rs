//! What went wrong when: whoever measures asks it whether the measured thing was disturbed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Fault;

/// So long after its end a fault still disturbs: leases run out, members elect, a fenced node cleans up.
const AFTERMATH: Duration = Duration::from_secs(4);

/// A fault as it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// What.
    pub fault: Fault,
    /// Since when, on the soak's clock.
    pub from: Duration,
    /// Until when; `None` while it lasts.
    pub to: Option<Duration>,
}

/// All faults so far.
#[derive(Debug, Default)]
pub struct FaultLog(Mutex<Vec<Interval>>);

impl FaultLog {
    /// A fault begins; gives its number.
    pub fn begin(&self, fault: Fault, now: Duration) -> usize {
        let mut log = self.lock();
        log.push(Interval { fault, from: now, to: None });
        log.len() - 1
    }

    /// A fault is over.
    pub fn end(&self, number: usize, now: Duration) {
        if let Some(interval) = self.lock().get_mut(number) {
            interval.to.get_or_insert(now);
        }
    }

    /// All faults, in the order they began.
    #[must_use]
    pub fn all(&self) -> Vec<Interval> {
        self.lock().clone()
    }

    /// How many last at the moment.
    #[must_use]
    pub fn running(&self) -> usize {
        self.lock().iter().filter(|interval| interval.to.is_none()).count()
    }

    /// Faults that may have disturbed something that took from one time to another.
    #[must_use]
    pub fn around(&self, from: Duration, to: Duration) -> Vec<Fault> {
        let touches = |i: &&Interval| i.from <= to && i.to.is_none_or(|end| end + AFTERMATH >= from);
        self.lock().iter().filter(touches).map(|interval| interval.fault.clone()).collect()
    }

    /// Faults that lasted over the whole time.
    #[must_use]
    pub fn throughout(&self, from: Duration, to: Duration) -> Vec<Fault> {
        let covers = |i: &&Interval| i.from <= from && i.to.is_none_or(|end| end >= to);
        self.lock().iter().filter(covers).map(|interval| interval.fault.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Interval>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn tells_what_disturbed_and_what_lasted() {
        let log = FaultLog::default();
        let first = log.begin(Fault::Compact, S(10));
        log.begin(Fault::PowerCut(2), S(20));
        log.end(first, S(11));
        assert_eq!(log.running(), 1);
        assert_eq!(log.around(S(1), S(9)), []);
        assert_eq!(log.around(S(12), S(13)), [Fault::Compact]);
        assert_eq!(log.around(S(16), S(30)), [Fault::PowerCut(2)]);
        assert_eq!(log.throughout(S(19), S(30)), []);
        assert_eq!(log.throughout(S(21), S(30)), [Fault::PowerCut(2)]);
    }
}
