//! L11: a thousand volumes on 64 nodes, and a rack of them loses power. Everything that ran there is asked for elsewhere at once.

use std::sync::Arc;
use std::time::Duration;

use hpe3par_docker_plugin::array::settings::SshSettings;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::bound::{Bound, Goal, Measured, Row, Tier};
use super::calm::Calm;
use super::virtual_time::in_virtual_time;
use crate::simulation::{NodeNumber, SessionCounts, SessionLimits, Sessions, SimulatedVolume, Swarm};

/// Beyond the delay, by which every volume has to be mounted again.
const TAKEN_WITHIN: Duration = Duration::from_secs(120);
/// How soon the nodes of the rack have to be clean after their return.
const CLEAN_WITHIN: Duration = Duration::from_secs(30);
/// An engine starts so many containers at a time.
const AT_ONCE: usize = 8;

/// The size of it.
#[derive(Debug, Clone)]
pub struct RackPlan {
    /// Seed of the latencies.
    pub seed: u64,
    /// Nodes.
    pub nodes: usize,
    /// Nodes of the rack that is lost.
    pub lost: usize,
    /// Volumes, each mounted on a node.
    pub volumes: usize,
    /// Seconds a Mount waits for another owner.
    pub delay: u64,
    /// Sessions that the array grants to all nodes together, and its times.
    pub limits: SessionLimits,
}

impl Default for RackPlan {
    /// 1000 volumes on 64 nodes in four racks, on an array of four controller nodes: it grants 72 REST sessions.
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            seed: 1,
            nodes: 64,
            lost: 16,
            volumes: 1_000,
            delay: 30,
            limits: SessionLimits {
                commands: usize::MAX,
                rest: 72,
                rest_idle: Duration::from_secs(900),
                command_time: ms(300)..=ms(1_200),
                rest_time: ms(30)..=ms(250),
            },
        }
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct RackLoss {
    plan: RackPlan,
    /// From the loss, at which everything was asked for elsewhere, to each volume's Mount.
    taken_over: Vec<Duration>,
    /// Volumes that were not mounted again, and what the checkers found.
    failures: Vec<String>,
    /// Answers that were no success, each followed by the same request again.
    repeated: u64,
    /// From the rack's return until each of its nodes was clean.
    clean: Vec<Duration>,
    before: SessionCounts,
    counts: SessionCounts,
    /// What it took to compute it.
    computed_in: Duration,
}

/// Plays it.
#[must_use]
pub fn lose_a_rack(plan: &RackPlan) -> RackLoss {
    let begun = std::time::Instant::now();
    let played = in_virtual_time(play(plan));
    let mut loss = played.unwrap_or_else(|words| RackLoss { failures: vec![words], ..RackLoss::nothing(plan) });
    loss.computed_in = begun.elapsed();
    loss
}

impl RackLoss {
    fn nothing(plan: &RackPlan) -> Self {
        Self {
            plan: plan.clone(),
            taken_over: Vec::new(),
            failures: Vec::new(),
            repeated: 0,
            clean: Vec::new(),
            before: SessionCounts::default(),
            counts: SessionCounts::default(),
            computed_in: Duration::ZERO,
        }
    }

    /// Its lines in the table.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let RackPlan { nodes, lost, volumes, delay, limits, .. } = &self.plan;
        let of = |what: String, goal, measured| Row::of(Bound::L11, Tier::Virtual, &what, goal, measured);
        let one = |number: u64| Measured::numbers(vec![number]);
        let (seen, cap) = (self.counts, (nodes - lost) * SshSettings::SESSIONS);
        let taken = of(
            format!(
                "{volumes} volumes on {nodes} nodes, {lost} of them lose power: each volume's Mount elsewhere, beyond a delay of {delay} s"
            ),
            Goal::Longest(TAKEN_WITHIN),
            Measured::times(self.taken_over.iter().map(|t| t.saturating_sub(Duration::from_secs(*delay))).collect()),
        );
        vec![
            Row { failures: self.failures.clone(), ..taken },
            of(
                format!(
                    "most SSH command sessions at a time ({} for each of {} nodes)",
                    SshSettings::SESSIONS,
                    nodes - lost
                ),
                Goal::Most(cap as u64),
                one(seen.commands as u64),
            ),
            of("most REST sessions at a time".to_owned(), Goal::Most(limits.rest as u64), one(seen.rest as u64)),
            of(
                "logins and commands refused for want of a session".to_owned(),
                Goal::None,
                one(seen.rest_refused + seen.commands_refused
                    - self.before.rest_refused
                    - self.before.commands_refused),
            ),
            of("answers to a Mount that were no success".to_owned(), Goal::None, one(self.repeated)),
            of(
                "commands for each volume taken over, in hundredths".to_owned(),
                Goal::None,
                one((seen.all_commands - self.before.all_commands) * 100 / (self.taken_over.len().max(1) as u64)),
            ),
            of(
                "the rack is back: until a node of it is clean".to_owned(),
                Goal::Longest(CLEAN_WITHIN),
                Measured::times(self.clean.clone()),
            ),
        ]
    }

    /// Real time it took to compute it.
    #[must_use]
    pub fn computed_in(&self) -> Duration {
        self.computed_in
    }
}

