//! L2 without a delay, and L10: a machine is lost, another one takes its volume, and the lost one comes back.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

use super::site::ProcessSite;
use crate::liveness::bound::{Bound, Goal, Row, Tier};
use crate::soak::holder::{Holder, WRITES};
use crate::soak::workload::Volume;

/// A takeover without delay.
const TAKEN: Duration = Duration::from_secs(1);
/// A fenced node is clean so soon after its return.
const CLEAN: Duration = Duration::from_secs(30);
/// Who takes, who loses.
const TAKER: usize = 0;
const LOSERS: [usize; 2] = [1, 2];

/// Lines of both ways to lose a machine.
pub(super) async fn rows(site: &ProcessSite, rounds: usize) -> Result<Vec<Row>> {
    let volume = site.create("taken", 0).await?;
    let mut rows = Vec::new();
    for (loser, dead, words) in [(LOSERS[0], false, "stands still"), (LOSERS[1], true, "has lost power")] {
        let (mut taken, mut clean) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let done = once(site, &volume, loser, dead).await;
            let (took, cleaned) = done.with_context(|| format!("takeover number {}", round + 1))?;
            taken.push(Ok(took));
            clean.push(Ok(cleaned));
        }
        let what = format!("takeover without delay from a machine that {words}");
        rows.push(Row::of_results(Bound::L2, Tier::Processes, &what, Goal::Longest(TAKEN), taken));
        let what = format!("a fenced machine that {words}: from its return until nothing is left");
        rows.push(Row::of_results(Bound::L10, Tier::Processes, &what, Goal::Longest(CLEAN), clean));
    }
    Ok(rows)
}

/// How long the takeover took, and then the cleaning.
async fn once(site: &ProcessSite, volume: &Volume, loser: usize, dead: bool) -> Result<(Duration, Duration)> {
    let (engines, fact_log) = (&site.engines, &site.deployment.fact_log);
    let owner = Holder::hold(engines, volume, loser).await.context("the owner's Mount")?;
    let machine = engines.worker(loser)?;
    if dead {
        machine.cut_power(fact_log).await;
    } else {
        machine.freeze(true, fact_log).await;
    }
    let (id, begun) = (engines.new_mount_id(), Instant::now());
    let mounted = engines.mount(TAKER, volume, &id).await.context("the takeover")?;
    let took = begun.elapsed();
    let taker = Holder::begin(engines, TAKER, id, mounted.dir).await?;
    sleep(WRITES).await;
    let back = Instant::now();
    if dead {
        machine.switch_on(fact_log).await?;
    } else {
        machine.freeze(false, fact_log).await;
    }
    let engine = async {
        if !dead {
            // The application dies of the write that is refused; its engine ends the container.
            sleep(Duration::from_millis(500)).await;
            owner.end_container(engines).await?;
        }
        engines.unmount(loser, volume, &owner.id, 3).await;
        Ok::<_, anyhow::Error>(())
    };
    let (ended, cleaned) = tokio::join!(engine, site.until_clean(loser, volume));
    ended?;
    cleaned?;
    let clean = back.elapsed();
    taker.let_go(engines, volume).await?;
    Ok((took, clean))
}
