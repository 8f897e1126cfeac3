//! L8, and the deadlines of L5 and L6, in virtual time: whoever asks is answered while he still waits.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::bound::{Bound, Goal, Row, Tier};
use super::calm::Calm;
use super::virtual_time::{Seeds, measured};
use crate::node::NodeOptions;
use crate::simulation::{Service, Swarm, mount_id};

/// The node that asks.
const ASKS: usize = 0;
/// The node that has the volume.
const OWNER: usize = 1;

/// dockerd's own limit is 120 s.
const MOUNT: Duration = Duration::from_secs(110);
/// The engine's limit where the plugin was enabled with its usual settings is 30 s.
const SHORT_MOUNT: Duration = Duration::from_secs(25);
/// An Unmount.
const UNMOUNT: Duration = Duration::from_secs(55);
/// A Mount that cannot be done, because etcd is away.
const REFUSAL: Duration = Duration::from_secs(5);
/// Scheduling of an answer that was due at its deadline.
const SLACK: Duration = Duration::from_millis(50);
/// How long the owner's application has written.
const WRITES: Duration = Duration::from_secs(3);

/// All lines.
pub(super) fn rows(seeds: &Seeds) -> Vec<Row> {
    let line = |bound, what, bound_in_time: Duration, results: Vec<Result<Duration, String>>| {
        Row::of_results(bound, Tier::Virtual, what, Goal::Longest(bound_in_time + SLACK), results)
    };
    vec![
        line(
            Bound::L5,
            "etcd away: answer to a Mount of a volume that is not mounted here",
            REFUSAL,
            measured(seeds, mount_without_etcd),
        ),
        line(
            Bound::L5,
            "etcd away: answer to the last Unmount; the volume is unmounted",
            UNMOUNT,
            measured(seeds, unmount_without_etcd),
        ),
        line(
            Bound::L6,
            "the array's management away: answer to the last Unmount; the volume is unmounted",
            UNMOUNT,
            measured(seeds, unmount_without_array),
        ),
        line(
            Bound::L8,
            "answer to a Mount that waits longer than its caller (110 s)",
            MOUNT,
            measured(seeds, |seed| mount_that_waits(seed, MOUNT)),
        ),
        line(
            Bound::L8,
            "the same where the caller waits 30 s (25 s)",
            SHORT_MOUNT,
            measured(seeds, |seed| mount_that_waits(seed, SHORT_MOUNT)),
        ),
        line(
            Bound::L8,
            "answer to an Unmount whose device has lost all paths and queues for ever",
            UNMOUNT,
            measured(seeds, unmount_without_paths),
        ),
    ]
}

async fn owned(seed: u64, swarm: Swarm) -> Result<Calm, String> {
    let calm = Calm::start(seed, swarm).await.map_err(|error| error.to_string())?;
    calm.run(OWNER, &calm.volume()?, 1).await?;
    sleep(WRITES).await;
    Ok(calm)
}

async fn mount_that_waits(seed: u64, patience: Duration) -> Result<Duration, String> {
    let calm = owned(seed, Swarm { client_patience: patience, ..Swarm::calm(300) }).await?;
    let begun = Instant::now();
    match calm.run(ASKS, &calm.volume()?, 2).await {
        Ok(()) => Err("the volume was mounted although its owner has it".to_owned()),
        Err(reason) if reason.contains("no answer") => Err(reason),
        Err(_) => Ok(begun.elapsed()),
    }
}

async fn mount_without_etcd(seed: u64) -> Result<Duration, String> {
    let calm = Calm::start(seed, Swarm::calm(30)).await.map_err(|error| error.to_string())?;
    // Half of them find it out by themselves, half have known for a while.
    calm.world.network.take_down(Service::Store, true);
    sleep(Duration::from_secs(seed % 2 * 20)).await;
    let begun = Instant::now();
    match calm.run(ASKS, &calm.volume()?, 1).await {
        Ok(()) => Err("a volume was mounted without etcd".to_owned()),
        Err(_) => Ok(begun.elapsed()),
    }
}

async fn unmount_without_etcd(seed: u64) -> Result<Duration, String> {
    let calm = owned(seed, Swarm::calm(30)).await?;
    calm.world.network.take_down(Service::Store, true);
    sleep(Duration::from_secs(seed % 2 * 20)).await;
    unmounts(&calm).await
}

async fn unmount_without_array(seed: u64) -> Result<Duration, String> {
    let calm = owned(seed, Swarm::calm(30)).await?;
    calm.world.network.take_down(Service::Wsapi, true);
    calm.world.network.take_down(Service::Cli, true);
    sleep(Duration::from_secs(seed % 2 * 20)).await;
    unmounts(&calm).await
}

/// The Unmount's time; nothing may be mounted after it, whatever its answer was.
async fn unmounts(calm: &Calm) -> Result<Duration, String> {
    let (volume, worker) = (calm.volume()?, &calm.world.workers[OWNER]);
    calm.clients.end_container(&calm.world, OWNER, &mount_id(1)).await;
    let begun = Instant::now();
    let answer = calm.clients.unmount_once(&calm.world, OWNER, &volume, &mount_id(1)).await;
    let took = begun.elapsed();
    let left = worker.node.leftovers();
    if left.mounts.is_empty() { Ok(took) } else { Err(format!("still mounted after {answer:?}: {left:?}")) }
}

async fn unmount_without_paths(seed: u64) -> Result<Duration, String> {
    let node = NodeOptions { no_path_retry: None, ..Swarm::calm(30).node };
    let calm = owned(seed, Swarm { node, ..Swarm::calm(30) }).await?;
    let volume = calm.volume()?;
    calm.world.workers[OWNER].node.cut_from_san(true);
    sleep(Duration::from_secs(5)).await;
    let begun = Instant::now();
    match calm.stop(OWNER, &volume, 1).await {
        Err(reason) if reason.contains("no answer") => Err(reason),
        _ => Ok(begun.elapsed()),
    }
}
