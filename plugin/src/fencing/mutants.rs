//! Known safety defects behind a switch, so that tests can show they would be found.
//!
//! Without the crate feature `mutants` every question is answered "no" at compile time; no shipped build has it.

use std::fmt;
use std::str::FromStr;

/// One safety defect put back on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// Revocation counts as done without reading the exports back.
    SkipReadBack,
    /// The device is attached without reading the record again after the export.
    SkipValidation,
    /// Unmount frees the record before filesystem and device are down.
    FreeBeforeDeviceDown,
    /// An export with unknown outcome is repeated with the same LUN number.
    ReuseLunNumber,
    /// A node that lost the volume is exported it again without having cleaned up.
    ExportToQuarantined,
    /// A mount that is there counts as success, whoever owns the volume.
    AlreadyMountedIsSuccess,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SkipReadBack,
        Self::SkipValidation,
        Self::FreeBeforeDeviceDown,
        Self::ReuseLunNumber,
        Self::ExportToQuarantined,
        Self::AlreadyMountedIsSuccess,
    ];

    /// Name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SkipReadBack => "skip-read-back",
            Self::SkipValidation => "skip-validation",
            Self::FreeBeforeDeviceDown => "free-before-device-down",
            Self::ReuseLunNumber => "reuse-lun-number",
            Self::ExportToQuarantined => "export-to-quarantined",
            Self::AlreadyMountedIsSuccess => "already-mounted-is-success",
        }
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
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
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
