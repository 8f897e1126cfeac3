//! The load: orchestrators that keep a container on every volume and move it about, engines that speak to the plugins as
//! dockerd and kubelet do, and somebody who looks.

mod engines;
mod orchestrator;
mod prober;
mod running_container;

pub use engines::{Engines, Mounted, Site, Volume};
pub use orchestrator::Orchestrator;
pub use prober::{probe, reap};
