//! Why a node is not registered.

use thiserror::Error;

use super::records::Machine;
use crate::array::HostName;
use crate::node::NodeId;
use crate::store::StoreError;

/// Why a node is not registered, or a registration cannot be read.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum RegistrationError {
    /// Another machine runs under this node's id: fencing between the two would never trigger.
    #[error(
        "node id {node} is used by two machines: this one, {here}, and {there}, whose plugin is running. One is probably a \
         clone of the other: give it a machine-id, an initiator name and a node id of its own, then start its plugin again"
    )]
    DuplicateNode {
        /// The id.
        node: NodeId,
        /// This machine.
        here: Machine,
        /// The other.
        there: Machine,
    },
    /// Another plugin registered the id of this node while this one was running.
    #[error(
        "a second plugin took over node id {node}: it runs on {there}, this one on {here}. Stop one of the two; if the other \
         machine is a clone, give it a machine-id, an initiator name and a node id of its own"
    )]
    Replaced {
        /// The id.
        node: NodeId,
        /// This machine.
        here: Machine,
        /// Where the second plugin runs.
        there: Machine,
    },
    /// Another live node has the same initiator name: the array cannot tell the two apart.
    #[error(
        "initiator {initiator} is used by two nodes: this one, {node} on {here}, and {other} on {there}, whose plugin is \
         running. The array cannot tell them apart: give one of them an initiator name of its own"
    )]
    SharedInitiator {
        /// IQN or WWPN.
        initiator: String,
        /// This node.
        node: NodeId,
        /// This machine.
        here: Machine,
        /// The other node.
        other: NodeId,
        /// Its machine.
        there: Machine,
    },
    /// Another live node is the same host on an array: what is exported to one is exported to both.
    #[error(
        "host {host} of array {array} stands for two nodes: this one, {node} on {here}, and {other} on {there}, whose plugin \
         is running. Give each a host of its own on the array"
    )]
    SharedHost {
        /// Id of the array.
        array: String,
        /// Host on it.
        host: HostName,
        /// This node.
        node: NodeId,
        /// This machine.
        here: Machine,
        /// The other node.
        other: NodeId,
        /// Its machine.
        there: Machine,
    },
    /// What a node wrote about itself cannot be read.
    #[error("{key} in the metadata store is no registration of a node ({reason}); was it written by a newer plugin?")]
    Unreadable {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The metadata store failed; registration is tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegistrationError {
    /// Somebody else is who this node says it is: no volume may be mounted here until that is settled.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}
