//! One run: an operation, struck at one call or two, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::cutter::Cutter;
use super::fault::Fault;
use super::healing::{self, Waits};
use super::operation::Operation;
use super::site::Site;
use super::sweep::Options;
use crate::checks::{Fact, Violation};
use crate::simulation::{Call, WorldError};

/// How long after answer and fault calls still count as the operation's: what it left to the background comes then.
const AFTERMATH: Duration = Duration::from_secs(3);
/// Pause between the strike and another node's request.
const RIVAL_COMES: Duration = Duration::from_secs(1);
/// A run that tells more facts than this goes round in circles.
const TOO_MANY_FACTS: usize = 100_000;

/// A call to be struck, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strike {
    /// Number of the call, from 1: since the operation began, or since the strike before.
    pub call: usize,
    /// What happens to it.
    pub fault: Fault,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.call, self.fault)
    }
}

impl FromStr for Strike {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (call, fault) =
            text.split_once(':').ok_or_else(|| format!("'{text}' is no cut point such as 12:crash-after"))?;
        let call: usize = call.parse().map_err(|_| format!("'{call}' is no number of a call"))?;
        if call == 0 {
            return Err("calls are numbered from 1".to_owned());
        }
        Ok(Self { call, fault: fault.parse()? })
    }
}

/// An operation and where it is struck; not at all in the undisturbed run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The operation.
    pub operation: Operation,
    /// The strikes, in order.
    pub strikes: Vec<Strike>,
}

impl Cell {
    /// The command that plays this cell again, with its time line.
    #[must_use]
    pub fn command(&self, options: &Options) -> String {
        let strikes: Vec<String> = self.strikes.iter().map(Strike::to_string).collect();
        let mutant = options.mutant().map(|mutant| format!(" --mutant {mutant}")).unwrap_or_default();
        format!("hpe3par-lab cut-points --operation {} --only {}{mutant}", self.operation, strikes.join("+"))
    }
}

/// What a run waited for after its faults were over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// The operation's answer.
    Answer,
    /// The repeat of a Create or Remove.
    Repeat,
    /// A Mount on another node.
    OtherNode,
    /// A Mount on the same node.
    SameNode,
    /// Nothing left behind.
    Clean,
}

impl Wait {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Answer => "the operation's answer",
            Self::Repeat => "a repeat of the operation",
            Self::OtherNode => "a Mount on another node",
            Self::SameNode => "a Mount on the same node",
            Self::Clean => "nothing left behind",
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Every call of the operation, in order; where it was struck, those after the last strike differ from the undisturbed run.
    pub calls: Vec<Call>,
    /// How many strikes found their call.
    pub struck: usize,
    /// What the operation's caller heard.
    pub answer: Result<(), String>,
    /// How long each thing took after the faults were over.
    pub waits: BTreeMap<Wait, Duration>,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// The time line.
    pub facts: Vec<Fact>,
    /// Names of volumes for people.
    pub names: BTreeMap<Wwn, String>,
    /// Virtual time of the whole run.
    pub simulated: Duration,
}

impl Outcome {
    /// The longest of the waits.
    #[must_use]
    pub fn slowest(&self) -> (Duration, Wait) {
        self.waits.iter().map(|(wait, time)| (*time, *wait)).max().unwrap_or((Duration::ZERO, Wait::Answer))
    }

    /// Nothing was broken.
    #[must_use]
    pub fn is_healed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Runs a cell; with `notes`, its time line has everything worth a line.
///
/// # Errors
/// [`WorldError`] is a defect of the sweep.
pub fn replay(cell: &Cell, options: &Options, notes: bool) -> Result<Outcome, WorldError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| WorldError::of(&error))?;
    runtime.block_on(async {
        let site = Site::build(cell.operation, options.defects(), notes)?;
        let cutter = Cutter::new(&site.world, cell.operation.cut_nodes(), &cell.strikes);
        let played = tokio::select! {
            biased;
            played = play(cell, &site, &cutter) => played?,
            () = watchdog(&site) => return Err(WorldError::of(&format!("{} goes round in circles", cell.command(options)))),
        };
        let simulated = site.world.start.elapsed();
        let names = site.volume_or_last().into_iter().map(|volume| (volume.wwn, volume.name.to_string())).collect();
        let (facts, violations, _) = site.world.chronicle.close();
        Ok(Outcome {
            calls: played.calls,
            struck: cutter.struck(),
            answer: played.answer,
            waits: played.waits,
            violations,
            facts,
            names,
            simulated,
        })
    })
}

struct Played {
    calls: Vec<Call>,
    answer: Result<(), String>,
    waits: BTreeMap<Wait, Duration>,
}

async fn play(cell: &Cell, site: &Site, cutter: &Cutter) -> Result<Played, WorldError> {
    let operation = cell.operation;
    site.start().await.map_err(|words| WorldError::of(&words))?;
    operation.prepare(site).await.map_err(|words| WorldError::of(&words))?;
    cutter.open();
    let mut waits = Waits::default();
    let operating = async {
        let answer = operation.carry_out(site).await;
        let answered = Instant::now();
        healing::until_over(cutter).await;
        sleep(AFTERMATH).await;
        (answer, answered, cutter.close())
    };
    let contending = async {
        if cutter.pauses().await {
            sleep(RIVAL_COMES).await;
            operation.rival(site).await;
        }
    };
    let (answer, answered, calls) = tokio::select! {
        biased;
        done = async { tokio::join!(operating, contending).0 } => done,
        () = healing::too_late(cutter) => {
            return Ok(Played { calls: cutter.close(), answer: Err("no answer".to_owned()), waits: waits.into() });
        }
    };
    healing::until_over(cutter).await;
    waits.add(Wait::Answer, cutter.over().map_or(Duration::ZERO, |over| answered.saturating_duration_since(over)));
    healing::demand(operation, site, &mut waits).await;
    Ok(Played { calls, answer, waits: waits.into() })
}

/// Ends when the run tells so many facts that it cannot be making progress.
async fn watchdog(site: &Site) {
    while site.world.chronicle.length() < TOO_MANY_FACTS {
        sleep(Duration::from_secs(20)).await;
    }
}
