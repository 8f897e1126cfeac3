//! Broken invariants, with the sentence that must hold.

use super::timeline::Finding;
use crate::checks::{Invariant, Violation};

impl From<&Violation> for Finding {
    fn from(violation: &Violation) -> Self {
        Self {
            at: violation.at.into(),
            code: violation.invariant.code().to_owned(),
            rule: rule_of(violation.invariant).to_owned(),
            explanation: violation.explanation.clone(),
            before: violation.around.clone(),
        }
    }
}

/// The sentence an invariant stands for.
#[must_use]
pub fn rule_of(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::S1OneHost => "A volume is never exported to two hosts at once.",
        Invariant::S2S5NoGhostWrite => "No write of an earlier mount is accepted once a later mount has the volume.",
        Invariant::S3NothingAcknowledgedLost => "Every acknowledged write is read by whoever mounts the volume next.",
        Invariant::S4OneChain => "What one mount has read, every later mount reads too.",
        Invariant::S6OneOwnerPerEpoch => "Epochs never fall, and each has one owner.",
        Invariant::S7AnswersAreTrue => "A Mount succeeds only as owner and with the right device mounted.",
        Invariant::S8FormatOnce => "A filesystem is never made on a volume that was mounted before.",
        Invariant::S9RightVolume => "A write never reaches a volume it was not meant for.",
        Invariant::S10NoStaleFencer => "The export of an owner that has the volume mounted is removed by nobody else.",
        Invariant::S11NothingElseTouched => "Fencing a volume touches no other object.",
        Invariant::S12FreedLast => "A record is freed last: after the filesystem of its owner is down.",
        Invariant::C9NoLeak => "When all is quiet nothing is left without a reason.",
        Invariant::C10NoSecret => "No secret is in any record, log or answer.",
        Invariant::C11NoPanic => "Nothing panics.",
        Invariant::C12NoGrowth => "The memory of a plugin does not grow with time.",
        Invariant::C14SectorsAreRegisters => "A sector behaves like one register, whoever reads and writes it.",
        Invariant::C13OldStoreNoticed => {
            "A metadata store put back to an older state is noticed; nothing is given away on its word."
        }
        Invariant::L1Liveness => "With all faults gone, a volume can be mounted again in bounded time.",
    }
}
