//! The cutter: counts the calls of an operation, and strikes the one it was told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::cell::Strike;
use super::fault::Fault;
use crate::node::{Injection, Moment, StepHook};
use crate::simulation::{
    ARRAY_DEADLINE, Call, Calls, Interceptor, NodeNumber, Port, STORE_DEADLINE, Trouble, WATCH_LOST, World,
};

/// How much later than its caller's patience a call that hangs takes effect.
const LATER: Duration = Duration::from_secs(5);
/// How long a disk of the node hangs, for which nobody has a deadline.
const DISK_HANGS: Duration = Duration::from_secs(20);
/// Steps of containers, which are not the plugin's.
const STEPS_OF_CONTAINERS: [&str; 4] = ["append", "fsync", "run_container", "stop_container"];

/// Counts calls and strikes.
pub(super) struct Cutter {
    world: Weak<World>,
    nodes: &'static [NodeNumber],
    state: Mutex<State>,
    /// Signalled after a strike, and when calls do not count any more.
    changed: Notify,
}

#[derive(Default)]
struct State {
    open: bool,
    /// Calls since the beginning, and since the last strike.
    calls: Vec<Call>,
    since: usize,
    strikes: VecDeque<Strike>,
    struck: Vec<Fault>,
    /// When the faults are over.
    over: Option<Instant>,
}

impl Cutter {
    /// A cutter for the calls of these nodes.
    pub(super) fn new(world: &Arc<World>, nodes: &'static [NodeNumber], strikes: &[Strike]) -> Arc<Self> {
        let state = State { strikes: strikes.iter().cloned().collect(), ..State::default() };
        let cutter =
            Arc::new(Self { world: Arc::downgrade(world), nodes, state: Mutex::new(state), changed: Notify::new() });
        world.calls.intercept(Arc::new(Listener(cutter.clone())));
        for (number, worker) in world.workers.iter().enumerate() {
            worker.node.set_hook(Arc::new(StepCutter {
                number,
                calls: world.calls.clone(),
                running: Mutex::default(),
            }));
        }
        cutter
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls count.
    pub(super) fn open(&self) {
        self.state().open = true;
    }

    /// From now on calls do not count any more; gives those that did.
    pub(super) fn close(&self) -> Vec<Call> {
        let mut state = self.state();
        state.open = false;
        self.changed.notify_waiters();
        std::mem::take(&mut state.calls)
    }

    /// How many strikes found their call.
    pub(super) fn struck(&self) -> usize {
        self.state().struck.len()
    }

    /// Waits for a plugin to stand still. False: none does until the calls do not count any more.
    pub(super) async fn pauses(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            let (paused, open) = {
                let state = self.state();
                (state.struck.iter().any(|fault| fault.is_pause()), state.open)
            };
            if paused || !open {
                return paused;
            }
            changed.await;
        }
    }

    /// When the last fault is over, as far as that is known.
    pub(super) fn over(&self) -> Option<Instant> {
        self.state().over
    }

    fn over_in(&self, time: Duration) {
        let mut state = self.state();
        let until = Instant::now() + time;
        state.over = Some(state.over.map_or(until, |over| over.max(until)));
    }

    /// Kills or stops the plugin of a node, and starts it or lets it go on after its time.
    fn strike_plugin(&self, node: NodeNumber, fault: Fault) {
        let Some(worker) = self.world.upgrade().and_then(|world| world.workers.get(node).cloned()) else { return };
        let length = if fault.is_pause() { Fault::PAUSE } else { Fault::RESTART };
        self.over_in(length);
        if fault.is_pause() {
            worker.pause_plugin();
        } else {
            worker.kill_plugin();
        }
        tokio::spawn(async move {
            sleep(length).await;
            if fault.is_pause() {
                worker.resume_plugin();
            } else {
                worker.start_plugin();
            }
        });
    }

    /// Counts a call; the fault if it is the one to strike.
    fn count(&self, call: &Call) -> Option<Fault> {
        let mut state = self.state();
        state.calls.push(call.clone());
        state.since += 1;
        let (here, wanted) = (state.since, state.strikes.front()?);
        if wanted.call != here {
            return None;
        }
        let fault = wanted.fault;
        state.strikes.pop_front();
        state.since = 0;
        state.struck.push(fault);
        drop(state);
        self.changed.notify_waiters();
        if let Some(world) = self.world.upgrade() {
            let (node, port, what) = (world.workers[call.node].name.clone(), call.port, call.what.clone());
            world.chronicle.note("cutter", || format!("STRIKES call of {node} over {port} ({what}): {fault}"));
        }
        Some(fault)
    }

