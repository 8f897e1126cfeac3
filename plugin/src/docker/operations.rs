//! Operations that outlive their callers.
//!
//! dockerd closes its connection when its patience ends, and a dropped connection drops the handler. An operation that
//! was torn off half way would leave exports and mounts behind, so Create, Remove, Mount and Unmount run as tasks of
//! their own and a handler only waits for them. A repeated request joins the operation that is still running: kubelet
//! sends each Mount several times, dockerd repeats after a broken connection.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::driver::DriverError;
use crate::tasks::Tasks;
use crate::volume::mount::{Caller, Mounted};
use crate::volume::names::VolumeName;

/// How an operation ended; only a Mount has something to say.
pub type Answer = Result<Option<Mounted>, DriverError>;

/// What is being done. Requests that are equal here are one operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Create of a volume with these options, in any stable notation.
    Create {
        /// Volume.
        name: VolumeName,
        /// Options.
        options: String,
    },
    /// Remove of a volume.
    Remove {
        /// Volume.
        name: VolumeName,
    },
    /// Mount of a volume for a mount id.
    Mount {
        /// Volume.
        name: VolumeName,
        /// Mount id.
        id: String,
    },
    /// Unmount of a volume for a mount id.
    Unmount {
        /// Volume.
        name: VolumeName,
        /// Mount id.
        id: String,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { name, .. } => write!(f, "Create of volume {name}"),
            Self::Remove { name } => write!(f, "Remove of volume {name}"),
            Self::Mount { name, id } => write!(f, "Mount of volume {name} for {id}"),
            Self::Unmount { name, id } => write!(f, "Unmount of volume {name} for {id}"),
        }
    }
}

/// A running operation, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// What it is.
    pub operation: String,
    /// How long it has been running.
    pub age: Duration,
    /// Requests that wait for it; none when all callers have gone.
    pub waiting: usize,
}

/// The operations of one plugin.
#[derive(Clone)]
pub struct Operations(Arc<Inner>);

struct Inner {
    tasks: Arc<dyn Tasks>,
    state: Mutex<State>,
    /// Something ended.
    ended: Notify,
    /// The time for a graceful end is over: whoever still waits is told so.
    cut_off: CancellationToken,
}

#[derive(Default)]
struct State {
    stopping: bool,
    running: BTreeMap<Operation, Arc<Flight>>,
}

