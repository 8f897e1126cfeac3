//! How soon: every liveness bound of the fencing protocol, measured as a distribution.
//!
//! A bound in protocol time (delays, leases, deadlines) is measured in the simulation's virtual time, over many seeds; one about real
//! latency on real processes: three etcd members, the array and the workers, each a process of its own.

mod bound;
mod calm;
mod cleaning;
mod crashes;
mod deadlines;
mod fight;
mod processes;
mod rack;
mod table;
mod takeover;
mod virtual_time;

pub use bound::{Bound, Goal, Measured, Row, Tier};
pub use processes::{ProcessPlan, measure_processes};
pub use rack::{RackLoss, RackPlan, lose_a_rack};
pub use table::{json, markdown, table};
pub use virtual_time::{VirtualPlan, measure_virtual};
