//! One soak from its beginning to its judgement.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::backup;
use super::closing::{self, Closing, LAST_CHANGES};
use super::deployment::{Deployment, DeploymentPlan, exists};
use super::figures::Figures;
use super::judging;
use super::memory::{Memory, Resident};
use super::nemesis::{FaultLog, Nemesis, Planned, plan};
use super::report::{SoakReport, by_kind, timings};
use super::report_files::{self, Seen};
use super::watching::Watching;
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
    /// An older build of this program, for every second worker in every second of its boots.
    pub older: Option<PathBuf>,
    /// Leaves the last scene out, in which etcd is put back to a backup.
    pub without_backup: bool,
    /// Leaves logs, facts and time line where they are, also when nothing is wrong.
    pub keep: bool,
    /// Folder for page, report and JUnit.
    pub report: PathBuf,
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

/// Runs a soak; `on_progress` hears every two seconds how it is going.
///
/// # Errors
/// When something does not start or cannot be read. What the plugin does wrong is no error but in the report.
pub async fn run(plan: &SoakPlan, on_progress: impl Fn(Progress)) -> Result<SoakReport> {
    let deployment_plan = DeploymentPlan {
        workers: plan.workers,
        seed: plan.seed,
        settings: plan.settings(),
        mutant: plan.mutant.clone(),
        older: plan.older.clone(),
    };
    let deployment = Arc::new(Deployment::start(&deployment_plan).await?);
    let (figures, faults) = (Arc::new(Figures::default()), Arc::new(FaultLog::default()));
    let site = Site {
        deployment: Arc::clone(&deployment),
        faults: Arc::clone(&faults),
        figures: Arc::clone(&figures),
        ending: Arc::new(AtomicBool::new(false)),
    };
    let (memory, watching) = (Arc::new(Memory::default()), Arc::new(Watching::default()));
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&memory).watch(Arc::clone(&deployment)));
    tasks.spawn(Arc::clone(&watching).follow(Arc::clone(&deployment)));
    let engines = Arc::new(Engines::new(site.clone(), plan.seed));
    let closing = load(plan, &engines, &site, &on_progress).await?;
    tasks.shutdown().await;
    let mut report = judge(plan, &deployment, &figures, &faults, closing).await?;
    report.memory = memory.residents();
    report.violations.extend(report.memory.iter().filter_map(growth));
    if report.is_clean() && !plan.without_backup {
        last_scene(&mut report, &engines, plan.one_host).await?;
    }
    drop((engines, site));
    let mut deployment = Arc::into_inner(deployment).context("somebody still works with the deployment")?;
    let seen = Seen {
        nodes: deployment.workers.iter().map(|worker| worker.name().to_owned()).collect(),
        names: watching.names(),
        history: judging::history(&deployment)?,
    };
    if plan.keep || !report.is_clean() {
        deployment.keep_files();
        report.files = Some(deployment.directory().display().to_string());
        let lines: Vec<String> = seen.history.iter().map(ToString::to_string).collect();
        let file = deployment.directory().join("timeline");
        std::fs::write(file, lines.join("\n")).context("writing the time line")?;
    }
    report.violations.extend(end(deployment).await);
    report.written = Some(report_files::write(&plan.report, &report, seen)?);
    Ok(report)
}

fn growth(resident: &Resident) -> Option<Violation> {
    let Resident { name, first_bytes, last_bytes, watched, slope, limit, .. } = resident;
    resident.grows.then(|| {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let words = format!(
            "the memory of {name} grew from {:.0} to {:.0} MiB in {watched:.0?}: {:.1} MiB an hour, at most {:.0} are allowed",
            mib(*first_bytes as f64),
            mib(*last_bytes as f64),
            mib(slope.unwrap_or_default() as f64),
            mib(limit.unwrap_or_default() as f64)
        );
        Violation::new(Invariant::C12NoGrowth, *watched, words)
    })
}

