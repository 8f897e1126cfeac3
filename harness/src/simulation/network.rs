//! The network between nodes and the services they use: requests that are slow, lost, late, or outlive their sender.
//!
//! A request belongs to the world once it was sent. A node that dies does not call it back: that a former owner's
//! last request still takes effect is what the protocol has to survive.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::calls::Trouble;
use super::sessions::{Session, Sessions};
use super::swarm::RequestOdds;
use crate::node::Random;

/// A service on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The metadata store.
    Store,
    /// The array's REST interface.
    Wsapi,
    /// The array's command line.
    Cli,
}

/// How many services there are.
const SERVICES: usize = 3;

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Wsapi => "wsapi",
            Self::Cli => "cli",
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of a node in its world, from 0.
pub type NodeNumber = usize;

/// Why a request brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was never sent: no effect.
    NotSent,
    /// The service was busy: no effect.
    Busy,
    /// The service refused it: no effect.
    Refused,
    /// It may have taken effect, or may still.
    Unknown,
}

impl Lost {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not sent",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Unknown => "unknown outcome",
        }
    }
}

/// What happens to one request.
enum Fate {
    Answered,
    LostBefore,
    AnswerLost,
    /// The caller hears of a broken connection after this time.
    Reset(Duration),
    Busy,
    Refused,
}

struct State {
    /// One generator per node and service, so that one more request of one node does not shift the fate of the others'.
    random: Vec<[Random; SERVICES]>,
    cut: Vec<[bool; SERVICES]>,
    down: [bool; SERVICES],
    store_stands_until: Option<Instant>,
    /// None once everything is healed.
    odds: Option<[RequestOdds; SERVICES]>,
}

/// The network.
pub struct Network {
    names: Vec<String>,
    state: Mutex<State>,
    sessions: OnceLock<Sessions>,
    /// Signalled when a link or service changes.
    pub changed: Notify,
}

/// How long a connection attempt to something unreachable takes to fail.
const CONNECT: Duration = Duration::from_secs(2);
/// How much later than its caller's patience a late request takes effect, at most.
const LATEST: Duration = Duration::from_secs(25);

impl Network {
    /// A network without faults but for these odds.
    #[must_use]
    pub fn new(seed: u64, names: &[String], store: RequestOdds, array: RequestOdds) -> Self {
        let of_node = |node: &String| {
            [Service::Store, Service::Wsapi, Service::Cli]
                .map(|service| Random::new(seed, &format!("network {node} {service}")))
        };
        let state = State {
            random: names.iter().map(of_node).collect(),
            cut: vec![Default::default(); names.len()],
            down: Default::default(),
            store_stands_until: None,
            odds: Some([store, array.clone(), array]),
        };
        Self { names: names.to_vec(), state: Mutex::new(state), sessions: OnceLock::new(), changed: Notify::new() }
    }

    /// Host name of a node.
    #[must_use]
    pub fn name(&self, node: NodeNumber) -> &str {
        self.names.get(node).map_or("?", String::as_str)
    }

    /// From now on the array grants few sessions and takes its time. Only the first call counts.
    pub fn limit_sessions(&self, sessions: Sessions) {
        let _ = self.sessions.set(sessions);
    }

    /// The array's sessions, where they are limited.
    #[must_use]
    pub fn sessions(&self) -> Option<&Sessions> {
        self.sessions.get()
    }

