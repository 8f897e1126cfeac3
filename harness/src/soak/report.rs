//! What a soak found, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::closing::{CLEAN_WITHIN, HEALED_WITHIN};
use super::figures::{Figures, Measure, Spread};
use super::memory::Resident;
use super::nemesis::Interval;
use super::report_files::ReportFiles;
use crate::checks::Violation;

/// How many violations are shown in full.
const SHOWN: usize = 5;
/// Lines of the time line shown before a violation.
const AROUND: usize = 12;

/// A measured distribution beside its goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// What.
    pub what: &'static str,
    /// The goal in words.
    pub goal: &'static str,
    /// Without any (other) fault around.
    pub undisturbed: Spread,
    /// With other faults around.
    pub disturbed: Spread,
    /// The goal was met by 99 of 100 undisturbed ones, or by all when every one was disturbed; `None` without a goal, without a
    /// measurement, or when the other faults may be to blame.
    pub met: Option<bool>,
}

/// The outcome of a soak.
#[derive(Debug, Clone, Serialize)]
pub struct SoakReport {
    /// Seed.
    pub seed: u64,
    /// Length of the load.
    pub lasted: Duration,
    /// Workers.
    pub workers: usize,
    /// Safety defect that was put in.
    pub mutant: Option<String>,
    /// Older build that some workers ran.
    pub older: Option<String>,
    /// Operations and how they came out.
    pub operations: BTreeMap<String, BTreeMap<String, u64>>,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Takeovers: claims of an epoch after another owner's.
    pub takeovers: u64,
    /// Facts that were judged.
    pub facts: usize,
    /// Writes that the array accepted and rejected.
    pub writes: [u64; 2],
    /// What was measured.
    pub timings: Vec<Timing>,
    /// From the last fault until everything was well.
    pub healed_in: Option<Duration>,
    /// From the last Unmount until nothing was left.
    pub clean_in: Option<Duration>,
    /// What was left.
    pub leaks: Vec<String>,
    /// Memory of the processes.
    pub memory: Vec<Resident>,
    /// What happened when the metadata store was put back to a backup, in words.
    pub restored: Option<String>,
    /// What was wrong.
    pub violations: Vec<Violation>,
    /// Where the files are, if they were kept.
    pub files: Option<String>,
    /// Page, JSON and JUnit.
    #[serde(skip)]
    pub written: Option<ReportFiles>,
}

impl SoakReport {
    /// Nothing was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Everything measured.
#[must_use]
pub fn timings(figures: &Figures) -> Vec<Timing> {
    let timing = |measure: Measure| {
        let (undisturbed, disturbed) = (figures.spread(measure, true), figures.spread(measure, false));
        let (goal, bound) = measure.goal();
        let met = bound.and_then(|bound| judged(&undisturbed, &disturbed, bound));
        Timing { what: measure.words(), goal, undisturbed, disturbed, met }
    };
    Measure::ALL.into_iter().map(timing).collect()
}

fn judged(undisturbed: &Spread, disturbed: &Spread, bound: Duration) -> Option<bool> {
    if undisturbed.count > 0 {
        return Some(undisturbed.p99 <= bound);
    }
    (disturbed.count > 0 && disturbed.longest <= bound).then_some(true)
}

/// Faults by kind.
#[must_use]
pub fn by_kind(intervals: &[Interval]) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for interval in intervals {
        *kinds.entry(interval.fault.kind()).or_default() += 1;
    }
    kinds
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show_operations(f)?;
        self.show_faults(f)?;
        self.show_timings(f)?;
        self.show_memory(f)?;
        self.show_end(f)?;
        self.show_violations(f)
    }
}

