//! How a simulated node behaves: its latencies, patience and habits.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Times and habits of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOptions {
    /// Seed of the node's latencies.
    pub seed: u64,
    /// How long a step takes on the node, apart from its I/O.
    pub step_latency: RangeInclusive<Duration>,
    /// How long a command is on its way to the array, and its answer on the way back.
    pub wire_latency: RangeInclusive<Duration>,
    /// Percentage of writes that are slow on their way.
    pub slow_writes_percent: u64,
    /// How long a slow write is on its way.
    pub slow_wire_latency: RangeInclusive<Duration>,
    /// After how long the background flusher writes dirty pages back.
    pub flush_after: Duration,
    /// How often multipathd looks at failed paths (`polling_interval`).
    pub polling_interval: Duration,
    /// How many such looks I/O waits without a path (`no_path_retry`); `None` waits for ever.
    pub no_path_retry: Option<u32>,
    /// After how long without an answer a command counts as lost with its path.
    pub path_loss_timeout: Duration,
    /// Deadline of each call of the port; the step may go on in the kernel.
    pub step_deadline: Duration,
    /// The kernel attaches whatever is newly exported to it, as one on Fibre Channel does.
    pub finds_luns_by_itself: bool,
    /// At boot, iscsid logs in to all ports it knows and scans everything exported there.
    pub scan_at_boot: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            seed: 0,
            step_latency: ms(1)..=ms(5),
            wire_latency: ms(1)..=ms(2),
            slow_writes_percent: 0,
            slow_wire_latency: ms(100)..=ms(3_000),
            flush_after: Duration::from_secs(5),
            polling_interval: Duration::from_secs(5),
            no_path_retry: Some(18),
            path_loss_timeout: Duration::from_secs(10),
            step_deadline: Duration::from_secs(30),
            finds_luns_by_itself: false,
            scan_at_boot: false,
        }
    }
}
