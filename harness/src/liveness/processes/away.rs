//! L5 and L6: etcd away, then the array's management away. What runs goes on, looks are answered, what cannot be done is said.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

use super::site::ProcessSite;
use crate::cluster::docker_client::Dialect;
use crate::liveness::bound::{Bound, Goal, Row, Tier};
use crate::soak::deployment::{FrontEnd, MEMBERS};
use crate::soak::holder::Holder;
use crate::soak::workload::Volume;

/// A look.
const LOOK: Duration = Duration::from_millis(100);
/// A Mount that cannot be done.
const REFUSAL: Duration = Duration::from_secs(5);
/// A further Mount of what is mounted here.
const FURTHER: Duration = Duration::from_secs(5);
/// An Unmount.
const UNMOUNT: Duration = Duration::from_secs(55);
/// The node whose containers go on, and the one that asks for something new.
const RUNS: usize = 0;
const ASKS: usize = 1;
/// Looks for each round.
const LOOKS: usize = 6;

/// Who is away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Away {
    /// Members stand still: connections stay and nobody answers.
    EtcdSilent,
    /// Members are dead: connections are refused.
    EtcdDead,
    /// Both management interfaces of the array.
    Array,
}

/// What was measured while somebody was away.
#[derive(Default)]
struct Seen {
    looks: Vec<Result<Duration, String>>,
    further: Vec<Result<Duration, String>>,
    refused: Vec<Result<Duration, String>>,
    unmounts: Vec<Result<Duration, String>>,
}

/// All lines.
pub(super) async fn rows(site: &ProcessSite, rounds: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let cases = [
        (Away::EtcdSilent, Bound::L5, "etcd silent"),
        (Away::EtcdDead, Bound::L5, "etcd dead"),
        (Away::Array, Bound::L6, "the array's management away"),
    ];
    for (away, bound, words) in cases {
        let mut seen = Seen::default();
        // Each is a while: a few of them do.
        for round in 0..rounds.div_ceil(5) {
            once(site, away, &mut seen).await.with_context(|| format!("{words}, number {}", round + 1))?;
        }
        let line = |what: &str, goal, results| {
            let what = format!("{words}: {what}");
            Row::of_results(bound, Tier::Processes, &what, Goal::Longest(goal), results)
        };
        rows.push(line("Get, Path, List of what is mounted here", LOOK, seen.looks));
        rows.push(line("further Mount of what is mounted here", FURTHER, seen.further));
        if bound == Bound::L5 {
            rows.push(line("refusal of a Mount of what is not", REFUSAL, seen.refused));
        }
        rows.push(line("answer to the last Unmount", UNMOUNT, seen.unmounts));
    }
    Ok(rows)
}

async fn once(site: &ProcessSite, away: Away, seen: &mut Seen) -> Result<()> {
    let (engines, name) = (&site.engines, |what: &str| format!("{what}-{}", site.deployment.clock.now().as_millis()));
    let runs = site.create(&name("runs"), 30).await?;
    let ends = site.create(&name("ends"), 30).await?;
    let other = site.create(&name("other"), 30).await?;
    let container = Holder::hold(engines, &runs, RUNS).await?;
    let last = Holder::hold(engines, &ends, RUNS).await?;
    let before = container.progress(engines).await?;
    take_away(site, away).await?;
    looks(site, &runs, &mut seen.looks).await?;
    let further = engines.mount(RUNS, &runs, &container.id).await;
    seen.further.push(further.map(|mounted| mounted.took).map_err(|error| error.to_string()));
    if away != Away::Array {
        let (id, begun) = (engines.new_mount_id(), Instant::now());
        let refused = engines.mount(ASKS, &other, &id).await;
        seen.refused.push(match refused {
            Ok(_) => Err("a volume was mounted without etcd".to_owned()),
            Err(_) => Ok(begun.elapsed()),
        });
    }
    last.end_container(engines).await?;
    let begun = Instant::now();
    let _ = engines.unmount(RUNS, &ends, &last.id, 1).await;
    seen.unmounts.push(Ok(begun.elapsed()));
    looks(site, &runs, &mut seen.looks).await?;
    let after = container.progress(engines).await?;
    if after.synced <= before.synced || after.failure.is_some() {
        seen.looks.push(Err(format!("what runs did not go on writing: {before:?}, then {after:?}")));
    }
    site.heal().await?;
    give_back(site, &[(&runs, &container), (&ends, &last)]).await?;
    for volume in [runs, ends, other] {
        remove(site, &volume).await?;
    }
    Ok(())
}

async fn take_away(site: &ProcessSite, away: Away) -> Result<()> {
    match away {
        Away::EtcdSilent => {
            for member in 0..MEMBERS {
                site.deployment.members.freeze(member).await?;
            }
        }
        Away::EtcdDead => site.deployment.members.kill_all().await,
        Away::Array => {
            let array = site.deployment.array.lock().await;
            array.front_end(FrontEnd::Wsapi, true).await?;
            array.front_end(FrontEnd::Ssh, true).await?;
        }
    }
    Ok(())
}

async fn looks(site: &ProcessSite, volume: &Volume, seen: &mut Vec<Result<Duration, String>>) -> Result<()> {
    let client = site.engines.worker(RUNS)?.client(Dialect::Dockerd);
    for look in 0..LOOKS {
        let begun = Instant::now();
        let answer = match look % 3 {
            0 => client.get(&volume.name).await.map(drop),
            1 => client.path(&volume.name).await.map(drop),
            _ => client.list().await.map(drop),
        };
        seen.push(answer.map(|()| begun.elapsed()).map_err(|error| error.to_string()));
        sleep(LOOK).await;
    }
    Ok(())
}

/// Everything is unmounted again, also the further reference.
async fn give_back(site: &ProcessSite, holders: &[(&Volume, &Holder)]) -> Result<()> {
    for (volume, holder) in holders {
        let _ = holder.end_container(&site.engines).await;
        for _ in 0..3 {
            site.engines.unmount(holder.worker, volume, &holder.id, 5).await;
        }
    }
    Ok(())
}

async fn remove(site: &ProcessSite, volume: &Volume) -> Result<()> {
    let begun = Instant::now();
    loop {
        match site.engines.remove(ASKS, volume).await {
            Ok(()) => return Ok(()),
            Err(error) if begun.elapsed() > crate::soak::holder::SUCCEEDS => return Err(error),
            Err(_) => sleep(LOOK).await,
        }
    }
}
