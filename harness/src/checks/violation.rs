//! What a checker says when an invariant is broken.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The invariants. Each name stands for one sentence that must never become false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// A volume is never exported to two hosts at once (or, where the array does not refuse it, never to two that can write).
    S1OneHost,
    /// No write of an earlier life is accepted once a later life has mounted the volume.
    S2S5NoGhostWrite,
    /// Every acknowledged append is read by whoever mounts the volume next.
    S3NothingAcknowledgedLost,
    /// What one mount has read, every later mount reads too: the log is one path.
    S4OneChain,
    /// Epochs never fall, and each has one owner.
    S6OneOwnerPerEpoch,
    /// A Mount succeeds only as owner and with the right device mounted.
    S7AnswersAreTrue,
    /// A filesystem is never made on a volume that was mounted before.
    S8FormatOnce,
    /// A write never reaches a volume it was not meant for.
    S9RightVolume,
    /// The export of an owner that has the volume mounted is removed by nobody else.
    S10NoStaleFencer,
    /// Fencing a volume touches no other object.
    S11NothingElseTouched,
    /// A record is freed last: after the filesystem of its owner is down.
    S12FreedLast,
    /// When all is quiet nothing is left without a reason.
    C9NoLeak,
    /// No secret is in any record, log or answer.
    C10NoSecret,
    /// Nothing panics.
    C11NoPanic,
    /// The memory of a plugin does not grow with time.
    C12NoGrowth,
    /// A metadata store that was put back to an older state is noticed, and nothing is given away on its word.
    C13OldStoreNoticed,
    /// A sector that applications read and write behaves like one register, over all owners of its volume.
    C14SectorsAreRegisters,
    /// With all faults gone, a volume can be mounted again in bounded time.
    L1Liveness,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::S1OneHost,
        Self::S2S5NoGhostWrite,
        Self::S3NothingAcknowledgedLost,
        Self::S4OneChain,
        Self::S6OneOwnerPerEpoch,
        Self::S7AnswersAreTrue,
        Self::S8FormatOnce,
        Self::S9RightVolume,
        Self::S10NoStaleFencer,
        Self::S11NothingElseTouched,
        Self::S12FreedLast,
        Self::C9NoLeak,
        Self::C10NoSecret,
        Self::C11NoPanic,
        Self::C12NoGrowth,
        Self::C13OldStoreNoticed,
        Self::C14SectorsAreRegisters,
        Self::L1Liveness,
    ];

    /// The short name, such as `S1`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::S1OneHost => "S1",
            Self::S2S5NoGhostWrite => "S2/S5",
            Self::S3NothingAcknowledgedLost => "S3",
            Self::S4OneChain => "S4",
            Self::S6OneOwnerPerEpoch => "S6",
            Self::S7AnswersAreTrue => "S7",
            Self::S8FormatOnce => "S8",
            Self::S9RightVolume => "S9",
            Self::S10NoStaleFencer => "S10",
            Self::S11NothingElseTouched => "S11",
            Self::S12FreedLast => "S12",
            Self::C9NoLeak => "C9",
            Self::C10NoSecret => "C10",
            Self::C11NoPanic => "C11",
            Self::C12NoGrowth => "C12",
            Self::C13OldStoreNoticed => "C13",
            Self::C14SectorsAreRegisters => "C14",
            Self::L1Liveness => "L1",
        }
    }
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When, since the start of the run.
    pub at: Duration,
    /// What happened, in one paragraph for people.
    pub explanation: String,
    /// The facts just before, oldest first, the offending one last.
    pub around: Vec<String>,
}

impl Violation {
    /// A violation without surroundings.
    #[must_use]
    pub fn new(invariant: Invariant, at: Duration, explanation: impl Into<String>) -> Self {
        Self { invariant, at, explanation: explanation.into(), around: Vec::new() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {:.3} s: {}", self.invariant.code(), self.at.as_secs_f64(), self.explanation)
    }
}
