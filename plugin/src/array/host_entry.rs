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
/// Refuses to join a host object that holds foreign initiators, and any failure of the array.
pub async fn ensure_host(array: &dyn Array, facts: &NodeFacts, domain: Option<&str>) -> Result<HostName, ArrayError> {
    let refused =
        |operation: &str, message: String| ArrayError::Refused { operation: operation.to_owned(), code: 0, message };
    if facts.initiators == Initiators::default() {
        return Err(refused(
            "finding this node's host",
            "this node has neither an iSCSI initiator name nor an online FC port".to_owned(),
        ));
    }
    let found = array.hosts_with(&facts.initiators).await?;
    if let Some(host) = found.first() {
        if let Some(other) = found.iter().find(|other| other.name != host.name) {
            let message = format!(
                "this node's initiators belong to two hosts, {} and {}; leave them in one",
                host.name, other.name
            );
            return Err(refused("finding this node's host", message));
        }
        add_missing(array, host, &facts.initiators).await?;
        return Ok(host.name.clone());
    }
    let name = array_host_name(&facts.hostname).map_err(|e| refused("naming this node's host", e.to_string()))?;
    if let Some(host) = array.host(&name).await? {
        if host.initiators != Initiators::default() {
            let message = format!(
                "a host of that name exists with other initiators ({:?}); rename this node or that host",
                host.initiators
            );
            return Err(refused(&format!("making host {name}"), message));
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
