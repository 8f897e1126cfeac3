//! The nemesis: what goes wrong during a soak, drawn from a seed before it begins.

mod doing;
mod fault;
mod log;
mod plan;

pub use doing::Nemesis;
pub use fault::{Fault, How, Trouble, Victim};
pub use log::{FaultLog, Interval};
pub use plan::{Planned, plan};
