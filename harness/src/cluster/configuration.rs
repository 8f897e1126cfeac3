//! The files of one worker: `hpe.conf`, node id, known host keys, the array's authority. The production parser reads them.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use hpe3par_docker_plugin::config::{Finding, PluginConfig};

/// User of the lab's array.
pub const ARRAY_USER: &str = "3paradm";
/// Password of the lab's array. It is searched for in every log, record and answer.
pub const ARRAY_PASSWORD: &str = "3pardata-lab-secret";

/// Makes sure that a plugin would start with these settings, before anything is started.
///
/// # Errors
/// Names the setting and what is wrong with it; a key that the plugin would only warn about is an error too.
pub fn check_settings(settings: &[(String, String)]) -> Result<()> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let identity = ArrayIdentity { ca_pem: String::new(), ssh_host_key: String::new() };
    let addresses = Addresses { etcd: nowhere, wsapi: nowhere, ssh: nowhere };
    let mut configuration = Configuration::new(Path::new("/tmp"), addresses, identity, "id");
    for (key, value) in settings {
        let sound = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        ensure!(sound, "'{key}' is no name of a setting; write KEY=VALUE, for example mount_conflict_delay=5");
        ensure!(
            !value.chars().any(char::is_control),
            "the value of {key} has a line break or a control character in it"
        );
        configuration.set(key, value);
    }
    let about = |finding: &Finding| {
        let key = finding.key.as_deref().unwrap_or("hpe.conf");
        let value = settings.iter().rev().find(|(set, _)| set == key).map(|(_, value)| format!("={value}"));
        format!("{key}{}: {}", value.unwrap_or_default(), finding.text)
    };
    let of_settings = |finding: &&Finding| settings.iter().any(|(key, _)| Some(key) == finding.key.as_ref());
    match PluginConfig::parse(&configuration.text(), "hpe.conf") {
        Err(errors) => bail!("{}", errors.problems().iter().map(about).collect::<Vec<_>>().join("; ")),
        Ok((_, warnings)) => match warnings.iter().map(|warning| &warning.0).find(of_settings) {
            Some(warning) => bail!("{}", about(warning)),
            None => Ok(()),
        },
    }
}

/// Where a worker reaches what it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// etcd.
    pub etcd: SocketAddr,
    /// REST interface of the array.
    pub wsapi: SocketAddr,
    /// Command line of the array.
    pub ssh: SocketAddr,
}

/// How the array proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayIdentity {
    /// Authority of its certificate, PEM.
    pub ca_pem: String,
    /// SSH host key, `ssh-ed25519 AAAA…`.
    pub ssh_host_key: String,
}

/// What is written as `hpe.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigFile {
    /// A sound file with the worker's settings.
    Sound,
    /// This text in its place.
    Text(String),
    /// No file.
    Missing,
}

/// The files of a worker, as they are to be written at its next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    directory: PathBuf,
    addresses: Addresses,
    /// What the worker believes of the array.
    pub array: ArrayIdentity,
    /// Password the worker sends.
    pub password: String,
    /// Text of the node id file.
    pub node_id: String,
    /// Lines of `[DEFAULT]`; a later line of a key replaces an earlier one.
    settings: Vec<(String, String)>,
    /// What is written as `hpe.conf`.
    pub file: ConfigFile,
    sound: Option<Box<Configuration>>,
}

impl Configuration {
    /// Sound files in `directory`.
    #[must_use]
    pub fn new(directory: &Path, addresses: Addresses, array: ArrayIdentity, node_id: &str) -> Self {
        Self {
            directory: directory.to_path_buf(),
            addresses,
            array,
            password: ARRAY_PASSWORD.to_owned(),
            node_id: node_id.to_owned(),
            settings: Vec::new(),
            file: ConfigFile::Sound,
            sound: None,
        }
    }

    /// Remembers the files as they are now, before something is made wrong on purpose.
    pub fn remember_sound(&mut self) {
        if self.sound.is_none() {
            self.sound = Some(Box::new(self.clone()));
        }
    }

    /// Takes back what was made wrong; tells whether anything was.
    pub fn restore(&mut self) -> bool {
        match self.sound.take() {
            Some(sound) => {
                *self = *sound;
                true
            }
            None => false,
        }
    }

