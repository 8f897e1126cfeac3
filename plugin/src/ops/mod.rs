//! What people who run the plugin need: logs and a look inside.

pub mod health;
pub mod logging;
