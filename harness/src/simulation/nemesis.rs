//! The nemesis: strikes nodes, links and services while the clients work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::network::Service;
use super::swarm::FaultKind;
use super::worker::Worker;
use super::world::World;
use crate::checks::FactKind;
use crate::node::{Injection, Moment, Random, StepHook};

/// How long a killed plugin stays away, at most.
const RESTART: Duration = Duration::from_secs(6);
/// How long the store stands still, at most.
const STORE_FREEZE: Duration = Duration::from_secs(15);

/// Strikes until the busy time is over.
pub async fn run(world: Arc<World>, hooks: Vec<Arc<SimulationHook>>) {
    if world.swarm.faults.is_empty() {
        return;
    }
    loop {
        let (pause, kind, node, length) = {
            let mut random = world.random();
            let pause = random.duration(&world.swarm.fault_pause);
            let kind = random.pick(&world.swarm.faults).copied();
            let node = usize::try_from(random.below(world.workers.len() as u64)).unwrap_or(0);
            (pause, kind, node, random.duration(&world.swarm.fault_length))
        };
        sleep(pause).await;
        if world.start.elapsed() >= world.swarm.busy_time {
            return;
        }
        if let Some(kind) = kind {
            world.chronicle.count(&format!("fault: {kind:?}"));
            strike(&world, kind, node, length, &hooks[node]);
        }
    }
}

fn strike(world: &Arc<World>, kind: FaultKind, node: usize, length: Duration, hook: &Arc<SimulationHook>) {
    let worker = world.workers[node].clone();
    world.chronicle.tell_people(|| FactKind::FaultBegan {
        who: worker.name.clone(),
        what: in_words(kind),
        lasts: Some(length_of(kind, length)),
    });
    match kind {
        FaultKind::PluginCrash => {
            worker.kill_plugin();
            after(length.min(RESTART), move || worker.start_plugin());
        }
        FaultKind::CrashAtStep => hook.arm(world.random().below(12)),
        FaultKind::Freeze => {
            worker.freeze();
            after(length, move || worker.thaw());
        }
        FaultKind::PowerCycle => {
            worker.power_off();
            after(length, move || worker.power_on());
        }
        FaultKind::Reboot => {
            worker.power_off();
            worker.power_on();
        }
        FaultKind::SanCut => {
            worker.node.cut_from_san(true);
            after(length, move || worker.node.cut_from_san(false));
        }
        FaultKind::StoreCut => cut_for(world, worker.name.clone(), Service::Store, length),
        FaultKind::WsapiCut => cut_for(world, worker.name.clone(), Service::Wsapi, length),
        FaultKind::CliCut => cut_for(world, worker.name.clone(), Service::Cli, length),
        FaultKind::WsapiDown => down_for(world, Service::Wsapi, length),
        FaultKind::CliDown => down_for(world, Service::Cli, length),
        FaultKind::StoreFreeze => world.network.freeze_store(length.min(STORE_FREEZE)),
    }
}

/// `SanCut` as `san cut`.
fn in_words(kind: FaultKind) -> String {
    let mut words = String::new();
    for character in format!("{kind:?}").chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

/// For how long a fault is really there.
fn length_of(kind: FaultKind, drawn: Duration) -> Duration {
    match kind {
        FaultKind::PluginCrash => drawn.min(RESTART),
        FaultKind::StoreFreeze => drawn.min(STORE_FREEZE),
        FaultKind::CrashAtStep | FaultKind::Reboot => Duration::ZERO,
        _ => drawn,
    }
}

fn after(length: Duration, act: impl FnOnce() + Send + 'static) {
    tokio::spawn(async move {
        sleep(length).await;
        act();
    });
}

fn cut_for(world: &Arc<World>, node: String, service: Service, length: Duration) {
    let network = world.network.clone();
    network.cut(&node, service, true);
    after(length, move || network.cut(&node, service, false));
}

fn down_for(world: &Arc<World>, service: Service, length: Duration) {
    let network = world.network.clone();
    network.take_down(service, true);
    after(length, move || network.take_down(service, false));
}

/// Not armed: no crash is due.
const DISARMED: usize = usize::MAX;

/// The hook of one node: fails steps at random and kills the plugin at a step it was armed for.
pub struct SimulationHook {
    worker: Mutex<Weak<Worker>>,
    random: Mutex<Random>,
    failures: Mutex<u64>,
    countdown: AtomicUsize,
}

impl SimulationHook {
    /// A hook that fails `failures` permille of the steps.
    #[must_use]
    pub fn new(worker: &Arc<Worker>, failures: u64, seed: u64) -> Arc<Self> {
        let random = Mutex::new(Random::new(seed, "hook"));
        let worker = Mutex::new(Arc::downgrade(worker));
        Arc::new(Self { worker, random, failures: Mutex::new(failures), countdown: AtomicUsize::new(DISARMED) })
    }

    /// Kills the plugin when this many further moments of steps have passed.
    pub fn arm(&self, moments: u64) {
        self.countdown.store(usize::try_from(moments).unwrap_or(0), Ordering::SeqCst);
    }

    /// Nothing goes wrong any more.
    pub fn disarm(&self) {
        self.countdown.store(DISARMED, Ordering::SeqCst);
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }

    fn crash(&self, step: &'static str, moment: Moment) {
        let Some(worker) = self.worker.lock().unwrap_or_else(PoisonError::into_inner).upgrade() else { return };
        worker.note_crash(step, moment);
        worker.kill_plugin();
        after(Duration::from_secs(2), move || worker.start_plugin());
    }
}

impl StepHook for SimulationHook {
    fn at(&self, step: &'static str, _: &str, moment: Moment) -> Injection {
        if matches!(step, "append" | "fsync" | "run_container" | "stop_container" | "facts") {
            return Injection::None;
        }
        match self.countdown.load(Ordering::SeqCst) {
            DISARMED => {}
            0 => {
                self.countdown.store(DISARMED, Ordering::SeqCst);
                self.crash(step, moment);
                return Injection::Hang;
            }
            left => self.countdown.store(left - 1, Ordering::SeqCst),
        }
        let failures = *self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if failures == 0 || random.below(1_000) >= failures {
            return Injection::None;
        }
        match random.below(3) {
            0 => Injection::Delay(Duration::from_millis(200 + random.below(5_000))),
            _ => Injection::Fail("injected".to_owned()),
        }
    }
}
