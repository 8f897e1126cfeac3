//! How a node becomes a member of the cluster: what every start of the plugin does, in production and in a simulation.
//!
//! Own memory first, then the version of the records, then the registration, and only then volumes: a node that may not
//! read the records, or is not registered as the only one of its identity, takes none and reconciles none.

pub mod schema;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::schema::SchemaError;
use crate::fencing::{Driver, FenceError, IdentityAlarm};
use crate::node::NodeFacts;
use crate::node::registration::{Registrant, Registration, RegistrationError, Standing};
use crate::store::MetadataStore;
use crate::tasks::Tasks;

/// Why nothing is taken before the first registration.
const NOT_REGISTERED: &str = "this node is not registered in the metadata store yet; try again in a moment";

/// How long a start waits for the version of the records; what takes longer is looked at before the first volume.
const SCHEMA_PATIENCE: Duration = Duration::from_secs(2);
/// Pause before the version is asked for again.
const SCHEMA_AGAIN: Duration = Duration::from_secs(1);

/// Why a node cannot become a member.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum JoinError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Memory(#[from] FenceError),
    /// Another machine has its identity.
    #[error(transparent)]
    Identity(#[from] RegistrationError),
    /// The records are written in a version this plugin does not understand.
    #[error(transparent)]
    Schema(#[from] SchemaError),
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
    let agreed = match timeout(SCHEMA_PATIENCE, schema::agree(store.as_ref())).await {
        Ok(Ok(())) => true,
        Ok(Err(SchemaError::Store(_))) | Err(_) => false,
        Ok(Err(refusal)) => return Err(refusal.into()),
    };
    let registrant = Registrant { node: driver.me().node.clone(), facts };
    let registration = Registration::open(Arc::clone(&store), tasks, registrant, Arc::new(|_| {})).await?;
    let membership = Membership { alarm, store, agreed };
    tasks.spawn(Box::pin(membership.follow(registration.watch_standing())));
    tasks.spawn(Box::pin(Arc::clone(driver).run_reconcile()));
    Ok(registration)
}

/// Whether this node may take volumes.
struct Membership {
    alarm: Arc<IdentityAlarm>,
    store: Arc<dyn MetadataStore>,
    /// This plugin was found to understand the records.
    agreed: bool,
}

impl Membership {
    /// This node takes no volume, and reconciles none, unless it is registered as the only one of its identity: a clone
    /// that starts while the store is away must not act on the original's records.
    async fn follow(mut self, mut standing: watch::Receiver<Standing>) {
        loop {
            let reason = match &*standing.borrow_and_update() {
                Standing::Registered => None,
                Standing::Waiting { reason } => Some(format!("{NOT_REGISTERED}: {reason}")),
                Standing::Refused(error) => Some(error.to_string()),
            };
            let registered = reason.is_none();
            let reason = if registered { self.disagreement().await } else { reason };
            self.alarm.set(reason);
            let look_again = async {
                if registered && !self.agreed {
                    sleep(SCHEMA_AGAIN).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                changed = standing.changed() => if changed.is_err() { return },
                () = look_again => {}
            }
        }
    }

    /// Why the records are not to be touched yet, if they are not.
    async fn disagreement(&mut self) -> Option<String> {
        if !self.agreed {
            if let Err(error) = schema::agree(self.store.as_ref()).await {
                return Some(error.to_string());
            }
            self.agreed = true;
        }
        None
    }
}
