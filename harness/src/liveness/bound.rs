//! The bounds, and one measured line of the table.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::soak::figures::Spread;

/// A liveness bound of the fencing protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Bound {
    /// A planned move: the waiting Mount returns at most 1 s, and the attach, after the release.
    L1,
    /// A dead node: the volume is mounted elsewhere at most 15 s for the fence and 15 s for the attach after the delay.
    L2,
    /// After any single crash everything is well again within 60 s, without a person.
    L3,
    /// A dead holder blocks others no longer than a lease lasts, 15 s.
    L4,
    /// etcd away: what runs goes on, looks are answered within 0.1 s, a new Mount fails within 5 s, an Unmount completes.
    L5,
    /// The array's management away: the same, and a further Mount works.
    L6,
    /// A killed plugin answers 2 s after its start, and goes on with takeovers it had begun.
    L7,
    /// No answer later than its caller waits: Mount 110 s, Unmount 55 s, Get, Path and List 5 s.
    L8,
    /// Two nodes that fight for a volume: a limited number of takeovers in a window of time.
    L9,
    /// A fenced node whose network is back is clean within 30 s, without a reboot.
    L10,
    /// A rack of nodes lost: every volume is taken over within its delay and 120 s, with few sessions at the array.
    L11,
}

impl Bound {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::L1,
        Self::L2,
        Self::L3,
        Self::L4,
        Self::L5,
        Self::L6,
        Self::L7,
        Self::L8,
        Self::L9,
        Self::L10,
        Self::L11,
    ];
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|bound| bound.to_string().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("'{text}' is no bound; there are L1 to L11"))
    }
}

/// On what something was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The production fencing code in virtual time.
    Virtual,
    /// Real processes in real time.
    Processes,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Virtual => "virtual",
            Self::Processes => "processes",
        })
    }
}

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// No time is longer.
    Longest(Duration),
    /// 99 of 100 times are not longer.
    P99(Duration),
    /// No number is greater.
    Most(u64),
    /// Nothing is demanded; the line is there to be read beside another one.
    None,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// Times.
    Times(Spread),
    /// Numbers: how many there are, their median, what 99 of 100 do not exceed, and the greatest.
    Numbers {
        /// How many.
        count: usize,
        /// Median.
        median: u64,
        /// What 99 of 100 do not exceed.
        p99: u64,
        /// The greatest.
        most: u64,
    },
}

impl Measured {
    /// Of these times.
    #[must_use]
    pub fn times(times: Vec<Duration>) -> Self {
        Self::Times(Spread::of(times))
    }

    /// Of these numbers.
    #[must_use]
    pub fn numbers(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        let at = |percent: usize| {
            let rank = (numbers.len() * percent).div_ceil(100).max(1) - 1;
            numbers.get(rank).copied().unwrap_or_default()
        };
        Self::Numbers { count: numbers.len(), median: at(50), p99: at(99), most: at(100) }
    }

    fn count(&self) -> usize {
        match self {
            Self::Times(spread) => spread.count,
            Self::Numbers { count, .. } => *count,
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The bound.
    pub bound: Bound,
    /// What was measured, in words.
    pub what: String,
    /// On what.
    pub tier: Tier,
    /// What has to hold.
    pub goal: Goal,
    /// What was measured.
    pub measured: Measured,
    /// What did not come to an end, or came to a wrong one: each makes the line a failure.
    pub failures: Vec<String>,
}

impl Row {
    /// A line whose every run came to its end.
    #[must_use]
    pub fn of(bound: Bound, tier: Tier, what: &str, goal: Goal, measured: Measured) -> Self {
        Self { bound, what: what.to_owned(), tier, goal, measured, failures: Vec::new() }
    }

    /// A line of times, from runs that may have failed.
    #[must_use]
    pub fn of_results(
        bound: Bound,
        tier: Tier,
        what: &str,
        goal: Goal,
        results: impl IntoIterator<Item = Result<Duration, String>>,
    ) -> Self {
        let (mut times, mut failures) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                Ok(time) => times.push(time),
                Err(words) => failures.push(words),
            }
        }
        Self { failures, ..Self::of(bound, tier, what, goal, Measured::times(times)) }
    }

    /// The goal is met by everything that was measured, and something was.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let held = match (self.goal, &self.measured) {
            (Goal::None, _) => true,
            (Goal::Longest(bound), Measured::Times(spread)) => spread.longest <= bound,
            (Goal::P99(bound), Measured::Times(spread)) => spread.p99 <= bound,
            (Goal::Most(bound), Measured::Numbers { most, .. }) => *most <= bound,
            // A goal of another kind than what was measured is met by nothing.
            _ => false,
        };
        held && self.measured.count() > 0 && self.failures.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn row(goal: Goal, measured: Measured) -> Row {
        Row::of(Bound::L1, Tier::Virtual, "test", goal, measured)
    }

    #[test]
    fn a_goal_is_met_by_what_was_measured_and_never_by_nothing() {
        let times = || Measured::times((1..=200).map(S).collect());
        assert!(row(Goal::Longest(S(200)), times()).is_met());
        assert!(!row(Goal::Longest(S(199)), times()).is_met());
        assert!(row(Goal::P99(S(198)), times()).is_met());
        assert!(!row(Goal::P99(S(197)), times()).is_met());
        assert!(!row(Goal::None, Measured::times(Vec::new())).is_met());
        assert!(row(Goal::Most(3), Measured::numbers(vec![1, 3])).is_met());
        assert!(!row(Goal::Most(3), Measured::numbers(vec![4])).is_met());
        assert!(!row(Goal::Most(3), times()).is_met(), "another kind of goal");
    }

    #[test]
    fn one_run_that_failed_spoils_the_line() {
        let results = [Ok(S(1)), Err("never mounted".to_owned())];
        let row = Row::of_results(Bound::L2, Tier::Virtual, "test", Goal::Longest(S(9)), results);
        assert!(!row.is_met());
        assert_eq!(row.failures, ["never mounted"]);
    }

    #[test]
    fn bounds_have_names() {
        assert_eq!("l11".parse(), Ok(Bound::L11));
        assert!("L12".parse::<Bound>().is_err());
    }
}
