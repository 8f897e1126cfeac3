//! Who takes part in a soak: three etcd members, the array, the workers; each a process of its own.

mod addresses;
mod array;
mod child;
mod members;
mod peer_links;
mod slow_disk;
mod wall_clock;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::store::etcd::{EtcdSettings, EtcdStore};
use hpe3par_docker_plugin::store::{MetadataStore as _, keys};
use hpe3par_docker_plugin::volume::record::VolumeRecord;
use tempfile::TempDir;

pub use array::{ArrayPart, FrontEnd};
pub use child::{exists, resident_bytes};
pub use members::{MEMBERS, Members};
pub use worker::{Network, ORDER, Site, Worker};

use super::clock::SharedClock;
use super::fact_log::FactLog;

/// What a deployment is made of.
#[derive(Debug, Clone)]
pub struct DeploymentPlan {
    /// Number of workers.
    pub workers: usize,
    /// Seed.
    pub seed: u64,
    /// Lines for every worker's `hpe.conf`.
    pub settings: Vec<(String, String)>,
    /// Name of a safety defect put into every plugin.
    pub mutant: Option<String>,
    /// An older build of this program: every second worker runs it in every second of its boots.
    pub older: Option<PathBuf>,
}

/// Everybody. Dropping it ends every process, workers first, and removes all files.
pub struct Deployment {
    /// The workers.
    pub workers: Vec<Arc<Worker>>,
    /// The array.
    pub array: tokio::sync::Mutex<ArrayPart>,
    /// etcd.
    pub members: Members,
    /// The store, as somebody sees it who is never cut off.
    pub store: EtcdStore,
    /// For what is told by whoever stands outside.
    pub fact_log: Arc<FactLog>,
    /// Everybody's clock.
    pub clock: SharedClock,
    facts: PathBuf,
    array_facts: PathBuf,
    directory: TempDir,
}

impl Deployment {
    /// Starts everybody and waits until every plugin answers.
    ///
    /// # Errors
    /// When somebody does not start.
    pub async fn start(plan: &DeploymentPlan) -> Result<Self> {
        crate::cluster::install_tls_provider();
        let directory = tempfile::Builder::new().prefix("hpe3par-soak-").tempdir().context("making a directory")?;
        let clock = SharedClock::start();
        let etcd_data = directory.path().join("etcd");
        std::fs::create_dir_all(&etcd_data).context("making a directory for etcd")?;
        let (members, array) =
            tokio::try_join!(Members::start(&etcd_data), ArrayPart::start(directory.path(), plan.seed, clock))?;
        let endpoints = members.clients().map(|client| format!("http://{client}")).collect();
        let store = EtcdStore::open(&EtcdSettings::plain(endpoints)).await.context("opening etcd")?;
        let facts = directory.path().join("soak.facts");
        let fact_log = Arc::new(FactLog::append_to(&facts, clock)?);
        let site = Site {
            clock,
            etcd: members.clients().collect(),
            array: array.ready(),
            settings: &plan.settings,
            seed: plan.seed,
            mutant: plan.mutant.clone(),
            older: plan.older.clone(),
        };
        let mut workers = Vec::new();
        for number in 0..plan.workers {
            workers.push(Arc::new(Worker::new(directory.path(), number, &site).await?));
        }
        futures::future::try_join_all(workers.iter().map(|worker| worker.switch_on(&fact_log))).await?;
        let array_facts = array.facts().to_owned();
        let array = tokio::sync::Mutex::new(array);
        Ok(Self { workers, array, members, store, fact_log, clock, facts, array_facts, directory })
    }

    /// All files with facts.
    #[must_use]
    pub fn fact_files(&self) -> Vec<PathBuf> {
        let of_workers = self.workers.iter().map(|worker| worker.facts().to_owned()).filter(|file| file.exists());
        [self.facts.clone(), self.array_facts.clone()].into_iter().chain(of_workers).collect()
    }

    /// Where everything is written to.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Leaves the files where they are when this ends.
    pub fn keep_files(&mut self) {
        self.directory.disable_cleanup(true);
    }

    /// All volume records.
    ///
    /// # Errors
    /// When etcd does not answer or holds something else.
    pub async fn records(&self) -> Result<Vec<VolumeRecord>> {
        let (entries, _) = self.store.list(keys::VOLUMES).await.context("reading the records")?;
        let read = entries.iter().map(|entry| VolumeRecord::from_json(&entry.key, &entry.value));
        read.collect::<Result<_, _>>().context("reading a record")
    }

    /// The record of a volume, if there is one.
    ///
    /// # Errors
    /// As [`Self::records`].
    pub async fn record(&self, volume: &str) -> Result<Option<VolumeRecord>> {
        Ok(self.records().await?.into_iter().find(|record| record.display_name.as_str() == volume))
    }

    /// Names and numbers of all processes that run.
    pub async fn processes(&self) -> Vec<(String, u32)> {
        let mut all = self.members.pids().await;
        all.push(("array".to_owned(), self.array.lock().await.pid()));
        for worker in &self.workers {
            if let Some(pid) = worker.pid().await {
                all.push((worker.name().to_owned(), pid));
            }
        }
        all
    }
}
