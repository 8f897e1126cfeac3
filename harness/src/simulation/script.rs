//! What is done to the world in one schedule, drawn before it begins: faults, and what clients do.
//!
//! A script is a list of parts. A part can be left out without a change to the others, so that a schedule that broke
//! something can be made smaller.

use std::collections::BTreeSet;
use std::time::Duration;

use super::coverage::may_crash_at;
use super::network::NodeNumber;
use super::swarm::{FaultKind, NODES, Swarm};
use crate::node::{Moment, Random, STEPS};

/// How many moments of node steps away a crash is, at most, when no step is named.
const MOMENTS: u64 = 12;

/// Where a plugin dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// After this many moments of node steps.
    After(u64),
    /// The next time it is here.
    At(&'static str, Moment),
}

impl CrashPoint {
    /// Half of them at a step that is named: most steps are rare among all.
    fn draw(random: &mut Random) -> Self {
        let steps: Vec<&'static str> = STEPS.into_iter().filter(|step| may_crash_at(step)).collect();
        let (named, step, before) = (random.percent(50), random.pick(&steps).copied(), random.percent(50));
        match step.filter(|_| named) {
            Some(step) => Self::At(step, if before { Moment::Before } else { Moment::After }),
            None => Self::After(random.below(MOMENTS)),
        }
    }
}

/// A fault and when it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// Time since the start of the run.
    pub at: Duration,
    /// What.
    pub kind: FaultKind,
    /// The node it strikes, if it strikes one.
    pub node: NodeNumber,
    /// For how long.
    pub length: Duration,
    /// Where the plugin dies, if it does.
    pub crash: CrashPoint,
    /// Which volume, where one is meant: an index to be taken modulo their number.
    pub volume: usize,
}

/// Something a client does after a pause. `None` is a pause only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The pause.
    pub pause: Duration,
    /// What is done.
    pub deed: Option<Deed>,
}

/// What a client does. `one` chooses among what runs at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Start a container with an application.
    Start {
        /// On this node.
        node: NodeNumber,
        /// With this volume: an index to be taken modulo their number.
        volume: usize,
        /// Under this mount id.
        mount_id: String,
    },
    /// Stop a container.
    Stop {
        /// Which.
        one: u64,
    },
    /// `docker cp` out of a running container: Mount and Unmount with its mount id.
    Copy {
        /// Which.
        one: u64,
    },
    /// kubelet repeats the Mount of a pod that has the volume already.
    Repeat {
        /// Which.
        one: u64,
    },
    /// A container dies with its engine, which mounts again under the same id.
    EngineRestarts {
        /// Which.
        one: u64,
    },
    /// Create the volume that comes and goes.
    Create {
        /// On this node.
        node: NodeNumber,
    },
    /// Remove the volume that comes and goes.
    Remove {
        /// On this node.
        node: NodeNumber,
    },
}

/// A part of a script that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A fault, by its place in the script.
    Strike(usize),
    /// A deed of a client, by client and place.
    Act(usize, usize),
}

/// Everything that is done to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Faults, in the order of their time.
    pub strikes: Vec<Strike>,
    /// What each client does, in order.
    pub clients: Vec<Vec<Act>>,
}

impl Script {
    /// Draws the script of a seed.
    #[must_use]
    pub fn draw(seed: u64, swarm: &Swarm) -> Self {
        let clients = (0..swarm.clients).map(|client| draw_client(seed, client, swarm)).collect();
        Self { strikes: draw_strikes(seed, swarm), clients }
    }

