//! What people who run the plugin need: logs and a look inside.

pub mod check_config;
pub mod check_node;
pub mod health;
pub mod lock_file;
pub mod logging;
