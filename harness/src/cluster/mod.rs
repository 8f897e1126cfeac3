//! The `cluster` tier: real etcd, the emulated array over TCP, and workers that are the production plugin on a
//! simulated node each.

pub mod array_view;
pub mod configuration;
pub mod docker_client;
pub mod etcd;
pub mod lab;
pub mod link;
pub mod log_buffer;
pub mod observed_store;
pub mod overheard;
pub mod panics;
pub mod plugin;
pub mod process;
pub mod storage_network;
pub mod wait;
pub mod witness;
pub mod worker;

/// Chooses the TLS implementation of this process, once. Later calls change nothing.
pub fn install_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
