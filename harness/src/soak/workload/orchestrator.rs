//! An orchestrator: keeps one container running on a volume, moves it, and removes the volume now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::engines::{Engines, Mounted, Volume};
use super::running_container::RunningContainer;
use crate::node::Random;
use crate::soak::figures::Measure;
use crate::soak::nemesis::Fault;

/// Pause after something that failed.
const PAUSE: Duration = Duration::from_millis(400);
/// How often it looks whether its container's machine is still there.
const LOOK: Duration = Duration::from_millis(200);
/// Times a Remove is tried.
const REMOVALS: usize = 12;
/// Longest life of a volume, in changes of its container.
const CHANGES: u64 = 24;

/// An orchestrator of one place.
pub struct Orchestrator {
    engines: Arc<Engines>,
    /// Names its volumes.
    number: usize,
    random: Random,
    made: u64,
}

impl Orchestrator {
    /// An orchestrator with a number of its own.
    #[must_use]
    pub fn new(engines: &Arc<Engines>, number: usize, seed: u64) -> Self {
        let random = Random::new(seed, &format!("orchestrator {number}"));
        Self { engines: Arc::clone(engines), number, random, made: 0 }
    }

    /// Keeps at it until the load is to end; then its container stops.
    pub async fn run(mut self) {
        while !self.ending() {
            let Some(volume) = self.create().await else {
                sleep(PAUSE).await;
                continue;
            };
            let changes = 8 + self.random.below(CHANGES - 8);
            let mut running = None;
            for _ in 0..changes {
                if self.ending() {
                    break;
                }
                running = self.change(&volume, running).await;
            }
            if let Some(running) = running {
                running.end(&self.engines, &volume).await;
            }
            if !self.ending() {
                self.remove(&volume).await;
            }
        }
    }

    fn ending(&self) -> bool {
        self.engines.site().is_ending()
    }

    async fn create(&mut self) -> Option<Volume> {
        self.made += 1;
        let name = format!("v{}-{}", self.number + 1, self.made);
        let (worker, delay) = (self.some_worker(None), 1 + self.random.below(3));
        let begun = Instant::now();
        // A Create whose answer was lost is repeated, as a deployment does.
        while begun.elapsed() < Duration::from_secs(60) && !self.ending() {
            match self.engines.create(worker, &name, delay).await {
                Ok(volume) => return Some(volume),
                Err(_) => sleep(PAUSE).await,
            }
        }
        None
    }

