//! The application in a container: appends to a log chained by hash and syncs it, until it is stopped or its disk fails.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::node::NodeError;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::sectors::{LeftAlone, Sectors};
use crate::node::{ContainerId, SimulatedNode};
use crate::soak::fact_log::FactLog;

/// Pause after each record.
const PAUSE: Duration = Duration::from_millis(120);
/// Every how many records it calls fsync; in between the page cache is dirty.
const SYNC_EVERY: u64 = 2;

/// What an application has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppReport {
    /// Records appended.
    pub appended: u64,
    /// How often fsync was acknowledged.
    pub synced: u64,
    /// Why it ended, if it ended by itself.
    pub failure: Option<String>,
}

/// Where an application runs, and where it tells what it does with sectors.
pub(super) struct Place {
    pub(super) facts: Arc<FactLog>,
    pub(super) left_alone: LeftAlone,
    pub(super) name: String,
    pub(super) boot: u64,
    pub(super) number: u64,
}

/// A running container with its application.
#[derive(Debug)]
pub(super) struct Application {
    container: ContainerId,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    stopped: AtomicBool,
    appended: AtomicU64,
    synced: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Application {
    /// Starts a container on what is mounted at a directory.
    pub(super) async fn start(node: &SimulatedNode, dir: &Path, of: Place) -> Result<Self, NodeError> {
        let container = node.run_container(dir).await?;
        let progress = Arc::new(Progress::default());
        let Place { facts, left_alone, name, boot, number } = of;
        let sectors = Sectors { node: node.clone(), container, facts, left_alone, name, place: (boot, number) };
        let at_work = Arc::clone(&progress);
        tokio::spawn(sectors.run(move || at_work.stopped.load(Ordering::SeqCst)));
        tokio::spawn(append_and_sync(node.clone(), container, Arc::clone(&progress)));
        Ok(Self { container, progress })
    }

    /// Stops the container: the application ends, and with the last mount the filesystem is written back.
    pub(super) async fn stop(&self, node: &SimulatedNode) {
        self.progress.stopped.store(true, Ordering::SeqCst);
        node.stop_container(self.container).await;
    }

    pub(super) fn report(&self) -> AppReport {
        AppReport {
            appended: self.progress.appended.load(Ordering::SeqCst),
            synced: self.progress.synced.load(Ordering::SeqCst),
            failure: self.progress.failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

async fn append_and_sync(node: SimulatedNode, container: ContainerId, progress: Arc<Progress>) {
    let mut number = 0;
    while !progress.stopped.load(Ordering::SeqCst) {
        number += 1;
        if let Err(error) = one_record(&node, container, number, &progress).await {
            if !progress.stopped.load(Ordering::SeqCst) {
                *progress.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn one_record(
    node: &SimulatedNode,
    container: ContainerId,
    number: u64,
    progress: &Progress,
) -> Result<(), NodeError> {
    node.append(container, &format!("line {number}")).await?;
    progress.appended.fetch_add(1, Ordering::SeqCst);
    if !number.is_multiple_of(SYNC_EVERY) {
        return Ok(());
    }
    match node.fsync(container).await {
        // The I/O waits for a path; an application would sit in the call for as long.
        Err(NodeError::TimedOut { .. }) => Ok(()),
        synced => {
            synced?;
            progress.synced.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }
}
