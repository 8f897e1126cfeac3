//! Why a node is not registered.

use thiserror::Error;

use super::records::Machine;
use crate::array::HostName;
use crate::node::NodeId;
use crate::store::StoreError;

/// Two nodes, or two machines under one id, that cannot both be in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rivals {
    /// Id of this node.
    pub node: NodeId,
    /// This machine.
    pub here: Machine,
    /// Id of the node that is registered already.
    pub other: NodeId,
    /// The machine it runs on.
    pub there: Machine,
}

/// Why a node is not registered, or a registration cannot be read.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum RegistrationError {
    /// Another machine runs under this node's id: fencing between the two would never trigger.
    #[error(
        "node id {} is used by two machines: this one, {}, and {}, whose plugin is running. One is probably a clone of the \
         other: give it a machine-id, an initiator name and a node id of its own, then start its plugin again",
        .0.node, .0.here, .0.there
    )]
    DuplicateNode(Box<Rivals>),
    /// Another plugin registered the id of this node while this one was running.
    #[error(
        "a second plugin took over node id {}: it runs on {}, this one on {}. Stop one of the two; if the other machine is a \
         clone, give it a machine-id, an initiator name and a node id of its own",
        .0.node, .0.there, .0.here
    )]
    Replaced(Box<Rivals>),
    /// Another live node has the same initiator name: the array cannot tell the two apart.
    #[error(
        "initiator {initiator} is used by two nodes: this one, {} on {}, and {} on {}, whose plugin is running. The array \
         cannot tell them apart: give one of them an initiator name of its own",
        .rivals.node, .rivals.here, .rivals.other, .rivals.there
    )]
    SharedInitiator {
        /// IQN or WWPN.
        initiator: String,
        /// Who has it.
        rivals: Box<Rivals>,
    },
    /// Another live node is the same host on an array: what is exported to one is exported to both.
    #[error(
        "host {host} of array {array} stands for two nodes: this one, {} on {}, and {} on {}, whose plugin is running. Give \
         each a host of its own on the array",
        .rivals.node, .rivals.here, .rivals.other, .rivals.there
    )]
    SharedHost {
        /// Id of the array.
        array: String,
        /// Host on it.
        host: HostName,
        /// Whom it stands for.
        rivals: Box<Rivals>,
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