    /// A session for one request to the array, and the time that the array takes for it; nothing where sessions are not limited.
    ///
    /// # Errors
    /// [`Lost::Busy`] when the array grants no further one.
    pub async fn session(&self, node: NodeNumber, service: Service) -> Result<Option<Session<'_>>, Lost> {
        let Some(sessions) = self.sessions.get().filter(|_| service != Service::Store) else { return Ok(None) };
        let session = sessions.open(node, service).await?;
        sleep(sessions.time(service, |bound| self.below(node, service, bound))).await;
        Ok(Some(session))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_waiters();
    }

    /// Cuts or restores the way of one node to a service.
    pub fn cut(&self, node: NodeNumber, service: Service, cut: bool) {
        self.change(|state| state.cut[node][service as usize] = cut);
    }

    /// Takes a service down for everybody, or brings it back.
    pub fn take_down(&self, service: Service, down: bool) {
        self.change(|state| state.down[service as usize] = down);
    }

    /// Lets the store stand still for a while.
    pub fn freeze_store(&self, length: Duration) {
        self.change(|state| state.store_stands_until = Some(Instant::now() + length));
    }

    /// Heals everything; requests on their way keep their fate.
    pub fn heal(&self) {
        self.change(|state| {
            state.cut.fill(Default::default());
            state.down = Default::default();
            state.store_stands_until = None;
            state.odds = None;
        });
    }

    /// Nothing goes wrong any more.
    #[must_use]
    pub fn is_healed(&self) -> bool {
        self.state().odds.is_none()
    }

    /// The node reaches the service at this moment.
    #[must_use]
    pub fn reaches(&self, node: NodeNumber, service: Service) -> bool {
        let state = self.state();
        !state.down[service as usize] && !state.cut[node][service as usize]
    }

    /// Until when the store stands still, if it does.
    #[must_use]
    pub fn store_stands_until(&self) -> Option<Instant> {
        self.state().store_stands_until.filter(|until| *until > Instant::now())
    }

    /// A short delay, as of a message.
    #[must_use]
    pub fn message_delay(&self, node: NodeNumber, service: Service) -> Duration {
        Duration::from_millis(1 + self.below(node, service, 8))
    }

    /// True in `percent` of 100 cases.
    #[must_use]
    pub fn percent(&self, node: NodeNumber, service: Service, percent: u64) -> bool {
        percent > 0 && self.state().random[node][service as usize].percent(percent)
    }

    /// A number below `bound`.
    #[must_use]
    pub fn below(&self, node: NodeNumber, service: Service, bound: u64) -> u64 {
        self.state().random[node][service as usize].below(bound)
    }

    /// Draws when a request takes effect, what its caller hears, and how long the answer takes.
    fn plan(&self, node: NodeNumber, service: Service, deadline: Duration) -> (Duration, Fate, Duration) {
        let mut state = self.state();
        let State { random, odds, .. } = &mut *state;
        let random = &mut random[node][service as usize];
        let back = Duration::from_millis(1 + random.below(8));
        let quick = Duration::from_millis(1 + random.below(12));
        let Some(odds) = odds.as_ref().map(|odds| &odds[service as usize]) else {
            return (quick, Fate::Answered, back);
        };
        let dice = random.below(1_000);
        let steps = [odds.lost, odds.answer_lost, odds.late, odds.reset, odds.busy, odds.slow];
        let mut bound = 0;
        let hit = steps.iter().position(|step| {
            bound += step;
            dice < bound
        });
        let mut up_to =
            |longest: Duration| Duration::from_millis(random.below(u64::try_from(longest.as_millis()).unwrap_or(1)));
        let (arrival, fate) = match hit {
            Some(0) => (quick, Fate::LostBefore),
            Some(1) => (quick, Fate::AnswerLost),
            Some(2) => (deadline + up_to(LATEST), Fate::AnswerLost),
            Some(3) => (up_to(LATEST), Fate::Reset(up_to(Duration::from_secs(1)))),
            Some(4) => (quick, Fate::Busy),
            Some(5) => (up_to(deadline), Fate::Answered),
            _ => (quick, Fate::Answered),
        };
        (arrival, fate, back)
    }

    /// Sends a request of `node`; `effect` happens at the service, perhaps late, perhaps never. `trouble` comes on top of what
    /// the odds have drawn.
    ///
    /// # Errors
    /// [`Lost`] says what the caller may conclude.
    pub async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        node: NodeNumber,
        service: Service,
        deadline: Duration,
        trouble: Trouble,
        effect: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (mut troubled, mut act, mut late) = (None, None, Duration::ZERO);
        match trouble {
            Trouble::None => {}
            Trouble::Dead => return std::future::pending().await,
            Trouble::Stopped => yield_now().await,
            Trouble::AtEffect(then) => act = Some(then),
            Trouble::AnswerLost => troubled = Some(Fate::AnswerLost),
            Trouble::Late(by) => late = by,
            Trouble::Busy => troubled = Some(Fate::Busy),
            Trouble::Refused => troubled = Some(Fate::Refused),
        }
        let effect = move || {
            let answer = effect();
            if let Some(act) = act {
                act();
            }
            answer
        };
        if !self.reaches(node, service) {
            sleep(CONNECT.min(deadline)).await;
            return Err(Lost::NotSent);
        }
        let (arrival, fate, back) = self.plan(node, service, deadline);
        let (arrival, fate) = (arrival + late, troubled.unwrap_or(fate));
        let silence = match fate {
            Fate::Answered | Fate::AnswerLost => {
                let heard = self.send(node, service, (arrival, back), matches!(fate, Fate::Answered), effect);
                return timeout(deadline, answer_or_silence(heard)).await.map_err(|_| Lost::Unknown);
            }
            Fate::Reset(after) => {
                // The effect comes all the same; nobody waits for it.
                drop(self.send(node, service, (arrival, back), false, effect));
                (after, Lost::Unknown)
            }
            Fate::Busy => (arrival, Lost::Busy),
            Fate::Refused => (arrival, Lost::Refused),
            Fate::LostBefore => (deadline, Lost::Unknown),
        };
        sleep(silence.0).await;
        Err(silence.1)
    }

    /// Puts a request on its way: its effect comes after the first time, its answer after the second.
    fn send<T: Send + 'static>(
        self: &Arc<Self>,
        node: NodeNumber,
        service: Service,
        (arrival, back): (Duration, Duration),
        answered: bool,
        effect: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, heard) = oneshot::channel();
        let network = self.clone();
        tokio::spawn(async move {
            sleep(arrival).await;
            if service == Service::Store
                && let Some(until) = network.store_stands_until()
            {
                sleep_until(until).await;
            }
            let result = effect();
            if !answered || answer.is_closed() {
                return;
            }
            sleep(back).await;
            if network.reaches(node, service) {
                // A caller that gave up hears nothing.
                let _ = answer.send(result);
            }
        });
        heard
    }
}

/// The answer; a lost one is silence, not an error.
async fn answer_or_silence<T>(heard: oneshot::Receiver<T>) -> T {
    match heard.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}
