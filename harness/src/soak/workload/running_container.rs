//! A container on a volume on a worker.

use std::time::Duration;

use anyhow::Result;

use super::engines::{Engines, Mounted, Volume};
use crate::soak::deployment::ORDER;
use crate::soak::machine::{Order, Report};

/// How long the orders of a container may take while it is stopped.
const STOP: Duration = Duration::from_secs(30);
/// How often an Unmount is tried before it is left for later.
const TRIES: usize = 3;

/// A running container.
#[derive(Debug, Clone)]
pub(super) struct RunningContainer {
    pub(super) worker: usize,
    pub(super) id: String,
    /// Boot of the worker it was started in.
    boot: u64,
    container: u64,
}

impl RunningContainer {
    /// Starts a container on what was mounted.
    ///
    /// # Errors
    /// When the machine does not, or is gone.
    pub(super) async fn begin(engines: &Engines, worker: usize, id: &str, mounted: &Mounted) -> Result<Self> {
        let target = engines.worker(worker)?;
        let boot = target.boot_number();
        let order = Order::RunContainer { dir: mounted.dir.clone() };
        match target.console().order(&order, ORDER).await? {
            Report::Container(container) => Ok(Self { worker, id: id.to_owned(), boot, container }),
            other => anyhow::bail!("another answer: {other:?}"),
        }
    }

    /// The machine was rebooted, is off or stands still.
    pub(super) fn is_lost(&self, engines: &Engines) -> bool {
        self.is_of_an_earlier_boot(engines) || engines.worker(self.worker).is_ok_and(|worker| worker.is_away())
    }

    /// The machine was rebooted since.
    pub(super) fn is_of_an_earlier_boot(&self, engines: &Engines) -> bool {
        engines.worker(self.worker).is_ok_and(|worker| worker.boot_number() != self.boot)
    }

    /// The container ends; the engine does not unmount.
    pub(super) async fn container_ends(&self, engines: &Engines) {
        let Ok(target) = engines.worker(self.worker) else { return };
        if self.is_of_an_earlier_boot(engines) {
            return;
        }
        let figures = &engines.site().figures;
        let asked = Order::Application { container: self.container };
        if let Ok(Report::Application(report)) = target.console().order(&asked, ORDER).await {
            figures.add("records", "appended", report.appended);
            figures.add("records", "fsync acknowledged", report.synced);
            figures.count("application", if report.failure.is_some() { "I/O error" } else { "stopped" });
        }
        // A machine that is gone has stopped its containers.
        let _ = target.console().order(&Order::StopContainer { container: self.container }, STOP).await;
    }

    /// The container ends, and the engine unmounts. Tells whether the plugin heard of it.
    pub(super) async fn end(&self, engines: &Engines, volume: &Volume) -> bool {
        self.container_ends(engines).await;
        engines.unmount(self.worker, volume, &self.id, TRIES).await
    }
}