/// etcd is put back to a backup. Its records then go back too, so they are no part of what is judged.
async fn last_scene(report: &mut SoakReport, engines: &Arc<Engines>, one_host: bool) -> Result<()> {
    let deployment = Arc::clone(&engines.site().deployment);
    let since = deployment.clock.now();
    let broken = |words: String| Violation::new(Invariant::C13OldStoreNoticed, deployment.clock.now(), words);
    match backup::play(engines).await {
        Ok(restored) => {
            report.restored = Some(restored.to_string());
            if !restored.is_good() {
                report.violations.push(broken(restored.to_string()));
            }
        }
        Err(error) => report.violations.push(broken(format!("{error:#}"))),
    }
    let history: Vec<Fact> = judging::history(&deployment)?
        .into_iter()
        .filter(|fact| fact.at >= since && !matches!(fact.kind, FactKind::Record(_)))
        .collect();
    report.violations.extend(judging::judge(&deployment, &history, one_host));
    Ok(())
}

/// Load and faults, then the closing.
async fn load(
    plan: &SoakPlan,
    engines: &Arc<Engines>,
    site: &Site,
    on_progress: &impl Fn(Progress),
) -> Result<Closing> {
    let begun = Instant::now();
    let nemesis = Arc::new(Nemesis::of(&site.deployment, &site.faults, &site.figures));
    let (mut work, mut probes) = (JoinSet::new(), JoinSet::new());
    for number in 0..plan.volumes {
        work.spawn(Orchestrator::new(engines, number, plan.seed).run());
    }
    probes.spawn(probe(Arc::clone(engines), plan.seed));
    probes.spawn(reap(Arc::clone(engines)));
    let mut misfortune = tokio::spawn(nemesis.run(plan.faults()));
    while begun.elapsed() < plan.length {
        on_progress(progress(begun, site));
        tokio::time::sleep(Duration::from_secs(2).min(plan.length.saturating_sub(begun.elapsed()))).await;
    }
    (&mut misfortune).await.context("the nemesis panicked")?;
    closing::heal(&site.deployment).await?;
    let healed = Instant::now();
    site.ending.store(true, Ordering::SeqCst);
    let late = timeout(LAST_CHANGES, async { while work.join_next().await.is_some() {} }).await.is_err();
    work.shutdown().await;
    while probes.join_next().await.is_some() {}
    let mut closing = closing::demand(engines, healed).await;
    if late {
        let words = format!("not every request was answered within {LAST_CHANGES:?} after the last fault");
        closing.violations.push(Violation::new(Invariant::L1Liveness, site.deployment.clock.now(), words));
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
    deployment: &Deployment,
    figures: &Figures,
    faults: &FaultLog,
    closing: Closing,
) -> Result<SoakReport> {
    let history = judging::history(deployment)?;
    let mut violations = judging::judge(deployment, &history, plan.one_host);
    violations.extend(judging::panics(deployment)?);
    violations.extend(judging::secrets(deployment).await?);
    violations.extend(closing.violations);
    Ok(SoakReport {
        seed: plan.seed,
        lasted: plan.length,
        workers: plan.workers,
        mutant: plan.mutant.clone(),
        older: plan.older.as_ref().map(|program| program.display().to_string()),
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
        written: None,
    })
}

/// Epochs that began while the epoch before still had another owner.
fn takeovers(history: &[Fact]) -> u64 {
    let mut owners = BTreeMap::new();
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
async fn end(deployment: Deployment) -> Vec<Violation> {
    let mut words = Vec::new();
    let processes = deployment.processes().await;
    for worker in &deployment.workers {
        if let Err(error) = worker.shut_down(ENDS).await {
            words.push(format!("{} did not end in good order: {error:#}", worker.name()));
        }
    }
    if !deployment.array.lock().await.shut_down(ENDS).await {
        words.push("the array did not end in good order".to_owned());
    }
    drop(deployment);
    let left = processes.into_iter().filter(|(_, pid)| exists(*pid));
    words.extend(left.map(|(name, pid)| format!("the process {pid} of {name} is still there")));
    words.into_iter().map(|words| Violation::new(Invariant::C9NoLeak, Duration::ZERO, words)).collect()
}
