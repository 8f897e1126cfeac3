//! What a scenario has on stage: the lab, the containers, the requests under way and the last answer.

mod container_moves;
mod container_writes;
mod disturbances;
mod earlier_plugin;
mod ending;
mod expected_answers;
mod node_accidents;
mod observed_state;
mod requests;
mod wrong_configuration;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use cucumber::World;
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_emulator::datapath::TaskId;

use super::holder::Holder;
use crate::checks::Violation;
use crate::cluster::docker_client::{CallError, RawAnswer};
use crate::cluster::lab::{Lab, LabOptions};
use crate::node::{ContainerId, NodeOptions};
use crate::report::Recording;

pub use disturbances::Where;
pub use requests::{Patience, Request, Running};
pub use wrong_configuration::WrongConfiguration;

/// What a request ended in, as its caller saw it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was asked, for messages.
    pub what: String,
    /// The answer; a mount point for a Mount.
    pub answer: Result<Option<PathBuf>, CallError>,
    /// How long the caller waited, repeats included.
    pub took: Duration,
}

/// A container that has a volume mounted.
#[derive(Debug, Clone)]
pub struct Container {
    /// Where it runs.
    pub worker: String,
    /// Volume it holds.
    pub volume: String,
    /// Mount point it was given.
    pub mountpoint: PathBuf,
    /// Its namespace on the node.
    pub namespace: ContainerId,
}

/// The world of a scenario.
#[derive(Default, World)]
pub struct Stage {
    lab: Option<Lab>,
    /// Lines for `hpe.conf` of workers that are started later, or restarted.
    settings: Vec<(String, String)>,
    /// The safety defect this run puts in.
    pub mutant: Option<Mutant>,
    containers: BTreeMap<Holder, Container>,
    running: Vec<Running>,
    last: Option<Outcome>,
    raw: Option<RawAnswer>,
    /// Texts whose fsync succeeded, in order, by volume.
    acknowledged: BTreeMap<String, Vec<(Holder, String)>>,
    /// Records appended so far, for their texts.
    appended: u64,
    /// What the scenario noted earlier, by its own words.
    notes: BTreeMap<String, String>,
    outcomes: Vec<Outcome>,
    /// A process the plugin knows nothing of.
    lingering: Option<ContainerId>,
    /// A write that has left its node and has not arrived.
    held_write: Option<TaskId>,
    /// What the lab had seen when the curtain fell.
    recording: Option<Recording>,
    /// The invariants that were broken.
    broken: Vec<Violation>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("containers", &self.containers).field("last", &self.last).finish_non_exhaustive()
    }
}

impl Stage {
    /// Starts a lab with this many workers.
    ///
    /// # Errors
    /// When something of it does not start.
    pub async fn set_up(&mut self, workers: usize) -> Result<()> {
        self.set_up_machines(workers, LabOptions::default().node).await
    }

    /// Starts a cluster of machines that behave so.
    ///
    /// # Errors
    /// When something of it does not start.
    pub async fn set_up_machines(&mut self, workers: usize, node: NodeOptions) -> Result<()> {
        let settings = self.settings.clone();
        let options = LabOptions { workers, settings, mutant: self.mutant, node, ..LabOptions::default() };
        self.lab = Some(Lab::start(options).await?);
        Ok(())
    }

    /// Adds a setting; workers that run are restarted with it.
    ///
    /// # Errors
    /// When the line is no `key = value` or a worker does not start with it.
    pub async fn set(&mut self, line: &str) -> Result<()> {
        let (key, value) = line.split_once('=').with_context(|| format!("'{line}' is no setting"))?;
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        self.settings.push((key.clone(), value.clone()));
        let Some(lab) = self.lab.as_mut() else { return Ok(()) };
        for worker in lab.workers_mut() {
            worker.configuration.set(&key, &value);
            worker.kill_plugin().await;
            worker.start().await?;
        }
        Ok(())
    }

    /// The lab.
    ///
    /// # Errors
    /// When the scenario has not set one up.
    pub fn lab(&self) -> Result<&Lab> {
        self.lab.as_ref().context("the scenario has no cluster; begin with 'Given a cluster of N workers'")
    }

    /// The lab, to change it.
    ///
    /// # Errors
    /// When the scenario has not set one up.
    pub fn lab_mut(&mut self) -> Result<&mut Lab> {
        self.lab.as_mut().context("the scenario has no cluster; begin with 'Given a cluster of N workers'")
    }

    /// The last answer.
    ///
    /// # Errors
    /// When nothing was asked yet.
    pub fn last(&self) -> Result<&Outcome> {
        self.last.as_ref().context("nothing was asked yet")
    }

    /// A container that has something mounted.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn container(&self, holder: &Holder) -> Result<&Container> {
        self.containers.get(holder).ok_or_else(|| anyhow!("{holder} has nothing mounted"))
    }

    fn keep(&mut self, outcome: Outcome) {
        tracing::info!(what = outcome.what, answer = ?outcome.answer, took = ?outcome.took, "answered");
        self.outcomes.push(outcome.clone());
        self.last = Some(outcome);
    }
}
