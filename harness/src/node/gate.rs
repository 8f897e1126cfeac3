//! A gate before futures: freeze a node's work, let it go on, or end it at the point it has reached.
//!
//! What runs through a gate is polled only while the gate is open. Freezing is what SIGSTOP or a paused virtual
//! machine does: timers run on, so the work wakes up in a later world. Ending drops the work where it stands, as
//! SIGKILL or a power cut does.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;

/// What a gate lets happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    Frozen,
    Ended,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    next: u64,
    waiting: BTreeMap<u64, Waker>,
}

/// A gate; clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<Inner>>);

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, to: State) {
        let waiting = {
            let mut inner = self.inner();
            if inner.state == State::Ended {
                return;
            }
            inner.state = to;
            std::mem::take(&mut inner.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    /// Stops everything behind the gate where it stands.
    pub fn freeze(&self) {
        self.turn(State::Frozen);
    }

    /// Lets everything behind the gate go on.
    pub fn thaw(&self) {
        self.turn(State::Open);
    }

    /// Ends everything behind the gate for good.
    pub fn end(&self) {
        self.turn(State::Ended);
    }

    /// Nothing runs behind the gate at the moment.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.inner().state == State::Frozen
    }

    /// Nothing will ever run behind the gate again.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.inner().state == State::Ended
    }

    /// Runs `work` behind the gate; `None` when the gate was ended before the work was done.
    pub fn through<'a, T>(&self, work: impl Future<Output = T> + Send + 'a) -> Gated<'a, T> {
        let mut inner = self.inner();
        inner.next += 1;
        Gated { gate: self.clone(), ticket: inner.next, work: Some(Box::pin(work)) }
    }
}

/// A future behind a [`Gate`].
pub struct Gated<'a, T> {
    gate: Gate,
    ticket: u64,
    work: Option<BoxFuture<'a, T>>,
}

impl<T> Future for Gated<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let ticket = self.ticket;
        let state = {
            let mut inner = self.gate.inner();
            match inner.waiting.get(&ticket) {
                // Polled far more often than it changes its task: nothing to write down.
                Some(known) if known.will_wake(context.waker()) => {}
                _ if inner.state == State::Ended => {}
                _ => {
                    inner.waiting.insert(ticket, context.waker().clone());
                }
            }
            inner.state
        };
        match state {
            State::Frozen => Poll::Pending,
            State::Ended => {
                self.work = None;
                Poll::Ready(None)
            }
            State::Open => match self.work.as_mut().map(|work| work.as_mut().poll(context)) {
                Some(Poll::Pending) => Poll::Pending,
                Some(Poll::Ready(value)) => {
                    self.work = None;
                    Poll::Ready(Some(value))
                }
                None => Poll::Ready(None),
            },
        }
    }
}

impl<T> Drop for Gated<'_, T> {
    fn drop(&mut self) {
        self.gate.inner().waiting.remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn frozen_work_wakes_into_a_later_world() {
        let gate = Gate::open();
        let begin = Instant::now();
        let work = tokio::spawn(gate.through(async move {
            sleep(SECOND).await;
            begin.elapsed()
        }));
        tokio::task::yield_now().await;
        gate.freeze();
        sleep(20 * SECOND).await;
        assert!(!work.is_finished() && gate.is_frozen());
        gate.thaw();
        assert_eq!(work.await.unwrap(), Some(20 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn ended_work_is_dropped_and_never_comes_back() {
        let gate = Gate::open();
        let held = Arc::new(());
        let inside = held.clone();
        let work = tokio::spawn(gate.through(async move {
            sleep(SECOND).await;
            drop(inside);
        }));
        tokio::task::yield_now().await;
        gate.end();
        gate.thaw();
        assert_eq!(work.await.unwrap(), None);
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(gate.through(async { 1 }).await, None);
    }
}