    async fn remove(&mut self, volume: &Volume) {
        for _ in 0..REMOVALS {
            self.engines.end_orphans().await;
            self.pay_debts_of(volume).await;
            let worker = self.some_worker(None);
            if self.engines.remove(worker, volume).await.is_ok() {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Engines send the Unmounts again that did not come through.
    async fn pay_debts_of(&self, volume: &Volume) {
        for (worker, id, of) in self.engines.debts() {
            if of.name == volume.name {
                self.engines.unmount(worker, volume, &id, 1).await;
            }
        }
    }

    /// One change: the container starts, moves, or something happens to it.
    async fn change(&mut self, volume: &Volume, running: Option<RunningContainer>) -> Option<RunningContainer> {
        let Some(running) = running else { return self.start(volume, None).await };
        self.dwell(&running).await;
        if running.is_lost(&self.engines) {
            return self.after_a_loss(volume, running).await;
        }
        match self.random.below(100) {
            0..27 => {
                running.end(&self.engines, volume).await;
                None
            }
            27..45 => self.hand_over(volume, running).await,
            45..65 => self.move_by_force(volume, running).await,
            65..75 => self.container_dies(volume, running).await,
            75..87 => {
                self.copy_or_repeat(volume, &running).await;
                Some(running)
            }
            87..92 => {
                self.sidecar(volume, &running).await;
                Some(running)
            }
            _ => self.herd(volume, running).await,
        }
    }

    /// Lets the container work for a while, or until its machine is lost.
    async fn dwell(&mut self, running: &RunningContainer) {
        let until = Instant::now() + Duration::from_millis(400 + self.random.below(2_600));
        while Instant::now() < until && !self.ending() && !running.is_lost(&self.engines) {
            sleep(LOOK).await;
        }
    }

    /// Starts a container on some worker but `not_on`.
    async fn start(&mut self, volume: &Volume, not_on: Option<usize>) -> Option<RunningContainer> {
        let (worker, id) = (self.some_worker(not_on), self.engines.new_mount_id());
        let free = self.is_free(volume).await;
        let mounted = self.mount(worker, volume, &id).await?;
        if free {
            let alone = self.engines.site().faults.around(mounted.asked, mounted.asked + mounted.took).is_empty();
            self.engines.site().figures.measure(Measure::FreeMount, mounted.took, alone);
        }
        self.begin(volume, worker, &id, &mounted).await
    }

    /// Nobody has the volume, nobody waits for it, nobody has to be cleaned of it. A store that does not answer does not know.
    async fn is_free(&self, volume: &Volume) -> bool {
        let record = self.engines.site().deployment.record(&volume.name).await.ok().flatten();
        record.is_some_and(|record| {
            record.ownership.owner().is_none() && record.takeover.is_none() && record.quarantine.is_empty()
        })
    }

    async fn mount(&self, worker: usize, volume: &Volume, id: &str) -> Option<Mounted> {
        let answer = self.engines.mount(worker, volume, id).await;
        if answer.is_err() {
            // An engine gives up what it did not get.
            self.engines.unmount(worker, volume, id, 1).await;
            sleep(PAUSE).await;
        }
        answer.ok()
    }

    async fn begin(&self, volume: &Volume, worker: usize, id: &str, mounted: &Mounted) -> Option<RunningContainer> {
        match RunningContainer::begin(&self.engines, worker, id, mounted).await {
            Ok(running) => Some(running),
            Err(_) => {
                self.engines.site().figures.count("application", "container did not start");
                self.engines.unmount(worker, volume, id, 1).await;
                None
            }
        }
    }

    /// The machine is dead or stands still: mostly the container is started elsewhere, sometimes it is waited for.
    async fn after_a_loss(&mut self, volume: &Volume, running: RunningContainer) -> Option<RunningContainer> {
        if running.is_of_an_earlier_boot(&self.engines) && self.random.percent(40) {
            // The engine starts its containers again after the boot, with the same ids.
            let mounted = self.mount(running.worker, volume, &running.id).await?;
            return self.begin(volume, running.worker, &running.id, &mounted).await;
        }
        if self.random.percent(15) {
            sleep(Duration::from_secs(2)).await;
            return Some(running);
        }
        let (lost, to_and_fro) = (running.worker, self.random.percent(40));
        let next = self.move_by_force(volume, running).await?;
        if !to_and_fro || next.worker == lost {
            return Some(next);
        }
        // Back to where it came from, while that still stands still with a dirty cache: the request waits at its socket.
        self.dwell(&next).await;
        self.take_over(volume, next, lost).await
    }

    /// The orchestrator thinks that the node is dead, rightly or not.
    async fn move_by_force(&mut self, volume: &Volume, running: RunningContainer) -> Option<RunningContainer> {
        let worker = self.some_worker(Some(running.worker));
        self.take_over(volume, running, worker).await
    }

    /// Mounts on another worker without asking the first one; that one is told afterwards.
    async fn take_over(
        &mut self,
        volume: &Volume,
        running: RunningContainer,
        worker: usize,
    ) -> Option<RunningContainer> {
        let id = self.engines.new_mount_id();
        let mounted = self.mount(worker, volume, &id).await;
        let Some(mounted) = mounted else { return Some(running) };
        self.measure_takeover(&running, volume, &mounted);
        self.engines.site().figures.count("takeover", "done");
        let next = self.begin(volume, worker, &id, &mounted).await;
        if running.is_lost(&self.engines) {
            self.engines.abandon(running, volume);
        } else {
            running.end(&self.engines, volume).await;
        }
        next
    }

    fn measure_takeover(&self, lost: &RunningContainer, volume: &Volume, mounted: &Mounted) {
        let site = self.engines.site();
        let until = mounted.asked + mounted.took;
        let beyond = mounted.took.saturating_sub(Duration::from_secs(volume.delay));
        let is_death = |fault: &Fault| matches!(fault, Fault::PowerCut(worker) | Fault::FreezeMachine(worker) if *worker == lost.worker);
        let dead = site.faults.throughout(mounted.asked, until).iter().any(is_death);
        let others = site.faults.around(mounted.asked, until).into_iter().any(|fault| !is_death(&fault));
        let measure = if dead { Measure::TakeoverFromDead } else { Measure::TakeoverFromLiving };
        site.figures.measure(measure, beyond, !others);
    }

    /// A planned move: the next node waits already when the first one lets go.
    async fn hand_over(&mut self, volume: &Volume, running: RunningContainer) -> Option<RunningContainer> {
        let (worker, id) = (self.some_worker(Some(running.worker)), self.engines.new_mount_id());
        let engines = Arc::clone(&self.engines);
        let (next, next_id) = (volume.clone(), id.clone());
        let waiting = tokio::spawn(async move {
            let mounted = engines.mount(worker, &next, &next_id).await;
            (mounted, Instant::now())
        });
        self.until_somebody_waits(volume).await;
        running.end(&self.engines, volume).await;
        let released = (Instant::now(), self.engines.site().deployment.clock.now());
        let Ok((answer, at)) = waiting.await else { return None };
        let Ok(mounted) = answer else {
            self.engines.unmount(worker, volume, &id, 1).await;
            return None;
        };
        if let Some(took) = at.checked_duration_since(released.0) {
            let alone = self.engines.site().faults.around(mounted.asked, released.1 + took).is_empty();
            self.engines.site().figures.measure(Measure::HandOver, took, alone);
        }
        self.begin(volume, worker, &id, &mounted).await
    }

    /// Waits until the record names somebody who waits, at most for half the delay.
    async fn until_somebody_waits(&self, volume: &Volume) {
        let until = Instant::now() + Duration::from_millis(volume.delay * 500);
        while Instant::now() < until {
            let record = self.engines.site().deployment.record(&volume.name).await.ok().flatten();
            if record.is_some_and(|record| record.takeover.is_some()) {
                return;
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// The container dies with its engine, which starts it again with the same id and does not unmount before.
    async fn container_dies(&self, volume: &Volume, running: RunningContainer) -> Option<RunningContainer> {
        running.container_ends(&self.engines).await;
        let mounted = self.mount(running.worker, volume, &running.id).await?;
        self.begin(volume, running.worker, &running.id, &mounted).await
    }

    /// `docker cp` uses the id of the running container once more; kubelet repeats the Mount of a pod.
    async fn copy_or_repeat(&self, volume: &Volume, running: &RunningContainer) {
        let Ok(mounted) = self.engines.mount(running.worker, volume, &running.id).await else { return };
        self.measure_further(running, &mounted);
        if !running.id.contains('-') {
            sleep(Duration::from_millis(200)).await;
            self.engines.unmount(running.worker, volume, &running.id, 3).await;
            // The container holds it still.
            self.engines.remember(running.worker, volume, &running.id);
        }
    }

    fn measure_further(&self, running: &RunningContainer, mounted: &Mounted) {
        let site = self.engines.site();
        let until = mounted.asked + mounted.took;
        let takes_the_array = |fault: &Fault| fault.takes_the_management_from(running.worker);
        let array_away = site.faults.throughout(mounted.asked, until).iter().any(takes_the_array);
        let alone = site.faults.around(mounted.asked, until).iter().all(|fault| array_away && takes_the_array(fault));
        let measure = if array_away { Measure::FurtherMountArrayAway } else { Measure::FurtherMount };
        site.figures.measure(measure, mounted.took, alone);
    }

    /// A second container on the same worker, for a moment.
    async fn sidecar(&self, volume: &Volume, running: &RunningContainer) {
        let id = self.engines.new_mount_id();
        let Some(mounted) = self.mount(running.worker, volume, &id).await else { return };
        if let Some(second) = self.begin(volume, running.worker, &id, &mounted).await {
            sleep(Duration::from_millis(500)).await;
            second.end(&self.engines, volume).await;
        }
    }

    /// Several nodes ask for the volume at once; whoever gets it gives it back at once.
    async fn herd(&mut self, volume: &Volume, running: RunningContainer) -> Option<RunningContainer> {
        let count = self.engines.site().deployment.workers.len().min(4);
        let askers = (0..count).map(|_| (self.some_worker(None), self.engines.new_mount_id())).collect::<Vec<_>>();
        let asks = askers.iter().map(|(worker, id)| {
            let engines = Arc::clone(&self.engines);
            async move {
                let got = engines.mount(*worker, volume, id).await.is_ok();
                sleep(Duration::from_millis(100)).await;
                engines.unmount(*worker, volume, id, 2).await;
                got
            }
        });
        let got = futures::future::join_all(asks).await.into_iter().filter(|got| *got).count();
        self.engines.site().figures.add("herd", "mounts that succeeded", got as u64);
        running.end(&self.engines, volume).await;
        None
    }

    /// A worker that is not known to be away, if possible.
    fn some_worker(&mut self, but: Option<usize>) -> usize {
        let workers = &self.engines.site().deployment.workers;
        let fit = |away_too: bool| -> Vec<usize> {
            let all = workers.iter().enumerate();
            let fits = all.filter(|(number, worker)| Some(*number) != but && (away_too || !worker.is_away()));
            fits.map(|(number, _)| number).collect()
        };
        let known = fit(false);
        let choice = if known.is_empty() { fit(true) } else { known };
        self.random.pick(&choice).copied().unwrap_or(0)
    }
}
