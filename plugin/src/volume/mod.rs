//! What a volume is to the plugin: its names, its options and its record.

mod creation;
pub mod help;
pub mod mount;
pub mod names;
pub mod options;
pub mod record;
mod removal;
pub mod service;
pub mod view;
