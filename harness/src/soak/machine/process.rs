//! The process of one machine: what it is started with, and its life.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;
use tokio::runtime::Handle;

use super::console_server::ConsoleServer;
use crate::cluster::lab::{OnThisRuntime, defects};
use crate::cluster::log_buffer::LogBuffer;
use crate::node::{MachineIdentity, NodeOptions, NodeWorld, SimulatedNode};
use crate::soak::clock::SharedClock;
use crate::soak::fact_log::FactLog;
use crate::soak::san::TcpFabric;

/// After how long without an answer a command to the array counts as lost with its session.
const SAN_PATIENCE: Duration = Duration::from_secs(3);

/// What a machine is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachinePlan {
    /// Host name.
    pub name: String,
    /// Number of this boot; every start of the process is a new one.
    pub boot: u64,
    /// Seed of its latencies.
    pub seed: u64,
    /// The soak's clock.
    pub clock: SharedClock,
    /// Where it reaches the array's data path.
    pub san: SocketAddr,
    /// The plugin's `hpe.conf`.
    pub config: PathBuf,
    /// The plugin's state directory.
    pub state: PathBuf,
    /// The plugin's socket.
    pub socket: PathBuf,
    /// Socket of the console.
    pub console: PathBuf,
    /// File for what it has to tell.
    pub facts: PathBuf,
    /// File for the plugin's log.
    pub log: PathBuf,
    /// Name of a safety defect put into the plugin.
    pub mutant: Option<String>,
}

/// Lives until it is told to shut down, at its console or by `stop`, or until whoever started it is gone.
///
/// # Errors
/// When the plan cannot be read, or a file or socket cannot be made.
pub async fn run(plan: &Path, stop: impl Future<Output = ()>) -> Result<()> {
    let text = std::fs::read_to_string(plan).with_context(|| format!("reading {}", plan.display()))?;
    let plan: MachinePlan = serde_json::from_str(&text).with_context(|| format!("reading {}", plan.display()))?;
    crate::cluster::install_tls_provider();
    let console = Arc::new(set_up(plan.clone())?);
    // A machine that lost power leaves its socket behind.
    let _ = std::fs::remove_file(&plan.console);
    let listener = UnixListener::bind(&plan.console).context("opening the console")?;
    tokio::spawn(Arc::clone(&console).serve(listener));
    console.start_plugin().await?;
    announce()?;
    tokio::select! {
        biased;
        () = console.down.notified() => {}
        () = stop => {}
        () = until_nobody_holds_the_other_end() => {}
    }
    Ok(())
}

fn set_up(plan: MachinePlan) -> Result<ConsoleServer> {
    let fact_log = Arc::new(FactLog::append_to(&plan.facts, plan.clock)?);
    let log = LogBuffer::in_file(&plan.log).with_context(|| format!("opening {}", plan.log.display()))?;
    let mutant = plan.mutant.as_deref().map(Mutant::from_str).transpose().map_err(|error| anyhow!(error))?;
    let world = NodeWorld {
        fabric: Arc::new(TcpFabric::to(plan.san, SAN_PATIENCE, Handle::current())),
        tasks: Arc::new(OnThisRuntime(Handle::current())),
        observer: fact_log.clone(),
        epochs: fact_log.clone(),
    };
    let identity = MachineIdentity { first_boot: plan.boot, ..MachineIdentity::named(&plan.name) };
    let node = SimulatedNode::new(identity, habits(plan.seed), world);
    Ok(ConsoleServer::new(plan, node, fact_log, log, defects(mutant)?))
}

/// What takes long on a real node is cut to what a soak can wait for.
fn habits(seed: u64) -> NodeOptions {
    let ms = Duration::from_millis;
    NodeOptions {
        seed,
        flush_after: Duration::from_secs(3),
        polling_interval: ms(500),
        path_loss_timeout: SAN_PATIENCE,
        no_path_retry: None,
        step_deadline: Duration::from_secs(10),
        slow_writes_percent: 2,
        slow_wire_latency: ms(50)..=ms(1_500),
        ..NodeOptions::default()
    }
}

/// The line whoever started it waits for.
fn announce() -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, r#"{{"event":"ready"}}"#).and_then(|()| out.flush()).context("open that the machine is up")
}

/// Ends when stdin ends: whoever started this process is gone.
pub(crate) async fn until_nobody_holds_the_other_end() {
    let mut stdin = tokio::io::stdin();
    let mut piece = [0; 64];
    while stdin.read(&mut piece).await.is_ok_and(|length| length > 0) {}
}
