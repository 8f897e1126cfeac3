//! One node's registration, step by step: hold a lease, check for others of the same identity, write, check again.

use std::sync::Arc;

use tokio::time::Instant;

use super::records::{OwnerOfId, RegisteredNode, Registrant, read};
use super::{REGISTRATION_TTL, RegistrationError, Rivals};
use crate::store::{Change, Committed, Entry, Guard, LeaseId, MetadataStore, Revision, StoreError, Transaction, keys};

/// How often a write is tried anew when somebody else writes the same key at the same time.
const ATTEMPTS: usize = 4;

/// Registers one node and keeps it registered. Every step may fail at any call and is simply taken again.
pub(super) struct Registrar {
    store: Arc<dyn MetadataStore>,
    registrant: Registrant,
    lease: Option<LeaseId>,
    /// A lease of this process that has ended: a registration that still shows it is no stranger's.
    former: Option<LeaseId>,
    /// Once registered, a registration by another process of the same machine is no longer this node's own past.
    was_registered: bool,
    /// The registration that was found to share nothing with an earlier one.
    checked: Option<Revision>,
    /// When the last successful renewal of the lease was sent.
    renewed: Option<Instant>,
}

impl Registrar {
    pub(super) fn new(store: Arc<dyn MetadataStore>, registrant: Registrant) -> Self {
        Self { store, registrant, lease: None, former: None, was_registered: false, checked: None, renewed: None }
    }

    /// Registers the node, or renews its registration.
    pub(super) async fn step(&mut self) -> Result<(), RegistrationError> {
        let lease = self.hold_lease().await?;
        let mine = RegisteredNode::of(&self.registrant, lease);
        let entry = self.store.get(&keys::node(&mine.node_id)).await?;
        let revision = match entry {
            Some(entry) if read(&entry).is_ok_and(|registered: RegisteredNode| registered == mine) => entry.modified,
            _ => self.register(&mine).await?,
        };
        if self.checked != Some(revision) {
            self.check_after(&mine, revision).await?;
        }
        self.was_registered = true;
        Ok(())
    }

    /// The node is registered as far as this process can know: its lease was renewed less than its time to live ago.
    pub(super) fn lease_may_live(&self) -> bool {
        self.renewed.is_some_and(|renewed| renewed.elapsed() < REGISTRATION_TTL)
    }

    /// Ends the registration, at once if the store answers, else by letting it run out.
    pub(super) async fn withdraw(&mut self) -> Result<(), StoreError> {
        self.renewed = None;
        self.former = self.lease.or(self.former);
        match self.lease.take() {
            Some(lease) => self.store.revoke_lease(lease).await,
            None => Ok(()),
        }
    }

    /// Renews the lease, or takes a new one if it has ended.
    async fn hold_lease(&mut self) -> Result<LeaseId, StoreError> {
        let sent = Instant::now();
        if let Some(lease) = self.lease {
            match self.store.keep_alive(lease).await {
                Ok(()) => {
                    self.renewed = Some(sent);
                    return Ok(lease);
                }
                Err(StoreError::LeaseLost(_)) => self.forget_lease(),
                Err(error) => return Err(error),
            }
        }
        let sent = Instant::now();
        let lease = self.store.grant_lease(REGISTRATION_TTL).await?;
        self.lease = Some(lease);
        self.renewed = Some(sent);
        Ok(lease)
    }

    fn forget_lease(&mut self) {
        self.former = self.lease.take();
        self.renewed = None;
    }

    /// Writes the registration if nobody else has this identity.
    async fn register(&mut self, mine: &RegisteredNode) -> Result<Revision, RegistrationError> {
        let key = keys::node(&mine.node_id);
        for _ in 0..ATTEMPTS {
            let (entries, _) = self.store.list(keys::NODES).await?;
            let own = entries.iter().find(|entry| entry.key == key);
            let guard = match own {
                None => Guard::Absent(key.clone()),
                Some(entry) => {
                    self.check_replaceable(mine, &read(entry)?)?;
                    Guard::Unchanged(key.clone(), entry.modified)
                }
            };
            check_others(mine, &entries, None)?;
            let mut transaction = self.claim_of_id(mine).await?;
            transaction.guards.push(guard);
            let put = Change::Put { key: key.clone(), value: json(&key, mine)?, lease: self.lease };
            transaction.changes.push(put);
            match self.store.commit(transaction).await {
                Ok(Committed::Yes(revision)) => return Ok(revision),
                Ok(Committed::No) => {}
                Err(error) => {
                    if matches!(error, StoreError::LeaseLost(_)) {
                        self.forget_lease();
                    }
                    return Err(error.into());
                }
            }
        }
        let reason = "somebody else keeps writing it".to_owned();
        Err(StoreError::Refused { operation: format!("the registration {key}"), reason }.into())
    }

