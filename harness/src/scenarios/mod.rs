//! The acceptance scenarios: what the words of the feature files do, and how a run of them is reported.

pub mod catalogue;
pub mod holder;
pub mod pages;
pub mod report;
pub mod run;
pub mod stage;
mod steps;
