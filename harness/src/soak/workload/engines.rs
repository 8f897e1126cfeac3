//! The engines of all workers, dockerd's and kubelet's: they send requests, remember every mount id they sent, and write down
//! what was asked and answered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::array::Wwn;
use tokio::time::{Instant, sleep};

use super::running_container::RunningContainer;
use crate::checks::FactKind;
use crate::cluster::docker_client::{CallError, Dialect};
use crate::node::Random;
use crate::soak::deployment::{Deployment, Worker};
use crate::soak::figures::{Figures, Measure, kind_of};
use crate::soak::nemesis::{Fault, FaultLog};

/// Pause before a request that failed is repeated.
const PAUSE: Duration = Duration::from_millis(700);

/// What everybody who makes load has in common.
#[derive(Clone)]
pub struct Site {
    /// Everybody.
    pub deployment: Arc<Deployment>,
    /// What went wrong when.
    pub faults: Arc<FaultLog>,
    /// What is counted.
    pub figures: Arc<Figures>,
    /// Set when the load is to end.
    pub ending: Arc<AtomicBool>,
}

impl Site {
    /// The load is to end.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }
}

/// A volume that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Docker name.
    pub name: String,
    /// WWN.
    pub wwn: Wwn,
    /// Seconds a Mount waits for another owner.
    pub delay: u64,
}

/// All engines.
pub struct Engines {
    site: Site,
    requests: AtomicU64,
    /// Every mount id that a worker's plugin may still hold.
    sent: Mutex<BTreeMap<(usize, String), Volume>>,
    /// Volumes that were created and not removed.
    volumes: Mutex<BTreeMap<String, Volume>>,
    /// Where each volume is mounted, as far as the engines know.
    mounted: Mutex<BTreeMap<String, usize>>,
    /// Containers on machines that stood still when they were started elsewhere.
    orphans: Mutex<Vec<(RunningContainer, Volume)>>,
    random: Mutex<Random>,
}

/// A Mount that was answered with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Mount point.
    pub dir: PathBuf,
    /// When it was asked, on the soak's clock.
    pub asked: Duration,
    /// How long it took.
    pub took: Duration,
}

impl Engines {
    /// Engines without any container.
    #[must_use]
    pub fn new(site: Site, seed: u64) -> Self {
        Self {
            site,
            requests: AtomicU64::new(0),
            sent: Mutex::default(),
            volumes: Mutex::default(),
            mounted: Mutex::default(),
            orphans: Mutex::default(),
            random: Mutex::new(Random::new(seed, "engines")),
        }
    }

    /// What they have in common with everybody.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// A worker by number.
    ///
    /// # Errors
    /// When there is none.
    pub fn worker(&self, number: usize) -> Result<&Arc<Worker>> {
        self.site.deployment.workers.get(number).with_context(|| format!("there is no worker number {number}"))
    }

    /// A new mount id, as dockerd makes them or the UID of a pod.
    pub fn new_mount_id(&self) -> String {
        let mut random = lock(&self.random);
        let (high, low) = (random.draw(), random.draw());
        if random.percent(30) {
            uuid::Uuid::from_u64_pair(high, low).to_string()
        } else {
            format!("{high:016x}{low:016x}").repeat(2)
        }
    }

    /// Creates a volume at a worker, and learns its WWN from the store.
    ///
    /// # Errors
    /// What the plugin said.
    pub async fn create(&self, worker: usize, name: &str, delay: u64) -> Result<Volume> {
        let options = [("size".to_owned(), "1".to_owned()), ("mountConflictDelay".to_owned(), delay.to_string())];
        let answer = self.worker(worker)?.client(Dialect::Dockerd).create(name, &options).await;
        self.count("create", &answer);
        answer?;
        let record = self.site.deployment.record(name).await?.context("a volume that was created has no record")?;
        let volume = Volume { name: name.to_owned(), wwn: record.wwn.context("the record has no WWN")?, delay };
        self.volumes().insert(name.to_owned(), volume.clone());
        Ok(volume)
    }

    /// Removes a volume at a worker.
    ///
    /// # Errors
    /// What the plugin said.
    pub async fn remove(&self, worker: usize, volume: &Volume) -> Result<()> {
        let answer = self.worker(worker)?.client(Dialect::Dockerd).remove(&volume.name).await;
        self.count("remove", &answer);
        answer?;
        self.volumes().remove(&volume.name);
        lock(&self.sent).retain(|_, of| of.name != volume.name);
        Ok(())
    }

    /// A container is started elsewhere while its machine does not answer; it has to end once the machine is back.
    pub(super) fn abandon(&self, running: RunningContainer, volume: &Volume) {
        lock(&self.orphans).push((running, volume.clone()));
    }

    /// Ends the containers that were started elsewhere, on machines that are back. What a reboot ended has only to be unmounted.
    pub async fn end_orphans(&self) {
        let orphans = std::mem::take(&mut *lock(&self.orphans));
        let (away, back): (Vec<_>, Vec<_>) = orphans
            .into_iter()
            .partition(|(running, _)| self.worker(running.worker).is_ok_and(|worker| worker.is_away()));
        lock(&self.orphans).extend(away);
        futures::future::join_all(back.iter().map(|(running, volume)| running.end(self, volume))).await;
    }

