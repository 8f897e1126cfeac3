//! L1, L2, L4 and the takeover's part of L7 in virtual time: how soon a volume changes hands.

use std::time::Duration;

use hpe3par_docker_plugin::fencing::ConflictPolicy;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::bound::{Bound, Goal, Row, Tier};
use super::calm::{AGAIN, Calm};
use super::virtual_time::{Seeds, measured};
use crate::checks::Phase;
use crate::simulation::{NodeNumber, SimulatedVolume, Swarm, mount_id};

/// The node that asks.
const ASKS: usize = 0;
/// The node that has the volume.
const OWNER: usize = 1;
/// A third node.
const THIRD: usize = 2;

/// The delay of a volume that says nothing, in seconds.
const USUAL_DELAY: u64 = 30;
/// How long the owner's application has written before anything happens.
const WRITES: Duration = Duration::from_secs(3);
/// Bound of fence and attach together (L2).
const FENCE_AND_ATTACH: Duration = Duration::from_secs(30);
/// Lease of a registration and of whoever works at a volume (L4).
const LEASE: Duration = Duration::from_secs(15);
/// What the work itself may take on the emulator, beyond delays and leases (L2).
const WORK: Duration = Duration::from_secs(2);

/// What became of the owner.
#[derive(Clone, Copy)]
enum Lost {
    Power,
    StandsStill,
    ManagementCut,
}

/// All lines.
pub(super) fn rows(seeds: &Seeds) -> Vec<Row> {
    let mut rows = vec![hand_over(seeds)];
    for (lost, words) in [
        (Lost::Power, "machine without power"),
        (Lost::StandsStill, "machine that stands still"),
        (Lost::ManagementCut, "machine without management network, SAN up"),
    ] {
        for delay in [0, USUAL_DELAY] {
            let what = format!("takeover from a {words}, beyond a delay of {delay} s");
            let goal = Goal::P99(FENCE_AND_ATTACH);
            rows.push(line(Bound::L2, &what, goal, seeds, move |seed| from_lost(seed, lost, delay)));
        }
    }
    let goal = Goal::Longest(LEASE + WORK);
    rows.push(line(
        Bound::L4,
        "steal-if-dead: from the owner's death to the Mount elsewhere",
        goal,
        seeds,
        steal_if_dead,
    ));
    let what = "the taker dies over its takeover: the next one's Mount, beyond the first one's delay";
    rows.push(line(Bound::L4, what, goal, seeds, dead_taker));
    let what = "the taker's plugin is killed and started again: its Mount, beyond the first one's delay";
    rows.push(line(Bound::L7, what, Goal::Longest(WORK), seeds, killed_taker));
    rows
}

fn line<F>(bound: Bound, what: &str, goal: Goal, seeds: &Seeds, run: impl Fn(u64) -> F + Sync) -> Row
where
    F: Future<Output = Result<Duration, String>>,
{
    Row::of_results(bound, Tier::Virtual, what, goal, measured(seeds, run))
}

fn hand_over(seeds: &Seeds) -> Row {
    let what = "planned move: from the freed record to the answer of the waiting Mount, with the attach";
    // The attach on a simulated node is steps of at most 40 ms.
    line(Bound::L1, what, Goal::Longest(Duration::from_secs(1) + WORK), seeds, planned_move)
}

async fn site(seed: u64, delay: u64) -> Result<Calm, String> {
    let calm = Calm::start(seed, Swarm::calm(delay)).await.map_err(|error| error.to_string())?;
    calm.run(OWNER, &calm.volume()?, 1).await?;
    sleep(WRITES).await;
    Ok(calm)
}

async fn planned_move(seed: u64) -> Result<Duration, String> {
    let calm = site(seed, 60).await?;
    let volume = calm.volume()?;
    let waiting = async { calm.run(ASKS, &volume, 2).await.map(|()| Instant::now()) };
    let release = async {
        sleep(Duration::from_secs(2)).await;
        calm.stop(OWNER, &volume, 1).await
    };
    let (mounted, released) = tokio::join!(waiting, release);
    released?;
    let mounted = mounted?;
    let freed = freed_at(&calm)?;
    Ok(mounted.saturating_duration_since(calm.world.start + freed))
}

