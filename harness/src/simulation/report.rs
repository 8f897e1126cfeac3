//! What a batch of seeds came to.

use std::fmt;
use std::time::Duration;

use super::chronicle::TAKEOVER;
use super::coverage::{Coverage, Topic};
use crate::checks::Violation;

/// A seed whose schedule broke an invariant.
#[derive(Debug, Clone)]
pub struct BrokenSeed {
    /// The seed; running it again gives the same violation.
    pub seed: u64,
    /// What broke, with the lines before it.
    pub violations: Vec<Violation>,
}

/// Result of a batch of seeds.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Schedules run.
    pub schedules: u64,
    /// Real time it took.
    pub elapsed: Duration,
    /// Time its threads computed, added up: what it would have taken one core.
    pub computed: Duration,
    /// Threads it ran on.
    pub threads: usize,
    /// Virtual time simulated.
    pub simulated: Duration,
    /// Facts looked at.
    pub facts: u64,
    /// Seeds that broke an invariant.
    pub broken: Vec<BrokenSeed>,
    /// Seeds whose world could not be built or that did not end.
    pub failed: Vec<(u64, String)>,
    /// How often each kind of step, answer and fault happened.
    pub coverage: Coverage,
}

impl Report {
    /// Schedules per second of real time.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.schedules_in(self.elapsed)
    }

    /// Schedules per second that one core computes, whatever else the machine does.
    #[must_use]
    pub fn per_second_of_a_core(&self) -> f64 {
        self.schedules_in(self.computed)
    }

    fn schedules_in(&self, time: Duration) -> f64 {
        let seconds = time.as_secs_f64();
        if seconds > 0.0 { self.schedules as f64 / seconds } else { 0.0 }
    }

    /// No seed broke anything or failed to run.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.failed.is_empty()
    }

    /// Adds the result of another batch, run beside this one: times are not added up.
    pub fn merge(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.computed += other.computed;
        self.threads += other.threads;
        self.simulated += other.simulated;
        self.facts += other.facts;
        self.broken.extend(other.broken);
        self.failed.extend(other.failed);
        self.coverage.merge(&other.coverage);
    }
}

/// Width of the coverage tables in characters.
const WIDTH: usize = 110;

impl Report {
    /// What a schedule contains on average.
    fn show_average(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coverage = &self.coverage;
        let each = |count: u64| count as f64 / self.schedules.max(1) as f64;
        let (mounts, mounted) = (coverage.total(Topic::Mount), coverage.of(Topic::Mount, "ok"));
        writeln!(
            f,
            "{}: {:.0} s, {:.1} Mounts ({:.1} of them granted), {:.1} Unmounts, {:.1} takeovers, {:.1} faults, {:.1} lost requests",
            if self.schedules == 1 { "the schedule" } else { "a schedule on average" },
            self.simulated.as_secs_f64() / self.schedules.max(1) as f64,
            each(mounts),
            each(mounted),
            each(coverage.total(Topic::Unmount) + coverage.total(Topic::DockerCp)),
            each(coverage.of(Topic::Step, TAKEOVER)),
            each(coverage.total(Topic::Fault)),
            each(coverage.total(Topic::Store) + coverage.total(Topic::Array)),
        )
    }

    /// How often everything that is known to be possible happened, the rarest first; of one schedule only what happened.
    fn show_coverage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for topic in Topic::KNOWN {
            let reached = self.coverage.rarest(topic, usize::MAX);
            if self.schedules == 1 {
                if !reached.is_empty() {
                    writeln!(f, "  {}", topic.words())?;
                }
            } else {
                let possible = topic.everything().len();
                writeln!(
                    f,
                    "  {}: {} of {possible} kinds",
                    topic.words(),
                    possible - self.coverage.never(topic).len()
                )?;
            }
            let cells: Vec<String> = reached.iter().map(|(name, count)| format!("{count:>8}  {name}")).collect();
            show_in_columns(f, &cells)?;
            let never = self.coverage.never(topic);
            if self.schedules > 1 && !never.is_empty() {
                writeln!(f, "       NEVER: {}", never.join(", "))?;
            }
        }
        Ok(())
    }

    /// Every kind that was counted, topic by topic.
    #[must_use]
    pub fn coverage_table(&self) -> String {
        let rows = self.coverage.all().map(|(topic, name, count)| format!("  {count:>9}  {}: {name}\n", topic.words()));
        rows.collect()
    }
}

/// Cells in as many columns as fit, read line by line.
fn show_in_columns(f: &mut fmt::Formatter<'_>, cells: &[String]) -> fmt::Result {
    let widest = cells.iter().map(String::len).max().unwrap_or(1);
    for line in cells.chunks((WIDTH / (widest + 2)).max(1)) {
        let padded: String = line.iter().map(|cell| format!("{cell:<width$}", width = widest + 2)).collect();
        writeln!(f, "{}", padded.trim_end())?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (schedules, facts, threads) = (self.schedules, self.facts, self.threads);
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        writeln!(
            f,
            "{schedules} schedules, {:.0} per second on {threads} threads, {:.0} per second of one core; {hours:.1} simulated hours, {facts} facts checked",
            self.per_second(),
            self.per_second_of_a_core(),
        )?;
        self.show_average(f)?;
        self.show_coverage(f)?;
        for (seed, reason) in &self.failed {
            writeln!(f, "seed {seed} did not run: {reason}")?;
        }
        for broken in &self.broken {
            for violation in &broken.violations {
                writeln!(f, "seed {}: {violation}", broken.seed)?;
            }
        }
        if self.is_clean() { writeln!(f, "no invariant was broken") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_schedules(schedules: u64) -> Report {
        let mut report = Report { schedules, ..Report::default() };
        report.coverage.count(Topic::Fault, "Freeze");
        report
    }

    #[test]
    fn what_was_never_reached_is_said_of_a_batch_and_not_of_one_schedule() {
        let (batch, one) = (of_schedules(2).to_string(), of_schedules(1).to_string());
        assert!(batch.contains("NEVER") && batch.contains("1  Freeze"), "{batch}");
        assert!(!one.contains("NEVER") && one.contains("1  Freeze"), "{one}");
        assert!(!one.contains("decisions"), "nothing was decided: {one}");
    }

    #[test]
    fn threads_side_by_side_share_the_time_and_add_up_what_they_computed() {
        let seconds = Duration::from_secs;
        let part = |elapsed, computed| Report {
            schedules: 100,
            elapsed: seconds(elapsed),
            computed: seconds(computed),
            threads: 1,
            ..Report::default()
        };
        let mut report = part(4, 1);
        report.merge(part(2, 1));
        assert_eq!((report.per_second(), report.per_second_of_a_core(), report.threads), (50.0, 100.0, 2));
    }
}
