//! Known safety defects behind a switch, so that tests can show they would be found.
//!
//! Without the crate feature `mutants` every question is answered "no" at compile time; no shipped build has it.

use std::fmt;
use std::str::FromStr;

/// Each mutant with its name on a command line and what it does, told once.
macro_rules! mutants {
    ($($mutant:ident = $name:literal: $does:literal,)*) => {
        /// One defect put back on purpose. Most are defects of the earlier plugin.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $(#[doc = $does] $mutant,)*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$mutant,)*];

            /// Name on a command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$mutant => $name,)*
                }
            }

            /// What it does, as a sentence.
            #[must_use]
            pub fn does(self) -> &'static str {
                match self {
                    $(Self::$mutant => $does,)*
                }
            }
        }
    };
}

mutants! {
    SkipReadBack = "skip-read-back":
        "Exports count as gone without being read back.",
    SkipValidation = "skip-validation":
        "Nobody looks at the record again between export and attach.",
    FreeBeforeDeviceDown = "free-before-device-down":
        "Unmount frees the record before filesystem and device are down.",
    ReuseLunNumber = "reuse-lun-number":
        "An export with unknown outcome is repeated with the same LUN number.",
    MountBesideLateExport = "mount-beside-late-export":
        "A node whose kernel finds LUNs by itself mounts beside a late export of its own.",
    ExportToQuarantined = "export-to-quarantined":
        "A node that lost the volume gets it again without having cleaned up.",
    AlreadyMountedIsSuccess = "already-mounted-is-success":
        "A mount that is there counts as success, whoever owns the volume.",
    LostClaimIsSuccess = "lost-claim-is-success":
        "Whoever loses the race for a volume answers success all the same.",
    ReadErrorIsBlank = "read-error-is-blank":
        "A device that cannot be read counts as blank and is formatted.",
    RevokeFirstHostOnly = "revoke-first-host-only":
        "Only the exports to the first host that is listed are removed.",
    RevokeNeedsPort = "revoke-needs-port":
        "Exports that name no port are left alone.",
    RevokeBeforeClaim = "revoke-before-claim":
        "Exports are removed before the claim is written.",
    IdsAreASet = "ids-are-a-set":
        "The same mount id twice counts once.",
    RecordVouchesForMount = "record-vouches-for-mount":
        "An owner counts the volume as mounted without a look at its kernel.",
    WriteWithoutCompare = "write-without-compare":
        "Records are written over whatever is there.",
    LazyUnmount = "lazy-unmount":
        "Unmount is lazy and nobody proves the device idle.",
    LeaveDevices = "leave-devices":
        "A node that does not own the volume leaves what it has of it.",
    IgnoreReleaseErrors = "ignore-release-errors":
        "Exports that cannot be removed at an Unmount are forgotten.",
    RemoveIgnoresOwner = "remove-ignores-owner":
        "Remove does not look who owns the volume, nor who is exported it.",
    RecordAloneSaysFree = "record-alone-says-free":
        "A volume that nobody owns by its record is mounted without a look at the array.",
    LowestLun = "lowest-lun":
        "An export takes the lowest number that is free right now.",
    NewIdReplacesOthers = "new-id-replaces-others":
        "A further mount forgets the references that are there.",
    StalePermitCounts = "stale-permit-counts":
        "A delay that ran out for an earlier epoch permits a takeover of this one.",
    NoThrashLimit = "no-thrash-limit":
        "Two nodes may take a volume from each other for ever.",
    SharedHost = "shared-host":
        "Two nodes may be one host of the array.",
    FailedMountsStay = "failed-mounts-stay":
        "A mount that failed is neither undone nor finished.",
    DepartedCallerHolds = "departed-caller-holds":
        "A caller that has gone becomes a reference that nobody will release.",
    OneLockForAll = "one-lock-for-all":
        "One lock for all volumes, held while waiting for another node.",
    OwnNamespaceIsIdle = "own-namespace-is-idle":
        "A device counts as idle though a container still has it mounted.",
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|mutant| mutant.name()).collect::<Vec<_>>().join(", ");
        Self::ALL
            .iter()
            .copied()
            .find(|m| m.name() == text)
            .ok_or_else(|| format!("'{text}' is no mutant; known are {}", known()))
    }
}

/// Which defect, if any, is in force for one service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defects {
    #[cfg(feature = "mutants")]
    active: Option<Mutant>,
}

impl Defects {
    /// Puts one defect in.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with(active: Option<Mutant>) -> Self {
        Self { active }
    }

    /// Whether this defect is in force.
    #[must_use]
    #[inline]
    pub fn has(self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        {
            self.active == Some(mutant)
        }
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutant_is_found_by_its_name() {
        for &mutant in Mutant::ALL {
            assert_eq!(mutant.name().parse(), Ok(mutant));
        }
        assert!("no-such".parse::<Mutant>().unwrap_err().contains("skip-read-back"));
    }
}
