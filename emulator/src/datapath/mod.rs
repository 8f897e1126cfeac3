//! The data path: sessions of initiators, SCSI-like commands, the data of volumes and the ledger of writes.
//!
//! The LUN mask *is* the VLUN table: a command reaches the volume that the array resolves for (initiator, port, LUN) at that
//! moment, or ends with LOGICAL UNIT NOT SUPPORTED.

mod block;
mod command;
mod ledger;
mod nexus;
mod sense;
mod task;
#[cfg(test)]
mod tests;

pub use self::block::{BlockStore, PAGE_BYTES, Page, PageSlice, ReadFault};
pub use self::command::{Inquiry, IoError, TRANSFER_MAX};
pub use self::ledger::{FoldedWrites, Ledger, LedgerEntry, LedgerQuery, Verdict, WriteLabel, WriteWay};
pub(crate) use self::nexus::NexusTable;
pub use self::nexus::{Isid, LoginError, Nexus, SessionId};
pub use self::sense::Sense;
pub(crate) use self::task::DataPath;
pub use self::task::TaskId;