    /// Guards and changes by which the id of this node belongs to this machine. The first machine that uses an id keeps it,
    /// also while it is away: a clone would take the records of the original for its own.
    async fn claim_of_id(&self, mine: &RegisteredNode) -> Result<Transaction, RegistrationError> {
        let key = keys::node_machine(&mine.node_id);
        let mut claim = OwnerOfId::of(mine);
        let (guard, known) = match self.store.get(&key).await? {
            None => (Guard::Absent(key.clone()), None),
            Some(entry) => (Guard::Unchanged(key.clone(), entry.modified), Some(read::<OwnerOfId>(&entry)?)),
        };
        if let Some(owner) = &known {
            if !owner.machine_id.may_be(&mine.machine_id) {
                return Err(RegistrationError::OfAnotherMachine {
                    node: mine.node_id.clone(),
                    here: Box::new(mine.machine()),
                    owner: owner.hostname.clone(),
                    owners_machine: owner.machine_id.clone(),
                });
            }
            claim.machine_id = mine.machine_id.or_fuller(&owner.machine_id);
        }
        let changes = if known.as_ref() == Some(&claim) {
            Vec::new()
        } else {
            vec![Change::Put { value: json(&key, &claim)?, key, lease: None }]
        };
        Ok(Transaction { guards: vec![guard], changes })
    }

    /// Whether a live registration of this node's id may be written over: it is this process's own, or that of the machine's
    /// plugin before it started (a restart of the plugin, or a reboot).
    fn check_replaceable(&self, mine: &RegisteredNode, found: &RegisteredNode) -> Result<(), RegistrationError> {
        let own = [self.lease, self.former].contains(&Some(LeaseId(found.lease)));
        if own {
            Ok(())
        } else if !found.machine_id.may_be(&mine.machine_id) {
            Err(RegistrationError::DuplicateNode(rivals(mine, found)))
        } else if self.was_registered {
            Err(RegistrationError::Replaced(rivals(mine, found)))
        } else {
            Ok(())
        }
    }

    /// Two nodes may have registered the same initiator at the same time, neither seeing the other: both look again,
    /// and the one that was later withdraws.
    async fn check_after(&mut self, mine: &RegisteredNode, revision: Revision) -> Result<(), RegistrationError> {
        let (entries, _) = self.store.list(keys::NODES).await?;
        if let Err(conflict) = check_others(mine, &entries, Some(revision)) {
            if let Err(error) = self.withdraw().await {
                tracing::debug!(%error, "the withdrawn registration is left to run out");
            }
            return Err(conflict);
        }
        self.checked = Some(revision);
        Ok(())
    }
}

/// Looks for live nodes of another id that share an initiator with this one; with `before`, only at those that
/// registered earlier.
fn check_others(mine: &RegisteredNode, entries: &[Entry], before: Option<Revision>) -> Result<(), RegistrationError> {
    for entry in entries.iter().filter(|entry| before.is_none_or(|before| entry.modified < before)) {
        let Ok(other) = read::<RegisteredNode>(entry) else {
            tracing::warn!(key = %entry.key, "a registration that cannot be read is not compared with this node's");
            continue;
        };
        if other.node_id == mine.node_id {
            continue;
        }
        if let Some(initiator) = mine.shared_initiator(&other) {
            return Err(RegistrationError::SharedInitiator { initiator, rivals: rivals(mine, &other) });
        }
    }
    Ok(())
}

fn rivals(mine: &RegisteredNode, other: &RegisteredNode) -> Box<Rivals> {
    Box::new(Rivals {
        node: mine.node_id.clone(),
        here: mine.machine(),
        other: other.node_id.clone(),
        there: other.machine(),
    })
}

fn json<T: serde::Serialize>(key: &str, value: &T) -> Result<Vec<u8>, RegistrationError> {
    serde_json::to_vec(value)
        .map_err(|error| RegistrationError::Unreadable { key: key.to_owned(), reason: error.to_string() })
}
