//! The fencing protocol: who may export and mount a volume, and how a node loses it.
//!
//! Decisions are pure functions of facts ([`decision`], [`releasing::next_unmount_step`],
//! [`reconcile::next_reconcile_step`]); effects are in one [`Driver`]. Nothing else in this crate touches exports
//! or mounts. The invariants it keeps:
//!
//! * an export is made only after every other export of the volume was read back as gone;
//! * every export request has a LUN number of its own, from a counter of the host that returns to a number only after thousands
//!   of exports; an export with unknown outcome burns it; a node whose kernel finds LUNs by itself does not export beside
//!   such a request of its own;
//! * a node that lost the volume gets no export of it before nothing of it is left on that node;
//! * every write of a record is guarded by the revision that was read;
//! * the record is freed last;
//! * success needs ownership in this epoch, the right WWN read from the device, and a mount seen in this kernel.

mod attaching;
mod claiming;
mod cleaning;
pub mod decision;
mod driver;
mod error;
mod late_exports;
mod local_memory;
mod mounting;
pub mod mutants;
mod peers;
pub mod policy;
pub mod reconcile;
mod references;
mod refusal;
pub mod releasing;
mod revoking;

pub use decision::Me;
pub use driver::{Backend, Driver, DriverParts, IdentityAlarm, Loaded};
pub use error::FenceError;
pub use policy::{ConflictPolicy, Policy};
pub use refusal::Refusal;
