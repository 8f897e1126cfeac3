//! What can be found out about a configuration without asking etcd, an array or another node.
//!
//! `check-config` and `serve` both come through here, so that a file that was checked is one the plugin starts with. Nothing
//! is made or changed: directories and the node id come into being when the plugin starts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, access};

use super::{adapters, open_array};
use crate::array::hpe3par::Hpe3par;
use crate::array::settings::SettingsError;
use crate::config::{BackendConfig, BackendName, ConfigErrors, ConfigWarning, Finding, PluginConfig, SshAuth};
use crate::node::node_id::{self, NodeIdError};
use crate::store::MetadataStore;
use crate::store::etcd::EtcdStore;

/// Reads `hpe.conf` and looks at every file and directory it names.
///
/// # Errors
/// Everything that keeps the plugin from starting with this file, each problem with its place; the warnings go with it.
pub async fn load_checked(path: &Path) -> Result<(PluginConfig, Vec<ConfigWarning>), ConfigErrors> {
    let (config, mut warnings) = PluginConfig::load(path)?;
    let mut look = Look { config: &config, errors: Vec::new(), warnings: Vec::new() };
    look.at_permissions_of(path);
    look.at_node_files();
    if let Some(store) = look.at_etcd().await {
        look.at_backends(&store);
    }
    let Look { errors, warnings: found, .. } = look;
    warnings.extend(found.into_iter().map(ConfigWarning));
    if errors.is_empty() { Ok((config, warnings)) } else { Err(ConfigErrors::new(errors, warnings)) }
}

/// A look around, and what it found.
struct Look<'c> {
    config: &'c PluginConfig,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Look<'_> {
    fn error(&mut self, section: &str, key: &'static str, text: impl Into<String>) {
        self.errors.push(self.config.finding(section, key, text));
    }

    fn warning(&mut self, section: &str, key: &'static str, text: impl Into<String>) {
        self.warnings.push(self.config.finding(section, key, text));
    }

    /// The file holds passwords.
    fn at_permissions_of(&mut self, path: &Path) {
        let Ok(found) = fs::metadata(path) else { return };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let text = format!(
                "the file holds passwords and its mode is {mode:04o}: other users can get at them. Set it to 0600: chmod 600 {}",
                path.display()
            );
            self.warning(BackendName::DEFAULT, "hpe3par_password", text);
        }
    }

    fn at_node_files(&mut self) {
        const DEFAULT: &str = BackendName::DEFAULT;
        let host = &self.config.host;
        match node_id::check(&host.node_id_file) {
            Ok(Some(_)) => {}
            Ok(None) => {
                let directory = host.node_id_file.parent().unwrap_or(Path::new("/"));
                if let Err(error) = can_be_written(directory) {
                    self.error(DEFAULT, "node_id_file", cannot_make(&host.node_id_file, &error));
                }
            }
            Err(error @ (NodeIdError::File { .. } | NodeIdError::Unusable { .. })) => {
                self.error(DEFAULT, "node_id_file", format!("{error}."));
            }
        }
        for directory in [host.state_dir.clone(), host.state_dir.join("volumes")] {
            if let Err(error) = can_be_written(&directory) {
                self.error(DEFAULT, "state_dir", cannot_make(&directory, &error));
                break;
            }
        }
    }

    /// The store, not connected, if its settings can work.
    async fn at_etcd(&mut self) -> Option<Arc<dyn MetadataStore>> {
        const DEFAULT: &str = BackendName::DEFAULT;
        let before = self.errors.len();
        if let Some(tls) = &self.config.host.etcd.tls {
            let files = [
                ("host_etcd_client_cert", Some(&tls.client_cert)),
                ("host_etcd_client_key", Some(&tls.client_key)),
                ("host_etcd_ca_cert", tls.ca_cert.as_ref()),
            ];
            for (key, file) in files {
                if let Some((file, error)) = file.and_then(|file| Some((file, fs::read(file).err()?))) {
                    self.error(DEFAULT, key, format!("{} cannot be read: {error}.", file.display()));
                }
            }
        }
        match EtcdStore::open(&adapters::etcd_settings(&self.config.host.etcd)).await {
            Ok(store) => Some(Arc::new(store)),
            Err(error) => {
                if self.errors.len() == before {
                    let key = if self.config.host.etcd.tls.is_some() {
                        "host_etcd_client_cert"
                    } else {
                        "host_etcd_ip_address"
                    };
                    self.error(DEFAULT, key, format!("{error}."));
                }
                None
            }
        }
    }

    fn at_backends(&mut self, store: &Arc<dyn MetadataStore>) {
        let config = self.config;
        for section in config.backends.values() {
            let name = section.name.as_str();
            match open_array(section, config, store) {
                Ok(array) => self.at_host_key(section, &array),
                Err(error @ SettingsError::Url { .. }) => self.error(name, "hpe3par_api_url", format!("{error}.")),
                Err(error @ (SettingsError::Certificates { .. } | SettingsError::Client { .. })) => {
                    self.error(name, "hpe3par_ca_cert", format!("{error}."));
                }
            }
            if let SshAuth::PrivateKey(file) = &section.ssh.auth
                && let Err(error) = fs::read(file)
            {
                let text = format!(
                    "{} cannot be read: {error}. Until it can, the array is reached over REST only.",
                    file.display()
                );
                self.warning(name, "san_private_key", text);
            }
        }
        self.at_spellings();
    }

    fn at_host_key(&mut self, section: &BackendConfig, array: &Hpe3par) {
        const KEY: &str = "ssh_hosts_key_file";
        let host = &self.config.host;
        let file = host.ssh_hosts_key_file.display();
        let (address, port) = (&section.ssh.host, section.ssh.port);
        match array.has_known_host_key() {
            Ok(true) => {}
            Ok(false) if !host.strict_ssh_host_key_policy => {}
            Ok(false) => {
                let state = if host.ssh_hosts_key_file.exists() {
                    "names no key of"
                } else {
                    "does not exist, so it names no key of"
                };
                let text = format!(
                    "{file} {state} {address}, the command line of [{}]: the plugin will not log in there, and exports are \
                     removed over REST only. Fill it with: ssh-keyscan -p {port} {address} >> {file}, and compare the key at \
                     the array.",
                    section.name
                );
                self.warning(BackendName::DEFAULT, KEY, text);
            }
            Err(error) => self.warning(BackendName::DEFAULT, KEY, format!("{error}.")),
        }
    }

    /// LUN numbers of an array are counted under the host of `hpe3par_api_url`.
    fn at_spellings(&mut self) {
        let config = self.config;
        let mut known: BTreeMap<&str, &BackendConfig> = BTreeMap::new();
        for section in config.backends.values() {
            let first = *known.entry(section.ssh.host.as_str()).or_insert(section);
            let (here, there) = (section.wsapi.url.host(), first.wsapi.url.host());
            if here != there {
                let text = format!(
                    "names the array {here}, and [{}] with the same san_ip names it {there}. If both are one array, write its \
                     host the same way in all sections and on all nodes: LUN numbers are counted under it.",
                    first.name
                );
                self.warning(section.name.as_str(), "hpe3par_api_url", text);
            }
        }
    }
}

fn cannot_make(path: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be made or written: {error}. Check that it is on a disk of this host and that the plugin runs as root.",
        path.display()
    )
}

/// The directory can be written, or made in the nearest directory above it that exists.
fn can_be_written(directory: &Path) -> io::Result<()> {
    for place in directory.ancestors() {
        match fs::metadata(place) {
            Ok(found) if found.is_dir() => {
                return access(place, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from);
            }
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("{} is no directory", place.display()),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests;
