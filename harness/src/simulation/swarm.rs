//! What one seed plays: which faults are on and how often, how slow things are, how the array and the volumes are set up.
//!
//! Every seed draws its own mix, so that rare combinations get runs of their own instead of drowning in noise.

use std::ops::RangeInclusive;
use std::time::Duration;

use hpe3par_docker_plugin::fencing::{ConflictPolicy, Policy};
use hpe3par_emulator::array::InflightPolicy;

use crate::node::{NodeOptions, Random};

/// Names of the worker nodes.
pub const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];

/// How often requests go wrong, in permille, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestOdds {
    /// The request is lost before it takes effect.
    pub lost: u64,
    /// The request takes effect, its answer is lost.
    pub answer_lost: u64,
    /// The caller has given up when the request takes effect.
    pub late: u64,
    /// The connection breaks at once; the effect comes later all the same.
    pub reset: u64,
    /// The service is busy: no effect, and it says so.
    pub busy: u64,
    /// The request is slow, but in time.
    pub slow: u64,
}

/// What may happen to nodes and links during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The plugin dies and is started again.
    PluginCrash,
    /// The plugin dies at a chosen step of the node port.
    CrashAtStep,
    /// The whole machine stands still for a while.
    Freeze,
    /// The machine loses power and comes back.
    PowerCycle,
    /// The machine boots again at once.
    Reboot,
    /// The cables to the array are cut.
    SanCut,
    /// The node does not reach the store.
    StoreCut,
    /// The node does not reach the array's REST interface.
    WsapiCut,
    /// The node does not reach the array's command line.
    CliCut,
    /// Nobody reaches the array's REST interface.
    WsapiDown,
    /// Nobody reaches the array's command line.
    CliDown,
    /// The store stands still.
    StoreFreeze,
    /// Somebody unmounts a volume on the node by hand.
    UnmountByHand,
    /// Somebody mounts the device of a volume on the node at another place, by hand.
    MountByHand,
    /// Somebody exports a volume to a host that is no node of the cluster, by hand.
    ExportByHand,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::PluginCrash,
        Self::CrashAtStep,
        Self::Freeze,
        Self::PowerCycle,
        Self::Reboot,
        Self::SanCut,
        Self::StoreCut,
        Self::WsapiCut,
        Self::CliCut,
        Self::WsapiDown,
        Self::CliDown,
        Self::StoreFreeze,
        Self::UnmountByHand,
        Self::MountByHand,
        Self::ExportByHand,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PluginCrash => "PluginCrash",
            Self::CrashAtStep => "CrashAtStep",
            Self::Freeze => "Freeze",
            Self::PowerCycle => "PowerCycle",
            Self::Reboot => "Reboot",
            Self::SanCut => "SanCut",
            Self::StoreCut => "StoreCut",
            Self::WsapiCut => "WsapiCut",
            Self::CliCut => "CliCut",
            Self::WsapiDown => "WsapiDown",
            Self::CliDown => "CliDown",
            Self::StoreFreeze => "StoreFreeze",
            Self::UnmountByHand => "UnmountByHand",
            Self::MountByHand => "MountByHand",
            Self::ExportByHand => "ExportByHand",
        }
    }
}

/// Content of a volume that its record does not expect: nobody may mount it, or write to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unexpected {
    /// The record says that the volume was never formatted, and there is data on it.
    ForeignData,
    /// The record says that the volume was formatted, and it is blank.
    NoFilesystem,
}

/// The plan of one seed.
#[derive(Debug, Clone)]
pub struct Swarm {
    /// Volumes in play.
    pub volumes: usize,
    /// Clients that start, stop and move workloads.
    pub clients: usize,
    /// How long faults and clients go on.
    pub busy_time: Duration,
    /// The array refuses a second host.
    pub one_host: bool,
    /// Fate of writes in flight on a removed export.
    pub inflight: InflightPolicy,
    /// How long a received write takes until it is on the medium.
    pub settling: RangeInclusive<Duration>,
    /// Pause after a revocation was read back.
    pub settle_delay: Duration,
    /// Percentage of removals that the array carries out late, partly or not at all.
    pub removal_anomalies: u64,
    /// Such a removal may also leave an active VLUN behind without its template.
    pub partial_removals: bool,
    /// What a Mount does when another node owns the volume.
    pub conflict: ConflictPolicy,
    /// Takeovers within the takeover window after which a living owner is left alone.
    pub takeover_limit: usize,
    /// The takeover window.
    pub takeover_window: Duration,
    /// Seconds a Mount waits for another owner.
    pub conflict_delay: u64,
    /// One more volume comes and goes: it is created and removed during the run.
    pub comes_and_goes: bool,
    /// One more volume holds what its record does not expect.
    pub unexpected: Option<Unexpected>,
    /// Patience of a client with a Mount.
    pub client_patience: Duration,
    /// Faults that may happen.
    pub faults: Vec<FaultKind>,
    /// Pause between faults.
    pub fault_pause: RangeInclusive<Duration>,
    /// How long a fault lasts.
    pub fault_length: RangeInclusive<Duration>,
    /// Pause between a client's actions.
    pub client_pause: RangeInclusive<Duration>,
    /// Pause between appends of an application.
    pub append_pause: RangeInclusive<Duration>,
    /// Requests to the store.
    pub store: RequestOdds,
    /// Requests to the array.
    pub array: RequestOdds,
    /// Permille of node steps that fail, before or after their effect.
    pub step_failures: u64,
    /// Behaviour of the nodes.
    pub node: NodeOptions,
}

