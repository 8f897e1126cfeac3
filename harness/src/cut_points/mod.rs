//! Cut points: every call that an operation makes to the world outside is cut, in every way, and everything has to heal.
//!
//! The calls are not listed by hand. An undisturbed run of an [`Operation`] is recorded; then the run is repeated once
//! for every recorded [`Call`] and every [`Fault`]. After the fault is over a volume has to be mountable on another
//! node and on the same one, with every acknowledged record in it, within [`HEALED_WITHIN`], and nothing may be left
//! behind. The invariants of [`crate::checks`] are judged all the way.

mod cell;
mod cutter;
mod fault;
mod healing;
mod operation;
mod pairs;
mod site;
mod sweep;
mod table;

#[cfg(test)]
mod tests;

pub use crate::simulation::{Call, Origin, Port};
pub use cell::{Cell, Outcome, Strike, Wait, replay};
pub use fault::Fault;
pub use healing::HEALED_WITHIN;
pub use operation::Operation;
pub use pairs::{Pairs, PairsWanted, sweep_pairs};
pub use sweep::{Options, Row, Sweep, Verdict, sweep};
pub use table::failures;
