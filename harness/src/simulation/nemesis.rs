//! The nemesis: strikes nodes, links and services while the clients work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::by_hand;
use super::coverage::{Topic, may_crash_at};
use super::network::{NodeNumber, Service};
use super::script::{CrashPoint, Strike};
use super::swarm::FaultKind;
use super::worker::Worker;
use super::world::World;
use crate::checks::FactKind;
use crate::node::{Injection, Moment, Random, StepHook};

/// How long a killed plugin stays away, at most.
const RESTART: Duration = Duration::from_secs(6);
/// How long the store stands still, at most.
const STORE_FREEZE: Duration = Duration::from_secs(15);

/// Strikes as the script says.
pub async fn run(world: Arc<World>, strikes: Vec<Strike>, hooks: Vec<Arc<SimulationHook>>) {
    for strike in strikes {
        sleep_until(world.start + strike.at).await;
        world.chronicle.count(Topic::Fault, strike.kind.name());
        carry_out(&world, &strike, &hooks[strike.node]);
    }
}

fn carry_out(world: &Arc<World>, strike: &Strike, hook: &Arc<SimulationHook>) {
    let Strike { kind, node, length, .. } = *strike;
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
        FaultKind::CrashAtStep => hook.arm(strike.crash),
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
        FaultKind::StoreCut => cut_for(world, node, Service::Store, length),
        FaultKind::WsapiCut => cut_for(world, node, Service::Wsapi, length),
        FaultKind::CliCut => cut_for(world, node, Service::Cli, length),
        FaultKind::WsapiDown => down_for(world, Service::Wsapi, length),
        FaultKind::CliDown => down_for(world, Service::Cli, length),
        FaultKind::StoreFreeze => world.network.freeze_store(length.min(STORE_FREEZE)),
        FaultKind::UnmountByHand | FaultKind::MountByHand | FaultKind::ExportByHand => {
            let volume = world.volumes[strike.volume % world.volumes.len()].clone();
            by_hand::carry_out(world, kind, worker, volume, length);
        }
    }
}

/// `SanCut` as `san cut`.
fn in_words(kind: FaultKind) -> String {
    let mut words = String::new();
    for character in kind.name().chars() {
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
        FaultKind::CrashAtStep | FaultKind::Reboot | FaultKind::UnmountByHand => Duration::ZERO,
        _ => drawn,
    }
}

pub(super) fn after(length: Duration, act: impl FnOnce() + Send + 'static) {
    tokio::spawn(async move {
        sleep(length).await;
        act();
    });
}

fn cut_for(world: &Arc<World>, node: NodeNumber, service: Service, length: Duration) {
    let network = world.network.clone();
    network.cut(node, service, true);
    after(length, move || network.cut(node, service, false));
}

fn down_for(world: &Arc<World>, service: Service, length: Duration) {
    let network = world.network.clone();
    network.take_down(service, true);
    after(length, move || network.take_down(service, false));
}

/// The hook of one node: fails steps at random and kills the plugin at a step it was armed for.
pub struct SimulationHook {
    worker: Weak<Worker>,
    state: Mutex<HookState>,
}

struct HookState {
    random: Random,
    /// Permille of the steps that fail.
    failures: u64,
    crash: Option<CrashPoint>,
}

impl SimulationHook {
    /// A hook that fails `failures` permille of the steps.
    #[must_use]
    pub fn new(worker: &Arc<Worker>, failures: u64, seed: u64) -> Arc<Self> {
        let state = HookState { random: Random::new(seed, "hook"), failures, crash: None };
        Arc::new(Self { worker: Arc::downgrade(worker), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, HookState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the plugin at this point.
    pub fn arm(&self, crash: CrashPoint) {
        self.state().crash = Some(crash);
    }

    /// Nothing goes wrong any more.
    pub fn disarm(&self) {
        let mut state = self.state();
        (state.crash, state.failures) = (None, 0);
    }

    fn crash(&self, step: &'static str, moment: Moment) {
        let Some(worker) = self.worker.upgrade() else { return };
        worker.note_crash(step, moment);
        worker.kill_plugin();
        after(Duration::from_secs(2), move || worker.start_plugin());
    }
}

impl HookState {
    /// This is the point at which the plugin dies.
    fn crashes_at(&mut self, step: &'static str, moment: Moment) -> bool {
        let here = match &mut self.crash {
            None => false,
            Some(CrashPoint::After(0)) => true,
            Some(CrashPoint::After(left)) => {
                *left -= 1;
                false
            }
            Some(CrashPoint::At(at, when)) => (*at, *when) == (step, moment),
        };
        if here {
            self.crash = None;
        }
        here
    }
}

impl StepHook for SimulationHook {
    fn at(&self, step: &'static str, _: &str, moment: Moment) -> Injection {
        if !may_crash_at(step) {
            return Injection::None;
        }
        let mut state = self.state();
        if state.crashes_at(step, moment) {
            drop(state);
            self.crash(step, moment);
            return Injection::Hang;
        }
        let HookState { random, failures, .. } = &mut *state;
        if *failures == 0 || random.below(1_000) >= *failures {
            return Injection::None;
        }
        match random.below(3) {
            0 => Injection::Delay(Duration::from_millis(200 + random.below(5_000))),
            _ => Injection::Fail("injected".to_owned()),
        }
    }
}
