//! `hpe.conf`: what an administrator wrote, read into settings the rest of the plugin can trust.

mod backend_name;
pub(crate) mod spelling;

pub use backend_name::{BackendName, BackendNameError};
