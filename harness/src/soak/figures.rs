//! What a soak counts and measures.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Something whose duration is measured, with the goal that is published for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Mount of a volume nobody has.
    FreeMount,
    /// Mount that takes a volume from a dead or frozen machine, beyond the volume's delay.
    TakeoverFromDead,
    /// Mount that takes a volume from a machine that is alive, beyond the volume's delay.
    TakeoverFromLiving,
    /// From the owner's Unmount to the answer of the Mount that waited for it.
    HandOver,
    /// Further Mount of a volume that is mounted here.
    FurtherMount,
    /// The same while neither management interface of the array could be reached.
    FurtherMountArrayAway,
    /// Get, Path and List.
    Look,
    /// The same while etcd could not be reached.
    LookEtcdAway,
    /// Any Mount.
    AnyMount,
    /// Any Unmount.
    AnyUnmount,
    /// From the start of a killed plugin to its first answer.
    PluginStart,
}

impl Measure {
    /// What it is, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::FreeMount => "Mount without conflict",
            Self::TakeoverFromDead => "takeover from a dead or frozen machine, beyond the delay",
            Self::TakeoverFromLiving => "takeover from a living machine, beyond the delay",
            Self::HandOver => "hand-over: Unmount answered to waiting Mount answered",
            Self::FurtherMount => "further Mount of a volume mounted here",
            Self::FurtherMountArrayAway => "further Mount, array's management away",
            Self::Look => "Get, Path, List",
            Self::LookEtcdAway => "Get, Path, List with etcd away",
            Self::AnyMount => "any answer to Mount",
            Self::AnyUnmount => "any answer to Unmount",
            Self::PluginStart => "killed plugin answers again",
        }
    }

    /// The goal: name of the bound, words, and the bound itself where one time says it all.
    #[must_use]
    pub fn goal(self) -> (&'static str, Option<Duration>) {
        let seconds = Duration::from_secs;
        match self {
            Self::FreeMount | Self::TakeoverFromLiving | Self::FurtherMount => ("", None),
            Self::TakeoverFromDead => ("L2, L4: 30 s (15 s + 15 s)", Some(seconds(30))),
            Self::HandOver => ("L1: 1 s + attach", Some(seconds(2))),
            Self::FurtherMountArrayAway => ("L6: works", Some(seconds(5))),
            Self::Look => ("L8: 5 s", Some(seconds(5))),
            Self::LookEtcdAway => ("L5: 0.1 s", Some(Duration::from_millis(100))),
            Self::AnyMount => ("L8: 110 s", Some(seconds(110))),
            Self::AnyUnmount => ("L8: 55 s", Some(seconds(55))),
            Self::PluginStart => ("L7: 2 s", Some(seconds(2))),
        }
    }

    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::FreeMount,
        Self::HandOver,
        Self::TakeoverFromDead,
        Self::TakeoverFromLiving,
        Self::FurtherMount,
        Self::FurtherMountArrayAway,
        Self::Look,
        Self::LookEtcdAway,
        Self::PluginStart,
        Self::AnyMount,
        Self::AnyUnmount,
    ];
}

/// A distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Spread {
    /// The distribution of these times.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(rank).copied().unwrap_or_default()
        };
        Self { count: times.len(), median: at(50), p99: at(99), longest: at(100) }
    }
}

/// Counts and times of one soak.
#[derive(Debug, Default)]
pub struct Figures(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    times: BTreeMap<(Measure, bool), Vec<Duration>>,
}

impl Figures {
    /// Something was done and came out like this.
    pub fn count(&self, what: &str, outcome: &str) {
        self.add(what, outcome, 1);
    }

    /// Adds to a count.
    pub fn add(&self, what: &str, outcome: &str, number: u64) {
        let mut inner = self.lock();
        *inner.counts.entry(what.to_owned()).or_default().entry(outcome.to_owned()).or_default() += number;
    }

    /// Something took so long; `undisturbed` by any other fault.
    pub fn measure(&self, what: Measure, took: Duration, undisturbed: bool) {
        self.lock().times.entry((what, undisturbed)).or_default().push(took);
    }

    /// All counts.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.lock().counts.clone()
    }

    /// How often something came out like this.
    #[must_use]
    pub fn counted(&self, what: &str, outcome: &str) -> u64 {
        self.lock().counts.get(what).and_then(|outcomes| outcomes.get(outcome)).copied().unwrap_or_default()
    }

    /// How often something was done, however it came out.
    #[must_use]
    pub fn total(&self, what: &str) -> u64 {
        self.lock().counts.get(what).map_or(0, |outcomes| outcomes.values().sum())
    }

    /// All times of a kind.
    #[must_use]
    pub fn times(&self, what: Measure, undisturbed: bool) -> Vec<Duration> {
        self.lock().times.get(&(what, undisturbed)).cloned().unwrap_or_default()
    }

    /// A distribution.
    #[must_use]
    pub fn spread(&self, what: Measure, undisturbed: bool) -> Spread {
        Spread::of(self.times(what, undisturbed))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind of a refusal or failure: its words without names and numbers, so that equal ones are counted together.
#[must_use]
pub fn kind_of(reason: &str) -> String {
    let reason = reason.split(" failed: ").last().unwrap_or(reason);
    let plain = |word: &&str| !word.chars().any(|c| c.is_ascii_digit() || "/'\"{}".contains(c));
    let words: Vec<&str> = reason.split_whitespace().filter(plain).take(8).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_kind_are_counted_together() {
        let figures = Figures::default();
        for name in ["v1", "v2"] {
            figures.count("mount", &kind_of(&format!("mount of '{name}' failed: node worker3 has it for 4 s")));
        }
        assert_eq!(figures.counted("mount", "node has it for s"), 2);
        assert_eq!(figures.total("mount"), 2);
    }

    #[test]
    fn disturbed_times_are_kept_apart() {
        let figures = Figures::default();
        figures.measure(Measure::FreeMount, Duration::from_secs(1), true);
        figures.measure(Measure::FreeMount, Duration::from_secs(9), false);
        assert_eq!(figures.spread(Measure::FreeMount, true).longest, Duration::from_secs(1));
        assert_eq!(figures.spread(Measure::FreeMount, false).count, 1);
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
