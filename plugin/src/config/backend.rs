//! Settings of a backend: an array and how volumes on it are treated.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::access::{SshAccess, WsapiAccess};
use super::reader::{Refusal, SectionReader, list, shown};
use super::replication::ReplicationDevice;
use super::{BackendName, protocol};
use crate::array::CpgName;
use crate::array::settings::Protocol;
use crate::fencing::ConflictPolicy;
use crate::node::Filesystem;

/// Default port of an iSCSI target.
pub(super) const ISCSI_PORT: u16 = 3260;

/// A backend.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// Name of the section.
    pub name: BackendName,
    /// How this node reaches the volumes (`hpedockerplugin_driver`).
    pub protocol: Protocol,
    /// The array's REST interface.
    pub wsapi: WsapiAccess,
    /// The array's command line.
    pub ssh: SshAccess,
    /// Deadline of one call to the array, 1 to 600 s (`array_timeout`).
    pub array_timeout: Duration,
    /// CPGs of the user space, at least one; new volumes go to the first (`hpe3par_cpg`).
    pub cpgs: Vec<CpgName>,
    /// CPGs of the snapshot space, at least one; new volumes use the first (`hpe3par_snapcpg`, else `hpe3par_cpg`).
    pub snap_cpgs: Vec<CpgName>,
    /// iSCSI ports of the array that may be used; empty: every one that is ready (`hpe3par_iscsi_ips`,
    /// `iscsi_ip_address`).
    pub iscsi_portals: Vec<SocketAddr>,
    /// Whether requests to the array and its answers are logged, without passwords (`hpe3par_debug`).
    pub debug: bool,
    /// What a Mount does when another node has the volume (`mount_conflict_policy`).
    pub mount_conflict_policy: ConflictPolicy,
    /// How long a Mount waits for another node before it takes the volume over, for volumes without a delay of their own;
    /// 0 to one day (`mount_conflict_delay`).
    pub mount_conflict_delay: Duration,
    /// Whether exports to hosts that are no nodes of this cluster are removed as well in a takeover (`fence_unknown_hosts`).
    pub fence_unknown_hosts: bool,
    /// Pause between a verified revocation and the new export, 0 to 60 s (`fence_settle_delay`): for arrays whose removal of an
    /// export returns before writes in flight have settled.
    pub fence_settle_delay: Duration,
    /// Whether the array itself is asked to refuse exports to a second host (`one_host`).
    pub one_host: bool,
    /// Filesystem of new volumes (`filesystem`).
    pub filesystem: Filesystem,
    /// Target of remote copies; kept for a later release (`replication_device`).
    pub replication: Option<ReplicationDevice>,
}

impl BackendConfig {
    /// Reads a section; `None` if it has errors, which are recorded.
    pub(super) fn read(name: BackendName, reader: &mut SectionReader<'_>) -> Option<Self> {
        let protocol = protocol::read(&name, reader);
        if protocol.is_err_and(|refused| refused.is_file_persona) {
            return None;
        }
        let protocol = protocol.ok();
        let wsapi = WsapiAccess::read(reader);
        let ssh = SshAccess::read(reader);
        let cpgs = reader.required_parsed("hpe3par_cpg", "Name at least one CPG of the array.", cpgs);
        let snap_cpgs = reader.parsed("hpe3par_snapcpg", cpgs_if_any).unwrap_or_default();
        let iscsi_portals = portals(reader);
        let array_timeout = reader.seconds("array_timeout", 1..=600, 30);
        let replication = ReplicationDevice::read(reader);
        let behaviour = Behaviour::read(reader);
        let cpgs = cpgs?;
        Some(Self {
            name,
            protocol: protocol?,
            wsapi: wsapi?,
            ssh: ssh?,
            array_timeout,
            snap_cpgs: if snap_cpgs.is_empty() { cpgs.clone() } else { snap_cpgs },
            cpgs,
            iscsi_portals,
            debug: behaviour.debug,
            mount_conflict_policy: behaviour.policy,
            mount_conflict_delay: behaviour.delay,
            fence_unknown_hosts: behaviour.fence_unknown_hosts,
            fence_settle_delay: behaviour.settle_delay,
            one_host: behaviour.one_host,
            filesystem: behaviour.filesystem,
            replication,
        })
    }
}

