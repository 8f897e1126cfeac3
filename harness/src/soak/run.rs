//! One soak from its beginning to its judgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::cast::{Cast, CastPlan, exists};
use super::closing::{self, Closing, LAST_CHANGES};
use super::figures::Figures;
use super::judging;
use super::memory::Memory;
use super::nemesis::{FaultLog, Nemesis, Planned, plan};
use super::report::{SoakReport, by_kind, timings};
use super::workload::{Engines, Orchestrator, Site, probe, reap};
use crate::checks::{Fact, FactKind, Invariant, Violation};

/// How long a process may take to end in good order.
const ENDS: Duration = Duration::from_secs(15);

/// What a soak is to be.
#[derive(Debug, Clone)]
pub struct SoakPlan {
    /// How long the load lasts.
    pub length: Duration,
    /// Seed of faults and load.
    pub seed: u64,
    /// Workers.
    pub workers: usize,
    /// Volumes at a time, each with an orchestrator of its own.
    pub volumes: usize,
    /// The array refuses to export a volume to two hosts.
    pub one_host: bool,
    /// Name of a safety defect put into every plugin.
    pub mutant: Option<String>,
    /// Leaves logs, facts and time line where they are.
    pub keep: bool,
}

impl SoakPlan {
    /// The faults, in the order they begin.
    #[must_use]
    pub fn faults(&self) -> Vec<Planned> {
        plan(self.seed, self.length, self.workers)
    }

    /// Lines for every worker's `hpe.conf`. The limit of takeovers is lifted: a soak is one long fight.
    fn settings(&self) -> Vec<(String, String)> {
        let one_host = if self.one_host { "true" } else { "false" };
        [("takeover_limit", "1000"), ("one_host", one_host), ("mount_conflict_delay", "2")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }
}

/// How a soak is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Since the beginning of the load.
    pub elapsed: Duration,
    /// Mounts answered with success.
    pub mounts: u64,
    /// Takeovers by orchestrators.
    pub takeovers: u64,
    /// Faults begun.
    pub faults: usize,
    /// Faults that last at the moment.
    pub running: usize,
}

/// Runs a soak; `tell` hears every two seconds how it is going.
///
/// # Errors
/// When something does not start or cannot be read. What the plugin does wrong is no error but in the report.
pub async fn run(plan: &SoakPlan, tell: impl Fn(Progress)) -> Result<SoakReport> {
    let cast_plan =
        CastPlan { workers: plan.workers, seed: plan.seed, settings: plan.settings(), mutant: plan.mutant.clone() };
    let cast = Arc::new(Cast::start(&cast_plan).await?);
    let (figures, faults) = (Arc::new(Figures::default()), Arc::new(FaultLog::default()));
    let site = Site {
        cast: Arc::clone(&cast),
        faults: Arc::clone(&faults),
        figures: Arc::clone(&figures),
        ending: Arc::new(AtomicBool::new(false)),
    };
    let memory = Arc::new(Memory::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&memory).watch(Arc::clone(&cast)));
    let engines = Arc::new(Engines::new(site.clone(), plan.seed));
    let closing = load(plan, &engines, &site, &tell).await?;
    tasks.shutdown().await;
    drop((engines, site));
    let mut cast = Arc::into_inner(cast).context("somebody still works with the cast")?;
    let mut report = judge(plan, &cast, &figures, &faults, closing).await?;
    report.memory = memory.residents();
    report.violations.extend(report.memory.iter().filter(|r| r.grows && r.name.starts_with("worker")).map(
        |resident| {
            let words = format!(
                "the memory of {} grew from {} to {} bytes",
                resident.name, resident.first_bytes, resident.last_bytes
            );
            Violation::new(Invariant::C12NoGrowth, plan.length, words)
        },
    ));
    if plan.keep || !report.is_clean() {
        cast.keep_files();
        report.files = Some(cast.directory().display().to_string());
    }
    report.violations.extend(end(cast).await);
    Ok(report)
}