/// When the record was written free last; the checkers are asked on the way.
fn freed_at(calm: &Calm) -> Result<Duration, String> {
    let (facts, violations, _) = calm.world.chronicle.close();
    if let Some(violation) = violations.first() {
        return Err(violation.to_string());
    }
    let freed = facts.iter().rev().find_map(|fact| match &fact.kind {
        crate::checks::FactKind::Record(record) if record.phase == Phase::Free => Some(fact.at),
        _ => None,
    });
    freed.ok_or_else(|| "the record was never free".to_owned())
}

async fn from_lost(seed: u64, lost: Lost, delay: u64) -> Result<Duration, String> {
    let calm = site(seed, delay).await?;
    let owner = &calm.world.workers[OWNER];
    match lost {
        Lost::Power => owner.power_off(),
        Lost::StandsStill => owner.freeze(),
        Lost::ManagementCut => calm.cut_management(OWNER, true),
    }
    let took = calm.run_until(ASKS, &calm.volume()?, 2).await?;
    // Time for writes of the former owner to reach the array, and to be judged.
    sleep(WRITES).await;
    calm.verdict()?;
    Ok(took.saturating_sub(Duration::from_secs(delay)))
}

async fn steal_if_dead(seed: u64) -> Result<Duration, String> {
    let swarm = Swarm { conflict: ConflictPolicy::StealIfDead, ..Swarm::calm(0) };
    let calm = Calm::start(seed, swarm).await.map_err(|error| error.to_string())?;
    let volume = calm.volume()?;
    calm.run(OWNER, &volume, 1).await?;
    sleep(WRITES + Duration::from_millis(seed.wrapping_mul(137) % 5_000)).await;
    calm.world.workers[OWNER].power_off();
    let took = calm.run_until(ASKS, &volume, 2).await?;
    calm.verdict()?;
    Ok(took)
}

/// A Mount that nobody waits for: whoever sent it may be gone before it is answered.
fn asked(calm: &Calm, node: NodeNumber, volume: &SimulatedVolume) -> JoinHandle<Result<(), String>> {
    let (world, clients, volume) = (calm.world.clone(), calm.clients.clone(), volume.clone());
    tokio::spawn(async move { clients.try_start(&world, node, &volume, &mount_id(2)).await })
}

/// The owner stands still; somebody begins to take the volume and dies, at another moment with every seed; a third one asks.
async fn dead_taker(seed: u64) -> Result<Duration, String> {
    let calm = site(seed, USUAL_DELAY).await?;
    let volume = calm.volume()?;
    calm.world.workers[OWNER].freeze();
    let begun = Instant::now();
    let first = asked(&calm, THIRD, &volume);
    // From the middle of the delay to the middle of fence and attach.
    let dies = Duration::from_millis(15_000 + seed.wrapping_mul(311) % 15_400);
    sleep(dies).await;
    calm.world.workers[THIRD].power_off();
    let answered = calm.run_until(ASKS, &volume, 3).await;
    let took = begun.elapsed();
    first.abort();
    answered?;
    calm.verdict()?;
    Ok(took.saturating_sub(Duration::from_secs(USUAL_DELAY)))
}

/// The taker's plugin is killed in the middle of the delay, started again, and asked again: the clock goes on.
async fn killed_taker(seed: u64) -> Result<Duration, String> {
    let calm = site(seed, USUAL_DELAY).await?;
    let volume = calm.volume()?;
    calm.world.workers[OWNER].freeze();
    let begun = Instant::now();
    let first = asked(&calm, ASKS, &volume);
    sleep(Duration::from_millis(2_000 + seed.wrapping_mul(311) % 25_000)).await;
    calm.world.workers[ASKS].kill_plugin();
    sleep(AGAIN).await;
    calm.world.workers[ASKS].start_plugin();
    let answered = calm.run_until(ASKS, &volume, 2).await;
    let took = begun.elapsed();
    first.abort();
    answered?;
    calm.verdict()?;
    Ok(took.saturating_sub(Duration::from_secs(USUAL_DELAY)))
}
