//! Seeded simulation: the production fencing code of three nodes, thousands of schedules, every one repeatable.
//!
//! One thread, virtual time. A seed draws the faults, the delays and what the clients do ([`Swarm`]); the checkers of
//! [`crate::checks`] look at everything as it happens; at the end all faults are healed and progress is demanded.
//! The same seed gives the same time line, line by line.

mod array;
mod by_hand;
mod calls;
mod chronicle;
mod clients;
mod closing;
mod committed_record;
mod coverage;
mod decisions;
mod journal;
mod minimise;
mod nemesis;
mod network;
mod report;
mod run;
mod script;
mod sessions;
mod store;
mod store_words;
mod swarm;
mod volumes;
mod watched_fabric;
mod worker;
mod world;

#[cfg(test)]
mod tests;

pub(crate) use array::ARRAY_DEADLINE;
pub use calls::{Call, Origin, Port};
pub(crate) use calls::{Calls, Interceptor, Trouble};
pub use chronicle::record_fact;
pub(crate) use clients::{Clients, mount_id};
pub(crate) use closing::remains_of;
pub use coverage::{Coverage, Topic};
pub use minimise::{Minimised, minimise};
pub(crate) use network::{NodeNumber, Service};
pub use report::{BrokenSeed, Report};
pub use run::{Options, Trace, simulate, simulate_one};
pub use script::{Act, CrashPoint, Deed, Script, Strike};
pub(crate) use sessions::Sessions;
pub use sessions::{SessionCounts, SessionLimits};
pub(crate) use store::{STORE_DEADLINE, WATCH_LOST};
pub use swarm::{FaultKind, NODES, RequestOdds, Swarm};
pub(crate) use volumes::{BYSTANDER, SimulatedVolume};
pub(crate) use world::World;
pub use world::WorldError;
