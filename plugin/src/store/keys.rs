//! The keys of the metadata store, in one place.

use crate::array::HostName;
use crate::node::NodeId;
use crate::volume::names::VolumeId;

/// Prefix of all volume records.
pub const VOLUMES: &str = "/volumes/";
/// Prefix of the name index.
pub const VOLUME_NAMES: &str = "/volume-names/";
/// Prefix of the live registrations of nodes (leased).
pub const NODES: &str = "/nodes/";
/// In which version records are written, and the oldest that may read them (`membership::schema`).
pub const SCHEMA: &str = "/schema";

/// Record of a volume.
#[must_use]
pub fn volume(id: VolumeId) -> String {
    format!("{VOLUMES}{id}")
}

/// Name index: Docker name to volume id.
#[must_use]
pub fn volume_name(name: &str) -> String {
    format!("{VOLUME_NAMES}{name}")
}

/// Live registration of a node; its lease ends when the node's plugin stops renewing it.
#[must_use]
pub fn node(id: &NodeId) -> String {
    format!("{NODES}{id}")
}

/// Which machine a node id belongs to; lasting, written by the first registration.
#[must_use]
pub fn node_machine(id: &NodeId) -> String {
    format!("/node-machines/{id}")
}

/// Prefix of the hosts of an array that are nodes of this cluster.
#[must_use]
pub fn host_nodes(array: &str) -> String {
    format!("/host-nodes/{array}/")
}

/// Which node a host of an array is; lasting, written before the node's first export.
#[must_use]
pub fn host_node(array: &str, host: &HostName) -> String {
    format!("/host-nodes/{array}/{host}")
}

/// Prefix of all keys of a volume's takeovers.
#[must_use]
pub fn takeovers(id: VolumeId) -> String {
    format!("/takeovers/{id}/")
}

/// Leased delay timer of a running takeover. Its expiry is the permission to force.
#[must_use]
pub fn takeover_clock(id: VolumeId) -> String {
    format!("/takeovers/{id}/clock")
}

/// Leased validity of a takeover; once it is gone, an old takeover gives no permission any more.
#[must_use]
pub fn takeover_permit(id: VolumeId) -> String {
    format!("/takeovers/{id}/permit")
}

/// Prefix of the leased marks of recent takeovers of a volume.
#[must_use]
pub fn recent_takeovers(id: VolumeId) -> String {
    format!("/takeovers/{id}/recent/")
}

/// Leased mark of one takeover, for the thrash limiter.
#[must_use]
pub fn recent_takeover(id: VolumeId, epoch: u64) -> String {
    format!("/takeovers/{id}/recent/{epoch:020}")
}

/// Next LUN number of a host on an array.
#[must_use]
pub fn luns(array: &str, host: &HostName) -> String {
    format!("/luns/{array}/{host}")
}

/// Passphrase for encrypted passwords of a backend section.
#[must_use]
pub fn backend_passphrase(section: &str) -> String {
    format!("/backend/{section}")
}
