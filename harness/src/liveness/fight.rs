//! L9: two healthy nodes that want the same volume, as a ReplicaSet of two makes them.

use std::time::Duration;

use hpe3par_docker_plugin::fencing::Policy;
use tokio::time::{Instant, sleep};

use super::bound::{Bound, Goal, Measured, Row, Tier};
use super::calm::Calm;
use super::virtual_time::{Seeds, measured};
use crate::checks::{Fact, FactKind};
use crate::simulation::Swarm;

/// How long they fight.
const FIGHT: Duration = Duration::from_secs(3_600);
/// Seconds a Mount waits for another owner.
const DELAY: u64 = 5;
/// Pause of an engine whose container died or whose Mount failed.
const BACK_OFF: Duration = Duration::from_secs(2);

/// The line.
pub(super) fn rows(seeds: &Seeds) -> Vec<Row> {
    let Policy { takeover_limit, takeover_window, .. } = Policy::default();
    let (mut most, mut failures) = (Vec::new(), Vec::new());
    // A fight of an hour is long: fewer of them.
    let fewer = *seeds.start()..=(*seeds.start() + (seeds.end() - seeds.start()) / 5);
    for fight in measured(&fewer, fight) {
        match fight {
            Ok(takeovers) => most.push(most_in(&takeovers, takeover_window)),
            Err(words) => failures.push(words),
        }
    }
    let what = format!(
        "two nodes fight for an hour: most takeovers within {} s (the limit is {takeover_limit})",
        takeover_window.as_secs()
    );
    let goal = Goal::Most(takeover_limit as u64);
    vec![Row { failures, ..Row::of(Bound::L9, Tier::Virtual, &what, goal, Measured::numbers(most)) }]
}

/// The times of all takeovers.
async fn fight(seed: u64) -> Result<Vec<Duration>, String> {
    let policy = Policy::default();
    let swarm = Swarm {
        takeover_limit: policy.takeover_limit,
        takeover_window: policy.takeover_window,
        append_pause: Duration::from_secs(5)..=Duration::from_secs(10),
        ..Swarm::calm(DELAY)
    };
    let calm = Calm::start(seed, swarm).await.map_err(|error| error.to_string())?;
    tokio::join!(engine(&calm, 0), engine(&calm, 1));
    let (facts, violations, _) = calm.world.chronicle.close();
    match violations.first() {
        Some(violation) => Err(violation.to_string()),
        None => Ok(takeovers(&facts)),
    }
}

/// Wants a container on its node, always: one that died is ended and started again.
async fn engine(calm: &Calm, node: usize) {
    let Ok(volume) = calm.volume() else { return };
    let (begun, mut container) = (Instant::now(), node as u64 * 1_000_000);
    while begun.elapsed() < FIGHT {
        container += 1;
        if calm.run(node, &volume, container).await.is_ok() {
            while begun.elapsed() < FIGHT && !calm.clients.containers(true).iter().any(|(on, _)| *on == node) {
                sleep(BACK_OFF).await;
            }
        }
        // Also what did not come about is given up.
        let _ = calm.stop(node, &volume, container).await;
        sleep(BACK_OFF).await;
    }
}

/// When the volume went from one owner to another, without being free between.
fn takeovers(facts: &[Fact]) -> Vec<Duration> {
    let (mut owner, mut times) = (None, Vec::new());
    for fact in facts {
        let FactKind::Record(record) = &fact.kind else { continue };
        let now = record.owner.as_ref().map(|(node, _)| node.clone());
        if owner.is_some() && now.is_some() && owner != now {
            times.push(fact.at);
        }
        owner = now;
    }
    times
}

/// The most of these times that lie within one window.
fn most_in(times: &[Duration], window: Duration) -> u64 {
    let within = |from: &Duration| times.iter().filter(|time| *time >= from && **time < *from + window).count();
    times.iter().map(within).max().unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_window_counts() {
        let times: Vec<Duration> = [0, 5, 9, 20, 21, 22, 23, 40].map(Duration::from_secs).into();
        assert_eq!(most_in(&times, Duration::from_secs(10)), 4);
        assert_eq!(most_in(&times, Duration::from_secs(100)), 8);
        assert_eq!(most_in(&[], Duration::from_secs(10)), 0);
    }
}
