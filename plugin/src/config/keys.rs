//! Every key of `hpe.conf`: where it is read, its default, and keys that are known without having an effect.
//!
//! The table decides what is reported as unknown; `docs/hpe.conf.md` is tested against it.

use super::finding::{Findings, Place};
use super::ini::{Entry, Ini, Section};
use super::spelling::nearest;
use super::{BackendName, replication};

/// Where a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In `[DEFAULT]` only, for the whole node.
    Host,
    /// In the section of the backend only.
    Backend,
    /// In the section of the backend, else in `[DEFAULT]`.
    Inherited,
    /// Nowhere; the text says why.
    Ignored(&'static str),
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    /// Default as it would be written in the file; empty if there is none.
    pub(super) default: &'static str,
    /// The value is never shown.
    pub(super) secret: bool,
}

impl Key {
    const fn new(name: &'static str, scope: Scope, default: &'static str) -> Self {
        Self { name, scope, default, secret: false }
    }

    const fn secret(name: &'static str, scope: Scope) -> Self {
        Self { name, scope, default: "", secret: true }
    }

    /// The name and, for `hpe3par_*`, the deprecated `hp3par_*`; the first that is set counts.
    pub(super) fn names(&self) -> impl Iterator<Item = String> + use<> {
        let name = self.name;
        let deprecated = name.strip_prefix(NEW_PREFIX).map(|rest| format!("{OLD_PREFIX}{rest}"));
        std::iter::once(name.to_owned()).chain(deprecated)
    }
}

const NEW_PREFIX: &str = "hpe3par_";
const OLD_PREFIX: &str = "hp3par_";

const FILE_PERSONA: Scope = Scope::Ignored("File Persona is not supported yet");
const NEVER_USED: Scope = Scope::Ignored("the earlier plugin did not use it either");
const CHAP: Scope = Scope::Ignored("iSCSI logins with CHAP are not supported yet");
const MULTIPATH: Scope = Scope::Ignored("multipath is always used");

/// All keys, in the order of the documentation.
pub(super) const KEYS: [Key; 54] = [
    Key::new("host_etcd_ip_address", Scope::Host, "0.0.0.0"),
    Key::new("host_etcd_port_number", Scope::Host, "2379"),
    Key::new("host_etcd_client_cert", Scope::Host, ""),
    Key::new("host_etcd_client_key", Scope::Host, ""),
    Key::new("host_etcd_ca_cert", Scope::Host, ""),
    Key::new("etcd_timeout", Scope::Host, "3"),
    Key::new("logging", Scope::Host, "WARNING"),
    Key::new("mount_prefix", Scope::Host, "/opt/hpe/data/hpedocker-"),
    Key::new("strict_ssh_host_key_policy", Scope::Host, "true"),
    Key::new("ssh_hosts_key_file", Scope::Host, "/root/.ssh/ssh_known_hosts"),
    Key::new("node_id_file", Scope::Host, "/etc/hpedockerplugin/.node_id"),
    Key::new("state_dir", Scope::Host, "/var/lib/hpe3par-docker-plugin"),
    Key::new("mount_deadline", Scope::Host, "110"),
    Key::new("unmount_deadline", Scope::Host, "55"),
    Key::new("takeover_limit", Scope::Host, "3"),
    Key::new("takeover_window", Scope::Host, "600"),
    Key::new("mount_conflict_policy", Scope::Inherited, "steal"),
    Key::new("mount_conflict_delay", Scope::Inherited, "30"),
    Key::new("fence_unknown_hosts", Scope::Inherited, "false"),
    Key::new("fence_settle_delay", Scope::Inherited, "0"),
    Key::new("one_host", Scope::Inherited, "true"),
    Key::new("filesystem", Scope::Inherited, "ext4"),
    Key::new("array_timeout", Scope::Inherited, "30"),
    Key::new("hpedockerplugin_driver", Scope::Backend, ""),
    Key::new("hpe3par_api_url", Scope::Backend, ""),
    Key::new("hpe3par_username", Scope::Backend, ""),
    Key::secret("hpe3par_password", Scope::Backend),
    Key::new("hpe3par_ca_cert", Scope::Inherited, ""),
    Key::new("hpe3par_pinned_cert_sha256", Scope::Backend, ""),
    Key::new("insecure", Scope::Backend, "false"),
    Key::new("san_ip", Scope::Backend, ""),
    Key::new("san_ssh_port", Scope::Backend, "22"),
    Key::new("san_login", Scope::Backend, "admin"),
    Key::secret("san_password", Scope::Backend),
    Key::new("san_private_key", Scope::Backend, ""),
    Key::new("ssh_conn_timeout", Scope::Backend, "30"),
    Key::new("hpe3par_cpg", Scope::Backend, ""),
    Key::new("hpe3par_snapcpg", Scope::Backend, ""),
    Key::new("hpe3par_iscsi_ips", Scope::Backend, ""),
    Key::new("iscsi_ip_address", Scope::Backend, "my_ip"),
    Key::new("iscsi_port", Scope::Backend, "3260"),
    Key::new("hpe3par_iscsi_chap_enabled", Scope::Backend, "false"),
    Key::new("hpe3par_debug", Scope::Backend, "false"),
    Key::secret("replication_device", Scope::Backend),
    Key::new("hpe3par_default_fpg_size", FILE_PERSONA, "16"),
    Key::new("hpe3par_server_ip_pool", FILE_PERSONA, ""),
    Key::new("use_multipath", MULTIPATH, "true"),
    Key::new("enforce_multipath", MULTIPATH, "true"),
    Key::new(
        "suppress_requests_ssl_warnings",
        Scope::Ignored("certificates are verified; see hpe3par_ca_cert, hpe3par_pinned_cert_sha256 and insecure"),
        "false",
    ),
    Key::new("timeout", NEVER_USED, ""),
    Key::new("use_chap_auth", CHAP, "false"),
    Key::new("chap_username", CHAP, ""),
    Key::secret("chap_password", CHAP),
    Key::new("my_ip", NEVER_USED, ""),
];

