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
        let seconds = self.elapsed.as_secs_f64();
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
        self.simulated += other.simulated;
        self.facts += other.facts;
        self.broken.extend(other.broken);
        self.failed.extend(other.failed);
        self.coverage.merge(&other.coverage);
    }
}

/// How many of the rarest kinds are shown of a topic.
const RAREST: usize = 3;

impl Report {
    /// What a schedule contains on average, and what was never reached.
    fn show_coverage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coverage = &self.coverage;
        let each = |count: u64| count as f64 / self.schedules.max(1) as f64;
        let (mounts, mounted) = (coverage.total(Topic::Mount), coverage.of(Topic::Mount, "ok"));
        writeln!(
            f,
            "a schedule on average: {:.0} s, {:.1} Mounts ({:.1} of them granted), {:.1} Unmounts, {:.1} takeovers, {:.1} faults, {:.1} lost requests",
            self.simulated.as_secs_f64() / self.schedules.max(1) as f64,
            each(mounts),
            each(mounted),
            each(coverage.total(Topic::Unmount) + coverage.total(Topic::DockerCp)),
            each(coverage.of(Topic::Step, TAKEOVER)),
            each(coverage.total(Topic::Fault)),
            each(coverage.total(Topic::Store) + coverage.total(Topic::Array)),
        )?;
        for topic in Topic::KNOWN {
            let (all, never) = (topic.everything(), coverage.never(topic));
            write!(f, "  {:<13} {:>2} of {:>2} kinds", topic.words(), all.len() - never.len(), all.len())?;
            let rarest: Vec<String> =
                coverage.rarest(topic, RAREST).iter().map(|(name, count)| format!("{name} {count}")).collect();
            if !rarest.is_empty() {
                write!(f, "; rarest: {}", rarest.join(", "))?;
            }
            writeln!(f)?;
            if !never.is_empty() {
                writeln!(f, "                NEVER: {}", never.join(", "))?;
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (schedules, per_second, facts) = (self.schedules, self.per_second(), self.facts);
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        writeln!(
            f,
            "{schedules} schedules, {per_second:.0} per second, {hours:.1} simulated hours, {facts} facts checked"
        )?;
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
