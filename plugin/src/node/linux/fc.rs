//! Fibre Channel: which adapters see which target ports. The fabric logs in by itself; only the LUN has to be looked for.
//!
//! Not tried with a real adapter: the attributes are those of the kernel's transport class (`scsi_transport_fc`).

use std::collections::BTreeSet;
use std::io;

use super::identity::port_name;
use super::scsi_devices::Nexus;
use super::step::Step;
use super::{Roots, sysfs};
use crate::node::NodeError;

/// The ways to these target ports (16 upper-case hex digits each).
///
/// # Errors
/// sysfs cannot be read.
pub(super) fn nexuses(roots: &Roots, target_ports: &BTreeSet<String>) -> Result<BTreeSet<Nexus>, NodeError> {
    let directory = roots.sys.join("class/fc_remote_ports");
    let read = || -> io::Result<BTreeSet<Nexus>> {
        let mut found = BTreeSet::new();
        for remote in sysfs::names(&directory)? {
            let attribute = |name: &str| sysfs::text(&directory.join(&remote).join(name));
            let port = attribute("port_name")?.as_deref().and_then(port_name);
            let is_wanted = port.is_some_and(|port| target_ports.contains(&port));
            let is_online = attribute("port_state")?.as_deref() == Some("Online");
            // -1: not a target, or not logged in.
            let target = attribute("scsi_target_id")?.and_then(|id| id.parse().ok());
            if let (true, true, Some(target), Some((host, channel))) = (is_wanted, is_online, target, address(&remote))
            {
                found.insert(Nexus { host, channel, target });
            }
        }
        Ok(found)
    };
    read().map_err(|error| Step::new("reading Fibre Channel targets in", directory.display()).failed(error))
}

/// Host and channel of `rport-<host>:<channel>-<number>`.
fn address(remote: &str) -> Option<(u32, u32)> {
    let (host, rest) = remote.strip_prefix("rport-")?.split_once(':')?;
    let (channel, _) = rest.split_once('-')?;
    Some((host.parse().ok()?, channel.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_ports_tell_host_and_channel() {
        assert_eq!(address("rport-7:0-12"), Some((7, 0)));
        assert_eq!(address("rport-7"), None);
    }
}
