//! Known safety defects behind a switch, so that tests can show they would be found.
//!
//! Without the crate feature `mutants` every question is answered "no" at compile time; no shipped build has it.

use std::fmt;
use std::str::FromStr;

/// One defect put back on purpose. Most are defects of the earlier plugin, as `known_as` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// Exports count as gone without being read back.
    SkipReadBack,
    /// Nobody looks at the record again between export and attach.
    SkipValidation,
    /// Unmount frees the record before filesystem and device are down.
    FreeBeforeDeviceDown,
    /// An export with unknown outcome is repeated with the same LUN number.
    ReuseLunNumber,
    /// A node whose kernel finds LUNs by itself mounts beside a late export of its own.
    MountBesideLateExport,
    /// A node that lost the volume gets it again without having cleaned up.
    ExportToQuarantined,
    /// A mount that is there counts as success, whoever owns the volume.
    AlreadyMountedIsSuccess,
    /// Whoever loses the race for a volume answers success all the same.
    LostClaimIsSuccess,
    /// A device that cannot be read counts as blank and is formatted.
    ReadErrorIsBlank,
    /// Only the exports to the first host that is listed are removed.
    RevokeFirstHostOnly,
    /// Exports that name no port are left alone.
    RevokeNeedsPort,
    /// Exports are removed before the claim is written.
    RevokeBeforeClaim,
    /// The same mount id twice counts once.
    IdsAreASet,
    /// An owner counts the volume as mounted without a look at its kernel.
    RecordVouchesForMount,
    /// Records are written over whatever is there.
    WriteWithoutCompare,
    /// Unmount is lazy and nobody proves the device idle.
    LazyUnmount,
    /// A node that does not own the volume leaves what it has of it.
    LeaveDevices,
    /// Exports that cannot be removed at an Unmount are forgotten.
    IgnoreReleaseErrors,
    /// Remove does not look who owns the volume, nor who is exported it.
    RemoveIgnoresOwner,
    /// A volume that nobody owns by its record is mounted without a look at the array.
    RecordAloneSaysFree,
    /// An export takes the lowest number that is free right now.
    LowestLun,
    /// A further mount forgets the references that are there.
    NewIdReplacesOthers,
    /// A delay that ran out for an earlier epoch permits a takeover of this one.
    StalePermitCounts,
    /// Two nodes may take a volume from each other for ever.
    NoThrashLimit,
    /// Two nodes may be one host of the array.
    SharedHost,
    /// A mount that failed is neither undone nor finished.
    FailedMountsStay,
    /// A caller that has gone becomes a reference that nobody will release.
    DepartedCallerHolds,
    /// One lock for all volumes, held while waiting for another node.
    OneLockForAll,
    /// A device counts as idle though a container still has it mounted.
    OwnNamespaceIsIdle,
}

