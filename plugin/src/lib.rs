//! Docker volume plugin for HPE 3PAR, Primera and Alletra 9000 arrays.
//!
//! The fencing protocol ([`fencing`]) decides from three facts only: the volume's record in the metadata
//! store ([`store`]), the exports the array lists ([`array`]) and what this node really has mounted
//! ([`node`]). Everything else in this crate feeds it or carries out what it decides.

pub mod array;
pub mod assembly;
pub mod config;
pub mod daemon;
pub mod docker;
pub mod fencing;
pub mod membership;
pub mod node;
pub mod ops;
pub mod store;
pub mod tasks;
pub mod volume;