    /// Sets a key of `[DEFAULT]`.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// The configuration file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join("hpe.conf")
    }

    /// The socket dockerd would look for.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join("hpe.sock")
    }

    /// Writes all files. The node id is written once: a plugin keeps it over restarts.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self) -> Result<()> {
        let write = |name: &str, text: &str| {
            let path = self.directory.join(name);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
        };
        fs::create_dir_all(self.directory.join("state")).context("making the state directory of a worker")?;
        write("array-ca.pem", &self.array.ca_pem)?;
        write(
            "known_hosts",
            &format!("[{}]:{} {}\n", self.addresses.ssh.ip(), self.addresses.ssh.port(), self.array.ssh_host_key),
        )?;
        write("node_id", &self.node_id)?;
        match &self.file {
            ConfigFile::Sound => write("hpe.conf", &self.text()),
            ConfigFile::Text(text) => write("hpe.conf", text),
            ConfigFile::Missing => {
                let _ = fs::remove_file(self.path());
                Ok(())
            }
        }
    }

    /// The text of a sound `hpe.conf`.
    #[must_use]
    pub fn text(&self) -> String {
        let Addresses { etcd, wsapi, ssh } = self.addresses;
        let file = |name: &str| self.directory.join(name).display().to_string();
        let mut lines: Vec<(String, String)> = [
            ("host_etcd_ip_address", etcd.ip().to_string()),
            ("host_etcd_port_number", etcd.port().to_string()),
            ("etcd_timeout", "2".to_owned()),
            ("logging", "DEBUG".to_owned()),
            ("mount_prefix", format!("{}/", file("mounts"))),
            ("node_id_file", file("node_id")),
            ("state_dir", file("state")),
            ("ssh_hosts_key_file", file("known_hosts")),
            ("strict_ssh_host_key_policy", "true".to_owned()),
            ("mount_conflict_delay", "1".to_owned()),
            ("array_timeout", "3".to_owned()),
            ("hpedockerplugin_driver", "hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver".to_owned()),
            ("hpe3par_api_url", format!("https://{wsapi}/api/v1")),
            ("hpe3par_username", ARRAY_USER.to_owned()),
            ("hpe3par_password", self.password.clone()),
            ("hpe3par_ca_cert", file("array-ca.pem")),
            ("san_ip", ssh.ip().to_string()),
            ("san_ssh_port", ssh.port().to_string()),
            ("san_login", ARRAY_USER.to_owned()),
            ("san_password", self.password.clone()),
            ("hpe3par_cpg", "SSD_r6".to_owned()),
            ("hpe3par_snapcpg", "SSD_r6".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        lines.retain(|(key, _)| !self.settings.iter().any(|(set, _)| set == key));
        let mut text = "[DEFAULT]\n".to_owned();
        for (key, value) in lines.iter().chain(&self.settings) {
            let _ = writeln!(text, "{key} = {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_before_anything_is_started() {
        let check = |key: &str, value: &str| check_settings(&[(key.to_owned(), value.to_owned())]);
        assert!(check("mount_conflict_delay", "5").is_ok());
        for (key, value) in [
            ("", "3"),
            ("mount conflict", "3"),
            ("mount_conflict_delay", "-3"),
            ("mount_conflict_delay", "5\nhpe3par_cpg = X"),
            ("mount_conflict_dellay", "5"),
        ] {
            let error = check(key, value).unwrap_err().to_string();
            assert!(error.contains(key) && !error.contains('\n'), "{key}={value}: {error}");
        }
    }

    #[test]
    fn a_later_setting_replaces_the_usual_one() {
        let here: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let identity = ArrayIdentity { ca_pem: String::new(), ssh_host_key: String::new() };
        let addresses = Addresses { etcd: here, wsapi: here, ssh: here };
        let mut configuration = Configuration::new(Path::new("/nowhere"), addresses, identity, "id");
        configuration.set("array_timeout", "9");
        configuration.set("array_timeout", "7");
        let text = configuration.text();
        assert_eq!(text.matches("array_timeout").count(), 1);
        assert!(text.contains("array_timeout = 7\n"));
    }
}
