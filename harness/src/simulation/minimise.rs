//! Makes a schedule that broke something smaller: what can be left out without the violation going away is left out.

use std::collections::BTreeSet;
use std::fmt;

use super::run::{Options, Schedule, Trace, run, trace};
use super::script::{Part, Script};
use super::swarm::{RequestOdds, Swarm};
use super::world::WorldError;
use crate::checks::Invariant;

/// How many schedules are tried at most.
const TRIES: usize = 1_500;

/// A schedule as small as it could be made.
#[derive(Debug, Clone)]
pub struct Minimised {
    /// Its time line and what it breaks.
    pub trace: Trace,
    /// Its faults, and what its clients do.
    pub script: Script,
    /// How many parts it had, and how many are left.
    pub parts: (usize, usize),
    /// What else is switched off.
    pub calmed: Vec<&'static str>,
    /// How many schedules were tried.
    pub tried: usize,
}

/// Makes the schedule of a seed smaller; `None` if it breaks nothing.
///
/// # Errors
/// [`WorldError`] is a defect of the simulation.
pub fn minimise(seed: u64, options: &Options) -> Result<Option<Minimised>, WorldError> {
    let whole = Schedule::draw(seed);
    let Some(violation) = run(&whole, options, false)?.violations.into_iter().next() else { return Ok(None) };
    let mut search = Search { options, invariant: violation.invariant, whole, left_out: BTreeSet::new(), tried: 0 };
    let parts = search.whole.script.parts();
    // Twice: what was needed while the network was noisy may not be needed in a calm one.
    search.leave_out(&parts);
    let calmed = search.calm();
    search.leave_out(&parts);
    let smallest = search.schedule();
    let kept = smallest.script.parts().len();
    let trace = trace(&smallest, options)?;
    Ok(Some(Minimised { trace, script: smallest.script, parts: (parts.len(), kept), calmed, tried: search.tried }))
}

struct Search<'o> {
    options: &'o Options,
    invariant: Invariant,
    whole: Schedule,
    left_out: BTreeSet<Part>,
    tried: usize,
}

impl Search<'_> {
    fn schedule(&self) -> Schedule {
        Schedule { script: self.whole.script.without(&self.left_out), ..self.whole.clone() }
    }

    /// The same invariant is broken.
    fn still_breaks(&mut self, schedule: &Schedule) -> bool {
        self.tried += 1;
        let found = run(schedule, self.options, false).map(|outcome| outcome.violations).unwrap_or_default();
        found.iter().any(|violation| violation.invariant == self.invariant)
    }

    /// Leaves out halves, quarters and so on, down to single parts.
    fn leave_out(&mut self, parts: &[Part]) {
        let mut size = parts.len().div_ceil(2);
        while size > 0 {
            let kept: Vec<Part> = parts.iter().filter(|part| !self.left_out.contains(part)).copied().collect();
            for chunk in kept.chunks(size) {
                if self.tried >= TRIES {
                    return;
                }
                let before = self.left_out.clone();
                self.left_out.extend(chunk);
                if !self.still_breaks(&self.schedule()) {
                    self.left_out = before;
                }
            }
            size /= 2;
        }
    }

    /// Switches off what else goes wrong, one thing after the other.
    fn calm(&mut self) -> Vec<&'static str> {
        let mut calmed = Vec::new();
        for (name, calm) in CALMS {
            let before = self.whole.swarm.clone();
            if !calm(&mut self.whole.swarm) {
                continue;
            }
            if self.still_breaks(&self.schedule()) {
                calmed.push(name);
            } else {
                self.whole.swarm = before;
            }
        }
        calmed
    }
}

/// Something that can be switched off; tells whether it was on.
type Calm = fn(&mut Swarm) -> bool;

const CALMS: [(&str, Calm); 6] = [
    ("lost and late store requests", |swarm| quiet(&mut swarm.store)),
    ("lost and late array requests", |swarm| quiet(&mut swarm.array)),
    ("failing steps of nodes", |swarm| std::mem::take(&mut swarm.step_failures) > 0),
    ("odd removals", |swarm| std::mem::take(&mut swarm.removal_anomalies) > 0),
    ("slow writes", |swarm| std::mem::take(&mut swarm.node.slow_writes_percent) > 0),
    ("scan at boot", |swarm| std::mem::take(&mut swarm.node.scan_at_boot)),
];

fn quiet(odds: &mut RequestOdds) -> bool {
    std::mem::take(odds) != RequestOdds::default()
}

impl fmt::Display for Minimised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, kept) = self.parts;
        writeln!(f, "made smaller in {} runs: {kept} of {all} faults and deeds are enough", self.tried)?;
        if !self.calmed.is_empty() {
            writeln!(f, "not needed: {}", self.calmed.join(", "))?;
        }
        for strike in &self.script.strikes {
            let (at, length) = (strike.at.as_secs_f64(), strike.length.as_secs_f64());
            writeln!(f, "  {at:>8.3}  {} on node {} for {length:.1} s", strike.kind.name(), strike.node)?;
        }
        for (number, acts) in self.script.clients.iter().enumerate() {
            for deed in acts.iter().filter_map(|act| act.deed.as_ref()) {
                writeln!(f, "  client {number}: {deed:?}")?;
            }
        }
        Ok(())
    }
}
