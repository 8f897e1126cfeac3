//! Breadth-first exploration of every state within the bound.

use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use indexmap::IndexSet;

use crate::properties::Violation;
use crate::settings::Settings;
use crate::state::State;
use crate::state::canonical::canonical;
use crate::steps::{Transition, steps_from};

/// States in the order they were found.
pub type States = IndexSet<State, FixedState>;

/// Why an exploration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every state was visited and no property is broken.
    Exhausted,
    /// A property is broken; the states lead there from the first one, by renamed states.
    Broken {
        /// The property.
        violation: Violation,
        /// Renamed states from the initial one to the one the last step starts from.
        path: Vec<State>,
    },
    /// More states than allowed.
    TooMany,
}

/// What an exploration found.
#[derive(Debug)]
pub struct Exploration {
    /// Why it ended.
    pub outcome: Outcome,
    /// Every state found.
    pub states: States,
    /// Steps taken.
    pub steps: u64,
    /// Longest shortest way from the initial state.
    pub depth: usize,
    /// Steps left out because the model ran out of LUN numbers. Not zero: not exhaustive.
    pub cut: u64,
    /// Fault-free steps as pairs of state indices, when asked for.
    pub fault_free: Vec<(u32, u32)>,
    /// Time it took.
    pub took: Duration,
}

/// How to explore.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Give up beyond this many states.
    pub states: usize,
    /// Keep the fault-free steps for [`crate::recovery`].
    pub keep_steps: bool,
    /// Treat nodes that changed places as one state. Not together with a check that asks about a node by name.
    pub exchange_nodes: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { states: 60_000_000, keep_steps: false, exchange_nodes: true }
    }
}

/// Visits every state reachable from a free volume, shortest way first, until a property is broken.
#[must_use]
pub fn explore(settings: &Settings, limits: Limits) -> Exploration {
    let started = Instant::now();
    let mut states = States::default();
    let mut parents: Vec<u32> = vec![0];
    let mut found = Exploration {
        outcome: Outcome::Exhausted,
        states: States::default(),
        steps: 0,
        depth: 0,
        cut: 0,
        fault_free: Vec::new(),
        took: Duration::ZERO,
    };
    states.insert(canonical(&State::initial(settings.faults), settings.nodes, limits.exchange_nodes));
    let mut out: Vec<Transition> = Vec::new();
    let (mut at, mut level_ends) = (0, 1);
    while let Some(state) = states.get_index(at).copied() {
        if at == level_ends {
            found.depth += 1;
            level_ends = states.len();
        }
        if states.len() > limits.states {
            found.outcome = Outcome::TooMany;
            break;
        }
        out.clear();
        found.cut += u64::from(steps_from(&state, settings, &mut out));
        found.steps += out.len() as u64;
        if let Some(violation) = out.iter().find_map(|transition| transition.violation) {
            found.outcome = Outcome::Broken { violation, path: path_to(&states, &parents, at) };
            break;
        }
        for transition in &out {
            let (index, new) = states.insert_full(canonical(&transition.state, settings.nodes, limits.exchange_nodes));
            if new {
                parents.push(number(at));
            }
            if limits.keep_steps && !transition.event.fault {
                found.fault_free.push((number(at), number(index)));
            }
        }
        at += 1;
    }
    found.states = states;
    found.took = started.elapsed();
    found
}

/// Indices fit: an exploration stops long before 2^32 states.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn path_to(states: &States, parents: &[u32], mut at: usize) -> Vec<State> {
    let mut path = Vec::new();
    while let Some(state) = states.get_index(at) {
        path.push(*state);
        if at == 0 {
            break;
        }
        at = parents[at] as usize;
    }
    path.reverse();
    path
}
