//! The messages of the storage network.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hpe3par_docker_plugin::array::{Lun, PortPosition, Wwn};
use serde::{Deserialize, Serialize};

use crate::node::{FabricError, Life};

/// Longest message, in bytes: a write or read of a few hundred blocks.
pub(super) const LONGEST: usize = 1 << 20;

/// A command with the number its answer carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) tag: u64,
    pub(super) command: Command,
}

/// What an initiator asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Command {
    /// Has to be the first and comes once.
    Login { initiator: String, port: PortPosition },
    /// REPORT LUNS.
    ReportLuns,
    /// VPD page 0x83.
    Identity { lun: Lun },
    /// READ CAPACITY.
    Capacity { lun: Lun },
    /// READ.
    Read { lun: Lun, block: u64, count: u64 },
    /// WRITE; the label is for the ledger only.
    Write { lun: Lun, block: u64, data: Data, meant_for: Wwn, life: Life },
    /// ABORT TASK SET.
    AbortTasks { lun: Lun },
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) tag: u64,
    pub(super) result: Result<Reply, FabricError>,
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    Done,
    Luns(Vec<Lun>),
    Identity(Wwn),
    Blocks(u64),
    Data(Data),
}

/// Bytes, in base64 on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Data(pub(super) Vec<u8>);

impl TryFrom<String> for Data {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Data> for String {
    fn from(data: Data) -> Self {
        STANDARD.encode(data.0)
    }
}
