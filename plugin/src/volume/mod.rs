//! What a volume is to the plugin: its names, its options and its record.

pub mod help;
pub mod names;
pub mod options;
pub mod record;