    fn deadline(&self, call: &Call) -> Duration {
        match call.port {
            Port::Store => STORE_DEADLINE,
            Port::Watch => WATCH_LOST,
            Port::Wsapi | Port::Ssh => ARRAY_DEADLINE,
            Port::Journal => DISK_HANGS,
            Port::Node => self.world.upgrade().map_or(Duration::ZERO, |world| {
                world.workers.get(call.node).map_or(Duration::ZERO, |worker| worker.node.deadline_of(&call.what))
            }),
        }
    }

    fn trouble(self: &Arc<Self>, call: &Call, fault: Fault) -> Trouble {
        let deadline = self.deadline(call);
        let (cutter, node) = (self.clone(), call.node);
        match fault {
            Fault::CrashBefore => {
                self.strike_plugin(node, fault);
                Trouble::Dead
            }
            Fault::PauseBefore => {
                self.strike_plugin(node, fault);
                Trouble::Stopped
            }
            Fault::CrashAfter | Fault::PauseAfter => {
                // Until the effect is there it is not known when this is over.
                self.over_in(Fault::RESTART);
                Trouble::AtEffect(Box::new(move || cutter.strike_plugin(node, fault)))
            }
            Fault::AnswerLost => {
                self.over_in(deadline);
                Trouble::AnswerLost
            }
            Fault::Delay => {
                self.over_in(deadline * 3 / 4);
                Trouble::Late(deadline * 3 / 4)
            }
            Fault::Hang => {
                self.over_in(deadline + LATER);
                Trouble::Late(deadline + LATER)
            }
            Fault::Busy => {
                self.over_in(Duration::ZERO);
                Trouble::Busy
            }
            Fault::Error => {
                self.over_in(Duration::ZERO);
                Trouble::Refused
            }
        }
    }
}

/// The cutter as it listens to the calls of a world.
struct Listener(Arc<Cutter>);

impl Interceptor for Listener {
    fn listens_to(&self, node: NodeNumber) -> bool {
        self.0.nodes.contains(&node) && self.0.state().open
    }

    fn meet(&self, call: Call) -> Trouble {
        match self.0.count(&call) {
            Some(fault) => self.0.trouble(&call, fault),
            None => Trouble::None,
        }
    }
}

/// The cutter at the steps of one node.
struct StepCutter {
    number: NodeNumber,
    calls: Calls,
    /// What happens to steps that are running, once their effect is there.
    running: Mutex<BTreeMap<StepKey, Trouble>>,
}

/// A running step: the task that waits for it, its name and its object.
type StepKey = (Option<tokio::task::Id>, &'static str, String);

impl StepCutter {
    fn running(&self) -> MutexGuard<'_, BTreeMap<StepKey, Trouble>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn before(&self, step: &'static str, object: &str) -> Injection {
        let trouble = self.calls.meet(self.number, Port::Node, || step.to_owned());
        match trouble {
            Trouble::None => Injection::None,
            Trouble::Dead => Injection::Hang,
            Trouble::Stopped => Injection::Yield,
            Trouble::Late(by) => Injection::Late(by),
            Trouble::Busy | Trouble::Refused => Injection::Fail("Input/output error".to_owned()),
            Trouble::AtEffect(_) | Trouble::AnswerLost => {
                self.running().insert((tokio::task::try_id(), step, object.to_owned()), trouble);
                Injection::None
            }
        }
    }

    fn after(&self, step: &'static str, object: &str) -> Injection {
        match self.running().remove(&(tokio::task::try_id(), step, object.to_owned())) {
            Some(Trouble::AtEffect(act)) => {
                act();
                Injection::Yield
            }
            Some(Trouble::AnswerLost) => Injection::AnswerLost,
            _ => Injection::None,
        }
    }
}

impl StepHook for StepCutter {
    fn at(&self, step: &'static str, object: &str, moment: Moment) -> Injection {
        if STEPS_OF_CONTAINERS.contains(&step) {
            return Injection::None;
        }
        match moment {
            Moment::Before => self.before(step, object),
            Moment::After => self.after(step, object),
        }
    }
}
