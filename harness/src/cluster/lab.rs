//! A whole small site: etcd, the array, and workers, started together and gone together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::fencing::mutants::{Defects, Mutant};
use hpe3par_docker_plugin::store::etcd::{EtcdSettings, EtcdStore};
use hpe3par_docker_plugin::store::{Change, MetadataStore as _, Transaction, keys};
use hpe3par_docker_plugin::tasks::Tasks;
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use hpe3par_emulator::Emulator;
use hpe3par_emulator::server::RunningEmulator;
use tempfile::TempDir;

use super::array_view::ArrayView;
use super::configuration::{ARRAY_PASSWORD, ARRAY_USER, Addresses, ArrayIdentity, Configuration};
use super::etcd::Etcd;
use super::storage_network::StorageNetwork;
use super::witness::Witness;
use super::worker::{Links, Worker};
use crate::node::{EmulatedFabric, MachineIdentity, NodeOptions, NodeWorld, SimulatedNode};
use crate::report::Recording;

/// What a lab is started with.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Number of workers, named `worker1`, `worker2`, …
    pub workers: usize,
    /// Settings for every worker's `hpe.conf`.
    pub settings: Vec<(String, String)>,
    /// Safety defect put into every plugin; needs the feature `mutants`.
    pub mutant: Option<Mutant>,
    /// How the machines behave.
    pub node: NodeOptions,
    /// Password of the array's account.
    pub password: String,
}

impl Default for LabOptions {
    fn default() -> Self {
        let node = NodeOptions {
            // A lab runs in real time: what takes long on a real node is cut to what a scenario can wait for.
            flush_after: Duration::from_secs(60),
            polling_interval: Duration::from_millis(500),
            path_loss_timeout: Duration::from_secs(2),
            no_path_retry: None,
            step_deadline: Duration::from_secs(10),
            ..NodeOptions::default()
        };
        Self { workers: 2, settings: Vec::new(), mutant: None, node, password: ARRAY_PASSWORD.to_owned() }
    }
}

/// A running lab.
///
/// Dropping it ends everything it started. The plugins come first: what they use outlives them.
pub struct Lab {
    workers: BTreeMap<String, Worker>,
    etcd: Etcd,
    array: RunningEmulator,
    store: EtcdStore,
    witness: Arc<Witness>,
    wwns: Mutex<BTreeMap<String, Wwn>>,
    directory: TempDir,
}

