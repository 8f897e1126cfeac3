//! The management sessions of an array: it grants few, a plugin takes few of them, and each request takes its time.
//!
//! As the production adapters do it: a plugin runs at most [`SshSettings::SESSIONS`] commands at a time, each a session of the
//! command line while it runs; and it keeps at most four REST sessions, one request at a time on each, for as long as the array
//! keeps them.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::array::settings::SshSettings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::network::{Lost, NodeNumber, Service};

/// Most REST sessions that one plugin keeps.
const REST_OF_ONE: usize = 4;

/// What the array grants, and how long it takes.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// Commands of the command line at a time.
    pub commands: usize,
    /// REST sessions.
    pub rest: usize,
    /// After this time an idle REST session is gone.
    pub rest_idle: Duration,
    /// How long a command takes.
    pub command_time: RangeInclusive<Duration>,
    /// How long a REST request takes.
    pub rest_time: RangeInclusive<Duration>,
}

/// Most sessions at a time, and refusals, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionCounts {
    /// Most commands at a time.
    pub commands: usize,
    /// All commands.
    pub all_commands: u64,
    /// Commands that were refused for want of a session.
    pub commands_refused: u64,
    /// Most REST sessions at a time.
    pub rest: usize,
    /// Logins that were refused for want of a session.
    pub rest_refused: u64,
}

/// The sessions of one array.
#[derive(Debug)]
pub struct Sessions {
    limits: SessionLimits,
    commands: Vec<Arc<Semaphore>>,
    rest: Vec<Arc<Semaphore>>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    commands: usize,
    /// Since when each node's idle REST sessions are idle, the longest first.
    idle: Vec<VecDeque<Instant>>,
    /// REST sessions in use.
    used: usize,
    counts: SessionCounts,
}

/// A session in use.
#[derive(Debug)]
pub struct Session<'s> {
    sessions: &'s Sessions,
    node: NodeNumber,
    service: Service,
    _permit: OwnedSemaphorePermit,
}

impl Sessions {
    /// Sessions for so many nodes.
    #[must_use]
    pub fn new(nodes: usize, limits: SessionLimits) -> Self {
        let each = |count| (0..nodes).map(|_| Arc::new(Semaphore::new(count))).collect();
        let open = Open { idle: vec![VecDeque::new(); nodes], ..Open::default() };
        Self { limits, commands: each(SshSettings::SESSIONS), rest: each(REST_OF_ONE), open: Mutex::new(open) }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> SessionCounts {
        self.lock().counts
    }

    /// From now on the most at a time are counted anew.
    pub fn forget_peaks(&self) {
        let mut open = self.lock();
        let rest = open.open_rest();
        open.counts = SessionCounts { commands: open.commands, rest, ..open.counts };
    }

    /// Draws how long a request takes.
    pub(super) fn time(&self, service: Service, below: impl FnOnce(u64) -> u64) -> Duration {
        let range = if service == Service::Cli { &self.limits.command_time } else { &self.limits.rest_time };
        let width = range.end().saturating_sub(*range.start());
        *range.start() + Duration::from_millis(below(u64::try_from(width.as_millis()).unwrap_or(0) + 1))
    }

    /// Waits for this node's own turn, then takes a session of the array.
    pub(super) async fn open(&self, node: NodeNumber, service: Service) -> Result<Session<'_>, Lost> {
        let own = if service == Service::Cli { &self.commands } else { &self.rest };
        let turn = own.get(node).cloned().ok_or(Lost::NotSent)?;
        // The semaphore is never closed.
        let permit = turn.acquire_owned().await.map_err(|_| Lost::NotSent)?;
        let taken = self.lock().take(node, service, &self.limits);
        if taken { Ok(Session { sessions: self, node, service, _permit: permit }) } else { Err(Lost::Busy) }
    }
}

impl Open {
    fn take(&mut self, node: NodeNumber, service: Service, limits: &SessionLimits) -> bool {
        if service == Service::Cli {
            if self.commands >= limits.commands {
                self.counts.commands_refused += 1;
                return false;
            }
            self.commands += 1;
            self.counts.all_commands += 1;
            self.counts.commands = self.counts.commands.max(self.commands);
            return true;
        }
        for idle in &mut self.idle {
            idle.retain(|since| since.elapsed() < limits.rest_idle);
        }
        if self.idle.get_mut(node).and_then(VecDeque::pop_back).is_none() && self.open_rest() >= limits.rest {
            self.counts.rest_refused += 1;
            return false;
        }
        self.used += 1;
        self.counts.rest = self.counts.rest.max(self.open_rest());
        true
    }

    fn open_rest(&self) -> usize {
        self.used + self.idle.iter().map(VecDeque::len).sum::<usize>()
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let mut open = self.sessions.lock();
        if self.service == Service::Cli {
            open.commands -= 1;
            return;
        }
        open.used -= 1;
        if let Some(idle) = open.idle.get_mut(self.node) {
            idle.push_back(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        let second = Duration::from_secs(1);
        let limits = SessionLimits {
            commands: 3,
            rest: 5,
            rest_idle: second * 900,
            command_time: second..=second,
            rest_time: second..=second,
        };
        Sessions::new(3, limits)
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_waits_for_its_own_turn_and_is_refused_what_the_array_has_not() {
        let all = sessions();
        let _held = (all.open(0, Service::Cli).await.unwrap(), all.open(0, Service::Cli).await.unwrap());
        let third = tokio::time::timeout(Duration::from_secs(1), all.open(0, Service::Cli)).await;
        assert!(third.is_err(), "its own turn does not come");
        let _last = all.open(1, Service::Cli).await.unwrap();
        assert_eq!(all.open(2, Service::Cli).await.unwrap_err(), Lost::Busy);
        let SessionCounts { commands, commands_refused, .. } = all.counts();
        assert_eq!((commands, commands_refused), (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn rest_sessions_are_kept_until_the_array_ends_them() {
        let all = sessions();
        let held = futures::future::join_all((0..4).map(|_| all.open(0, Service::Wsapi))).await;
        drop(held);
        drop(all.open(0, Service::Wsapi).await.unwrap());
        assert_eq!(all.counts().rest, 4, "an idle one is used again");
        let _one = all.open(1, Service::Wsapi).await.unwrap();
        assert_eq!(all.open(1, Service::Wsapi).await.unwrap_err(), Lost::Busy);
        tokio::time::advance(Duration::from_secs(901)).await;
        assert!(all.open(1, Service::Wsapi).await.is_ok());
    }
}