/// The key of that name; deprecated names are found too.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let current = name.strip_prefix(OLD_PREFIX).map(|rest| format!("{NEW_PREFIX}{rest}"));
    let name = current.as_deref().unwrap_or(name);
    KEYS.iter().find(|key| key.name == name)
}

/// Warns of keys that are unknown, deprecated, repeated, without effect, or in the wrong section.
pub(super) fn check(ini: &Ini, findings: &mut Findings) {
    for section in &ini.sections {
        for entry in &section.entries {
            let place = Place::line(entry.line).in_section(&section.name).at_key(&entry.key);
            match find(&entry.key) {
                Some(key) => check_known(key, entry, section, place, findings),
                None => findings.warning(place, unknown(&entry.key)),
            }
        }
    }
}

fn check_known(key: &Key, entry: &Entry, section: &Section, place: Place<'_>, findings: &mut Findings) {
    if entry.key != key.name {
        findings.warning(place, format!("is the deprecated name of {}; rename it.", key.name));
    }
    if let Scope::Ignored(reason) = key.scope {
        findings.warning(place, format!("has no effect: {reason}."));
    } else if key.scope == Scope::Host && section.name != BackendName::DEFAULT {
        findings.warning(place, "has no effect here: it is read from [DEFAULT] only.");
    } else if let Some(last) = section.last(&entry.key).filter(|last| last.line != entry.line) {
        findings.warning(place, format!("has no effect: it is set again in line {}, which counts.", last.line));
    } else if entry.key != key.name && section.last(key.name).is_some() {
        findings.warning(place, format!("has no effect: {} is set too and counts.", key.name));
    }
}

fn unknown(name: &str) -> String {
    if replication::KEYS.contains(&name) {
        return "is no key of a section; it belongs into the value of replication_device.".to_owned();
    }
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(meant) => format!("is no known key and has no effect. Did you mean {meant}?"),
        None => "is no known key and has no effect. Remove it, or see the list of keys in docs/hpe.conf.md.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_old_names_are_found() {
        for (position, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..position].iter().any(|other| other.name == key.name), "{}", key.name);
            assert!(key.names().all(|name| find(&name).is_some_and(|found| found.name == key.name)));
        }
        assert_eq!(find("hp3par_cpg").unwrap().name, "hpe3par_cpg");
        assert!(find("hp3par_nothing").is_none() && find("HPE3PAR_CPG").is_none());
    }

    #[test]
    fn passwords_are_secret() {
        for key in KEYS.iter().filter(|key| key.name.contains("password")) {
            assert!(key.secret, "{}", key.name);
        }
    }
}
