//! What a run has seen, before it is made into a time line.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use hpe3par_docker_plugin::array::Wwn;

use super::timeline::{AnswerKind, Finding, Outcome};
use crate::checks::Fact;

/// How a call ended for its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAnswer {
    /// When, since the start of the run.
    pub at: Duration,
    /// How.
    pub kind: AnswerKind,
    /// The answer's text.
    pub text: String,
}

/// A call of a plugin's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When, since the start of the run.
    pub at: Duration,
    /// Node whose plugin was called.
    pub node: String,
    /// Who called.
    pub caller: String,
    /// `VolumeDriver.Mount` and the like.
    pub endpoint: String,
    /// The body as it was sent.
    pub body: String,
    /// The answer, if one came.
    pub answer: Option<CallAnswer>,
}

/// A request that a front end of the array carried out or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// When, since the start of the run.
    pub at: Duration,
    /// Front end.
    pub channel: String,
    /// Method and path, or the command line. Front ends take secrets out of it.
    pub command: String,
    /// `done`, or what went wrong.
    pub outcome: String,
    /// It changes nothing.
    pub reads: bool,
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// When it began, since the start of the run.
    pub at: Duration,
    /// What it is.
    pub text: String,
    /// It went wrong.
    pub failed: bool,
}

/// What a run has seen.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// Wall-clock time of the moment zero, where the run is on the wall clock.
    pub begun: Option<SystemTime>,
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// Names of volumes for people.
    pub names: BTreeMap<Wwn, String>,
    /// Names of volumes on the array.
    pub array_names: BTreeMap<String, Wwn>,
    /// The history.
    pub facts: Vec<Fact>,
    /// Calls of the plugins. Where they are recorded, requests are not taken from the facts as well.
    pub calls: Vec<Call>,
    /// Requests to the array.
    pub commands: Vec<Command>,
    /// Parts of the run.
    pub scenes: Vec<Scene>,
}

/// What a run is called and how it ended.
#[derive(Debug, Clone)]
pub struct Story {
    /// Title of its page.
    pub title: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Names and values to know of it.
    pub about: Vec<(String, String)>,
    /// What must not be.
    pub findings: Vec<Finding>,
}
