//! The lab of the 3PAR volume plugin: simulated nodes, seeded simulation, invariant checkers, scenarios.

pub mod bench;
pub mod checks;
pub mod cluster;
pub mod cut_points;
pub mod demo;
pub mod liveness;
pub mod node;
pub mod report;
pub mod scenarios;
pub mod simulation;
pub mod soak;
