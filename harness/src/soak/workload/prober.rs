//! Somebody who looks: Get, Path and List of what is mounted, all the time. dockerd forgets a volume whose Get fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::engines::Engines;
use crate::cluster::docker_client::Dialect;
use crate::node::Random;
use crate::soak::figures::Measure;
use crate::soak::nemesis::Fault;

/// Pause between looks.
const PAUSE: Duration = Duration::from_millis(150);
/// How often it is looked for machines that are back.
const REAP: Duration = Duration::from_millis(500);
/// So long an answer may take before the look is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at volumes that are mounted, where they are mounted, until the load is to end.
pub async fn probe(engines: Arc<Engines>, seed: u64) {
    let mut random = Random::new(seed, "prober");
    while !engines.site().is_ending() {
        sleep(PAUSE).await;
        let mounted = engines.mounted_volumes();
        let Some((volume, worker)) = random.pick(&mounted).cloned() else { continue };
        look(&engines, &volume, worker, random.below(3)).await;
    }
}

async fn look(engines: &Engines, volume: &str, worker: usize, which: u64) {
    let Ok(target) = engines.worker(worker) else { return };
    let client = target.client(Dialect::Dockerd).clone().with_patience(PATIENCE);
    let site = engines.site();
    let (asked, begun) = (site.deployment.clock.now(), Instant::now());
    let (name, answer) = match which {
        0 => ("list", client.list().await.map(drop)),
        1 => ("path", client.path(volume).await.map(drop)),
        _ => ("get", client.get(volume).await.map(drop)),
    };
    let took = begun.elapsed();
    let stands = engines.undisturbed(worker, asked, took);
    if !stands || engines.mounted_volumes().iter().all(|(name, on)| name != volume || *on != worker) {
        return;
    }
    engines.count(name, &answer);
    let takes_etcd = |fault: &Fault| fault.takes_etcd_from(worker);
    let etcd_away = site.faults.throughout(asked, asked + took).iter().any(takes_etcd);
    let alone = site.faults.around(asked, asked + took).iter().all(|fault| etcd_away && takes_etcd(fault));
    let measure = if etcd_away { Measure::LookEtcdAway } else { Measure::Look };
    site.figures.measure(measure, took, alone);
}

/// Ends, until the load is to end, containers whose machines are back after they were started elsewhere.
pub async fn reap(engines: Arc<Engines>) {
    while !engines.site().is_ending() {
        sleep(REAP).await;
        engines.end_orphans().await;
    }
}
