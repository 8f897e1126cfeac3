//! What nodes tell each other through the metadata store: the leased registration and the lasting directory.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::RegistrationError;
use crate::array::HostName;
use crate::node::{BootId, Initiators, MachineId, NodeFacts, NodeId};
use crate::store::{Entry, LeaseId, MetadataStore, keys};

/// Who is registering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrant {
    /// Id of the node.
    pub node: NodeId,
    /// Its machine, boot and initiators.
    pub facts: NodeFacts,
    /// Its host on each array, by array id, as far as known; see [`super::Registration::announce_host`].
    pub hosts: BTreeMap<String, HostName>,
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
    /// Host on each array, by array id.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostName>,
    /// Version of the plugin.
    #[serde(default)]
    pub plugin_version: String,
    /// Number of the lease: tells one life of the plugin from another.
    #[serde(default)]
    pub lease: i64,
}

impl RegisteredNode {
    pub(super) fn of(registrant: &Registrant, lease: LeaseId) -> Self {
        let NodeFacts { hostname, machine, boot, initiators } = registrant.facts.clone();
        Self {
            node_id: registrant.node.clone(),
            hostname,
            machine_id: machine,
            boot_id: boot,
            initiators,
            hosts: registrant.hosts.clone(),
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

    /// A host of an array that stands for both.
    pub(super) fn shared_host(&self, other: &Self) -> Option<(String, HostName)> {
        let shared = self.hosts.iter().find(|(array, host)| other.hosts.get(*array) == Some(*host))?;
        Some((shared.0.clone(), shared.1.clone()))
    }
}

/// The lasting entry of a node: `/node-hosts/<node id>`. It tells whose exports are seen when the node is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHosts {
    /// Host on each array, by array id.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostName>,
    /// Host name as the kernel had it.
    pub hostname: String,
    /// Machine it ran on last.
    pub machine_id: MachineId,
    /// Boot it ran in last.
    pub boot_id: BootId,
    /// Initiator names.
    #[serde(default)]
    pub initiators: Initiators,
}

impl NodeHosts {
    pub(super) fn of(registered: &RegisteredNode) -> Self {
        Self {
            hosts: registered.hosts.clone(),
            hostname: registered.hostname.clone(),
            machine_id: registered.machine_id.clone(),
            boot_id: registered.boot_id.clone(),
            initiators: registered.initiators.clone(),
        }
    }
}

/// A machine as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Host name.
    pub hostname: String,
    /// Machine id.
    pub machine: MachineId,
    /// Boot.
    pub boot: BootId,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (machine-id {}, boot {})", self.hostname, self.machine, self.boot)
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

/// All nodes whose plugin keeps its registration alive. A registration that cannot be read is left out and logged.
///
/// # Errors
/// [`RegistrationError::Store`] when the metadata store does not answer.
pub async fn live_nodes(store: &dyn MetadataStore) -> Result<BTreeMap<NodeId, RegisteredNode>, RegistrationError> {
    let (entries, _) = store.list(keys::NODES).await?;
    let readable = entries.iter().filter_map(|entry| match read::<RegisteredNode>(entry) {
        Ok(node) => Some((node.node_id.clone(), node)),
        Err(error) => {
            tracing::warn!("left out: {error}");
            None
        }
    });
    Ok(readable.collect())
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

/// The node that a host of an array stands for, also when it is away; the one that registered last if several did.
///
/// # Errors
/// [`RegistrationError::Store`] when the metadata store does not answer.
pub async fn node_of_host(
    store: &dyn MetadataStore,
    array: &str,
    host: &HostName,
) -> Result<Option<NodeId>, RegistrationError> {
    let (entries, _) = store.list(keys::NODE_HOSTS).await?;
    let names_it = |entry: &&Entry| match read::<NodeHosts>(entry) {
        Ok(known) => known.hosts.get(array) == Some(host),
        Err(error) => {
            tracing::warn!("left out: {error}");
            false
        }
    };
    let latest = entries.iter().filter(names_it).max_by_key(|entry| entry.modified);
    Ok(latest.and_then(|entry| entry.key.strip_prefix(keys::NODE_HOSTS)).map(NodeId::new))
}