impl Lab {
    /// Starts everything and waits until every plugin answers.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(options: LabOptions) -> Result<Self> {
        super::install_tls_provider();
        let directory =
            tempfile::Builder::new().prefix("hpe3par-lab-").tempdir().context("making a directory for the lab")?;
        let array = Emulator::builder().account(ARRAY_USER, options.password.clone().into());
        let array = async { array.start().await.context("starting the array") };
        let (etcd, array) = tokio::try_join!(Etcd::start(), array)?;
        let store = EtcdStore::open(&EtcdSettings::plain(vec![etcd.endpoint()])).await.context("opening etcd")?;
        let mut lab = Self {
            etcd,
            array,
            store,
            witness: Arc::default(),
            workers: BTreeMap::new(),
            wwns: Mutex::default(),
            directory,
        };
        lab.witness.watch(lab.array.handle());
        for number in 1..=options.workers {
            lab.add_worker(&format!("worker{number}"), &options).await?;
        }
        let starts = lab.workers.values_mut().map(Worker::start);
        futures::future::try_join_all(starts).await?;
        Ok(lab)
    }

    async fn add_worker(&mut self, name: &str, options: &LabOptions) -> Result<()> {
        let links = Links::to(self.etcd.address(), self.array.wsapi_addr(), self.array.ssh_addr()).await?;
        let addresses = Addresses {
            etcd: links.of(super::worker::Network::Etcd).address(),
            wsapi: links.of(super::worker::Network::Wsapi).address(),
            ssh: links.of(super::worker::Network::Ssh).address(),
        };
        let identity = ArrayIdentity {
            ca_pem: self.array.ca_pem().context("the array has no certificate")?.to_owned(),
            ssh_host_key: self.array.ssh_host_key().to_owned(),
        };
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).context("making a directory for a worker")?;
        let mut configuration = Configuration::new(&directory, addresses, identity, &format!("node-of-{name}"));
        configuration.password.clone_from(&options.password);
        options.settings.iter().for_each(|(key, value)| configuration.set(key, value));
        let fabric = EmulatedFabric::new(self.array.handle().clone(), Duration::ZERO..=Duration::ZERO, 0);
        let storage = Arc::new(StorageNetwork::new(fabric));
        let world = NodeWorld {
            fabric: storage.clone(),
            tasks: Arc::new(OnThisRuntime(tokio::runtime::Handle::current())),
            observer: self.witness.clone(),
            epochs: self.witness.clone(),
        };
        let node = SimulatedNode::new(MachineIdentity::named(name), options.node.clone(), world);
        let worker = Worker::new(configuration, node, links, storage, self.witness.clone(), defects(options.mutant)?);
        self.workers.insert(name.to_owned(), worker);
        Ok(())
    }

    /// The metadata store's process.
    pub fn etcd_mut(&mut self) -> &mut Etcd {
        &mut self.etcd
    }

    /// The metadata store's process.
    #[must_use]
    pub fn etcd(&self) -> &Etcd {
        &self.etcd
    }

    /// The array's servers.
    #[must_use]
    pub fn array(&self) -> &RunningEmulator {
        &self.array
    }

    /// What the array has, seen from inside.
    #[must_use]
    pub fn on_array(&self) -> ArrayView {
        ArrayView::of(self.array.handle())
    }

    /// Everything that happened on the nodes.
    #[must_use]
    pub fn witness(&self) -> &Arc<Witness> {
        &self.witness
    }

    /// A worker by name.
    ///
    /// # Errors
    /// When there is none.
    pub fn worker(&self, name: &str) -> Result<&Worker> {
        self.workers.get(name).ok_or_else(|| anyhow!("there is no {name}"))
    }

    /// A worker by name, to change it.
    ///
    /// # Errors
    /// When there is none.
    pub fn worker_mut(&mut self, name: &str) -> Result<&mut Worker> {
        self.workers.get_mut(name).ok_or_else(|| anyhow!("there is no {name}"))
    }

    /// Where the files of the lab are; gone with it.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// All workers, by name.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// All workers, to change them.
    pub fn workers_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.workers.values_mut()
    }

    /// The record of a volume, read from etcd itself.
    ///
    /// # Errors
    /// When etcd does not answer, or there is no such volume.
    pub async fn record(&self, volume: &str) -> Result<VolumeRecord> {
        self.find_record(volume).await?.ok_or_else(|| anyhow!("there is no record of {volume}"))
    }

    /// The record of a volume, if there is one.
    ///
    /// # Errors
    /// When etcd does not answer or the record cannot be read.
    pub async fn find_record(&self, volume: &str) -> Result<Option<VolumeRecord>> {
        let (entries, _) = self.store.list(keys::VOLUMES).await.context("reading the records")?;
        for entry in entries {
            let record = VolumeRecord::from_json(&entry.key, &entry.value).context("reading a record")?;
            if record.display_name.as_str() == volume {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// WWN of a volume; once known it is remembered, so that it can be told while etcd is away.
    ///
    /// # Errors
    /// When there is no record of it, or the array has not told it yet.
    pub async fn wwn(&self, volume: &str) -> Result<Wwn> {
        if let Some(wwn) = self.known_wwn(volume) {
            return Ok(wwn);
        }
        let wwn = self.record(volume).await?.wwn.with_context(|| format!("the WWN of {volume} is not known yet"))?;
        self.wwns.lock().unwrap_or_else(PoisonError::into_inner).insert(volume.to_owned(), wwn.clone());
        Ok(wwn)
    }

    /// WWN of a volume that was asked for before.
    #[must_use]
    pub fn known_wwn(&self, volume: &str) -> Option<Wwn> {
        self.wwns.lock().unwrap_or_else(PoisonError::into_inner).get(volume).cloned()
    }

    /// Every key and value of the metadata store.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn everything_stored(&self) -> Result<Vec<(String, String)>> {
        let (entries, _) = self.store.list("/").await.context("reading the store")?;
        Ok(entries.into_iter().map(|entry| (entry.key, String::from_utf8_lossy(&entry.value).into_owned())).collect())
    }

    /// Writes keys as somebody else than a plugin would.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn put(&self, key: String, value: Vec<u8>) -> Result<()> {
        let changes = vec![Change::Put { key, value, lease: None }];
        self.store.commit(Transaction { guards: Vec::new(), changes }).await.context("writing to the store")?;
        Ok(())
    }

    /// Everything that was seen so far, for the page of the run.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.witness.recording(self.workers.keys().cloned().collect())
    }

    /// Ends everything, plugins first.
    pub async fn shut_down(mut self) {
        for worker in self.workers.values_mut() {
            worker.kill_plugin().await;
        }
        drop(self.workers);
        self.etcd.kill();
        self.array.shutdown().await;
    }
}

/// The kernels of the machines run beside the plugins, and outlive them.
pub(crate) struct OnThisRuntime(pub(crate) tokio::runtime::Handle);

impl Tasks for OnThisRuntime {
    fn spawn(&self, task: futures::future::BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }
}

#[cfg(feature = "mutants")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it can fail")]
pub(crate) fn defects(mutant: Option<Mutant>) -> Result<Defects> {
    Ok(Defects::with(mutant))
}

#[cfg(not(feature = "mutants"))]
pub(crate) fn defects(mutant: Option<Mutant>) -> Result<Defects> {
    match mutant {
        None => Ok(Defects::default()),
        Some(mutant) => Err(anyhow!("this build has no mutant {mutant}; build with --features mutants")),
    }
}
