//! `hpe.conf`: what an administrator wrote, read into settings the rest of the plugin can trust.
//!
//! Every section is a backend; `[DEFAULT]` is one too and also holds the settings of the node. Keys of `[DEFAULT]` do not carry
//! over to other sections, except the few that say so. All problems of a file are reported together, each with its line.
//! `docs/hpe.conf.md` lists the keys.

mod access;
mod backend;
mod backend_name;
pub mod encrypted_password;
mod etcd;
mod finding;
mod host;
mod ini;
mod keys;
mod origin;
mod protocol;
mod reader;
mod replication;
pub(crate) mod spelling;
mod substitution;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use access::{ApiUrl, SshAccess, SshAuth, WsapiAccess};
pub use backend::BackendConfig;
pub use backend_name::{BackendName, BackendNameError};
pub use etcd::{EtcdConfig, EtcdEndpoint, EtcdTls};
pub use finding::{ConfigErrors, ConfigWarning, Finding};
pub use host::{HostConfig, LogLevel};
pub use replication::{ReplicationDevice, ReplicationMode};

use finding::{Findings, Place};
use ini::{Ini, Section};
use origin::Origin;
use reader::SectionReader;

/// Largest file read, in bytes; real ones have a few thousand.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A section that other software gives a meaning, and this does not.
const BACKEND_DEFAULTS: &str = "backend_defaults";

/// The settings of a whole `hpe.conf`.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// Settings of the node.
    pub host: HostConfig,
    /// The backends, at least one.
    pub backends: BTreeMap<BackendName, BackendConfig>,
    origin: Origin,
}

impl PluginConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong in it, or that it cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, Vec<ConfigWarning>), ConfigErrors> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let mut findings = Findings::new(&name);
        match read(path, &mut findings) {
            Some(text) => Self::parse(&text, &name),
            None => Err(findings.into_errors()),
        }
    }

    /// Reads the text of a file; `name` is what findings call the file.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(text: &str, name: &str) -> Result<(Self, Vec<ConfigWarning>), ConfigErrors> {
        let mut findings = Findings::new(name);
        let config = Self::read(text, &mut findings);
        match config {
            Some(config) if !findings.has_errors() => Ok((config, findings.into_warnings())),
            _ => Err(findings.into_errors()),
        }
    }

    /// The backend of volumes for which none is named: `DEFAULT`, else `DEFAULT_BLOCK`.
    #[must_use]
    pub fn default_backend(&self) -> Option<&BackendConfig> {
        [BackendName::DEFAULT, BackendName::DEFAULT_BLOCK].into_iter().find_map(|name| self.backends.get(name))
    }

    /// A finding about a setting that turned out to be unusable after the file was read.
    pub(crate) fn finding(&self, section: &str, key: &'static str, text: impl Into<String>) -> Finding {
        self.origin.finding(section, key, text.into())
    }

    fn read(text: &str, findings: &mut Findings) -> Option<Self> {
        let ini = ini::parse(text, findings);
        keys::check(&ini, findings);
        let Some(default) = ini.section(BackendName::DEFAULT) else {
            findings.error(Place::default(), "the section [DEFAULT] is missing. It holds the settings of the node: write [DEFAULT] in a line of its own before them.");
            return None;
        };
        let host = HostConfig::read(&mut SectionReader::new(&ini, default, findings));
        let mut backends = BTreeMap::new();
        for section in ini.sections.iter().filter(|section| !holds_node_settings_only(section, &ini)) {
            if let Some(backend) = read_backend(section, &ini, findings) {
                backends.insert(backend.name.clone(), backend);
            }
        }
        Some(Self { host, backends, origin: Origin::of(&ini, findings.file()) })
    }
}

/// `[DEFAULT]` may leave block volumes to other sections, if there are any.
fn holds_node_settings_only(section: &Section, ini: &Ini) -> bool {
    let is_backend_key = |name: &str| keys::find(name).is_some_and(|key| key.scope == keys::Scope::Backend);
    section.name == BackendName::DEFAULT
        && ini.sections.len() > 1
        && !section.entries.iter().any(|entry| is_backend_key(&entry.key))
}

fn read_backend(section: &Section, ini: &Ini, findings: &mut Findings) -> Option<BackendConfig> {
    let place = Place::line(section.line).in_section(&section.name);
    if section.name == BACKEND_DEFAULTS {
        findings.error(place, "defaults for all backends are not supported. Write the keys into each section.");
        return None;
    }
    match section.name.parse() {
        Ok(name) => BackendConfig::read(name, &mut SectionReader::new(ini, section, findings)),
        Err(BackendNameError) => {
            findings.error(place, format!("the name of the section is refused: {BackendNameError}."));
            None
        }
    }
}

fn hint_for(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "Begin with a copy of hpe.conf.example, or name the file with --config.",
        std::io::ErrorKind::PermissionDenied => "The plugin runs as root; run this command as root too.",
        _ => "Check the path and the permissions.",
    }
}

/// The text of a file; `None` if it cannot be read, which is recorded.
fn read(path: &Path, findings: &mut Findings) -> Option<String> {
    use std::io::Read as _;
    // Reading a pipe would wait for a writer.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        findings.error(Place::default(), "cannot be read: it is not a regular file.");
        return None;
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        findings.error(Place::default(), format!("cannot be read: {error}. {}", hint_for(&error)));
        return None;
    }
    if bytes.len() as u64 > LARGEST_FILE {
        findings.error(Place::default(), "has more than 1 MiB and is no hpe.conf.");
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            findings.error(Place::line(line), "holds bytes that are not UTF-8. Save the file as UTF-8.");
            None
        }
    }
}
