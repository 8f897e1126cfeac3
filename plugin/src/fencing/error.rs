//! Why an operation on a volume did not succeed.

use thiserror::Error;

use super::refusal::Refusal;
use crate::array::{ArrayError, Lun};
use crate::node::registration::RegistrationError;
use crate::node::{NodeError, NodeId};
use crate::store::StoreError;
use crate::store::journal::JournalError;
use crate::volume::record::RecordError;

/// Why a Mount, Unmount or reconciliation did not succeed.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum FenceError {
    /// The metadata store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The array failed.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// This node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The local journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A registration of a node cannot be read.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// Refused on purpose.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such volume.
    #[error("no such volume")]
    NoSuchVolume,
    /// The takeover goes on; a repeated Mount joins it.
    #[error(
        "takeover in progress: node {owner} owns the volume (epoch {epoch}) and was given {delay} s to let go; repeat the request to join"
    )]
    TakeoverInProgress {
        /// Owner.
        owner: String,
        /// Epoch that is to end.
        epoch: u64,
        /// The delay in seconds.
        delay: u64,
    },
    /// Exports are still listed although their removal was accepted.
    #[error(
        "the array still lists exports of the volume ({left}) although their removal was accepted; the volume is not mounted while they are there; repeat the request"
    )]
    NotRevoked {
        /// What is left.
        left: String,
    },
    /// An earlier export request of this node may still take effect, and this kernel would find the LUN by itself.
    #[error(
        "an earlier export of the volume to this node (LUN {lun}) got no answer and may still take effect; this node scans new LUNs by itself, so it must not mount beside that; {seconds} s left, repeat the request to continue"
    )]
    ExportOnItsWay {
        /// LUN number of the request.
        lun: Lun,
        /// Until it is too old to take effect.
        seconds: u64,
    },
    /// The volume was taken by another node meanwhile.
    #[error("{} took the volume over meanwhile (epoch {epoch})", owner.as_ref().map_or_else(|| "another node".to_owned(), |owner| format!("node {owner}")))]
    LostOwnership {
        /// Who owns it now, if anybody.
        owner: Option<NodeId>,
        /// The epoch that is in force now.
        epoch: u64,
    },
    /// The deadline ran out in a step.
    #[error("the operation did not finish within its deadline while {doing}; repeat the request to continue")]
    Deadline {
        /// What was being done.
        doing: &'static str,
    },
    /// Another node changed what this one was about to write.
    #[error("another node changed the metadata while this one was {doing}; repeat the request")]
    ChangedMeanwhile {
        /// What was being done.
        doing: &'static str,
    },
    /// The backend of the volume is not in the configuration.
    #[error("backend '{0}' of the volume is not in hpe.conf of this node")]
    NoBackend(String),
    /// No LUN number could be had.
    #[error("no free LUN number for host {host} on the array after {tried} tries")]
    NoLunNumber {
        /// Host.
        host: String,
        /// How many were tried.
        tried: usize,
    },
}
