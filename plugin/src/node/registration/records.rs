//! What nodes tell each other through the metadata store: the leased registration, and the machine an id belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::RegistrationError;
use crate::node::{BootId, Initiators, MachineId, NodeFacts, NodeId};
use crate::store::{Entry, LeaseId, MetadataStore, keys};

/// Who is registering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrant {
    /// Id of the node.
    pub node: NodeId,
    /// Its machine, boot and initiators.
    pub facts: NodeFacts,
}

/// A live registration: `/nodes/<node id>`. It vanishes when the node's plugin stops renewing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNode {
    /// Id of the node.
    pub node_id: NodeId,
    /// Host name as the kernel has it.
    pub hostname: String,
    /// Machine the plugin runs on.
    pub machine_id: MachineId,
    /// Boot the plugin runs in.
    pub boot_id: BootId,
    /// Initiator names.
    #[serde(flatten)]
    pub initiators: Initiators,
    /// Version of the plugin.
    #[serde(default)]
    pub plugin_version: String,
    /// Number of the lease: tells one life of the plugin from another.
    #[serde(default)]
    pub lease: i64,
}

impl RegisteredNode {
    pub(super) fn of(registrant: &Registrant, lease: LeaseId) -> Self {
        let NodeFacts { hostname, machine, boot, initiators, .. } = registrant.facts.clone();
        Self {
            node_id: registrant.node.clone(),
            hostname,
            machine_id: machine,
            boot_id: boot,
            initiators,
            plugin_version: env!("CARGO_PKG_VERSION").to_owned(),
            lease: lease.0,
        }
    }

    /// The machine, for a message.
    #[must_use]
    pub fn machine(&self) -> Machine {
        Machine { hostname: self.hostname.clone(), machine: self.machine_id.clone(), boot: self.boot_id.clone() }
    }

    /// An initiator name both have.
    pub(super) fn shared_initiator(&self, other: &Self) -> Option<String> {
        let mine = self.initiators.iqn.iter().chain(&self.initiators.wwpns);
        let theirs = || other.initiators.iqn.iter().chain(&other.initiators.wwpns);
        mine.into_iter().find(|name| theirs().any(|their| their.eq_ignore_ascii_case(name))).cloned()
    }
}

/// The machine a node id belongs to: `/node-machines/<node id>`. Stays when the node is away, so that a machine that was
/// cloned with its node id is recognised even if the original is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnerOfId {
    /// The machine.
    pub(super) machine_id: MachineId,
    /// Its host name when it registered last.
    pub(super) hostname: String,
}

impl OwnerOfId {
    pub(super) fn of(registered: &RegisteredNode) -> Self {
        Self { machine_id: registered.machine_id.clone(), hostname: registered.hostname.clone() }
    }
}

/// A machine as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Host name.
    pub hostname: String,
    /// Machine.
    pub machine: MachineId,
    /// Boot.
    pub boot: BootId,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (machine {}, boot {})", self.hostname, self.machine, self.boot)
    }
}

/// Reads a value of a node's key.
///
/// # Errors
/// [`RegistrationError::Unreadable`] naming the key.
pub(super) fn read<T: for<'de> Deserialize<'de>>(entry: &Entry) -> Result<T, RegistrationError> {
    serde_json::from_slice(&entry.value)
        .map_err(|error| RegistrationError::Unreadable { key: entry.key.clone(), reason: error.to_string() })
}

/// The node's plugin is registered now, in this boot of the node; for [`BootId::unknown`], in whatever boot.
///
/// # Errors
/// [`RegistrationError::Store`] when the metadata store does not answer, [`RegistrationError::Unreadable`] when the
/// registration cannot be read.
pub async fn is_alive(store: &dyn MetadataStore, node: &NodeId, boot: &BootId) -> Result<bool, RegistrationError> {
    let Some(entry) = store.get(&keys::node(node)).await? else { return Ok(false) };
    Ok(*boot == BootId::unknown() || read::<RegisteredNode>(&entry)?.boot_id == *boot)
}
