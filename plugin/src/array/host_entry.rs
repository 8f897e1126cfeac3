//! Which host object on the array is this node.
//!
//! The host is found by its initiators first, because names can clash: two nodes that share one host object
//! would see each other's exports, and fencing one would cut off the other.

use crate::array::{Array, ArrayError, HostName, HostOnArray};
use crate::node::{Initiators, NodeFacts};
use crate::volume::names::array_host_name;

/// Finds this node's host on the array, or makes it.
///
/// # Errors
/// [`ArrayError::NotTried`] instead of joining a host object that holds foreign initiators, and any failure of the array.
pub async fn ensure_host(array: &dyn Array, facts: &NodeFacts, domain: Option<&str>) -> Result<HostName, ArrayError> {
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
    let host =
        HostOnArray { name: name.clone(), domain: domain.map(str::to_owned), initiators: facts.initiators.clone() };
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

async fn add_missing(array: &dyn Array, host: &HostOnArray, mine: &Initiators) -> Result<(), ArrayError> {
    let known = |wwpn: &String| host.initiators.wwpns.iter().any(|have| have.eq_ignore_ascii_case(wwpn));
    let missing: Vec<String> = mine.wwpns.iter().filter(|wwpn| !known(wwpn)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    array.add_initiators(&host.name, &Initiators { iqn: None, wwpns: missing }).await
}
