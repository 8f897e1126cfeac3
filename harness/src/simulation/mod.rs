//! Seeded simulation: the production fencing code of three nodes, thousands of schedules, every one repeatable.
//!
//! One thread, virtual time. A seed draws the faults, the delays and what the clients do ([`Swarm`]); the checkers of
//! [`crate::checks`] look at everything as it happens; at the end all faults are healed and progress is demanded.
//! The same seed gives the same time line, line by line.

mod array;
mod by_hand;
mod chronicle;
mod clients;
mod closing;
mod coverage;
mod decisions;
mod glance;
mod minimise;
mod nemesis;
mod network;
mod report;
mod run;
mod script;
mod store;
mod swarm;
mod volumes;
mod watched_fabric;
mod worker;
mod world;

#[cfg(test)]
mod tests;

pub use chronicle::record_fact;
pub use coverage::{Coverage, Topic};
pub use minimise::{Minimised, minimise};
pub use report::{BrokenSeed, Report};
pub use run::{Options, Trace, simulate, simulate_one};
pub use script::{Act, CrashPoint, Deed, Script, Strike};
pub use swarm::{FaultKind, NODES, RequestOdds, Swarm};
pub use world::WorldError;
