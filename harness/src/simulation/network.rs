//! The network between nodes and the services they use: requests that are slow, lost, late, or outlive their sender.
//!
//! A request belongs to the world once it was sent. A node that dies does not call it back: that a former owner's
//! last request still takes effect is what the protocol has to survive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

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

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Wsapi => "wsapi",
            Self::Cli => "cli",
        }
    }
}

/// Why a request brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was never sent: no effect.
    NotSent,
    /// The service was busy: no effect.
    Busy,
    /// It may have taken effect, or may still.
    Unknown,
}

/// What happens to one request.
enum Fate {
    Answered,
    LostBefore,
    AnswerLost,
    /// The caller hears of a broken connection after this time.
    Reset(Duration),
    Busy,
}

struct State {
    random: Random,
    cut: BTreeSet<(String, Service)>,
    down: BTreeSet<Service>,
    store_stands_until: Option<Instant>,
    odds: BTreeMap<Service, RequestOdds>,
}

/// The network.
pub struct Network {
    state: Mutex<State>,
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
    pub fn new(seed: u64, store: RequestOdds, array: RequestOdds) -> Self {
        let odds = BTreeMap::from([(Service::Store, store), (Service::Wsapi, array.clone()), (Service::Cli, array)]);
        let random = Random::new(seed, "network");
        let state = State { random, cut: BTreeSet::new(), down: BTreeSet::new(), store_stands_until: None, odds };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts or restores the way of one node to a service.
    pub fn cut(&self, node: &str, service: Service, cut: bool) {
        let mut state = self.state();
        if cut {
            state.cut.insert((node.to_owned(), service));
        } else {
            state.cut.remove(&(node.to_owned(), service));
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Takes a service down for everybody, or brings it back.
    pub fn take_down(&self, service: Service, down: bool) {
        let mut state = self.state();
        if down {
            state.down.insert(service);
        } else {
            state.down.remove(&service);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Lets the store stand still for a while.
    pub fn freeze_store(&self, length: Duration) {
        self.state().store_stands_until = Some(Instant::now() + length);
        self.changed.notify_waiters();
    }

    /// Heals everything; requests on their way keep their fate.
    pub fn heal(&self) {
        let mut state = self.state();
        state.cut.clear();
        state.down.clear();
        state.store_stands_until = None;
        state.odds.clear();
        drop(state);
        self.changed.notify_waiters();
    }

    /// The node reaches the service at this moment.
    #[must_use]
    pub fn reaches(&self, node: &str, service: Service) -> bool {
        let state = self.state();
        !state.down.contains(&service) && !state.cut.contains(&(node.to_owned(), service))
    }

    /// Until when the store stands still, if it does.
    #[must_use]
    pub fn store_stands_until(&self) -> Option<Instant> {
        self.state().store_stands_until.filter(|until| *until > Instant::now())
    }

    /// A short delay, as of a message.
    #[must_use]
    pub fn message_delay(&self) -> Duration {
        Duration::from_millis(1 + self.state().random.below(8))
    }

    /// True in `percent` of 100 cases.
    #[must_use]
    pub fn percent(&self, percent: u64) -> bool {
        percent > 0 && self.state().random.percent(percent)
    }

    /// A number below `bound`.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        self.state().random.below(bound)
    }

    /// Draws when a request takes effect and what its caller hears.
    fn plan(&self, service: Service, deadline: Duration) -> (Duration, Fate) {
        let mut state = self.state();
        let State { random, odds, .. } = &mut *state;
        let quick = Duration::from_millis(1 + random.below(12));
        let Some(odds) = odds.get(&service) else { return (quick, Fate::Answered) };
        let dice = random.below(1_000);
        let steps = [odds.lost, odds.answer_lost, odds.late, odds.reset, odds.busy, odds.slow];
        let mut bound = 0;
        let hit = steps.iter().position(|step| {
            bound += step;
            dice < bound
        });
        let mut up_to =
            |longest: Duration| Duration::from_millis(random.below(u64::try_from(longest.as_millis()).unwrap_or(1)));
        match hit {
            Some(0) => (quick, Fate::LostBefore),
            Some(1) => (quick, Fate::AnswerLost),
            Some(2) => (deadline + up_to(LATEST), Fate::AnswerLost),
            Some(3) => (up_to(LATEST), Fate::Reset(up_to(Duration::from_secs(1)))),
            Some(4) => (quick, Fate::Busy),
            Some(5) => (up_to(deadline), Fate::Answered),
            _ => (quick, Fate::Answered),
        }
    }

    /// Sends a request of `node`; `effect` happens at the service, perhaps late, perhaps never.
    ///
    /// # Errors
    /// [`Lost`] says what the caller may conclude.
    pub async fn call<T: Send + 'static>(
        self: &std::sync::Arc<Self>,
        node: &str,
        service: Service,
        deadline: Duration,
        effect: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        if !self.reaches(node, service) {
            sleep(CONNECT.min(deadline)).await;
            return Err(Lost::NotSent);
        }
        let (arrival, fate) = self.plan(service, deadline);
        let (answer, heard) = oneshot::channel();
        let (network, sender) = (self.clone(), node.to_owned());
        let back = self.message_delay();
        let (effective, answered) = (!matches!(fate, Fate::LostBefore | Fate::Busy), matches!(fate, Fate::Answered));
        if effective {
            tokio::spawn(async move {
                sleep(arrival).await;
                if service == Service::Store
                    && let Some(until) = network.store_stands_until()
                {
                    sleep_until(until).await;
                }
                let result = effect();
                sleep(back).await;
                if answered && network.reaches(&sender, service) {
                    // A caller that gave up hears nothing.
                    let _ = answer.send(result);
                }
            });
        }
        match fate {
            Fate::Busy => {
                sleep(arrival).await;
                Err(Lost::Busy)
            }
            Fate::Reset(after) => {
                sleep(after).await;
                Err(Lost::Unknown)
            }
            Fate::LostBefore => {
                sleep(deadline).await;
                Err(Lost::Unknown)
            }
            Fate::Answered | Fate::AnswerLost => {
                timeout(deadline, answer_or_silence(heard)).await.map_err(|_| Lost::Unknown)
            }
        }
    }
}

/// The answer; a lost one is silence, not an error.
async fn answer_or_silence<T>(heard: oneshot::Receiver<T>) -> T {
    match heard.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
