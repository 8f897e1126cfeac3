//! Ranges of seeds on a command line, and how they are shared out to threads.

use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use hpe3par_harness::simulation::{Options, Report, simulate};

/// A range of seeds, such as `1..1000`, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |text: &str| text.parse().map_err(|_| format!("'{text}' is no seed"));
        let (first, last) = text.split_once("..").ok_or_else(|| format!("'{text}' is no range such as 1..1000"))?;
        let (first, last) = (parse(first)?, parse(last.trim_start_matches('='))?);
        if first > last { Err(format!("{first} is after {last}")) } else { Ok(Self(first..=last)) }
    }
}

/// How many cores there are.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs seeds on `threads` threads, as many as there are cores if it is `None`; each runs a part of the range.
///
/// # Errors
/// When a thread panicked.
pub(crate) async fn on_threads(
    seeds: &RangeInclusive<u64>,
    threads: Option<usize>,
    options: &Options,
) -> Result<Report> {
    let runs: Vec<_> = parts(seeds, threads.unwrap_or_else(cores))
        .into_iter()
        .map(|part| {
            let options = options.clone();
            tokio::task::spawn_blocking(move || simulate(part, &options))
        })
        .collect();
    let mut report = Report::default();
    for run in runs {
        report.merge(run.await.context("a simulation thread panicked")?);
    }
    Ok(report)
}

/// Runs seeds on all cores.
///
/// # Errors
/// When a thread panicked.
pub(crate) async fn on_all_cores(seeds: RangeInclusive<u64>, options: &Options) -> Result<Report> {
    on_threads(&seeds, None, options).await
}

/// A range in at most so many parts of about the same size.
fn parts(seeds: &RangeInclusive<u64>, most: usize) -> Vec<RangeInclusive<u64>> {
    let (first, last) = (*seeds.start(), *seeds.end());
    // One more than a seed can count when the range is all of them.
    let count = u128::from(last.saturating_sub(first)) + 1;
    let share = count.div_ceil(most.max(1) as u128);
    let mut parts = Vec::new();
    let mut begin = u128::from(first);
    while begin <= u128::from(last) {
        let end = (begin + share - 1).min(u128::from(last));
        if let (Ok(begin), Ok(end)) = (u64::try_from(begin), u64::try_from(end)) {
            parts.push(begin..=end);
        }
        begin = end + 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_shared_out_without_gaps() {
        assert_eq!(parts(&(1..=10), 3), [1..=4, 5..=8, 9..=10]);
        assert_eq!(parts(&(7..=7), 8), [7..=7]);
        assert_eq!(parts(&(1..=3), 8), [1..=1, 2..=2, 3..=3]);
        assert_eq!(parts(&(u64::MAX..=u64::MAX), 2), [u64::MAX..=u64::MAX]);
        assert_eq!(parts(&(0..=u64::MAX), 2), [0..=u64::MAX / 2, u64::MAX / 2 + 1..=u64::MAX]);
    }

    #[test]
    fn a_range_is_read_with_both_ends() {
        assert_eq!("1..1000".parse(), Ok(Seeds(1..=1000)));
        assert_eq!("3..=4".parse(), Ok(Seeds(3..=4)));
        for wrong in ["", "7", "a..b", "5..4", "1..18446744073709551616"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
