//! Which protocol a backend uses, and what a Mount does on a conflict: settings that are one word of a few.

use std::fmt;
use std::str::FromStr;

use super::BackendName;
use super::reader::{Refusal, SectionReader, shown};

const ISCSI: &str = "hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver";
const FC: &str = "hpedockerplugin.hpe.hpe_3par_fc.HPE3PARFCDriver";
const FILE: &str = "hpedockerplugin.hpe.hpe_3par_file.HPE3PARFileDriver";

/// How a node reaches the volumes of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// iSCSI.
    Iscsi,
    /// Fibre Channel.
    Fc,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iscsi => "iSCSI",
            Self::Fc => "Fibre Channel",
        })
    }
}

/// What a Mount does when another node has the volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// Waits for the other node, then takes the volume over: `steal`.
    #[default]
    Steal,
    /// As `Steal`, but only from a node that is not registered any more: `steal-if-dead`.
    StealIfDead,
    /// Refuses: `refuse`.
    Refuse,
}

impl FromStr for ConflictPolicy {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "steal" => Ok(Self::Steal),
            "steal-if-dead" => Ok(Self::StealIfDead),
            "refuse" => Ok(Self::Refuse),
            _ => Err(format!("{} is no policy. Use steal, steal-if-dead or refuse.", shown(text))),
        }
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

/// Why a section has no protocol; the error is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoProtocol {
    /// A File Persona section: its other keys are not worth errors of their own.
    pub(super) is_file_persona: bool,
}

/// Reads `hpedockerplugin_driver`.
pub(super) fn read(name: &BackendName, reader: &mut SectionReader<'_>) -> Result<Protocol, NoProtocol> {
    const KEY: &str = "hpedockerplugin_driver";
    let hint = format!("Set it to {ISCSI} or {FC}.");
    let driver = reader.required(KEY, &hint).ok_or(NoProtocol { is_file_persona: false })?;
    let (protocol, is_file_persona) = match driver.trim() {
        ISCSI => (Some(Protocol::Iscsi), false),
        FC => (Some(Protocol::Fc), false),
        FILE => (None, true),
        _ => (None, false),
    };
    if is_file_persona {
        reader.error(KEY, "File Persona is not supported yet. Remove this section, or run the earlier plugin for it.");
    } else if protocol.is_none() {
        reader.error(KEY, format!("Bad driver name specified in hpe.conf: {}. {hint}", shown(driver.trim())));
    } else if name.as_str() == BackendName::DEFAULT_FILE {
        reader.error(KEY, "the section DEFAULT_FILE is reserved for File Persona. Give this backend another name.");
    }
    protocol.ok_or(NoProtocol { is_file_persona })
}
