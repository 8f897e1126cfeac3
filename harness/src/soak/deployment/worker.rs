//! A worker's process, its links, and what befalls it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::Mutex;

use super::addresses::{Part, address_of};
use super::child::{Child, How};
use super::wall_clock::WallClock;
use crate::checks::FactKind;
use crate::cluster::configuration::{Addresses, ArrayIdentity, Configuration};
use crate::cluster::docker_client::{Dialect, DockerClient};
use crate::cluster::link::{Condition, Link};
use crate::node::NodeEvent;
use crate::soak::array_process::ArrayReady;
use crate::soak::clock::SharedClock;
use crate::soak::fact_log::FactLog;
use crate::soak::machine::{Console, MachinePlan, Order};

/// How long a machine may take for an order of its console.
pub const ORDER: Duration = Duration::from_secs(20);

/// What a worker can be cut off from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// All members of etcd.
    Etcd,
    /// The array's REST interface.
    Wsapi,
    /// The array's command line.
    Ssh,
    /// The array's data path.
    San,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Etcd, Self::Wsapi, Self::Ssh, Self::San];
    /// The management network: everything but the data path.
    pub const MANAGEMENT: [Self; 3] = [Self::Etcd, Self::Wsapi, Self::Ssh];
}

#[derive(Debug)]
struct Links {
    etcd: Vec<Link>,
    wsapi: Link,
    ssh: Link,
    san: Link,
}

/// What all workers of a soak have in common.
#[derive(Debug)]
pub struct Site<'a> {
    /// The soak's clock.
    pub clock: SharedClock,
    /// Client addresses of etcd.
    pub etcd: Vec<SocketAddr>,
    /// The array.
    pub array: &'a ArrayReady,
    /// Lines for `hpe.conf`.
    pub settings: &'a [(String, String)],
    /// Seed.
    pub seed: u64,
    /// Name of a safety defect.
    pub mutant: Option<String>,
    /// An older build of this program.
    pub older: Option<PathBuf>,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    name: String,
    configuration: Configuration,
    links: Links,
    console: Console,
    dockerd: DockerClient,
    dory: DockerClient,
    plan: MachinePlan,
    plan_file: PathBuf,
    machine: Mutex<Machine>,
    wall_clock: Option<WallClock>,
    /// What it runs in every second boot.
    older: Option<PathBuf>,
    boots: AtomicU64,
    /// It is off or stands still.
    away: AtomicBool,
}

#[derive(Debug, Default)]
struct Machine {
    child: Option<Child>,
}

impl Worker {
    /// A worker that is off, with its files in a directory below `directory`.
    ///
    /// # Errors
    /// When a file or link cannot be made.
    pub async fn new(directory: &Path, number: usize, site: &Site<'_>) -> Result<Self> {
        let name = format!("worker{}", number + 1);
        let directory = directory.join(&name);
        std::fs::create_dir_all(&directory).context("making a directory for a worker")?;
        let links = Links::open(number, site).await?;
        let first = links.etcd.first().context("there is no etcd")?.address();
        let addresses = Addresses { etcd: first, wsapi: links.wsapi.address(), ssh: links.ssh.address() };
        let identity =
            ArrayIdentity { ca_pem: site.array.ca_pem.clone(), ssh_host_key: site.array.ssh_host_key.clone() };
        let mut configuration = Configuration::new(&directory, addresses, identity, &format!("node-of-{name}"));
        let members: Vec<String> = links.etcd.iter().map(|link| link.address().to_string()).collect();
        configuration.set("host_etcd_ip_address", &members.join(","));
        site.settings.iter().for_each(|(key, value)| configuration.set(key, value));
        configuration.write()?;
        let plan = MachinePlan {
            name: name.clone(),
            boot: 0,
            seed: site.seed.wrapping_add(number as u64),
            clock: site.clock,
            san: links.san.address(),
            config: configuration.path(),
            state: directory.join("state"),
            socket: configuration.socket(),
            console: directory.join("console.sock"),
            facts: directory.join("facts"),
            log: directory.join("plugin.log"),
            mutant: site.mutant.clone(),
        };
        Ok(Self {
            console: Console::at(&plan.console),
            dockerd: DockerClient::new(&plan.socket, Dialect::Dockerd)?,
            dory: DockerClient::new(&plan.socket, Dialect::Dory)?,
            plan_file: directory.join("machine.plan"),
            name,
            configuration,
            links,
            plan,
            machine: Mutex::default(),
            // The first worker's memory is watched: nothing is put between its plugin and the system.
            wall_clock: if number == 0 { None } else { WallClock::of(&directory)? },
            older: site.older.clone().filter(|_| number % 2 == 1),
            boots: AtomicU64::new(0),
            away: AtomicBool::new(true),
        })
    }

    /// Host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it was switched on.
    #[must_use]
    pub fn boot_number(&self) -> u64 {
        self.boots.load(Ordering::SeqCst)
    }

    /// It is off or stands still, as far as an orchestrator can see.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }

    /// Its console.
    #[must_use]
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// A caller of its plugin.
    #[must_use]
    pub fn client(&self, dialect: Dialect) -> &DockerClient {
        match dialect {
            Dialect::Dockerd => &self.dockerd,
            Dialect::Dory => &self.dory,
        }
    }

    /// File with what it told.
    #[must_use]
    pub fn facts(&self) -> &Path {
        &self.plan.facts
    }

