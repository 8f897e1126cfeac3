//! Settings of the fencing protocol.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a Mount does when another node owns the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// After the conflict delay, take it.
    #[default]
    Steal,
    /// Take it only from a node whose plugin no longer keeps its registration alive.
    StealIfDead,
    /// Never take it.
    Refuse,
}

/// A text that names no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no policy; use steal, steal-if-dead or refuse")]
pub struct NoSuchPolicy;

impl FromStr for ConflictPolicy {
    type Err = NoSuchPolicy;

    fn from_str(text: &str) -> Result<Self, NoSuchPolicy> {
        [Self::Steal, Self::StealIfDead, Self::Refuse]
            .into_iter()
            .find(|policy| policy.to_string() == text)
            .ok_or(NoSuchPolicy)
    }
}

impl fmt::Display for ConflictPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steal => "steal",
            Self::StealIfDead => "steal-if-dead",
            Self::Refuse => "refuse",
        })
    }
}

/// Settings of the fencing protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What to do in a conflict.
    pub conflict: ConflictPolicy,
    /// Seconds to wait for another owner when the volume does not say.
    pub conflict_delay: u64,
    /// Takeovers of one volume within `takeover_window` after which a living owner is held.
    pub takeover_limit: usize,
    /// The thrash window.
    pub takeover_window: Duration,
    /// Remove exports to hosts that are no nodes of this cluster.
    pub fence_unknown_hosts: bool,
    /// How long an expired delay timer keeps permitting a takeover.
    pub permit_validity: Duration,
    /// How long a volume stays mounted for a Mount whose caller had gone, waiting for the repeat.
    pub unclaimed_hold: Duration,
    /// How often everything is looked at again even if no watch spoke.
    pub reconcile_interval: Duration,
    /// How long exports may take to vanish after their removal was accepted.
    pub revoke_patience: Duration,
    /// Pause after a revocation was read back, for arrays whose removal returns before writes in flight have settled.
    pub settle_delay: Duration,
    /// How long a release waits for lost paths to come back before it gives up what was not written back.
    pub path_patience: Duration,
    /// How long to wait for paths of a new export.
    pub attach_patience: Duration,
    /// How long after it was given up a request to the array may still take effect: so long its LUN number is looked
    /// for, and so long a node whose kernel finds LUNs by itself waits before it mounts the volume again.
    pub burned_watch: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            conflict: ConflictPolicy::Steal,
            conflict_delay: 30,
            takeover_limit: 3,
            takeover_window: Duration::from_secs(600),
            fence_unknown_hosts: false,
            permit_validity: Duration::from_secs(120),
            unclaimed_hold: Duration::from_secs(120),
            reconcile_interval: Duration::from_secs(15),
            revoke_patience: Duration::from_secs(60),
            settle_delay: Duration::ZERO,
            path_patience: Duration::from_secs(120),
            attach_patience: Duration::from_secs(30),
            burned_watch: Duration::from_secs(120),
        }
    }
}
