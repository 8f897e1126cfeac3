//! A worker node of the simulation: a machine and the production plugin on it, which may die and start again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hpe3par_docker_plugin::array::CpgName;
use hpe3par_docker_plugin::docker::driver::VolumeDriver as _;
use hpe3par_docker_plugin::docker::operations::{Answer, Operation, Operations};
use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::fencing::{Backend, Driver, DriverParts, Me, Policy};
use hpe3par_docker_plugin::membership;
use hpe3par_docker_plugin::node::registration::Registration;
use hpe3par_docker_plugin::node::{Filesystem, MountPrefix, Node as _, NodeId};
use hpe3par_docker_plugin::store::MetadataStore;
use hpe3par_docker_plugin::store::journal_memory::MemoryJournal;
use hpe3par_docker_plugin::tasks::Tasks;
use hpe3par_docker_plugin::volume::mount::{Caller, Mounted};
use hpe3par_docker_plugin::volume::names::{VolumeId, VolumeName};
use hpe3par_docker_plugin::volume::options::CreateOptions;
use hpe3par_docker_plugin::volume::service::{Deadlines, NewVolumeDefaults, ServiceParts, VolumeService};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::array::SimulatedArray;
use super::calls::{Calls, ORIGIN, Origin};
use super::chronicle::Chronicle;
use super::coverage::Topic;
use super::journal::SimulatedJournal;
use super::network::NodeNumber;
use super::store::SimulatedStore;
use crate::node::{Gate, Moment, Random, SimulatedNode};

/// Pause before a program that could not start is started again.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Section of the configuration all volumes belong to.
pub const BACKEND: &str = "DEFAULT";

/// What a plugin of the simulation is made of, apart from its node.
#[derive(Clone)]
pub struct PluginParts {
    /// Number of the node.
    pub number: NodeNumber,
    /// Where its calls are announced.
    pub calls: Calls,
    /// The store as the node reaches it.
    pub store: SimulatedStore,
    /// The array as the node reaches it.
    pub array: SimulatedArray,
    /// Fencing settings.
    pub policy: Policy,
    /// New volumes get the policy that refuses a second host.
    pub one_host: bool,
    /// A defect put in on purpose.
    pub defects: Defects,
}

/// A running plugin.
struct Plugin {
    gate: Gate,
    service: Option<Arc<VolumeService>>,
    operations: Operations,
    /// Kept alive by the plugin; dropped with it.
    registration: Option<Registration>,
}

/// Tasks of one life of a plugin.
#[derive(Clone)]
struct PluginTasks {
    gate: Gate,
    origin: Origin,
}

impl Tasks for PluginTasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(self.gate.through(ORIGIN.scope(self.origin, task)));
    }
}

/// A worker node.
pub struct Worker {
    /// Host name, also the node id.
    pub name: String,
    /// The machine.
    pub node: SimulatedNode,
    /// The node's journal: survives plugin and boot.
    pub journal: MemoryJournal,
    parts: PluginParts,
    chronicle: Arc<Chronicle>,
    plugin: Mutex<Option<Plugin>>,
    ids: Arc<Mutex<Random>>,
}

