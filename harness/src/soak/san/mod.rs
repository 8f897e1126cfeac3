//! The storage network of a soak: initiators in processes of their own reach the array's data path over TCP.
//!
//! One connection is one session (I_T nexus): it begins with a login, and when it breaks the session is lost and its
//! writes in flight are aborted. Commands of a connection take effect in the order they were sent in. Each message is one line
//! of JSON. It is no iSCSI; it is what an iSCSI session means for fencing.

mod fabric;
mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use fabric::TcpFabric;
pub use server::SanServer;
