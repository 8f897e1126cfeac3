//! L7: a plugin that is killed and started again.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::site::ProcessSite;
use crate::liveness::bound::{Bound, Goal, Row, Tier};
use crate::soak::holder::Holder;

/// From the start to the first answer.
const ANSWERS: Duration = Duration::from_secs(2);
/// On whose node.
const NODE: usize = 0;

/// The line: the plugin has a volume mounted, and dockerd's first question is answered.
pub(super) async fn rows(site: &ProcessSite, rounds: usize) -> Result<Vec<Row>> {
    let volume = site.create("kept", 30).await?;
    let container = Holder::hold(&site.engines, &volume, NODE).await?;
    let worker = site.engines.worker(NODE)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        worker.kill_plugin().await?;
        let begun = Instant::now();
        worker.start_plugin().await?;
        times.push(Ok(begun.elapsed()));
    }
    container.let_go(&site.engines, &volume).await?;
    let what = "killed plugin: from its start to its first answer";
    Ok(vec![Row::of_results(Bound::L7, Tier::Processes, what, Goal::Longest(ANSWERS), times)])
}
