//! Pairs of faults: what a single fault leads to is struck once more.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::cell::{Cell, Strike, replay};
use super::fault::Fault;
use super::sweep::{Options, Sweep, Verdict, on_threads};
use crate::node::Random;
use crate::simulation::WorldError;

/// Seed of the sample.
const SEED: u64 = 1;

/// How many pairs are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairsWanted {
    /// Every second strike after every first one.
    All,
    /// A sample of so many, always the same.
    Sample(usize),
}

impl FromStr for PairsWanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            number => number.parse().map(Self::Sample).map_err(|_| format!("'{text}' is neither a number nor 'all'")),
        }
    }
}

impl fmt::Display for PairsWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Sample(number) => write!(f, "{number}"),
        }
    }
}

/// What the pairs came to.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    /// How many pairs there are.
    pub possible: usize,
    /// The pairs that were played.
    pub played: Vec<(Cell, Verdict)>,
    /// Real time it took.
    pub elapsed: Duration,
}

impl Pairs {
    /// The pairs in which something was broken.
    pub fn broken(&self) -> impl Iterator<Item = &(Cell, Verdict)> {
        self.played.iter().filter(|(_, verdict)| !verdict.is_healed())
    }

    /// The pair that took longest to heal.
    #[must_use]
    pub fn slowest(&self) -> Option<&(Cell, Verdict)> {
        self.played.iter().max_by_key(|(_, verdict)| verdict.slowest)
    }
}

/// Strikes once more after each strike of a sweep: every later call in every way, or a sample of that.
///
/// # Errors
/// [`WorldError`] when a run differs from the one with its first strike alone: a defect of the sweep.
pub fn sweep_pairs(sweep: &Sweep, wanted: PairsWanted, options: &Options) -> Result<Pairs, WorldError> {
    let begin = std::time::Instant::now();
    let all: Vec<(Cell, Vec<Strike>)> = sweep.cells().map(|(cell, verdict)| (cell, second_strikes(verdict))).collect();
    let possible = all.iter().map(|(_, seconds)| seconds.len()).sum();
    let every = all.iter().flat_map(|(cell, seconds)| seconds.iter().map(move |second| (cell, second)));
    let chosen: Vec<Cell> = match wanted {
        PairsWanted::All => every.map(|(cell, second)| pair(cell, second)).collect(),
        PairsWanted::Sample(number) => {
            let mut chosen: Vec<usize> = sample(possible, number);
            chosen.sort_unstable();
            let mut chosen = chosen.into_iter().peekable();
            let picked = every.enumerate().filter(|(place, _)| chosen.next_if_eq(place).is_some());
            picked.map(|(_, (cell, second))| pair(cell, second)).collect()
        }
    };
    let verdicts = on_threads(&chosen, options, |cell| {
        let outcome = replay(cell, options, false)?;
        if outcome.struck != 2 {
            let command = cell.command(options);
            return Err(WorldError::of(&format!("the run is not the one with the first strike alone: {command}")));
        }
        Ok(Verdict::of(cell, outcome))
    })?;
    Ok(Pairs { possible, played: chosen.into_iter().zip(verdicts).collect(), elapsed: begin.elapsed() })
}

fn pair(first: &Cell, second: &Strike) -> Cell {
    Cell { strikes: first.strikes.iter().chain([second]).cloned().collect(), ..first.clone() }
}

/// Every strike at the calls that came after the first.
fn second_strikes(verdict: &Verdict) -> Vec<Strike> {
    let numbered = (1..).zip(&verdict.calls_after);
    let strikes = numbered.flat_map(|(number, call)| {
        let possible = Fault::ALL.into_iter().filter(|fault| fault.applies_to(call.port, &call.what));
        possible.map(move |fault| Strike { call: number, fault })
    });
    strikes.collect()
}

/// Different numbers below `of`.
fn sample(of: usize, number: usize) -> Vec<usize> {
    let mut random = Random::new(SEED, "pairs");
    let mut all: Vec<usize> = (0..of).collect();
    let number = number.min(of);
    for place in 0..number {
        let left = u64::try_from(of - place).unwrap_or(1);
        let other = place + usize::try_from(random.below(left)).unwrap_or(0);
        all.swap(place, other);
    }
    all.truncate(number);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_no_pair_twice_and_is_always_the_same() {
        let mut once = sample(1_000, 300);
        assert_eq!(once, sample(1_000, 300));
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), 300);
        assert!(once.iter().all(|place| *place < 1_000));
        assert_eq!(sample(3, 10).len(), 3);
    }
}