/// Load and faults, then the closing.
async fn load(plan: &SoakPlan, engines: &Arc<Engines>, site: &Site, tell: &impl Fn(Progress)) -> Result<Closing> {
    let begun = Instant::now();
    let nemesis = Arc::new(Nemesis::of(&site.cast, &site.faults, &site.figures));
    let (mut work, mut probes) = (JoinSet::new(), JoinSet::new());
    for number in 0..plan.volumes {
        work.spawn(Orchestrator::new(engines, number, plan.seed).run());
    }
    probes.spawn(probe(Arc::clone(engines), plan.seed));
    probes.spawn(reap(Arc::clone(engines)));
    let mut misfortune = tokio::spawn(nemesis.run(plan.faults()));
    while begun.elapsed() < plan.length {
        tell(progress(begun, site));
        tokio::time::sleep(Duration::from_secs(2).min(plan.length.saturating_sub(begun.elapsed()))).await;
    }
    (&mut misfortune).await.context("the nemesis panicked")?;
    closing::heal(&site.cast).await?;
    let healed = Instant::now();
    site.ending.store(true, Ordering::SeqCst);
    let late = timeout(LAST_CHANGES, async { while work.join_next().await.is_some() {} }).await.is_err();
    work.shutdown().await;
    while probes.join_next().await.is_some() {}
    let mut closing = closing::demand(engines, healed).await;
    if late {
        let words = format!("not every request was answered within {LAST_CHANGES:?} after the last fault");
        closing.violations.push(Violation::new(Invariant::L1Liveness, site.cast.clock.now(), words));
    }
    Ok(closing)
}

fn progress(begun: Instant, site: &Site) -> Progress {
    Progress {
        elapsed: begun.elapsed(),
        mounts: site.figures.counted("mount", "ok"),
        takeovers: site.figures.counted("takeover", "done"),
        faults: site.faults.all().len(),
        running: site.faults.running(),
    }
}

async fn judge(
    plan: &SoakPlan,
    cast: &Cast,
    figures: &Figures,
    faults: &FaultLog,
    closing: Closing,
) -> Result<SoakReport> {
    let history = judging::history(cast)?;
    let mut violations = judging::judge(cast, &history, plan.one_host);
    violations.extend(judging::panics(cast)?);
    violations.extend(judging::secrets(cast).await?);
    violations.extend(closing.violations);
    if !violations.is_empty() || plan.keep {
        write_time_line(cast, &history)?;
    }
    Ok(SoakReport {
        seed: plan.seed,
        lasted: plan.length,
        workers: plan.workers,
        mutant: plan.mutant.clone(),
        operations: figures.counts(),
        faults: by_kind(&faults.all()),
        takeovers: takeovers(&history),
        facts: history.len(),
        writes: writes(&history),
        timings: timings(figures),
        healed_in: closing.healed_in,
        clean_in: closing.clean_in,
        leaks: closing.leaks,
        memory: Vec::new(),
        restored: None,
        violations,
        files: None,
    })
}

fn write_time_line(cast: &Cast, history: &[Fact]) -> Result<()> {
    let lines: Vec<String> = history.iter().map(ToString::to_string).collect();
    std::fs::write(cast.directory().join("timeline"), lines.join("\n")).context("writing the time line")
}

/// Epochs that began while the epoch before still had another owner.
fn takeovers(history: &[Fact]) -> u64 {
    let mut owners = std::collections::BTreeMap::new();
    let mut count = 0;
    for fact in history {
        let FactKind::Record(record) = &fact.kind else { continue };
        let owner = record.owner.as_ref().map(|(node, _)| node.clone());
        let before = owners.insert(record.volume.clone(), owner.clone()).flatten();
        if before.is_some() && owner.is_some() && before != owner {
            count += 1;
        }
    }
    count
}

fn writes(history: &[Fact]) -> [u64; 2] {
    let mut counts = [0, 0];
    for fact in history {
        if let FactKind::Write(write) = &fact.kind {
            counts[usize::from(!write.accepted)] += 1;
        }
    }
    counts
}

/// Ends every process in good order; what does not end so is a leak.
async fn end(cast: Cast) -> Vec<Violation> {
    let mut words = Vec::new();
    let processes = cast.processes().await;
    for worker in &cast.workers {
        if let Err(error) = worker.shut_down(ENDS).await {
            words.push(format!("{} did not end in good order: {error:#}", worker.name()));
        }
    }
    if !cast.array.lock().await.shut_down(ENDS).await {
        words.push("the array did not end in good order".to_owned());
    }
    drop(cast);
    let left = processes.into_iter().filter(|(_, pid)| exists(*pid));
    words.extend(left.map(|(name, pid)| format!("the process {pid} of {name} is still there")));
    words.into_iter().map(|words| Violation::new(Invariant::C9NoLeak, Duration::ZERO, words)).collect()
}
