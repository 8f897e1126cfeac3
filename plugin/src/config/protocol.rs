//! Which protocol a backend uses, and what a Mount does on a conflict: settings that are one word of a few.

use super::BackendName;
use super::reader::{Refusal, SectionReader, shown};
use crate::array::settings::Protocol;
use crate::fencing::ConflictPolicy;

const ISCSI: &str = "hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver";
const FC: &str = "hpedockerplugin.hpe.hpe_3par_fc.HPE3PARFCDriver";
const FILE: &str = "hpedockerplugin.hpe.hpe_3par_file.HPE3PARFileDriver";

pub(super) fn conflict_policy(text: &str) -> Result<ConflictPolicy, Refusal> {
    text.parse().map_err(|_| format!("{} is no policy. Use steal, steal-if-dead or refuse.", shown(text)))
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