async fn play(plan: &RackPlan) -> Result<RackLoss, String> {
    let mut loss = RackLoss::nothing(plan);
    let calm = Arc::new(site(plan).await?);
    let placed = place(&calm, plan).await?;
    if let Some(sessions) = calm.world.network.sessions() {
        sessions.forget_peaks();
    }
    loss.before = calm.sessions()?;
    let begun = Instant::now();
    (0..plan.lost).for_each(|node| calm.world.workers[node].power_off());
    let survivors = plan.nodes - plan.lost;
    let mut asks = JoinSet::new();
    for (number, volume) in placed.into_iter().enumerate().filter(|(number, _)| number % plan.nodes < plan.lost) {
        let (calm, node) = (Arc::clone(&calm), plan.lost + number % survivors);
        asks.spawn(async move { mounted_elsewhere(&calm, node, &volume, number as u64).await });
    }
    while let Some(asked) = asks.join_next().await {
        match asked.map_err(|error| error.to_string())? {
            Ok((at, repeated)) => {
                loss.taken_over.push(at - begun);
                loss.repeated += repeated;
            }
            Err(words) => loss.failures.push(words),
        }
    }
    loss.counts = calm.sessions()?;
    loss.clean = comes_back(&calm, plan).await?;
    if let Err(words) = calm.verdict() {
        loss.failures.push(words);
    }
    Ok(loss)
}

async fn site(plan: &RackPlan) -> Result<Calm, String> {
    let names: Vec<String> =
        (0..plan.nodes).map(|node| format!("rack{}-node{node:02}", node / plan.lost.max(1))).collect();
    let swarm = Swarm {
        volumes: plan.volumes,
        // A thousand applications that write now and then.
        append_pause: Duration::from_secs(20)..=Duration::from_secs(60),
        ..Swarm::calm(plan.delay)
    };
    let calm = Calm::start_with(&names, plan.seed, swarm).await.map_err(|error| error.to_string())?;
    calm.world.network.limit_sessions(Sessions::new(plan.nodes, plan.limits.clone()));
    Ok(calm)
}

/// Every volume is mounted on the node of its number, as many at a time on a node as an engine starts.
async fn place(calm: &Arc<Calm>, plan: &RackPlan) -> Result<Vec<SimulatedVolume>, String> {
    let volumes = calm.world.volumes.clone();
    let mut engines = JoinSet::new();
    for (node, lane) in (0..plan.nodes).flat_map(|node| (0..AT_ONCE).map(move |lane| (node, lane))) {
        let mine: Vec<(usize, SimulatedVolume)> = volumes
            .iter()
            .cloned()
            .enumerate()
            .filter(|(number, _)| number % plan.nodes == node && number / plan.nodes % AT_ONCE == lane)
            .collect();
        let calm = Arc::clone(calm);
        engines.spawn(async move {
            for (number, volume) in mine {
                calm.run_until(node, &volume, number as u64).await?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(placed) = engines.join_next().await {
        placed.map_err(|error| error.to_string())??;
    }
    Ok(volumes)
}

/// When a volume was mounted, and how many requests before had no success.
async fn mounted_elsewhere(
    calm: &Calm,
    node: NodeNumber,
    volume: &SimulatedVolume,
    container: u64,
) -> Result<(Instant, u64), String> {
    let (begun, mut repeated) = (Instant::now(), 0);
    loop {
        let Err(reason) = calm.run(node, volume, container).await else { return Ok((Instant::now(), repeated)) };
        repeated += 1;
        if begun.elapsed() > Duration::from_secs(900) {
            return Err(format!("{} was not mounted elsewhere within 900 s; the last answer: {reason}", volume.name));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// The rack gets its power back.
async fn comes_back(calm: &Arc<Calm>, plan: &RackPlan) -> Result<Vec<Duration>, String> {
    let mut nodes = JoinSet::new();
    for node in 0..plan.lost {
        calm.world.workers[node].power_on();
        let calm = Arc::clone(calm);
        nodes.spawn(async move {
            calm.until_serving(node).await;
            calm.until_clean(node).await
        });
    }
    let mut clean = Vec::new();
    while let Some(node) = nodes.join_next().await {
        clean.push(node.map_err(|error| error.to_string())??);
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> RackPlan {
        let plan = RackPlan::default();
        RackPlan { nodes: 6, lost: 2, volumes: 18, delay: 5, ..plan }
    }

    #[test]
    fn a_small_rack_is_taken_over_by_the_others() {
        let loss = lose_a_rack(&small());
        assert_eq!(loss.failures, Vec::<String>::new());
        assert_eq!((loss.taken_over.len(), loss.clean.len()), (6, 2));
        assert!(loss.rows().iter().all(Row::is_met), "{:?}", loss.rows());
    }

    #[test]
    fn an_array_without_sessions_is_no_success() {
        let plan = small();
        let limits = SessionLimits { rest: 2, ..plan.limits };
        let loss = lose_a_rack(&RackPlan { limits, ..plan });
        assert!(loss.rows().iter().any(|row| !row.is_met()));
    }
}