/// The settings that need no other.
struct Behaviour {
    debug: bool,
    policy: ConflictPolicy,
    delay: Duration,
    fence_unknown_hosts: bool,
    settle_delay: Duration,
    one_host: bool,
    filesystem: Filesystem,
}

impl Behaviour {
    fn read(reader: &mut SectionReader<'_>) -> Self {
        warn_of_chap(reader);
        Self {
            debug: reader.boolean("hpe3par_debug", false),
            policy: reader.parsed("mount_conflict_policy", protocol::conflict_policy).unwrap_or_default(),
            delay: reader.seconds("mount_conflict_delay", 0..=86_400, 30),
            fence_unknown_hosts: reader.boolean("fence_unknown_hosts", false),
            settle_delay: reader.seconds("fence_settle_delay", 0..=60, 0),
            one_host: reader.boolean("one_host", true),
            filesystem: reader.parsed("filesystem", filesystem).unwrap_or_default(),
        }
    }
}

/// CHAP is not carried out yet: an array that demands it refuses the login, so it is better said at once.
fn warn_of_chap(reader: &mut SectionReader<'_>) {
    if reader.boolean("hpe3par_iscsi_chap_enabled", false) {
        reader.warning(
            "hpe3par_iscsi_chap_enabled",
            "CHAP is not supported yet: this node logs in without it. Do not demand CHAP of this host on the array.",
        );
    }
}

fn filesystem(text: &str) -> Result<Filesystem, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "ext4" => Ok(Filesystem::Ext4),
        "xfs" => Ok(Filesystem::Xfs),
        _ => Err(format!("{} is no filesystem this plugin makes. Use ext4 or xfs.", shown(text))),
    }
}

pub(super) fn cpg(name: &str) -> Result<CpgName, Refusal> {
    name.parse()
        .map_err(|error: crate::array::names::NameError| format!("{} is no CPG name: {}.", shown(name), error.rule))
}

fn cpgs_if_any(text: &str) -> Result<Vec<CpgName>, Refusal> {
    list(text).map(cpg).collect()
}

fn cpgs(text: &str) -> Result<Vec<CpgName>, Refusal> {
    let cpgs = cpgs_if_any(text)?;
    if cpgs.is_empty() { Err("names no CPG.".to_owned()) } else { Ok(cpgs) }
}

/// Address of an iSCSI target, `ip` or `ip:port`; IPv6 with port in brackets.
pub(super) fn portal(text: &str, default_port: u16) -> Result<SocketAddr, Refusal> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, default_port));
    let portal = address.or_else(|_| text.parse()).ok().filter(|portal| portal.port() > 0);
    portal.ok_or_else(|| format!("{} is no address of an iSCSI target. Write ip or ip:port.", shown(text)))
}

fn portals(reader: &mut SectionReader<'_>) -> Vec<SocketAddr> {
    let listed = reader.parsed("hpe3par_iscsi_ips", |text| {
        list(text).map(|item| portal(item, ISCSI_PORT)).collect::<Result<Vec<_>, _>>()
    });
    let single_port = reader.port("iscsi_port", ISCSI_PORT);
    // "my_ip" is how the earlier plugin's default is written.
    let single =
        reader.parsed(
            "iscsi_ip_address",
            |text| {
                if text == "my_ip" { Ok(None) } else { portal(text, single_port).map(Some) }
            },
        );
    let mut portals: Vec<SocketAddr> = Vec::new();
    for portal in listed.into_iter().flatten().chain(single.flatten()) {
        if !portals.contains(&portal) {
            portals.push(portal);
        }
    }
    portals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portals_have_an_address_and_perhaps_a_port() {
        let text = |text| portal(text, ISCSI_PORT).map(|portal| portal.to_string());
        assert_eq!(text("192.0.2.1").as_deref(), Ok("192.0.2.1:3260"));
        assert_eq!(text("192.0.2.1:3261").as_deref(), Ok("192.0.2.1:3261"));
        assert_eq!(text("2001:db8::1").as_deref(), Ok("[2001:db8::1]:3260"));
        assert_eq!(text("[2001:db8::1]").as_deref(), Ok("[2001:db8::1]:3260"));
        assert_eq!(text("[2001:db8::1]:3261").as_deref(), Ok("[2001:db8::1]:3261"));
        for bad in ["", "array", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.256"] {
            assert!(portal(bad, ISCSI_PORT).is_err(), "{bad}");
        }
    }
}
