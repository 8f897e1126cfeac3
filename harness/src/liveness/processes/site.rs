//! The site: everybody as a process of its own, and engines that speak to the plugins.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::soak::closing::heal;
use crate::soak::deployment::{Deployment, DeploymentPlan, ORDER};
use crate::soak::figures::Figures;
use crate::soak::judging;
use crate::soak::nemesis::FaultLog;
use crate::soak::watching::Watching;
use crate::soak::workload::{Engines, Site, Volume};

/// Workers.
const WORKERS: usize = 3;
/// Pause between looks at a record.
const LOOK: Duration = Duration::from_millis(20);
/// How long everything waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(90);

/// The site.
pub(super) struct ProcessSite {
    pub(super) deployment: Arc<Deployment>,
    pub(super) engines: Arc<Engines>,
    watching: JoinHandle<()>,
}

impl ProcessSite {
    pub(super) async fn start() -> Result<Self> {
        let settings = [("takeover_limit", "1000")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let plan = DeploymentPlan { workers: WORKERS, seed: 1, settings, mutant: None, older: None };
        let deployment = Arc::new(Deployment::start(&plan).await?);
        let site = Site {
            deployment: Arc::clone(&deployment),
            faults: Arc::new(FaultLog::default()),
            figures: Arc::new(Figures::default()),
            ending: Arc::new(AtomicBool::new(false)),
        };
        let watching = tokio::spawn(Arc::new(Watching::default()).follow(Arc::clone(&deployment)));
        Ok(Self { deployment, engines: Arc::new(Engines::new(site, 1)), watching })
    }

    pub(super) fn figures(&self) -> &Figures {
        &self.engines.site().figures
    }

    /// Creates a volume.
    pub(super) async fn create(&self, name: &str, delay: u64) -> Result<Volume> {
        self.engines.create(0, name, delay).await.with_context(|| format!("creating {name}"))
    }

    /// Waits until somebody waits for the volume.
    pub(super) async fn until_somebody_waits(&self, volume: &Volume) -> Result<()> {
        let begun = Instant::now();
        loop {
            let record = self.deployment.record(&volume.name).await?;
            if record.is_some_and(|record| record.takeover.is_some()) {
                return Ok(());
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "nobody ever waited for {}", volume.name);
            sleep(LOOK).await;
        }
    }

    /// Waits until a worker has nothing left in its kernel and is not in quarantine for the volume.
    pub(super) async fn until_clean(&self, worker: usize, volume: &Volume) -> Result<()> {
        let (begun, target) = (Instant::now(), self.engines.worker(worker)?);
        loop {
            let status = target.console().status(ORDER).await?;
            let record = self.deployment.record(&volume.name).await?;
            let quarantined = record.is_some_and(|record| {
                record.quarantine.keys().any(|node| crate::cluster::witness::node_name(node.as_str()) == target.name())
            });
            if status.leftovers.is_empty() && !quarantined {
                return Ok(());
            }
            let left = &status.leftovers;
            anyhow::ensure!(
                begun.elapsed() < PATIENCE,
                "{} is not clean: {left:?}, in quarantine: {quarantined}",
                target.name()
            );
            sleep(LOOK).await;
        }
    }

    /// Everybody is back.
    pub(super) async fn heal(&self) -> Result<()> {
        heal(&self.deployment).await
    }

    /// What the checkers find in everything that happened, in words.
    pub(super) async fn judge(&self) -> Result<Vec<String>> {
        self.watching.abort();
        let history = judging::history(&self.deployment)?;
        let mut found = judging::judge(&self.deployment, &history, true);
        found.extend(judging::panics(&self.deployment)?);
        found.extend(judging::secrets(&self.deployment).await?);
        Ok(found.iter().map(ToString::to_string).collect())
    }
}

impl Drop for ProcessSite {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
