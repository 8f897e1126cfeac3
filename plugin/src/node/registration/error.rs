//! Why a node is not registered.

use thiserror::Error;

use super::records::Machine;
use crate::node::{MachineId, NodeId};
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
    /// The id of this node was first used on another machine, which is not running now.
    #[error(
        "node id {node} belongs to another machine: {owner} (machine {owners_machine}); this is {here}. If this machine is a \
         clone of that one, or replaces it, remove this node's id file (node_id_file) and start the plugin again: it gets an \
         id of its own, and takes volumes over from the former node as from any other"
    )]
    OfAnotherMachine {
        /// Id of this node.
        node: NodeId,
        /// This machine.
        here: Box<Machine>,
        /// Host name of the machine the id belongs to.
        owner: String,
        /// That machine.
        owners_machine: MachineId,
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
