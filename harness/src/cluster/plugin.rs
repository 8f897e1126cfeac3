//! The production plugin as a worker runs it: its own configuration file, adapters, socket and background work. Only the
//! node is simulated, and an observer is told of commits.

use std::path::PathBuf;
use std::sync::Arc;

use hpe3par_docker_plugin::assembly::{self, Surroundings};
use hpe3par_docker_plugin::config::PluginConfig;
use hpe3par_docker_plugin::daemon::Daemon;
use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::node::Node;
use hpe3par_docker_plugin::tasks::TokioTasks;
use tokio_util::sync::CancellationToken;

use super::observed_store::{ObservedStore, StoreObserver};
use super::process::Ending;

/// What a plugin is started with.
pub struct Start<O> {
    /// Its `hpe.conf`.
    pub config: PathBuf,
    /// Its socket.
    pub socket: PathBuf,
    /// The machine it runs on.
    pub node: Arc<dyn Node>,
    /// Who is told of what it commits and reads.
    pub witness: Arc<O>,
    /// Safety defect put in.
    pub defects: Defects,
}

/// Runs a plugin until it is told to stop.
///
/// # Errors
/// The one line the program would print when it refuses to start.
pub async fn run<O: StoreObserver>(start: Start<O>, stop: CancellationToken) -> Ending {
    let (config, warnings) = PluginConfig::load(&start.config).map_err(|error| error.to_string())?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let store = assembly::open_store(&config).await.map_err(|error| error.to_string())?;
    let store = Arc::new(ObservedStore::new(store, start.witness));
    let around = Surroundings { node: start.node, tasks: Arc::new(TokioTasks), defects: start.defects };
    let assembled = assembly::assemble_on(&config, store, around).await.map_err(|error| error.to_string())?;
    let running = Daemon::start(assembled.daemon_parts(&start.socket)).await.map_err(|error| error.to_string())?;
    stop.cancelled().await;
    running.shutdown().await;
    assembled.shut_down().await;
    Ok(())
}
