//! Who this host is: its name, its machine, its boot, its initiators.

use std::io;
use std::path::Path;

use super::step::Step;
use super::{Roots, sysfs};
use crate::node::{BootId, Initiators, MachineId, NodeError, NodeFacts};

/// Reads all of it.
///
/// # Errors
/// A file that every Linux host has is missing or empty; it is named.
pub(super) fn facts(roots: &Roots) -> Result<NodeFacts, NodeError> {
    let ports = fibre_channel_ports(roots)?;
    let of_state =
        |online: bool| ports.iter().filter(|port| port.online == online).map(|port| port.name.clone()).collect();
    Ok(NodeFacts {
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        machine: machine(roots)?,
        boot: BootId::new(&required(&roots.proc.join("sys/kernel/random/boot_id"), "mount /proc")?),
        initiators: Initiators { iqn: iqn(roots)?, wwpns: of_state(true) },
        idle_wwpns: of_state(false),
    })
}

/// Only root may read the product UUID, and not every firmware has one.
fn machine(roots: &Roots) -> Result<MachineId, NodeError> {
    let machine_id = required(&roots.etc.join("machine-id"), "make it with systemd-machine-id-setup")?;
    let product_uuid = sysfs::text(&roots.sys.join("class/dmi/id/product_uuid")).unwrap_or_default();
    Ok(MachineId::of(&machine_id, product_uuid.as_deref().filter(|uuid| !uuid.is_empty())))
}

fn required(path: &Path, hint: &str) -> Result<String, NodeError> {
    let step = Step::new("reading", path.display());
    let text = sysfs::text(path).map_err(|error| step.failed(error))?;
    text.filter(|text| !text.is_empty()).ok_or_else(|| step.failed(format_args!("it is missing or empty; {hint}")))
}

/// The initiator name of open-iscsi; `None` on a host without it.
fn iqn(roots: &Roots) -> Result<Option<String>, NodeError> {
    let path = roots.etc.join("iscsi/initiatorname.iscsi");
    let text = sysfs::text(&path).map_err(|error| Step::new("reading", path.display()).failed(error))?;
    Ok(text.as_deref().and_then(initiator_name))
}

/// `InitiatorName=iqn.1993-08.org.debian:01:abc`; comments and other keys are skipped.
fn initiator_name(text: &str) -> Option<String> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("InitiatorName"));
    let mut names = names.filter_map(|rest| rest.trim_start().strip_prefix('=')).map(str::trim);
    names.find(|name| !name.is_empty()).map(str::to_owned)
}

/// A port of a Fibre Channel adapter.
struct FibreChannelPort {
    name: String,
    online: bool,
}

/// The ports of this host's Fibre Channel adapters, by name.
fn fibre_channel_ports(roots: &Roots) -> Result<Vec<FibreChannelPort>, NodeError> {
    let directory = roots.sys.join("class/fc_host");
    let read = || -> io::Result<Vec<FibreChannelPort>> {
        let mut ports = Vec::new();
        for host in sysfs::names(&directory)? {
            let state = sysfs::text(&directory.join(&host).join("port_state"))?;
            let name = sysfs::text(&directory.join(&host).join("port_name"))?;
            let online = state.as_deref() == Some("Online");
            ports.extend(name.as_deref().and_then(port_name).map(|name| FibreChannelPort { name, online }));
        }
        ports.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ports)
    };
    read().map_err(|error| Step::new("reading Fibre Channel adapters in", directory.display()).failed(error))
}

/// `0x500143802426baf4` as 16 upper-case digits.
pub(super) fn port_name(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix("0x")?;
    (digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digits.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initiator_name_is_found_among_comments() {
        let text =
            "## generated\n#InitiatorName=iqn.old\nInitiatorAlias=x\nInitiatorName = iqn.1993-08.org.debian:01:abc \n";
        assert_eq!(initiator_name(text).as_deref(), Some("iqn.1993-08.org.debian:01:abc"));
        assert_eq!(initiator_name("GenerateName=yes\nInitiatorName=\n"), None);
    }

    #[test]
    fn port_names_lose_their_prefix() {
        assert_eq!(port_name("0x500143802426baf4\n").as_deref(), Some("500143802426BAF4"));
        assert_eq!(port_name("500143802426baf4"), None);
    }
}
