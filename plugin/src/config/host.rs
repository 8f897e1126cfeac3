//! Settings of the node as a whole, read from `[DEFAULT]`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::etcd::EtcdConfig;
use super::reader::{Refusal, SectionReader, shown};
use crate::node::MountPrefix;
use crate::node::node_id::NODE_ID_FILE;

/// Settings of the node. Each has a default, so a file without any of these keys is complete.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The metadata store (`host_etcd_*`, `etcd_timeout`).
    pub etcd: EtcdConfig,
    /// How much is logged (`logging`).
    pub logging: LogLevel,
    /// Where volumes are mounted (`mount_prefix`).
    pub mount_prefix: MountPrefix,
    /// Known SSH host keys of arrays (`ssh_hosts_key_file`).
    pub ssh_hosts_key_file: PathBuf,
    /// Whether an array whose SSH host key is not known is refused. Unlike in the earlier plugin this is the default
    /// (`strict_ssh_host_key_policy`).
    pub strict_ssh_host_key_policy: bool,
    /// File with the id of this node (`node_id_file`).
    pub node_id_file: PathBuf,
    /// Directory for what the plugin remembers locally (`state_dir`).
    pub state_dir: PathBuf,
    /// Time in which a Mount is answered, 1 to 118 s: Docker gives up after 120 s (`mount_deadline`).
    pub mount_deadline: Duration,
    /// Time in which an Unmount is answered, 1 to 58 s: Docker gives up after 60 s (`unmount_deadline`).
    pub unmount_deadline: Duration,
    /// How many takeovers of one volume within [`Self::takeover_window`] are let happen before the owner keeps it, 1 to 1000
    /// (`takeover_limit`).
    pub takeover_limit: u32,
    /// See [`Self::takeover_limit`]; 1 s to one day (`takeover_window`).
    pub takeover_window: Duration,
}

impl HostConfig {
    pub(super) fn read(reader: &mut SectionReader<'_>) -> Self {
        let logging = reader.parsed("logging", |text| text.parse()).unwrap_or_default();
        let mount_prefix = reader.parsed("mount_prefix", mount_prefix).unwrap_or_default();
        let path = |reader: &mut SectionReader<'_>, key, default: &str| {
            reader.path(key).unwrap_or_else(|| PathBuf::from(default))
        };
        Self {
            etcd: EtcdConfig::read(reader),
            logging,
            mount_prefix,
            ssh_hosts_key_file: path(reader, "ssh_hosts_key_file", "/root/.ssh/ssh_known_hosts"),
            strict_ssh_host_key_policy: strict_host_keys(reader),
            node_id_file: path(reader, "node_id_file", NODE_ID_FILE),
            state_dir: path(reader, "state_dir", "/var/lib/hpe3par-docker-plugin"),
            mount_deadline: reader.seconds("mount_deadline", 1..=118, 110),
            unmount_deadline: reader.seconds("unmount_deadline", 1..=58, 55),
            takeover_limit: reader.integer("takeover_limit", 1..=1000, 3),
            takeover_window: reader.seconds("takeover_window", 1..=86_400, 600),
        }
    }
}

fn mount_prefix(text: &str) -> Result<MountPrefix, Refusal> {
    text.parse().map_err(|error| format!("{} is no mount prefix: {error}.", shown(text)))
}

fn strict_host_keys(reader: &mut SectionReader<'_>) -> bool {
    let strict = reader.boolean("strict_ssh_host_key_policy", true);
    if !strict {
        reader.warning(
            "strict_ssh_host_key_policy",
            "is false: the first SSH host key an array shows is trusted, whoever shows it. Put the array's key into \
             ssh_hosts_key_file and set it to true.",
        );
    }
    strict
}

/// How much is logged, in the names of the earlier plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything, for the search of an error.
    Debug,
    /// Every operation.
    Info,
    /// What needs attention.
    #[default]
    Warning,
    /// What failed.
    Error,
}

impl LogLevel {
    /// The same for `tracing`.
    #[must_use]
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

impl FromStr for LogLevel {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text.to_ascii_uppercase().as_str() {
            "DEBUG" => Ok(Self::Debug),
            "INFO" => Ok(Self::Info),
            "WARNING" | "WARN" => Ok(Self::Warning),
            "ERROR" | "CRITICAL" => Ok(Self::Error),
            _ => Err(format!("{} is no log level. Use DEBUG, INFO, WARNING or ERROR.", shown(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_those_of_the_earlier_plugin() {
        assert_eq!("debug".parse::<LogLevel>().unwrap().filter(), LevelFilter::DEBUG);
        assert_eq!("WARNING".parse::<LogLevel>().unwrap(), LogLevel::Warning);
        assert!("loud".parse::<LogLevel>().is_err());
    }
}