impl Swarm {
    /// Nothing goes wrong, and nobody does anything by himself. One volume, whose Mount waits `delay` seconds for another owner.
    #[must_use]
    pub fn calm(delay: u64) -> Self {
        let (ms, secs) = (Duration::from_millis, Duration::from_secs);
        Self {
            volumes: 1,
            clients: 0,
            busy_time: secs(86_400),
            one_host: true,
            inflight: InflightPolicy::SettleBeforeReturn,
            settling: ms(0)..=ms(20),
            settle_delay: Duration::ZERO,
            removal_anomalies: 0,
            partial_removals: false,
            conflict: ConflictPolicy::Steal,
            takeover_limit: 1_000,
            takeover_window: Policy::default().takeover_window,
            conflict_delay: delay,
            comes_and_goes: false,
            unexpected: None,
            client_patience: secs(110),
            faults: Vec::new(),
            fault_pause: secs(1)..=secs(1),
            fault_length: secs(1)..=secs(1),
            client_pause: secs(1)..=secs(1),
            append_pause: ms(300)..=ms(900),
            store: RequestOdds::default(),
            array: RequestOdds::default(),
            step_failures: 0,
            node: NodeOptions { step_latency: ms(1)..=ms(40), step_deadline: secs(10), ..NodeOptions::default() },
        }
    }

    /// Draws the plan of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed, "swarm");
        let ms = Duration::from_millis;
        let secs = Duration::from_secs;
        let faults = draw_faults(&mut random);
        let (inflight, settling, settle_delay) = draw_inflight(&mut random);
        let node = draw_node(&mut random, seed);
        let (conflict, takeover_limit) = draw_conflict(&mut random);
        let unexpected = match random.below(20) {
            0 => Some(Unexpected::ForeignData),
            1 => Some(Unexpected::NoFilesystem),
            _ => None,
        };
        Self {
            volumes: 1 + usize::from(random.percent(35)),
            clients: 1 + usize::try_from(random.below(3)).unwrap_or(0),
            busy_time: secs(if random.percent(20) { 18 + random.below(20) } else { 5 + random.below(7) }),
            one_host: random.percent(50),
            inflight,
            settling,
            settle_delay,
            removal_anomalies: if random.percent(30) { 15 } else { 0 },
            partial_removals: false,
            conflict,
            takeover_limit,
            takeover_window: Policy::default().takeover_window,
            comes_and_goes: random.percent(30),
            unexpected,
            conflict_delay: *random.pick(&[0, 0, 1, 3, 8]).unwrap_or(&0),
            client_patience: *random.pick(&[secs(8), secs(25), secs(110)]).unwrap_or(&secs(110)),
            fault_pause: ms(200)..=ms(800 + random.below(6_000)),
            fault_length: ms(200)..=secs(*random.pick(&[1, 3, 8, 30]).unwrap_or(&6)),
            client_pause: ms(20)..=ms(300 + random.below(3_000)),
            append_pause: ms(30)..=ms(400 + random.below(3_000)),
            store: draw_odds(&mut random, 6),
            array: draw_odds(&mut random, 12),
            step_failures: if random.percent(35) { 1 + random.below(15) } else { 0 },
            faults,
            node,
        }
    }
}

/// Mostly takeovers without end, so that there are many.
fn draw_conflict(random: &mut Random) -> (ConflictPolicy, usize) {
    let conflict = match random.below(12) {
        0 => ConflictPolicy::Refuse,
        1 => ConflictPolicy::StealIfDead,
        _ => ConflictPolicy::Steal,
    };
    (conflict, if random.percent(15) { 2 } else { 1_000 })
}

fn draw_faults(random: &mut Random) -> Vec<FaultKind> {
    if random.percent(12) {
        return Vec::new();
    }
    let share = 10 + random.below(50);
    FaultKind::ALL.into_iter().filter(|_| random.percent(share)).collect()
}

fn draw_odds(random: &mut Random, scale: u64) -> RequestOdds {
    let mut rate = |percent: u64, most: u64| if random.percent(percent) { 1 + random.below(most) } else { 0 };
    RequestOdds {
        lost: rate(30, scale * 3),
        answer_lost: rate(40, scale * 3),
        late: rate(50, scale * 3),
        reset: rate(50, scale * 3),
        busy: rate(30, scale * 5),
        slow: rate(60, scale * 8),
    }
}

fn draw_inflight(random: &mut Random) -> (InflightPolicy, RangeInclusive<Duration>, Duration) {
    let ms = Duration::from_millis;
    let settling = if random.percent(50) { ms(0)..=ms(0) } else { ms(0)..=ms(80) };
    match random.below(3) {
        0 => (InflightPolicy::SettleBeforeReturn, settling, Duration::ZERO),
        1 => (InflightPolicy::Abort, settling, Duration::ZERO),
        // A removal that returns early is only safe with a pause after it that is longer.
        _ => (InflightPolicy::Linger(ms(200)), settling, ms(250)),
    }
}

fn draw_node(random: &mut Random, seed: u64) -> NodeOptions {
    let ms = Duration::from_millis;
    NodeOptions {
        seed,
        step_latency: ms(1)..=ms(1 + random.below(40)),
        wire_latency: ms(1)..=ms(1 + random.below(4)),
        slow_writes_percent: *random.pick(&[0, 0, 2, 10]).unwrap_or(&0),
        slow_wire_latency: ms(50)..=ms(500 + random.below(8_000)),
        flush_after: ms(500 + random.below(8_000)),
        polling_interval: ms(1_000 + random.below(4_000)),
        no_path_retry: *random.pick(&[Some(0), Some(2), Some(18), None]).unwrap_or(&None),
        path_loss_timeout: Duration::from_secs(2 + random.below(8)),
        step_deadline: Duration::from_secs(5 + random.below(15)),
        scan_at_boot: random.percent(40),
        finds_luns_by_itself: random.percent(25),
    }
}