    /// File with the plugin's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.plan.log
    }

    /// Directory with all its files.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.configuration.path().parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// Number of its process; `None` while it is off.
    pub async fn pid(&self) -> Option<u32> {
        self.machine.lock().await.child.as_ref().map(Child::pid)
    }

    /// Switches it on and waits until its plugin answers. A machine that is on stays as it is.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn switch_on(&self, fact_log: &Arc<FactLog>) -> Result<()> {
        let mut machine = self.machine.lock().await;
        if machine.child.is_some() {
            return Ok(());
        }
        let boot = self.boots.fetch_add(1, Ordering::SeqCst) + 1;
        let plan = MachinePlan { boot, ..self.plan.clone() };
        std::fs::write(&self.plan_file, serde_json::to_string(&plan)?).context("writing a machine's plan")?;
        let event = NodeEvent::Booted { boot: format!("boot {boot}") };
        fact_log.log(FactKind::Node { node: self.name.clone(), event });
        let stderr = self.directory().join("stderr");
        let how = How {
            program: self.older.as_deref().filter(|_| boot % 2 == 1),
            environment: self.wall_clock.as_ref().map(WallClock::environment).unwrap_or_default(),
        };
        let (child, _) = Child::part(&self.name, "machine", &self.plan_file, &stderr, &how).await?;
        machine.child = Some(child);
        self.away.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Cuts its power: the process is killed, and with it kernel, plugin and applications.
    pub async fn cut_power(&self, fact_log: &Arc<FactLog>) {
        let mut machine = self.machine.lock().await;
        if let Some(mut child) = machine.child.take() {
            self.away.store(true, Ordering::SeqCst);
            child.kill();
            fact_log.log(FactKind::Node { node: self.name.clone(), event: NodeEvent::PoweredOff });
        }
    }

    /// Stops the machine where it stands, or lets it go on. One that is off stays off.
    pub async fn freeze(&self, frozen: bool, fact_log: &Arc<FactLog>) {
        let machine = self.machine.lock().await;
        let Some(child) = &machine.child else { return };
        let done = if frozen { child.freeze() } else { child.thaw() };
        if done.is_ok() {
            self.away.store(frozen, Ordering::SeqCst);
            let event = if frozen { NodeEvent::Frozen } else { NodeEvent::Thawed };
            fact_log.log(FactKind::Node { node: self.name.clone(), event });
        }
    }

    /// Kills the plugin; the machine goes on.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub async fn kill_plugin(&self) -> Result<()> {
        let machine = self.machine.lock().await;
        if machine.child.is_some() {
            self.console.order(&Order::KillPlugin, ORDER).await?;
        }
        Ok(())
    }

    /// Starts the plugin and waits until it answers. A machine that is off stays off.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start_plugin(&self) -> Result<()> {
        let machine = self.machine.lock().await;
        if machine.child.is_some() {
            self.console.order(&Order::StartPlugin, ORDER).await?;
        }
        Ok(())
    }

    /// Freezes the plugin, or lets it go on; the kernel goes on.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub async fn freeze_plugin(&self, frozen: bool) -> Result<()> {
        let machine = self.machine.lock().await;
        if machine.child.is_some() {
            let order = if frozen { Order::FreezePlugin } else { Order::ThawPlugin };
            self.console.order(&order, ORDER).await?;
        }
        Ok(())
    }

    /// Changes what the links to a network do.
    pub fn set_links(&self, network: Network, condition: Condition) {
        let links = &self.links;
        match network {
            Network::Etcd => links.etcd.iter().for_each(|link| link.set(condition)),
            Network::Wsapi => links.wsapi.set(condition),
            Network::Ssh => links.ssh.set(condition),
            Network::San => links.san.set(condition),
        }
    }

    /// Changes what the link to one member of etcd does.
    pub fn set_link_to_member(&self, member: usize, condition: Condition) {
        if let Some(link) = self.links.etcd.get(member) {
            link.set(condition);
        }
    }

    /// Sets its wall clock so much ahead, or behind. Tells whether that is possible here.
    ///
    /// # Errors
    /// When it cannot be set.
    pub fn set_wall_clock(&self, seconds: i64) -> Result<bool> {
        self.wall_clock.as_ref().map_or(Ok(false), |clock| clock.set(seconds).map(|()| true))
    }

    /// Opens all links, sets the clock right, and brings machine and plugin back.
    ///
    /// # Errors
    /// When they do not come back.
    pub async fn heal(&self, fact_log: &Arc<FactLog>) -> Result<()> {
        self.set_wall_clock(0)?;
        Network::ALL.iter().for_each(|network| self.set_links(*network, Condition::Up));
        self.freeze(false, fact_log).await;
        self.switch_on(fact_log).await?;
        self.freeze_plugin(false).await?;
        self.start_plugin().await
    }

    /// Ends plugin and machine in good order; says what went wrong with that.
    pub async fn shut_down(&self, within: Duration) -> Result<()> {
        let mut machine = self.machine.lock().await;
        let Some(mut child) = machine.child.take() else { return Ok(()) };
        self.console.order(&Order::ShutDown, within).await?;
        anyhow::ensure!(child.ended(within).await, "the process of {} did not end within {within:?}", self.name);
        Ok(())
    }
}

impl Links {
    /// Links to etcd and to the data path are at the worker's own address; those to the array's management at the array's,
    /// which its certificate names.
    async fn open(number: usize, site: &Site<'_>) -> Result<Self> {
        let own: Ipv4Addr = address_of(Part::Worker(number));
        let of_array = address_of(Part::Array);
        let mut etcd = Vec::new();
        for member in &site.etcd {
            etcd.push(Link::at(own, *member).await?);
        }
        Ok(Self {
            etcd,
            wsapi: Link::at(of_array, site.array.wsapi).await?,
            ssh: Link::at(of_array, site.array.ssh).await?,
            san: Link::at(own, site.array.san).await?,
        })
    }
}
