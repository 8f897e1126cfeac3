//! Seeded random numbers: the same seed gives the same numbers, on every machine and in every release.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A generator (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator of its own for every pair of seed and purpose, so that one more draw for one purpose does not shift the others.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let purpose = purpose
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        let mut random = Self(seed ^ purpose);
        random.draw();
        random.draw();
        random
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }

    /// True in `percent` of 100 cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A duration within the range, in whole milliseconds.
    pub fn duration(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (from, to) = (range.start().as_millis(), range.end().as_millis());
        let span = u64::try_from(to.saturating_sub(from)).unwrap_or(u64::MAX - 1);
        *range.start() + Duration::from_millis(self.below(span + 1))
    }

    /// One of the items; `None` when there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_purposes_differ() {
        let numbers = |seed, purpose: &str| {
            let mut random = Random::new(seed, purpose);
            [random.draw(), random.draw(), random.below(10)]
        };
        assert_eq!(numbers(1, "a"), numbers(1, "a"));
        assert_ne!(numbers(1, "a"), numbers(1, "b"));
        assert_ne!(numbers(1, "a"), numbers(2, "a"));
    }

    #[test]
    fn ranges_hold() {
        let mut random = Random::new(5, "ranges");
        let range = Duration::from_millis(3)..=Duration::from_millis(5);
        assert!((0..100).all(|_| range.contains(&random.duration(&range))));
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
