//! Which host object on the array is this node.
//!
//! The host is found by its initiators first, because names can clash: two nodes that share one host object
//! would see each other's exports, and fencing one would cut off the other.

use crate::array::{Array, ArrayError, HostName, HostOnArray};
use crate::node::{Initiators, NodeFacts};
use crate::volume::names::array_host_name;

/// Finds this node's host on the array, or makes it. Only a test of a known defect does not want foreign initiators refused.
///
/// # Errors
/// [`ArrayError::NotTried`] instead of using or joining a host object that holds foreign initiators, and any failure of the array.
pub async fn ensure_host(
    array: &dyn Array,
    facts: &NodeFacts,
    domain: Option<&str>,
    refuses_foreign: bool,
) -> Result<HostName, ArrayError> {
    let not_tried = |operation: &str, reason: String| ArrayError::NotTried { operation: operation.to_owned(), reason };
    if facts.initiators == Initiators::default() {
        let reason = "this node has neither an iSCSI initiator name (/etc/iscsi/initiatorname.iscsi) nor an online Fibre Channel \
                      port (/sys/class/fc_host)";
        return Err(not_tried("looking for this node's host on the array", reason.to_owned()));
    }
    let found = array.hosts_with(&facts.initiators).await?;
    if let Some(host) = found.first() {
        if let Some(other) = found.iter().find(|other| other.name != host.name) {
            let reason = format!(
                "on the array this node's initiators belong to two hosts, {} and {}; leave them in one",
                host.name, other.name
            );
            return Err(not_tried("using this node's host on the array", reason));
        }
        let foreign = foreign_initiators(host, facts);
        if refuses_foreign && !foreign.is_empty() {
            let reason = format!(
                "the array's host {} also has initiators that are not this node's: {}; two nodes in one host cannot be told \
                 apart and neither can be fenced alone, so give each node a host of its own, or remove names no machine has \
                 any more",
                host.name,
                foreign.join(", ")
            );
            return Err(not_tried("using this node's host on the array", reason));
        }
        add_missing(array, host, &facts.initiators).await?;
        return Ok(host.name.clone());
    }
    let name = array_host_name(&facts.hostname)
        .map_err(|e| not_tried("naming this node's host on the array", e.to_string()))?;
    if let Some(host) = array.host(&name).await? {
        if host.initiators != Initiators::default() {
            let reason = format!(
                "the array has a host of that name with other initiators ({}); rename this node or that host",
                host.initiators
            );
            return Err(not_tried(&format!("making host {name} on the array"), reason));
        }
        array.add_initiators(&name, &facts.initiators).await?;
        return Ok(name);
    }
    let host = HostOnArray {
        name: name.clone(),
        domain: domain.map(str::to_owned),
        initiators: facts.initiators.clone(),
        further_iqns: Vec::new(),
    };
    match array.create_host(&host).await {
        Ok(()) => Ok(name),
        Err(error @ (ArrayError::Unknown { .. } | ArrayError::Exists { .. })) => {
            // Did it take effect, or was somebody faster? Only the initiators tell.
            let found = array.hosts_with(&facts.initiators).await?;
            found.into_iter().next().map(|host| host.name).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// Names in the host that are none of this node's, whether the link of its adapters is up or not.
fn foreign_initiators(host: &HostOnArray, facts: &NodeFacts) -> Vec<String> {
    let is_mine = |wwpn: &&String| {
        let mut mine = facts.initiators.wwpns.iter().chain(&facts.idle_wwpns);
        mine.any(|known| plain(known) == plain(wwpn))
    };
    let is_my_iqn = |name: &&String| facts.initiators.iqn.as_ref().is_some_and(|mine| mine.eq_ignore_ascii_case(name));
    let iqns = host.initiators.iqn.iter().chain(&host.further_iqns).filter(|name| !is_my_iqn(name));
    iqns.chain(host.initiators.wwpns.iter().filter(|wwpn| !is_mine(wwpn))).cloned().collect()
}

/// A WWN as the array compares it: without colons, in one case (observed).
fn plain(wwpn: &str) -> String {
    wwpn.chars().filter(|c| *c != ':').map(|c| c.to_ascii_uppercase()).collect()
}

async fn add_missing(array: &dyn Array, host: &HostOnArray, mine: &Initiators) -> Result<(), ArrayError> {
    let known = |wwpn: &String| host.initiators.wwpns.iter().any(|have| have.eq_ignore_ascii_case(wwpn));
    let missing: Vec<String> = mine.wwpns.iter().filter(|wwpn| !known(wwpn)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    array.add_initiators(&host.name, &Initiators { iqn: None, wwpns: missing }).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{BootId, MachineId};

    #[test]
    fn a_host_is_this_nodes_only_if_every_initiator_is() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let facts = NodeFacts {
            hostname: "a".to_owned(),
            machine: MachineId::of("m", None),
            boot: BootId::new("b"),
            initiators: Initiators { iqn: Some("iqn.a".to_owned()), wwpns: names(&["1000D89D676F3859"]) },
            idle_wwpns: names(&["1000D89D676F385A"]),
        };
        let mine = Initiators {
            iqn: Some("IQN.A".to_owned()),
            wwpns: names(&["10:00:d8:9d:67:6f:38:59", "1000d89d676f385a"]),
        };
        let mut host =
            HostOnArray { name: "h".parse().unwrap(), domain: None, initiators: mine, further_iqns: Vec::new() };
        assert!(foreign_initiators(&host, &facts).is_empty());
        host.further_iqns = names(&["iqn.b"]);
        host.initiators.wwpns.push("2000D89D676F3859".to_owned());
        assert_eq!(foreign_initiators(&host, &facts), ["iqn.b", "2000D89D676F3859"]);
    }
}