/// Mutant, name on a command line, numbers in the list of the earlier plugin's defects, what it does.
const ALL: [(Mutant, &str, &str, &str); 29] = [
    (Mutant::SkipReadBack, "skip-read-back", "D6", "Exports count as gone without being read back."),
    (
        Mutant::SkipValidation,
        "skip-validation",
        "D4, F6",
        "Nobody looks at the record again between export and attach.",
    ),
    (
        Mutant::FreeBeforeDeviceDown,
        "free-before-device-down",
        "D2, F2",
        "Unmount frees the record before filesystem and device are down.",
    ),
    (
        Mutant::ReuseLunNumber,
        "reuse-lun-number",
        "F5, F22",
        "An export with unknown outcome is repeated with the same LUN number.",
    ),
    (
        Mutant::MountBesideLateExport,
        "mount-beside-late-export",
        "–",
        "A node whose kernel finds LUNs by itself mounts beside a late export of its own.",
    ),
    (
        Mutant::ExportToQuarantined,
        "export-to-quarantined",
        "D1, F14",
        "A node that lost the volume gets it again without having cleaned up.",
    ),
    (
        Mutant::AlreadyMountedIsSuccess,
        "already-mounted-is-success",
        "D1, F9",
        "A mount that is there counts as success, whoever owns the volume.",
    ),
    (
        Mutant::LostClaimIsSuccess,
        "lost-claim-is-success",
        "D3, F32",
        "Whoever loses the race for a volume answers success all the same.",
    ),
    (
        Mutant::ReadErrorIsBlank,
        "read-error-is-blank",
        "D5, F10",
        "A device that cannot be read counts as blank and is formatted.",
    ),
    (
        Mutant::RevokeFirstHostOnly,
        "revoke-first-host-only",
        "D6, F16",
        "Only the exports to the first host that is listed are removed.",
    ),
    (Mutant::RevokeNeedsPort, "revoke-needs-port", "D7, F16", "Exports that name no port are left alone."),
    (Mutant::RevokeBeforeClaim, "revoke-before-claim", "D9, F3", "Exports are removed before the claim is written."),
    (Mutant::IdsAreASet, "ids-are-a-set", "D10, F12", "The same mount id twice counts once."),
    (
        Mutant::RecordVouchesForMount,
        "record-vouches-for-mount",
        "D11, F28",
        "An owner counts the volume as mounted without a look at its kernel.",
    ),
    (Mutant::WriteWithoutCompare, "write-without-compare", "D4, D12", "Records are written over whatever is there."),
    (Mutant::LazyUnmount, "lazy-unmount", "D14, F7", "Unmount is lazy and nobody proves the device idle."),
    (
        Mutant::LeaveDevices,
        "leave-devices",
        "D15, F23",
        "A node that does not own the volume leaves what it has of it.",
    ),
    (
        Mutant::IgnoreReleaseErrors,
        "ignore-release-errors",
        "D18, F37",
        "Exports that cannot be removed at an Unmount are forgotten.",
    ),
    (
        Mutant::RemoveIgnoresOwner,
        "remove-ignores-owner",
        "D19",
        "Remove does not look who owns the volume, nor who is exported it.",
    ),
    (
        Mutant::RecordAloneSaysFree,
        "record-alone-says-free",
        "F4",
        "A volume that nobody owns by its record is mounted without a look at the array.",
    ),
    (Mutant::LowestLun, "lowest-lun", "F5", "An export takes the lowest number that is free right now."),
    (
        Mutant::NewIdReplacesOthers,
        "new-id-replaces-others",
        "F11",
        "A further mount forgets the references that are there.",
    ),
    (
        Mutant::StalePermitCounts,
        "stale-permit-counts",
        "F13, F15",
        "A delay that ran out for an earlier epoch permits a takeover of this one.",
    ),
    (Mutant::NoThrashLimit, "no-thrash-limit", "F14", "Two nodes may take a volume from each other for ever."),
    (Mutant::SharedHost, "shared-host", "F17", "Two nodes may be one host of the array."),
    (Mutant::FailedMountsStay, "failed-mounts-stay", "F26", "A mount that failed is neither undone nor finished."),
    (
        Mutant::DepartedCallerHolds,
        "departed-caller-holds",
        "F27",
        "A caller that has gone becomes a reference that nobody will release.",
    ),
    (
        Mutant::OneLockForAll,
        "one-lock-for-all",
        "F29, F30",
        "One lock for all volumes, held while waiting for another node.",
    ),
    (
        Mutant::OwnNamespaceIsIdle,
        "own-namespace-is-idle",
        "F40",
        "A device counts as idle though a container still has it mounted.",
    ),
];

impl Mutant {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter().map(|(mutant, ..)| mutant)
    }

    fn entry(self) -> (Self, &'static str, &'static str, &'static str) {
        // The table has a line for each; the first stands in so that this needs no panic.
        ALL.into_iter().find(|(mutant, ..)| *mutant == self).unwrap_or(ALL[0])
    }

    /// Name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// Numbers of the defect in the list of the earlier plugin's defects.
    #[must_use]
    pub fn known_as(self) -> &'static str {
        self.entry().2
    }

    /// What it does, as a sentence.
    #[must_use]
    pub fn does(self) -> &'static str {
        self.entry().3
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::all().map(Self::name).collect::<Vec<_>>().join(", ");
        Self::all().find(|m| m.name() == text).ok_or_else(|| format!("'{text}' is no mutant; known are {}", known()))
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
        for mutant in Mutant::all() {
            assert_eq!(mutant.name().parse(), Ok(mutant));
        }
        assert!("no-such".parse::<Mutant>().unwrap_err().contains("skip-read-back"));
    }
}
