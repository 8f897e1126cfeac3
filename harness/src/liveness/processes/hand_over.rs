//! L1: the owner lets go while another node waits.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use hpe3par_docker_plugin::array::Wwn;

use super::site::ProcessSite;
use crate::checks::{Fact, FactKind, Phase};
use crate::liveness::bound::{Bound, Goal, Row, Tier};
use crate::node::NodeEvent;
use crate::soak::holder::Holder;
use crate::soak::judging;

/// Beyond the node's own attach.
const BEYOND_ATTACH: Duration = Duration::from_millis(100);
/// With it.
const WITH_ATTACH: Duration = Duration::from_secs(2);

/// One planned move: of what, to whom, and when on the soak's clock.
struct Move {
    to: String,
    released: Duration,
    mounted: Duration,
}

/// How long a move took.
struct Took {
    whole: Duration,
    beyond_attach: Duration,
}

/// Both lines.
pub(super) async fn rows(site: &ProcessSite, rounds: usize) -> Result<Vec<Row>> {
    let volume = site.create("moved", 60).await?;
    let mut holder = Holder::hold(&site.engines, &volume, 0).await?;
    let mut moves = Vec::new();
    for round in 0..rounds {
        let next = 1 - holder.worker.min(1);
        let id = site.engines.new_mount_id();
        let waiting = tokio::spawn({
            let (engines, volume, id) = (Arc::clone(&site.engines), volume.clone(), id.clone());
            async move { engines.mount(next, &volume, &id).await }
        });
        site.until_somebody_waits(&volume).await?;
        let released = site.deployment.clock.now();
        holder.let_go(&site.engines, &volume).await?;
        let answer = waiting.await.context("the waiting caller panicked")?;
        let answer = answer.with_context(|| format!("the waiting Mount of round {}", round + 1))?;
        let to = site.engines.worker(next)?.name().to_owned();
        moves.push(Move { to, released, mounted: answer.asked + answer.took });
        holder = Holder::begin(&site.engines, next, id, answer.dir).await?;
        tokio::time::sleep(crate::soak::holder::WRITES).await;
    }
    holder.let_go(&site.engines, &volume).await?;
    let history = judging::history(&site.deployment)?;
    let took: Vec<Took> = moves.iter().map(|m| measure(&history, &volume.wwn, m)).collect::<Result<_>>()?;
    let line = |what: &str, goal, of: fn(&Took) -> Duration| {
        let times = took.iter().map(|took| Ok(of(took)));
        Row::of_results(Bound::L1, Tier::Processes, what, Goal::Longest(goal), times)
    };
    Ok(vec![
        line("planned move: freed record to answer of the waiting Mount", WITH_ATTACH, |took| took.whole),
        line("of that, beyond the node's own attach", BEYOND_ATTACH, |took| took.beyond_attach),
    ])
}

/// The attach is what lies between the export and the mounted filesystem.
fn measure(history: &[Fact], wwn: &Wwn, of: &Move) -> Result<Took> {
    let within = || history.iter().filter(|fact| fact.at >= of.released && fact.at <= of.mounted);
    let first = |what: &str, is: &dyn Fn(&FactKind) -> bool| {
        let found = within().find(|fact| is(&fact.kind)).map(|fact| fact.at);
        found.ok_or_else(|| anyhow!("the history of a move does not say when {what}"))
    };
    let freed = first(
        "the record was freed",
        &|kind| matches!(kind, FactKind::Record(record) if record.volume == *wwn && record.phase == Phase::Free),
    )?;
    let exported = first(
        "the volume was exported",
        &|kind| matches!(kind, FactKind::Exported { volume, host, .. } if volume == wwn && *host == of.to),
    )?;
    let mounted = first(
        "the filesystem was mounted",
        &|kind| matches!(kind, FactKind::Node { node, event: NodeEvent::Mounted { wwn: on, .. } } if on == wwn && *node == of.to),
    )?;
    let whole = of.mounted.saturating_sub(freed);
    Ok(Took { whole, beyond_attach: whole.saturating_sub(mounted.saturating_sub(exported)) })
}