    /// Sends a Mount.
    ///
    /// # Errors
    /// What the plugin or the silence said.
    pub async fn mount(&self, worker: usize, volume: &Volume, id: &str) -> Result<Mounted, CallError> {
        let Ok(target) = self.worker(worker) else { return Err(CallError::Transport("no such worker".to_owned())) };
        let (request, node) = (self.requests.fetch_add(1, Ordering::SeqCst) + 1, target.name().to_owned());
        lock(&self.sent).insert((worker, id.to_owned()), volume.clone());
        let (fact_log, wwn) = (&self.site.deployment.fact_log, volume.wwn.clone());
        fact_log.log(FactKind::MountAsked { node: node.clone(), volume: wwn.clone(), request });
        let (asked, begun) = (self.site.deployment.clock.now(), Instant::now());
        let answer = target.client(dialect_of(id)).mount(&volume.name, id).await;
        let took = begun.elapsed();
        let told = answer.clone().map_err(|error| error.to_string());
        fact_log.log(FactKind::MountAnswered { node, volume: wwn, request, answer: told });
        self.count("mount", &answer);
        if answered(&answer) {
            self.figures().measure(Measure::AnyMount, took, self.undisturbed(worker, asked, took));
        }
        let dir = answer?;
        lock(&self.mounted).insert(volume.name.clone(), worker);
        Ok(Mounted { dir, asked, took })
    }

    /// Sends an Unmount, at most `tries` times; tells whether it succeeded.
    pub async fn unmount(&self, worker: usize, volume: &Volume, id: &str, tries: usize) -> bool {
        let Ok(target) = self.worker(worker) else { return false };
        for attempt in 0..tries {
            if attempt > 0 {
                sleep(PAUSE).await;
            }
            let (request, node) = (self.requests.fetch_add(1, Ordering::SeqCst) + 1, target.name().to_owned());
            let (fact_log, wwn) = (&self.site.deployment.fact_log, volume.wwn.clone());
            fact_log.log(FactKind::UnmountAsked { node: node.clone(), volume: wwn, request });
            let (asked, begun) = (self.site.deployment.clock.now(), Instant::now());
            let answer = target.client(dialect_of(id)).unmount(&volume.name, id).await;
            let took = begun.elapsed();
            let told = answer.clone().map_err(|error| error.to_string());
            fact_log.log(FactKind::UnmountAnswered { node, request, answer: told });
            self.count("unmount", &answer);
            if answered(&answer) {
                self.figures().measure(Measure::AnyUnmount, took, self.undisturbed(worker, asked, took));
            }
            if answer.is_ok() {
                lock(&self.sent).remove(&(worker, id.to_owned()));
                let mut mounted = lock(&self.mounted);
                if mounted.get(&volume.name) == Some(&worker) {
                    mounted.remove(&volume.name);
                }
                return true;
            }
        }
        false
    }

    /// A mount id is still held although an Unmount with it succeeded: it was mounted more than once.
    pub fn remember(&self, worker: usize, volume: &Volume, id: &str) {
        lock(&self.sent).insert((worker, id.to_owned()), volume.clone());
        lock(&self.mounted).insert(volume.name.clone(), worker);
    }

    /// Every mount id that may still be held.
    #[must_use]
    pub fn debts(&self) -> Vec<(usize, String, Volume)> {
        let sent = lock(&self.sent);
        sent.iter().map(|((worker, id), volume)| (*worker, id.clone(), volume.clone())).collect()
    }

    /// Volumes that were created and not removed.
    #[must_use]
    pub fn known_volumes(&self) -> Vec<Volume> {
        self.volumes().values().cloned().collect()
    }

    /// Volumes that are mounted somewhere, as far as the engines know.
    #[must_use]
    pub fn mounted_volumes(&self) -> Vec<(String, usize)> {
        lock(&self.mounted).iter().map(|(name, worker)| (name.clone(), *worker)).collect()
    }

    /// Counts an answer, with the plugin's reason if it refused.
    pub fn count<T>(&self, what: &str, answer: &Result<T, CallError>) {
        let outcome = match answer {
            Ok(_) => "ok".to_owned(),
            Err(CallError::Refused(reason)) => format!("refused: {}", kind_of(reason)),
            Err(CallError::Transport(_)) => "no connection".to_owned(),
            Err(CallError::GaveUp(_)) => "caller gave up".to_owned(),
            Err(CallError::NoProtocol { status, .. }) => format!("status {status}"),
        };
        self.figures().count(what, &outcome);
    }

    /// Neither machine nor plugin of a worker was killed or stood still around a request.
    #[must_use]
    pub fn undisturbed(&self, worker: usize, asked: Duration, took: Duration) -> bool {
        let stands_still = |fault: &Fault| {
            fault.worker() == Some(worker)
                && matches!(
                    fault,
                    Fault::PowerCut(_) | Fault::FreezeMachine(_) | Fault::KillPlugin(_) | Fault::FreezePlugin(_)
                )
        };
        !self.site.faults.around(asked, asked + took).iter().any(stands_still)
    }

    fn figures(&self) -> &Figures {
        &self.site.figures
    }

    fn volumes(&self) -> MutexGuard<'_, BTreeMap<String, Volume>> {
        lock(&self.volumes)
    }
}

/// The plugin answered, with whatever.
fn answered<T>(answer: &Result<T, CallError>) -> bool {
    matches!(answer, Ok(_) | Err(CallError::Refused(_)))
}

fn dialect_of(id: &str) -> Dialect {
    if id.contains('-') { Dialect::Dory } else { Dialect::Dockerd }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