impl Worker {
    /// A machine without a running plugin.
    #[must_use]
    pub fn new(node: SimulatedNode, parts: PluginParts, chronicle: Arc<Chronicle>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            name: node.hostname().to_owned(),
            node,
            journal: MemoryJournal::new(),
            parts,
            chronicle,
            plugin: Mutex::new(None),
            ids: Arc::new(Mutex::new(Random::new(seed, "ids"))),
        })
    }

    fn plugin(&self) -> std::sync::MutexGuard<'_, Option<Plugin>> {
        self.plugin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the plugin if none runs and the machine has power.
    pub fn start_plugin(self: &Arc<Self>) {
        if !self.node.is_powered() || self.plugin().is_some() {
            return;
        }
        let gate = Gate::open();
        if self.node.is_frozen() {
            gate.freeze();
        }
        let operations = Operations::new(Arc::new(PluginTasks { gate: gate.clone(), origin: Origin::Request }));
        *self.plugin() = Some(Plugin { gate: gate.clone(), service: None, operations, registration: None });
        self.chronicle.note(&self.name, || "plugin starts".to_owned());
        let (worker, life) = (self.clone(), gate.clone());
        tokio::spawn(gate.through(async move { worker.run_plugin(life).await }));
    }

    /// Kills the plugin where it stands.
    pub fn kill_plugin(&self) {
        if let Some(plugin) = self.plugin().take() {
            plugin.gate.end();
            self.chronicle.note(&self.name, || "plugin dies".to_owned());
        }
    }

    /// Writes down that the plugin dies at a step.
    pub fn note_crash(&self, step: &'static str, moment: Moment) {
        let when = match moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        self.chronicle.count(Topic::CrashPoint, &format!("{when} {step}"));
        self.chronicle.note(&self.name, || format!("plugin dies at {step}, {moment:?} its effect"));
    }

    /// Stops the machine with its plugin where they stand.
    pub fn freeze(&self) {
        self.node.freeze();
        if let Some(plugin) = &*self.plugin() {
            plugin.gate.freeze();
        }
    }

    /// Lets machine and plugin go on.
    pub fn thaw(&self) {
        self.node.thaw();
        if let Some(plugin) = &*self.plugin() {
            plugin.gate.thaw();
        }
    }

    /// Stops the plugin's process alone where it stands, as SIGSTOP does.
    pub fn pause_plugin(&self) {
        if let Some(plugin) = &*self.plugin() {
            plugin.gate.freeze();
            self.chronicle.note(&self.name, || "plugin stands still".to_owned());
        }
    }

    /// Lets the plugin's process go on.
    pub fn resume_plugin(&self) {
        if let Some(plugin) = &*self.plugin() {
            plugin.gate.thaw();
            self.chronicle.note(&self.name, || "plugin goes on".to_owned());
        }
    }

    /// The plugin answers requests.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.plugin().as_ref().is_some_and(|plugin| plugin.service.is_some())
    }

    /// Cuts the power of machine and plugin.
    pub fn power_off(&self) {
        self.kill_plugin();
        self.node.power_off();
    }

    /// Switches the machine on and starts the plugin.
    pub fn power_on(self: &Arc<Self>) {
        self.node.power_on();
        self.start_plugin();
    }

    /// From start to service, as the production program does it.
    async fn run_plugin(self: Arc<Self>, gate: Gate) {
        let facts = loop {
            match self.node.facts().await {
                Ok(facts) => break facts,
                Err(_) => sleep(START_AGAIN).await,
            }
        };
        let me = Me { node: NodeId::new(&self.name), boot: facts.boot.clone() };
        let driver = Arc::new(Driver::new(self.driver_parts(me)));
        let store: Arc<dyn MetadataStore> = Arc::new(self.parts.store.clone());
        let tasks = PluginTasks { gate: gate.clone(), origin: Origin::Background };
        let registration = loop {
            match membership::join(&driver, store.clone(), &tasks, facts.clone()).await {
                Ok(registration) => break registration,
                // The program ends, and systemd starts it again.
                Err(_) => sleep(START_AGAIN).await,
            }
        };
        let service = Arc::new(VolumeService::new(self.service_parts(driver, store)));
        if let Some(plugin) = self.plugin().as_mut().filter(|_| !gate.is_ended()) {
            plugin.service = Some(service);
            plugin.registration = Some(registration);
        }
    }

    fn driver_parts(&self, me: Me) -> DriverParts {
        let backend = Backend {
            array: Arc::new(self.parts.array.clone()),
            policy: self.parts.policy.clone(),
            filesystem: Filesystem::Ext4,
            paths_wanted: 2,
        };
        DriverParts {
            store: Arc::new(self.parts.store.clone()),
            backends: BTreeMap::from([(BACKEND.to_owned(), backend)]),
            node: Arc::new(self.node.clone()),
            journal: Arc::new(SimulatedJournal::new(self.parts.number, self.journal.clone(), self.parts.calls.clone())),
            me,
            mount_prefix: MountPrefix::default(),
            defects: self.parts.defects,
        }
    }

    fn service_parts(&self, driver: Arc<Driver>, store: Arc<dyn MetadataStore>) -> ServiceParts {
        let ids = self.ids.clone();
        let new_id = move || {
            let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
            VolumeId(uuid::Uuid::from_u64_pair(ids.draw(), ids.draw()))
        };
        let cpg: Option<CpgName> = "FC_r6".parse().ok();
        let defaults = NewVolumeDefaults { cpg: cpg.clone(), snap_cpg: cpg, one_host: self.parts.one_host };
        ServiceParts {
            driver,
            store,
            defaults: BTreeMap::from([(BACKEND.to_owned(), defaults)]),
            default_backend: BACKEND.to_owned(),
            deadlines: Deadlines::default(),
            new_id: Arc::new(new_id),
        }
    }

    /// Asks the plugin to mount a volume, as dockerd does, and waits `patience` for the answer.
    ///
    /// # Errors
    /// What the plugin said, or why there was no answer.
    pub async fn mount(&self, name: &VolumeName, id: &str, patience: Duration) -> Result<PathBuf, String> {
        let operation = Operation::Mount { name: name.clone(), id: id.to_owned() };
        let (name, id) = (name.clone(), id.to_owned());
        let answer = self.ask(operation, patience, move |service, caller| {
            let (name, id) = (name.clone(), id.clone());
            async move { service.mount(name, id, caller).await.map(Some) }.boxed()
        });
        answer
            .await?
            .map(|mounted| mounted.mountpoint)
            .ok_or_else(|| "a Mount answered without a mount point".to_owned())
    }

    /// Asks the plugin to unmount a volume.
    ///
    /// # Errors
    /// What the plugin said, or why there was no answer.
    pub async fn unmount(&self, name: &VolumeName, id: &str, patience: Duration) -> Result<(), String> {
        let operation = Operation::Unmount { name: name.clone(), id: id.to_owned() };
        let (name, id) = (name.clone(), id.to_owned());
        let answer = self.ask(operation, patience, move |service, _| {
            let (name, id) = (name.clone(), id.clone());
            async move { service.unmount(name, id).await.map(|()| None) }.boxed()
        });
        answer.await.map(|_| ())
    }

    /// Asks the plugin to create a volume with the default options.
    ///
    /// # Errors
    /// What the plugin said, or why there was no answer.
    pub async fn create(&self, name: &VolumeName, patience: Duration) -> Result<(), String> {
        let operation = Operation::Create { name: name.clone(), options: String::new() };
        let name = name.clone();
        let answer = self.ask(operation, patience, move |service, _| {
            let name = name.clone();
            async move { service.create(name, CreateOptions::default()).await.map(|()| None) }.boxed()
        });
        answer.await.map(|_| ())
    }

    /// Asks the plugin to remove a volume.
    ///
    /// # Errors
    /// What the plugin said, or why there was no answer.
    pub async fn remove(&self, name: &VolumeName, patience: Duration) -> Result<(), String> {
        let operation = Operation::Remove { name: name.clone() };
        let name = name.clone();
        let answer = self.ask(operation, patience, move |service, _| {
            let name = name.clone();
            async move { service.remove(name).await.map(|()| None) }.boxed()
        });
        answer.await.map(|_| ())
    }

    async fn ask<W>(&self, operation: Operation, patience: Duration, work: W) -> Result<Option<Mounted>, String>
    where
        W: Fn(Arc<VolumeService>, Caller) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    {
        let running =
            self.plugin().as_ref().and_then(|p| Some((p.gate.clone(), p.service.clone()?, p.operations.clone())));
        let Some((gate, service, operations)) = running else {
            sleep(Duration::from_millis(200)).await;
            return Err("the plugin does not listen".to_owned());
        };
        let (done, heard) = oneshot::channel();
        let handler = tokio::spawn(gate.through(async move {
            let answer = operations.run(operation, patience, move |caller| work(service.clone(), caller)).await;
            // dockerd may have gone.
            let _ = done.send(answer);
        }));
        // A little longer than the plugin's own patience: a plugin that stands still does not answer at all.
        match timeout(patience + Duration::from_secs(1), heard).await {
            Ok(Ok(answer)) => answer.map_err(|error| error.to_string()),
            Ok(Err(_)) => Err("the plugin died over the request".to_owned()),
            Err(_) => {
                // dockerd closes the connection, and with it ends its handler; the operation goes on.
                handler.abort();
                Err("no answer in time".to_owned())
            }
        }
    }
}