/// One operation from its start to its end.
struct Flight {
    caller: Caller,
    waiting: Mutex<usize>,
    /// Wakes those who wait in the order in which they came; nobody sends if the task was thrown away.
    answer: Shared<oneshot::Receiver<Answer>>,
    since: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here is left half changed by a panic: each section is a few assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Operations {
    /// Operations that run through `tasks`.
    #[must_use]
    pub fn new(tasks: Arc<dyn Tasks>) -> Self {
        Self(Arc::new(Inner {
            tasks,
            state: Mutex::default(),
            ended: Notify::new(),
            cut_off: CancellationToken::new(),
        }))
    }

    /// Carries out `operation` by starting `work`, or joins the equal one that is running, and waits at most `patience`.
    ///
    /// When the patience ends, or this future is dropped, the operation goes on and its [`Caller`] is told that it left.
    ///
    /// # Errors
    /// What the operation answers; that it panicked; that it goes on; that the plugin stops.
    pub async fn run<W>(&self, operation: Operation, patience: Duration, work: W) -> Answer
    where
        W: Fn(Caller) -> BoxFuture<'static, Answer>,
    {
        match timeout(patience, self.join_or_start(&operation, &work)).await {
            Ok(answer) => answer,
            Err(_) => Err(DriverError(format!(
                "{operation} is still in progress after {} s; repeat the request to join it",
                patience.as_secs_f32()
            ))),
        }
    }

    async fn join_or_start<W>(&self, operation: &Operation, work: &W) -> Answer
    where
        W: Fn(Caller) -> BoxFuture<'static, Answer>,
    {
        loop {
            let (flight, entered) = self.enter(operation, work)?;
            let answer = self.wait(operation, &flight).await;
            match entered {
                Some(_waiting) => return answer,
                // It had been given up by everybody and knew it, so its answer is for nobody. Begin anew.
                None if self.0.cut_off.is_cancelled() => return answer,
                None => {}
            }
        }
    }

    /// The running flight of `operation`, started if there is none; with a place in it unless it was given up.
    fn enter<W>(&self, operation: &Operation, work: &W) -> Result<(Arc<Flight>, Option<Waiting>), DriverError>
    where
        W: Fn(Caller) -> BoxFuture<'static, Answer>,
    {
        let mut state = lock(&self.0.state);
        if let Some(flight) = state.running.get(operation) {
            return Ok((Arc::clone(flight), Waiting::join(flight)));
        }
        if state.stopping {
            return Err(stopping(operation));
        }
        let (sender, answer) = oneshot::channel();
        let caller = Caller::waiting();
        let flight = Arc::new(Flight {
            caller: caller.clone(),
            waiting: Mutex::new(0),
            answer: answer.shared(),
            since: Instant::now(),
        });
        let waiting = Waiting::join(&flight);
        state.running.insert(operation.clone(), Arc::clone(&flight));
        drop(state);
        let landing =
            Landing { inner: Arc::clone(&self.0), operation: operation.clone(), sender: Some(sender), answer: None };
        let span = tracing::info_span!("operation", what = %operation);
        self.0.tasks.spawn(fly(work(caller), landing).instrument(span).boxed());
        Ok((flight, waiting))
    }

    async fn wait(&self, operation: &Operation, flight: &Flight) -> Answer {
        tokio::select! {
            biased;
            ended = flight.answer.clone() => ended.unwrap_or_else(|_| Err(stopping(operation))),
            () = self.0.cut_off.cancelled() => Err(stopping(operation)),
        }
    }

    /// What is running, oldest first.
    #[must_use]
    pub fn running(&self) -> Vec<Running> {
        let mut running: Vec<Running> = lock(&self.0.state)
            .running
            .iter()
            .map(|(operation, flight)| Running {
                operation: operation.to_string(),
                age: flight.since.elapsed(),
                waiting: *lock(&flight.waiting),
            })
            .collect();
        running.sort_by_key(|running| std::cmp::Reverse(running.age));
        running
    }

    /// Refuses new operations and waits at most `grace` for the running ones; answers those that still run then. Their
    /// steps are in the record, so that the next start of the plugin goes on with them.
    pub async fn stop(&self, grace: Duration) -> Vec<Running> {
        lock(&self.0.state).stopping = true;
        let _ = timeout(grace, async {
            loop {
                let ended = self.0.ended.notified();
                if lock(&self.0.state).running.is_empty() {
                    return;
                }
                ended.await;
            }
        })
        .await;
        self.0.cut_off.cancel();
        self.running()
    }
}

fn stopping(operation: &Operation) -> DriverError {
    DriverError(format!("the plugin is stopping; {operation} is not finished, repeat it once the plugin runs again"))
}

async fn fly(work: BoxFuture<'static, Answer>, mut landing: Landing) {
    let answer = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let reason = panic_text(panic.as_ref());
        tracing::error!(%reason, "operation panicked");
        Err(DriverError(format!("{} failed by a defect of the plugin: {reason}", landing.operation)))
    });
    landing.answer = Some(answer);
}

/// The text of a panic, as far as it has one.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}

/// Ends a flight however its task ends, also when the task is thrown away.
struct Landing {
    inner: Arc<Inner>,
    operation: Operation,
    sender: Option<oneshot::Sender<Answer>>,
    answer: Option<Answer>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        // First out of the map, then the answer: a request that comes after the answer was given is a new one, such as
        // the Mount of `docker cp` with the id of the running container.
        let flight = lock(&self.inner.state).running.remove(&self.operation);
        let deserted = flight.is_some_and(|flight| *lock(&flight.waiting) == 0);
        match &self.answer {
            Some(Err(error)) if deserted => tracing::warn!(%error, "failed after its callers had gone"),
            Some(Ok(_)) if deserted => tracing::info!("ended after its callers had gone"),
            Some(_) => {}
            None => tracing::warn!(what = %self.operation, "operation was cut off"),
        }
        if let (Some(sender), Some(answer)) = (self.sender.take(), self.answer.take()) {
            // Nobody listens when all have gone.
            let _ = sender.send(answer);
        }
        self.inner.ended.notify_waiters();
    }
}

/// A place among those who wait for a flight.
struct Waiting(Arc<Flight>);

impl Waiting {
    /// `None`: everybody had left and the operation has acted on that.
    fn join(flight: &Arc<Flight>) -> Option<Self> {
        let mut waiting = lock(&flight.waiting);
        if *waiting == 0 && !flight.caller.rejoin() {
            return None;
        }
        *waiting += 1;
        Some(Self(Arc::clone(flight)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        *waiting = waiting.saturating_sub(1);
        if *waiting == 0 {
            self.0.caller.leave();
        }
    }
}

#[cfg(test)]
mod tests;