impl SoakReport {
    fn show_operations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "operations")?;
        for (what, outcomes) in &self.operations {
            let total: u64 = outcomes.values().sum();
            writeln!(f, "  {what:<14} {total:>7}")?;
            let mut outcomes: Vec<_> = outcomes.iter().collect();
            outcomes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            for (outcome, count) in outcomes {
                writeln!(f, "                   {count:>7}  {outcome}")?;
            }
        }
        writeln!(f, "  takeovers      {:>7}", self.takeovers)?;
        writeln!(f, "  writes         {:>7} accepted, {} rejected by the array", self.writes[0], self.writes[1])
    }

    fn show_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nfaults ({})", self.faults.values().sum::<u64>())?;
        for (kind, count) in &self.faults {
            writeln!(f, "  {count:>4}  {kind}")?;
        }
        Ok(())
    }

    fn show_timings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<58} {:<28} {:^38}  {:^29}", "times", "goal", "without other faults", "with other faults")?;
        let head = ["count", "median", "p99", "longest", "count", "p99", "longest"];
        let [a, b, c, d, e, g, h] = head;
        writeln!(f, "{:<87} {a:>6} {b:>9} {c:>9} {d:>9}  {e:>6} {g:>9} {h:>9}", "")?;
        for timing in &self.timings {
            let (calm, storm) = (&timing.undisturbed, &timing.disturbed);
            let verdict = match timing.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            writeln!(
                f,
                "{:<58} {:<28} {:>6} {:>9} {:>9} {:>9}  {:>6} {:>9} {:>9}  {verdict}",
                timing.what,
                timing.goal,
                calm.count,
                shown(calm, calm.median),
                shown(calm, calm.p99),
                shown(calm, calm.longest),
                storm.count,
                shown(storm, storm.p99),
                shown(storm, storm.longest)
            )?;
        }
        let healed = self.healed_in.map_or("never".to_owned(), seconds);
        let clean = self.clean_in.map_or("never".to_owned(), seconds);
        writeln!(f, "everything well again after the last fault: {healed} (goal L3: {HEALED_WITHIN:?})")?;
        writeln!(f, "nothing left after the last Unmount: {clean} (goal L10: {CLEAN_WITHIN:?})")?;
        writeln!(
            f,
            "not measured here: L9 (the limit of takeovers is lifted), L11 (1000 volumes on 64 nodes); see hpe3par-lab liveness"
        )
    }

    fn show_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nmemory        processes  watched     warm      end     most   per hour    limit")?;
        for resident in &self.memory {
            let verdict = match (resident.grows, resident.slope, resident.limit) {
                (true, _, _) => "GROWS",
                (false, Some(_), Some(_)) => "flat",
                (false, None, Some(_)) => "watched too shortly to say",
                (false, _, None) => "only looked at",
            };
            writeln!(
                f,
                "  {:<11} {:>9} {:>8} {:>8} {:>8} {:>8} {:>10} {:>8}  {verdict}",
                resident.name,
                resident.processes,
                format!("{} s", resident.watched.as_secs()),
                mebibytes(resident.first_bytes),
                mebibytes(resident.last_bytes),
                mebibytes(resident.most_bytes),
                resident.slope.map_or("-".to_owned(), |slope| format!("{:+.1} MiB", slope as f64 / f64::from(1 << 20))),
                resident.limit.map_or("-".to_owned(), mebibytes)
            )?;
        }
        Ok(())
    }

    fn show_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(restored) = &self.restored {
            writeln!(f, "\netcd put back to a backup: {restored}")?;
        }
        writeln!(f, "\nleaks: {}", if self.leaks.is_empty() { "none".to_owned() } else { self.leaks.join("; ") })
    }

    fn show_violations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mutant = self.mutant.as_ref().map(|mutant| format!(", with the defect {mutant}")).unwrap_or_default();
        writeln!(
            f,
            "violations: {} in {} facts (seed {}, {} workers, {} s{mutant})",
            self.violations.len(),
            self.facts,
            self.seed,
            self.workers,
            self.lasted.as_secs()
        )?;
        for violation in self.violations.iter().take(SHOWN) {
            writeln!(f, "  {violation}")?;
            let around = &violation.around;
            for line in &around[around.len().saturating_sub(AROUND)..] {
                writeln!(f, "      {line}")?;
            }
        }
        if self.violations.len() > SHOWN {
            writeln!(f, "  and {} more", self.violations.len() - SHOWN)?;
        }
        if let Some(files) = &self.files {
            writeln!(f, "logs, facts and time line: {files}")?;
        }
        match &self.written {
            Some(ReportFiles { page, json, junit }) => {
                writeln!(f, "page: {}  (report: {}, JUnit: {})", page.display(), json.display(), junit.display())
            }
            None => Ok(()),
        }
    }
}

fn shown(spread: &Spread, time: Duration) -> String {
    if spread.count == 0 { "-".to_owned() } else { seconds(time) }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_what_nothing_else_disturbed() {
        let spread = |seconds: &[u64]| Spread::of(seconds.iter().map(|s| Duration::from_secs(*s)).collect());
        let bound = Duration::from_secs(5);
        assert_eq!(judged(&spread(&[1, 2]), &spread(&[9]), bound), Some(true));
        assert_eq!(judged(&spread(&[9]), &spread(&[1]), bound), Some(false));
        assert_eq!(judged(&spread(&[]), &spread(&[1, 2]), bound), Some(true));
        assert_eq!(judged(&spread(&[]), &spread(&[9]), bound), None);
    }
}
