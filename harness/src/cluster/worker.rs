//! A worker node: the production plugin on a simulated machine, with links of its own to etcd and to the array.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::node::NodeId;
use tokio_util::sync::CancellationToken;

use super::configuration::Configuration;
use super::docker_client::{Dialect, DockerClient};
use super::link::{Condition, Link};
use super::log_buffer::LogBuffer;
use super::overheard::Listener;
use super::plugin;
use super::process::{Ending, PluginProcess};
use super::storage_network::StorageNetwork;
use super::wait::wait_for_condition;
use super::witness::Witness;
use crate::node::SimulatedNode;

/// How long a plugin may take until it answers.
const STARTED: Duration = Duration::from_secs(15);
const FROZEN: &str = "plugin frozen";
const KILLED: &str = "plugin killed";

/// What a worker can be cut off from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The metadata store.
    Etcd,
    /// The array's REST interface.
    Wsapi,
    /// The array's command line.
    Ssh,
}

/// The links of one worker.
#[derive(Debug)]
pub struct Links {
    etcd: Link,
    wsapi: Link,
    ssh: Link,
}

impl Links {
    /// Links to these servers.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn to(etcd: SocketAddr, wsapi: SocketAddr, ssh: SocketAddr) -> Result<Self> {
        Ok(Self { etcd: Link::to(etcd).await?, wsapi: Link::to(wsapi).await?, ssh: Link::to(ssh).await? })
    }

    /// The link to one of them.
    #[must_use]
    pub fn of(&self, network: Network) -> &Link {
        match network {
            Network::Etcd => &self.etcd,
            Network::Wsapi => &self.wsapi,
            Network::Ssh => &self.ssh,
        }
    }
}

/// A worker node.
pub struct Worker {
    name: String,
    /// Files its plugin reads at the next start.
    pub configuration: Configuration,
    node: SimulatedNode,
    links: Links,
    storage: Arc<StorageNetwork>,
    log: LogBuffer,
    witness: Arc<Witness>,
    defects: Defects,
    process: Option<PluginProcess>,
}

impl Worker {
    /// A machine that is switched on; its plugin does not run yet.
    #[must_use]
    pub fn new(
        configuration: Configuration,
        node: SimulatedNode,
        links: Links,
        storage: Arc<StorageNetwork>,
        witness: Arc<Witness>,
        defects: Defects,
    ) -> Self {
        let name = node.hostname().to_owned();
        Self { name, configuration, node, links, storage, log: LogBuffer::default(), witness, defects, process: None }
    }