    /// Every part that does something.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let acts = self.clients.iter().enumerate().flat_map(|(client, acts)| {
            let doing = acts.iter().enumerate().filter(|(_, act)| act.deed.is_some());
            doing.map(move |(place, _)| Part::Act(client, place))
        });
        (0..self.strikes.len()).map(Part::Strike).chain(acts).collect()
    }

    /// The script without these parts; what is left happens at its time all the same.
    #[must_use]
    pub fn without(&self, left_out: &BTreeSet<Part>) -> Self {
        let strikes = self.strikes.iter().enumerate().filter(|(place, _)| !left_out.contains(&Part::Strike(*place)));
        let clients = self.clients.iter().enumerate().map(|(client, acts)| {
            let kept = acts.iter().enumerate().map(|(place, act)| match left_out.contains(&Part::Act(client, place)) {
                true => Act { pause: act.pause, deed: None },
                false => act.clone(),
            });
            kept.collect()
        });
        Self { strikes: strikes.map(|(_, strike)| *strike).collect(), clients: clients.collect() }
    }
}

fn draw_strikes(seed: u64, swarm: &Swarm) -> Vec<Strike> {
    let mut random = Random::new(seed, "strikes");
    let mut strikes = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += random.duration(&swarm.fault_pause);
        let Some(kind) = random.pick(&swarm.faults).copied().filter(|_| at < swarm.busy_time) else { return strikes };
        strikes.push(Strike {
            at,
            kind,
            node: draw_node(&mut random),
            length: random.duration(&swarm.fault_length),
            crash: CrashPoint::draw(&mut random),
            volume: usize::try_from(random.below(1_000)).unwrap_or(0),
        });
    }
}

fn draw_node(random: &mut Random) -> NodeNumber {
    usize::try_from(random.below(NODES.len() as u64)).unwrap_or(0)
}

fn draw_client(seed: u64, client: usize, swarm: &Swarm) -> Vec<Act> {
    let mut random = Random::new(seed, &format!("client {client}"));
    let mut acts = Vec::new();
    let mut time = Duration::ZERO;
    while time < swarm.busy_time {
        let pause = random.duration(&swarm.client_pause);
        time += pause;
        acts.push(Act { pause, deed: Some(draw_deed(&mut random, swarm)) });
    }
    acts
}

fn draw_deed(random: &mut Random, swarm: &Swarm) -> Deed {
    let (dice, node, one) = (random.below(100), draw_node(random), random.draw());
    if swarm.comes_and_goes && dice >= 90 {
        return if dice < 96 { Deed::Create { node } } else { Deed::Remove { node } };
    }
    match dice {
        0..52 => Deed::Start { node, volume: draw_index(random), mount_id: draw_mount_id(random) },
        52..74 => Deed::Stop { one },
        74..86 => Deed::Copy { one },
        86..93 => Deed::Repeat { one },
        _ => Deed::EngineRestarts { one },
    }
}

fn draw_index(random: &mut Random) -> usize {
    usize::try_from(random.below(1_000)).unwrap_or(0)
}

/// The id of dockerd, 64 hex digits, or of a pod, a UUID.
fn draw_mount_id(random: &mut Random) -> String {
    let pod = random.percent(30);
    let (high, low) = (random.draw(), random.draw());
    if pod { uuid::Uuid::from_u64_pair(high, low).to_string() } else { format!("{high:016x}{low:016x}").repeat(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_can_be_left_out_without_a_change_to_the_others() {
        let script = (1..).map(|seed| Script::draw(seed, &Swarm::draw(seed))).find(|script| script.strikes.len() > 3);
        let script = script.unwrap();
        let parts = script.parts();
        assert_eq!(script.without(&BTreeSet::new()), script);
        let left_out = BTreeSet::from([parts[1], parts[parts.len() - 1]]);
        let smaller = script.without(&left_out);
        assert_eq!(smaller.parts().len(), parts.len() - 2);
        assert_eq!(smaller.strikes[0], script.strikes[0]);
        assert_eq!(smaller.strikes[1], script.strikes[2]);
        let pauses = |script: &Script| script.clients.iter().flatten().map(|act| act.pause).collect::<Vec<_>>();
        assert_eq!(pauses(&smaller), pauses(&script));
    }
}
