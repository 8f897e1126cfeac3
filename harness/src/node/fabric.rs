//! The storage network as one initiator sees it: sessions, SCSI inquiries, reads and writes.
//!
//! The simulated node does its I/O through this port only, so the same node runs against the array's state in
//! the same process and against an array reached over a network.

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, TargetPort, Wwn};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bytes of one block.
pub const BLOCK: usize = 512;

/// Handle of a login: the session of one initiator with one port (an I_T nexus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nexus(pub u64);

/// Who issued a write, for the observer only: nothing on the wire carries it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Life {
    /// Node.
    pub node: String,
    /// Boot of the node, counted from 1.
    pub boot: u64,
    /// Mount of the filesystem within the boot, counted from 1. Writes of one mounted filesystem are one life.
    pub mount: u64,
    /// Epoch the node's plugin acted in when it mounted; 0 when nobody told.
    pub epoch: u64,
}

/// What an I/O on one path ended in.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum FabricError {
    /// The port does not answer: link down, cable cut, controller away.
    #[error("no answer from the port")]
    NoPath,
    /// The login was refused.
    #[error("login refused: {0}")]
    LoginRefused(String),
    /// The session is gone; its tasks were aborted.
    #[error("the session is gone")]
    NexusLost,
    /// ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED: nothing is exported under this number.
    #[error("logical unit not supported")]
    NoLun,
    /// The command reached the array and was refused or aborted.
    #[error("{0}")]
    Refused(String),
}

/// A write of whole blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockWrite {
    /// First block.
    pub block: u64,
    /// Data, a multiple of [`BLOCK`] bytes.
    pub data: Vec<u8>,
    /// Volume the writer believes it writes to.
    pub meant_for: Wwn,
    /// Who writes.
    pub life: Life,
}

/// The storage network. A call is one command on one path; retries and path choice belong to the node.
#[async_trait]
pub trait Fabric: Send + Sync {
    /// Logs in. An older session of this initiator at this port is replaced and its tasks are aborted (RFC 7143 s. 6.3.5).
    async fn login(&self, initiator: &str, port: &TargetPort) -> Result<Nexus, FabricError>;
    /// Ends a session; its tasks are aborted. An ended session is no error.
    async fn logout(&self, nexus: Nexus) -> Result<(), FabricError>;
    /// LUN numbers the session sees (REPORT LUNS).
    async fn report_luns(&self, nexus: Nexus) -> Result<Vec<Lun>, FabricError>;
    /// WWN in a fresh VPD page 0x83.
    async fn identity(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError>;
    /// Number of blocks (READ CAPACITY).
    async fn capacity(&self, nexus: Nexus, lun: Lun) -> Result<u64, FabricError>;
    /// Reads blocks.
    async fn read(&self, nexus: Nexus, lun: Lun, block: u64, count: u64) -> Result<Vec<u8>, FabricError>;
    /// Writes blocks; they are on the medium when it returns.
    async fn write(&self, nexus: Nexus, lun: Lun, write: BlockWrite) -> Result<(), FabricError>;
    /// Aborts the tasks of this session at this LUN, as the deletion of a device does.
    async fn abort_tasks(&self, nexus: Nexus, lun: Lun) -> Result<(), FabricError>;
}
