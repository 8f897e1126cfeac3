//! Running seeds.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::fencing::mutants::{Defects, Mutant};
use rustix::time::{ClockId, clock_gettime};

use super::clients::Clients;
use super::closing;
use super::coverage::Coverage;
use super::decisions::Decisions;
use super::nemesis::{self, SimulationHook};
use super::report::{BrokenSeed, Report};
use super::script::Script;
use super::swarm::{NODES, Swarm};
use super::world::{World, WorldError};
use crate::checks::{Fact, Violation};
use crate::report::Recording;

/// Schedules that tell more facts than this go round in circles.
const TOO_MANY_FACTS: usize = 500_000;
/// How often a run looks whether it goes round in circles.
const WATCHDOG: Duration = Duration::from_secs(20);

/// How to run a batch of seeds.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A defect of the plugin to put in, to see it found.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
    /// Stop after this many broken seeds; 0 runs all.
    pub stop_after: usize,
}

impl Options {
    /// The defect that is put in.
    #[must_use]
    pub fn mutant(&self) -> Option<Mutant> {
        #[cfg(feature = "mutants")]
        {
            self.mutant
        }
        #[cfg(not(feature = "mutants"))]
        {
            None
        }
    }

    /// The same, as the plugin takes it.
    pub(crate) fn defects(&self) -> Defects {
        #[cfg(feature = "mutants")]
        {
            Defects::with(self.mutant)
        }
        #[cfg(not(feature = "mutants"))]
        {
            Defects::default()
        }
    }
}

/// One schedule in full.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The seed.
    pub seed: u64,
    /// The time line, one line per event: virtual time, who, what.
    pub lines: Vec<String>,
    /// Hash of the time line: equal for equal schedules.
    pub hash: u64,
    /// Violations.
    pub violations: Vec<Violation>,
    /// What was covered.
    pub coverage: Coverage,
    /// Virtual time.
    pub simulated: Duration,
    /// Everything that happened, for the page of the run.
    pub recording: Recording,
}

/// What one run came to.
pub(super) struct Outcome {
    facts: Vec<Fact>,
    names: BTreeMap<Wwn, String>,
    pub(super) violations: Vec<Violation>,
    coverage: Coverage,
    simulated: Duration,
}

/// One schedule: everything that is drawn from a seed.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) swarm: Swarm,
    pub(super) script: Script,
}

impl Schedule {
    /// The schedule of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let swarm = Swarm::draw(seed);
        let script = Script::draw(seed, &swarm);
        Self { seed, swarm, script }
    }
}

/// Runs one seed and keeps its whole time line.
///
/// # Errors
/// [`WorldError`] is a defect of the simulation.
pub fn simulate_one(seed: u64, options: &Options) -> Result<Trace, WorldError> {
    trace(&Schedule::draw(seed), options)
}

/// Runs a schedule and keeps its whole time line.
pub(super) fn trace(schedule: &Schedule, options: &Options) -> Result<Trace, WorldError> {
    let outcome = Decisions::listen(|decisions| {
        let mut outcome = run(schedule, options, true)?;
        outcome.coverage.merge(&decisions.take());
        Ok::<_, WorldError>(outcome)
    })?;
    let lines: Vec<String> = outcome.facts.iter().map(Fact::to_string).collect();
    let hash = lines.iter().fold(FNV_OFFSET, |hash, line| fnv(fnv(hash, line.as_bytes()), b"\n"));
    let Outcome { facts, names, violations, coverage, simulated } = outcome;
    let nodes = NODES.map(str::to_owned).to_vec();
    let recording = Recording { nodes, names, facts, ..Recording::default() };
    Ok(Trace { seed: schedule.seed, lines, hash, violations, coverage, simulated, recording })
}

/// Runs a range of seeds, one after the other, on this thread.
#[must_use]
pub fn simulate(seeds: RangeInclusive<u64>, options: &Options) -> Report {
    let (begin, computed_before) = (std::time::Instant::now(), computed());
    let mut report = Report { threads: 1, ..Report::default() };
    Decisions::listen(|decisions| {
        for seed in seeds {
            match run(&Schedule::draw(seed), options, false) {
                Ok(outcome) => add(&mut report, seed, outcome, options),
                Err(error) => report.failed.push((seed, error.to_string())),
            }
            report.schedules += 1;
            if options.stop_after > 0 && report.broken.len() >= options.stop_after {
                break;
            }
        }
        report.coverage.merge(&decisions.take());
    });
    report.elapsed = begin.elapsed();
    report.computed = computed().saturating_sub(computed_before);
    report
}

/// Time this thread has computed, without that in which others had its core.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn add(report: &mut Report, seed: u64, outcome: Outcome, options: &Options) {
    report.facts += outcome.facts.len() as u64;
    report.simulated += outcome.simulated;
    report.coverage.merge(&outcome.coverage);
    if outcome.violations.is_empty() {
        return;
    }
    // Once more with every line kept: the same seed is the same schedule.
    let violations = simulate_one(seed, options).map_or(outcome.violations, |trace| trace.violations);
    report.broken.push(BrokenSeed { seed, violations });
}

/// Runs a schedule in a world of its own.
pub(super) fn run(schedule: &Schedule, options: &Options, notes: bool) -> Result<Outcome, WorldError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| WorldError::of(&error))?;
    runtime.block_on(async {
        let world = World::build(schedule.seed, schedule.swarm.clone(), options.defects(), notes)?;
        tokio::select! {
            biased;
            () = play(&world, &schedule.script) => {}
            () = watchdog(&world) => return Err(WorldError::of(&"it goes round in circles")),
        }
        let simulated = world.start.elapsed();
        let (facts, violations, coverage) = world.chronicle.close();
        let names = world.all_volumes().iter().map(|volume| (volume.wwn.clone(), volume.name.to_string())).collect();
        Ok(Outcome { facts, names, violations, coverage, simulated })
    })
}

/// Ends when the run tells so many facts that it cannot be making progress.
async fn watchdog(world: &World) {
    while world.chronicle.length() < TOO_MANY_FACTS {
        tokio::time::sleep(WATCHDOG).await;
    }
}

/// The busy phase with faults, then the healed phase.
async fn play(world: &Arc<World>, script: &Script) {
    let mut hooks = Vec::new();
    for (number, worker) in (1_u64..).zip(&world.workers) {
        let hook =
            SimulationHook::new(worker, world.swarm.step_failures, world.seed.wrapping_mul(7).wrapping_add(number));
        worker.node.set_hook(hook.clone());
        hooks.push(hook);
        worker.start_plugin();
    }
    let clients = Arc::new(Clients::default());
    let acting: Vec<_> =
        script.clients.iter().map(|acts| tokio::spawn(clients.clone().run(world.clone(), acts.clone()))).collect();
    let striking = tokio::spawn(nemesis::run(world.clone(), script.strikes.clone(), hooks.clone()));
    tokio::time::sleep(world.swarm.busy_time).await;
    striking.abort();
    closing::heal(world, &hooks);
    for client in acting {
        // A client that panicked has shown its assertion already.
        let _ = client.await;
    }
    if !world.chronicle.is_broken() {
        closing::heal(world, &hooks);
        closing::demand(world, &clients).await;
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