    /// Its name, which is also its host name and its host on the array.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its node id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        NodeId::new(&self.configuration.node_id)
    }

    /// The machine.
    #[must_use]
    pub fn node(&self) -> &SimulatedNode {
        &self.node
    }

    /// What its machine reaches the array's volumes over.
    #[must_use]
    pub fn storage(&self) -> &StorageNetwork {
        &self.storage
    }

    /// Everything its plugin logged.
    #[must_use]
    pub fn log(&self) -> &LogBuffer {
        &self.log
    }

    /// The plugin's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.configuration.socket()
    }

    /// A caller of its plugin.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn client(&self, dialect: Dialect) -> Result<DockerClient> {
        let listener = Listener::new(Arc::clone(&self.witness), &self.name);
        Ok(DockerClient::new(&self.socket(), dialect)?.overheard_by(listener))
    }

    /// Changes what a link does.
    pub fn set_link(&self, network: Network, condition: Condition) {
        self.links.of(network).set(condition);
        for trouble in [Condition::Cut, Condition::BlackHole, Condition::Slow(Duration::ZERO)] {
            self.witness.fault_ended(&self.name, &trouble_with(network, trouble));
        }
        match condition {
            Condition::Up => {}
            Condition::LoseAnswer => self.witness.fault(&self.name, &trouble_with(network, condition), Duration::ZERO),
            lasting => self.witness.fault_began(&self.name, &trouble_with(network, lasting)),
        }
    }

    /// Starts the plugin and waits until it answers.
    ///
    /// # Errors
    /// When it runs already, ends, or does not answer in time; the error holds the end of its log.
    pub async fn start(&mut self) -> Result<()> {
        self.launch()?;
        let client = self.client(Dialect::Dockerd)?;
        let process = self.process.as_mut().context("the plugin was just started")?;
        let answers = || async {
            if process.is_running() {
                client.scope().await.map(drop).map_err(|error| error.to_string())
            } else {
                Ok(())
            }
        };
        let answered = wait_for_condition("the plugin to answer", STARTED, answers).await;
        if let (true, Ok(())) = (process.is_running(), &answered) {
            return Ok(());
        }
        let why = match (process.ending(Duration::ZERO).await, answered) {
            (Some(Err(said)), _) => said,
            (Some(Ok(())), _) => "it ended without a word".to_owned(),
            (None, Err(late)) => late.to_string(),
            (None, Ok(())) => "it was killed".to_owned(),
        };
        let log = self.log.tail(10);
        let log = if log.is_empty() { log } else { format!("; its log ends with:\n{log}") };
        bail!("the plugin on {} did not start: {why}{log}", self.name)
    }

    /// Starts the plugin without waiting for anything.
    ///
    /// # Errors
    /// When it runs already or its files cannot be written.
    pub fn launch(&mut self) -> Result<()> {
        if self.is_running() {
            bail!("the plugin on {} runs already", self.name);
        }
        self.configuration.write()?;
        let start = plugin::Start {
            config: self.configuration.path(),
            socket: self.configuration.socket(),
            node: Arc::new(self.node.clone()),
            witness: Arc::clone(&self.witness),
            defects: self.defects,
        };
        let program = move |stop: CancellationToken| plugin::run(start, stop);
        self.process = Some(PluginProcess::start(&self.name, &self.log, program)?);
        self.witness.fault_ended(&self.name, KILLED);
        Ok(())
    }

    /// The plugin runs, perhaps frozen.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(PluginProcess::is_running)
    }

    /// Kills the plugin; the machine goes on.
    pub async fn kill_plugin(&mut self) {
        if let Some(process) = self.process.take() {
            self.witness.fault_ended(&self.name, FROZEN);
            self.witness.fault_began(&self.name, KILLED);
            process.kill().await;
        }
    }

    /// Asks the plugin to stop in good order.
    pub fn terminate_plugin(&self) {
        if let Some(process) = &self.process {
            process.terminate();
        }
    }

    /// How the plugin ended by itself; `None` when it still runs after `within` or was never started.
    pub async fn plugin_ending(&mut self, within: Duration) -> Option<Ending> {
        self.process.as_mut()?.ending(within).await
    }

    /// Freezes the plugin; kernel and containers go on.
    pub async fn freeze_plugin(&self) {
        if let Some(process) = &self.process {
            self.witness.fault_began(&self.name, FROZEN);
            process.freeze().await;
        }
    }

    /// Lets the plugin go on.
    pub fn thaw_plugin(&self) {
        if let Some(process) = &self.process {
            self.witness.fault_ended(&self.name, FROZEN);
            process.thaw();
        }
    }

    /// Cuts the power: plugin, kernel and containers are gone.
    pub async fn power_off(&mut self) {
        self.kill_plugin().await;
        self.node.power_off();
    }

    /// Switches the machine on and starts the plugin.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn boot(&mut self) -> Result<()> {
        self.node.power_on();
        self.start().await
    }
}

/// A link in trouble, in words.
fn trouble_with(network: Network, condition: Condition) -> String {
    let to = match network {
        Network::Etcd => "etcd",
        Network::Wsapi => "the REST interface",
        Network::Ssh => "the command line",
    };
    match condition {
        Condition::Up => format!("link to {to} up"),
        Condition::Cut => format!("link to {to} cut"),
        Condition::BlackHole => format!("link to {to} swallows everything"),
        Condition::Slow(_) => format!("link to {to} slow"),
        Condition::LoseAnswer => format!("link to {to} loses an answer"),
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).field("running", &self.is_running()).finish_non_exhaustive()
    }
}
