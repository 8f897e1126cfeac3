//! L10: a node that lost its volume while it could not know, and comes back.

use std::time::Duration;

use tokio::time::sleep;

use super::bound::{Bound, Goal, Row, Tier};
use super::calm::Calm;
use super::virtual_time::{Seeds, measured};
use crate::node::NodeOptions;
use crate::simulation::Swarm;

/// The node that takes the volume.
const TAKES: usize = 0;
/// The node that loses it.
const LOSES: usize = 1;
/// How soon it is clean.
const CLEAN: Duration = Duration::from_secs(30);
/// How long it is away.
const AWAY: Duration = Duration::from_secs(60);

/// Why it does not know.
#[derive(Clone, Copy)]
enum Away {
    StandsStill,
    ManagementCut,
    AllCut,
    PluginDead,
}

/// All lines.
pub(super) fn rows(seeds: &Seeds) -> Vec<Row> {
    let kinds = [
        (Away::StandsStill, "machine stood still for 60 s"),
        (Away::ManagementCut, "machine was without management network for 60 s, SAN up"),
        (Away::AllCut, "machine was without any network for 60 s, its I/O queues for ever"),
        (Away::PluginDead, "plugin was dead for 60 s"),
    ];
    let line = |(away, words): (Away, &str)| {
        let what = format!("fenced while its {words}: from its return until nothing is left on it");
        let results = measured(seeds, move |seed| comes_back(seed, away));
        Row::of_results(Bound::L10, Tier::Virtual, &what, Goal::Longest(CLEAN), results)
    };
    kinds.into_iter().map(line).collect()
}

async fn comes_back(seed: u64, away: Away) -> Result<Duration, String> {
    let node = NodeOptions { no_path_retry: None, ..Swarm::calm(1).node };
    let calm = Calm::start(seed, Swarm { node, ..Swarm::calm(1) }).await.map_err(|error| error.to_string())?;
    let volume = calm.volume()?;
    calm.run(LOSES, &volume, 1).await?;
    sleep(Duration::from_secs(3)).await;
    let loser = &calm.world.workers[LOSES];
    match away {
        Away::StandsStill => loser.freeze(),
        Away::ManagementCut => calm.cut_management(LOSES, true),
        Away::AllCut => {
            calm.cut_management(LOSES, true);
            loser.node.cut_from_san(true);
        }
        Away::PluginDead => loser.kill_plugin(),
    }
    calm.run_until(TAKES, &volume, 2).await?;
    sleep(AWAY + Duration::from_millis(seed.wrapping_mul(911) % 15_000)).await;
    match away {
        Away::StandsStill => loser.thaw(),
        Away::ManagementCut => calm.cut_management(LOSES, false),
        Away::AllCut => {
            calm.cut_management(LOSES, false);
            loser.node.cut_from_san(false);
        }
        Away::PluginDead => loser.start_plugin(),
    }
    let took = calm.until_clean(LOSES).await?;
    calm.verdict()?;
    Ok(took)
}
