//! The machine's side of its console: carries orders out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use hpe3par_docker_plugin::fencing::mutants::Defects;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::application::{Application, Place};
use super::console::{Order, Report, Status};
use super::process::MachinePlan;
use super::sectors::LeftAlone;
use crate::cluster::docker_client::{Dialect, DockerClient};
use crate::cluster::log_buffer::LogBuffer;
use crate::cluster::plugin;
use crate::cluster::process::PluginProcess;
use crate::cluster::wait::wait_for_condition;
use crate::node::SimulatedNode;
use crate::soak::fact_log::FactLog;

/// How long a plugin may take until it answers.
const STARTED: Duration = Duration::from_secs(15);
/// How long a plugin may take to stop in good order.
const STOPPED: Duration = Duration::from_secs(10);

/// Everything of a machine that orders are about.
pub(super) struct ConsoleServer {
    plan: MachinePlan,
    node: SimulatedNode,
    fact_log: Arc<FactLog>,
    log: LogBuffer,
    defects: Defects,
    plugin: Mutex<Option<PluginProcess>>,
    applications: Mutex<BTreeMap<u64, Arc<Application>>>,
    containers: AtomicU64,
    left_alone: LeftAlone,
    /// Signalled when the machine is to end.
    pub(super) down: Notify,
}

impl ConsoleServer {
    pub(super) fn new(
        plan: MachinePlan,
        node: SimulatedNode,
        fact_log: Arc<FactLog>,
        log: LogBuffer,
        defects: Defects,
    ) -> Self {
        Self {
            plan,
            node,
            fact_log,
            log,
            defects,
            plugin: Mutex::default(),
            applications: Mutex::default(),
            containers: AtomicU64::new(0),
            left_alone: LeftAlone::default(),
            down: Notify::new(),
        }
    }

    /// Takes orders until the machine ends.
    pub(super) async fn serve(self: Arc<Self>, listener: UnixListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let console = Arc::clone(&self);
            tokio::spawn(async move {
                // Whoever hangs up does not want the answer.
                let _ = console.answer(stream).await;
            });
        }
    }

    async fn answer(&self, stream: UnixStream) -> Result<()> {
        let (from, mut to) = stream.into_split();
        let mut line = String::new();
        BufReader::new(from).read_line(&mut line).await?;
        let order: Order = serde_json::from_str(&line)?;
        let last = order == Order::ShutDown;
        let report = self.carry_out(order).await.unwrap_or_else(|error| Report::Failed(format!("{error:#}")));
        to.write_all(format!("{}\n", serde_json::to_string(&report)?).as_bytes()).await?;
        if last {
            self.down.notify_one();
        }
        Ok(())
    }

    async fn carry_out(&self, order: Order) -> Result<Report> {
        match order {
            Order::Status => return Ok(Report::Status(self.status().await)),
            Order::RunContainer { dir } => {
                let number = self.containers.fetch_add(1, Ordering::SeqCst) + 1;
                let (facts, name, boot) = (Arc::clone(&self.fact_log), self.plan.name.clone(), self.plan.boot);
                let place = Place { facts, left_alone: Arc::clone(&self.left_alone), name, boot, number };
                let application = Application::start(&self.node, &dir, place).await?;
                self.applications.lock().await.insert(number, Arc::new(application));
                return Ok(Report::Container(number));
            }
            Order::StopContainer { container } => {
                // A container of an earlier boot is gone already.
                let known = self.applications.lock().await.remove(&container);
                if let Some(application) = known {
                    application.stop(&self.node).await;
                }
            }
            Order::Application { container } => {
                let known = self.applications.lock().await.get(&container).cloned();
                let application = known.ok_or_else(|| anyhow!("there is no container {container}"))?;
                return Ok(Report::Application(application.report()));
            }
            Order::StartPlugin => self.start_plugin().await?,
            Order::KillPlugin => {
                if let Some(plugin) = self.plugin.lock().await.take() {
                    plugin.kill().await;
                }
            }
            Order::FreezePlugin => {
                if let Some(plugin) = &*self.plugin.lock().await {
                    plugin.freeze().await;
                }
            }
            Order::ThawPlugin => {
                if let Some(plugin) = &*self.plugin.lock().await {
                    plugin.thaw();
                }
            }
            Order::SlowWrites { percent } => self.node.set_slow_writes(percent),
            Order::ShutDown => self.stop_plugin().await?,
        }
        Ok(Report::Done)
    }

    pub(super) async fn start_plugin(&self) -> Result<()> {
        let mut place = self.plugin.lock().await;
        if place.as_ref().is_some_and(PluginProcess::is_running) {
            return Ok(());
        }
        let start = plugin::Start {
            config: self.plan.config.clone(),
            socket: self.plan.socket.clone(),
            node: Arc::new(self.node.clone()),
            witness: Arc::clone(&self.fact_log),
            defects: self.defects,
        };
        let program = move |stop: CancellationToken| plugin::run(start, stop);
        let mut process = PluginProcess::start(&self.plan.name, &self.log, program)?;
        let answers = self.until_it_answers(&mut process).await;
        *place = Some(process);
        answers
    }

    async fn until_it_answers(&self, process: &mut PluginProcess) -> Result<()> {
        let client = DockerClient::new(&self.plan.socket, Dialect::Dockerd)?.with_patience(Duration::from_secs(1));
        let answers = wait_for_condition("the plugin to answer", STARTED, || async {
            client.scope().await.map_err(|error| error.to_string())
        });
        tokio::select! {
            biased;
            ended = process.ending(STARTED * 2) => match ended {
                Some(Err(said)) => bail!("the plugin did not start: {said}"),
                other => bail!("the plugin ended at once: {other:?}"),
            },
            answered = answers => Ok(answered.map(drop)?),
        }
    }

    async fn stop_plugin(&self) -> Result<()> {
        let Some(mut plugin) = self.plugin.lock().await.take() else { return Ok(()) };
        plugin.thaw();
        plugin.terminate();
        match plugin.ending(STOPPED).await {
            Some(Ok(())) => Ok(()),
            Some(Err(said)) => bail!("the plugin ended with: {said}"),
            None => bail!("the plugin did not stop within {STOPPED:?}"),
        }
    }

    async fn status(&self) -> Status {
        let left = self.node.leftovers();
        Status {
            plugin: self.plugin.lock().await.as_ref().is_some_and(PluginProcess::is_running),
            leftovers: if left.is_empty() { String::new() } else { format!("{left:?}") },
            journal: self.journal().unwrap_or_else(|error| vec![format!("unreadable: {error}")]),
        }
    }

    /// Files of the journal, without opening it: the plugin may be writing there.
    fn journal(&self) -> std::io::Result<Vec<String>> {
        let directory = self.plan.state.join("volumes");
        if !directory.exists() {
            return Ok(Vec::new());
        }
        std::fs::read_dir(directory)?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect()
    }
}
