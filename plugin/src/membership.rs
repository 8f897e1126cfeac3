//! How a node becomes a member of the cluster: what every start of the plugin does, in production and in a simulation.
//!
//! Own memory first, then the registration, and only then volumes: a node that is not registered as the only one of its
//! identity takes none and reconciles none.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;

use crate::fencing::{Driver, FenceError, IdentityAlarm};
use crate::node::NodeFacts;
use crate::node::registration::{Registrant, Registration, RegistrationError, Standing};
use crate::store::MetadataStore;
use crate::tasks::Tasks;

/// Why nothing is taken before the first registration.
const NOT_REGISTERED: &str = "this node is not registered in the metadata store yet; try again in a moment";

/// Why a node cannot become a member.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum JoinError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Memory(#[from] FenceError),
    /// Another machine has its identity.
    #[error(transparent)]
    Identity(#[from] RegistrationError),
}

/// Reads this node's own memory, registers it, and starts reconciliation. Does not wait for a metadata store that is away.
///
/// The node stays registered until what is returned is dropped.
///
/// # Errors
/// [`JoinError`]: the plugin must not serve.
pub async fn join(
    driver: &Arc<Driver>,
    store: Arc<dyn MetadataStore>,
    tasks: &dyn Tasks,
    facts: NodeFacts,
) -> Result<Registration, JoinError> {
    driver.load_journal().await?;
    let alarm = driver.identity_alarm();
    alarm.set(Some(NOT_REGISTERED.to_owned()));
    let registrant = Registrant { node: driver.me().node.clone(), facts };
    let registration = Registration::open(store, tasks, registrant, Arc::new(|_| {})).await?;
    tasks.spawn(Box::pin(follow_standing(registration.watch_standing(), alarm)));
    tasks.spawn(Box::pin(Arc::clone(driver).run_reconcile()));
    Ok(registration)
}

/// This node takes no volume, and reconciles none, unless it is registered as the only one of its identity: a clone
/// that starts while the store is away must not act on the original's records.
async fn follow_standing(mut standing: watch::Receiver<Standing>, alarm: Arc<IdentityAlarm>) {
    loop {
        let reason = match &*standing.borrow_and_update() {
            Standing::Registered => None,
            Standing::Waiting { reason } => Some(format!("{NOT_REGISTERED}: {reason}")),
            Standing::Refused(error) => Some(error.to_string()),
        };
        alarm.set(reason);
        if standing.changed().await.is_err() {
            return;
        }
    }
}
