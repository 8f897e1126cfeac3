//! The registration of a node in the cluster: that its plugin is alive, and that nobody else is who it says it is.
//!
//! Fencing tells nodes apart by their ids, and the array tells them apart by their initiators. Two machines under one id
//! (a cloned virtual machine) would never fence each other, so the second one is refused, by name: while the first is
//! registered, and also while it is away, because an id belongs to the machine that used it first.

mod error;
mod records;
mod registrar;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use error::{RegistrationError, Rivals};
pub use records::{Machine, RegisteredNode, Registrant, is_alive};

use self::registrar::Registrar;
use crate::store::MetadataStore;
use crate::tasks::Tasks;

/// How long a registration outlives its last renewal.
pub const REGISTRATION_TTL: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(5);
/// How soon a failed renewal is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Told the reason when this node's identity turns out to be somebody else's too, and `None` when that is settled.
/// While there is a reason, no volume may be mounted here.
pub type IdentityReport = Arc<dyn Fn(Option<String>) + Send + Sync>;

/// Where the registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not registered: the metadata store has not answered yet, or for so long that the registration has run out.
    Waiting {
        /// What the store said last.
        reason: String,
    },
    /// Registered, and renewed in time.
    Registered,
    /// Somebody else is who this node says it is. Tried again, in case the other goes away.
    Refused(RegistrationError),
}

/// This node's registration. It is renewed in the background until this is dropped; then it runs out by itself, so that a
/// plugin that is restarted quickly is never seen as dead.
pub struct Registration {
    standing: watch::Receiver<Standing>,
    _stop: DropGuard,
}

impl Registration {
    /// Registers this node and keeps it registered. When the metadata store is away, registration goes on in the background
    /// and the standing is [`Standing::Waiting`].
    ///
    /// # Errors
    /// [`RegistrationError`] when somebody else is who this node says it is; the plugin must not start. Never because the store
    /// is away.
    pub async fn open(
        store: Arc<dyn MetadataStore>,
        tasks: &dyn Tasks,
        registrant: Registrant,
        report: IdentityReport,
    ) -> Result<Self, RegistrationError> {
        let mut registrar = Registrar::new(store, registrant);
        let started = Instant::now();
        let standing = match registrar.step().await {
            Ok(()) => Standing::Registered,
            Err(RegistrationError::Store(error)) => {
                tracing::warn!("this node is not registered yet: {error}; trying again");
                Standing::Waiting { reason: error.to_string() }
            }
            Err(refusal) => {
                if let Err(error) = registrar.withdraw().await {
                    tracing::debug!(%error, "the lease of a refused registration is left to run out");
                }
                return Err(refusal);
            }
        };
        let stop = CancellationToken::new();
        let renewal = Renewal { registrar, standing: watch::Sender::new(standing), report };
        let registration = Self { standing: renewal.standing.subscribe(), _stop: stop.clone().drop_guard() };
        tasks.spawn(Box::pin(renewal.run(started, stop)));
        Ok(registration)
    }

    /// Where the registration stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// To wait for changes of the standing.
    #[must_use]
    pub fn watch_standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

/// The background work of a registration.
struct Renewal {
    registrar: Registrar,
    standing: watch::Sender<Standing>,
    report: IdentityReport,
}

impl Renewal {
    async fn run(mut self, mut last: Instant, stop: CancellationToken) {
        let mut soon = matches!(*self.standing.borrow(), Standing::Waiting { .. });
        loop {
            let pause = if soon { RETRY } else { RENEWAL };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(last + pause) => {}
            }
            last = Instant::now();
            let outcome = self.registrar.step().await;
            soon = matches!(outcome, Err(RegistrationError::Store(_)));
            self.settle(outcome);
        }
    }

    /// Draws the conclusion from a step: sets the standing and reports an identity that is lost or regained.
    fn settle(&self, outcome: Result<(), RegistrationError>) {
        let before = self.standing.borrow().clone();
        let after = match outcome {
            Ok(()) => Standing::Registered,
            Err(RegistrationError::Store(error)) => match before {
                Standing::Refused(_) => before.clone(),
                Standing::Registered if self.registrar.lease_may_live() => before.clone(),
                _ => Standing::Waiting { reason: error.to_string() },
            },
            Err(refusal) => Standing::Refused(refusal),
        };
        if after == before {
            return;
        }
        match &after {
            Standing::Registered => tracing::info!("this node is registered"),
            // The members of etcd fail in turn with words of their own: said once.
            Standing::Waiting { reason } if matches!(before, Standing::Waiting { .. }) => {
                tracing::debug!("this node is still not registered: {reason}");
            }
            Standing::Waiting { reason } => tracing::warn!("this node is not registered: {reason}; trying again"),
            Standing::Refused(refusal) => tracing::error!("this node takes no volumes: {refusal}"),
        }
        match (&before, &after) {
            (_, Standing::Refused(refusal)) => (self.report)(Some(refusal.to_string())),
            (Standing::Refused(_), _) => (self.report)(None),
            _ => {}
        }
        self.standing.send_replace(after);
    }
}

#[cfg(test)]
mod tests;
