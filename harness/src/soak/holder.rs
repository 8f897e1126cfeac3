//! A container that was placed by hand: one Mount, one application, one Unmount.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::{Instant, sleep};

use super::deployment::ORDER;
use super::machine::{AppReport, Order, Report};
use super::workload::{Engines, Mounted, Volume};

/// Pause between requests.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a request is repeated that has to succeed in the end.
pub const SUCCEEDS: Duration = Duration::from_secs(60);
/// How long a container writes before it is relied on.
pub const WRITES: Duration = Duration::from_millis(1_500);

/// A running container.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Number of its worker.
    pub worker: usize,
    /// Mount id.
    pub id: String,
    /// Number of the container on its machine.
    pub container: u64,
}

impl Holder {
    /// Mounts, again and again until it succeeds, and starts a container that has written when this returns.
    ///
    /// # Errors
    /// When the Mount does not succeed within 60 s.
    pub async fn hold(engines: &Engines, volume: &Volume, worker: usize) -> Result<Self> {
        let (id, begun) = (engines.new_mount_id(), Instant::now());
        let mounted: Mounted = loop {
            match engines.mount(worker, volume, &id).await {
                Ok(mounted) => break mounted,
                Err(error) if begun.elapsed() > SUCCEEDS => return Err(error).context("the Mount never succeeded"),
                Err(_) => sleep(PAUSE).await,
            }
        };
        let holder = Self::begin(engines, worker, id, mounted.dir).await?;
        sleep(WRITES).await;
        Ok(holder)
    }

    /// Starts a container on what is mounted.
    ///
    /// # Errors
    /// When the machine does not.
    pub async fn begin(engines: &Engines, worker: usize, id: String, dir: PathBuf) -> Result<Self> {
        let order = Order::RunContainer { dir };
        let Report::Container(container) = engines.worker(worker)?.console().order(&order, ORDER).await? else {
            bail!("the machine did not say which container it started");
        };
        Ok(Self { worker, id, container })
    }

    /// Ends the container; nobody unmounts.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub async fn end_container(&self, engines: &Engines) -> Result<()> {
        let order = Order::StopContainer { container: self.container };
        engines.worker(self.worker)?.console().order(&order, ORDER).await?;
        Ok(())
    }

    /// Ends the container and unmounts.
    ///
    /// # Errors
    /// When the Unmount does not succeed within 60 s.
    pub async fn let_go(&self, engines: &Engines, volume: &Volume) -> Result<()> {
        self.end_container(engines).await?;
        let tries = usize::try_from(SUCCEEDS.as_secs()).unwrap_or(usize::MAX);
        ensure!(engines.unmount(self.worker, volume, &self.id, tries).await, "the Unmount never succeeded");
        Ok(())
    }

    /// What its application has done so far.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub async fn progress(&self, engines: &Engines) -> Result<AppReport> {
        let order = Order::Application { container: self.container };
        match engines.worker(self.worker)?.console().order(&order, ORDER).await? {
            Report::Application(report) => Ok(report),
            other => bail!("another answer: {other:?}"),
        }
    }
}
