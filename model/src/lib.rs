//! An exhaustive model of the fencing protocol.
//!
//! The production code decides by pure functions and takes one step at a time; this crate states the same steps
//! over a world small enough to visit all of it: a volume and a neighbour at the same LUN numbers, two or three nodes, an
//! array whose requests may take effect late, kernels that keep a cache and bring a map alive by WWN, crashes at every
//! step. [`checker::explore`] visits every state within the bound and tests the [`properties`]; each guard of the
//! protocol can be taken away ([`settings::Guard`]), and then a [`story`] tells the shortest way to the damage.
//!
//! What is modelled, what is not, and the results are in `docs/model.md`.

pub mod bounds;
pub mod checker;
pub mod event;
pub mod properties;
pub mod recovery;
pub mod settings;
pub mod state;
pub mod steps;
pub mod story;
