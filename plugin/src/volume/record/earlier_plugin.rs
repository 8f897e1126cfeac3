//! Records of the earlier plugin: who has the volume mounted, by the fields it kept for that.
//!
//! * `node_mount_info`: `{"<node id>": ["<mount id>", …]}`, of one node at most. It is written at the end of a mount and
//!   removed at the *beginning* of an unmount.
//! * `path_info`: where it is mounted, JSON in a string; set at the end of a mount, null at the end of an unmount. So a path
//!   without a node is an unmount that was not finished, on a node nobody wrote down.
//! * `old_path_info`: `[["<node id>", "<path_info>"], …]`: nodes that lost the volume by force and have not cleaned up.
//!
//! It never read back whether an export was gone, so nothing here counts as revoked.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reading::{Fields, OwnershipFields, RecordError};
use super::rest::forget_secrets;
use super::{Epoch, Owner, Ownership, PathInfo, Quarantine, Rest, Stage};
use crate::node::{BootId, NodeId};

/// Where a path without a node is kept: the array's exports tell who has it.
pub(super) const UNFINISHED_UNMOUNT: &str = "legacy_path_info";

/// The record is of a snapshot.
pub(super) fn is_snapshot(fields: &Fields) -> bool {
    fields.map.get("is_snap").and_then(Value::as_bool).unwrap_or(false)
}

/// Owner and mode of a snapshot's root are those of its `snap_metadata`.
pub(super) fn take_access_of_snapshot(fields: &mut Fields) {
    if !is_snapshot(fields) {
        return;
    }
    for field in ["fsOwner", "fsMode"] {
        let given = fields.map.get(field).is_some_and(|value| !value.is_null());
        let of_snapshot = fields.map.get("snap_metadata").and_then(|metadata| metadata.get(field)).cloned();
        if let (false, Some(value)) = (given, of_snapshot) {
            fields.map.insert(field.to_owned(), value);
        }
    }
}

/// Ownership as the record tells it. The fields it is read from are taken out.
pub(super) fn ownership(fields: &mut Fields) -> Result<OwnershipFields, RecordError> {
    let mounts: BTreeMap<String, Vec<String>> = fields.optional("node_mount_info")?.unwrap_or_default();
    let path = take_path(fields)?;
    let mut path_info = BTreeMap::new();
    let mut ownership = Ownership::Free;
    // Written without the line end that a node id file made by hand has.
    if let Some((node, ids)) = mounts.into_iter().next().map(|(node, ids)| (NodeId::new(&node), ids)) {
        if let Some(path) = path {
            // What serde says would quote the value, and the earlier plugin wrote secrets into it.
            let unreadable = |_| fields.error("path_info", "not an object as the earlier plugin wrote it");
            let mut info: PathInfo = serde_json::from_value(path).map_err(unreadable)?;
            info.mount_ids = ids;
            path_info.insert(node.clone(), info);
        }
        let owner = Owner::new(node, BootId::unknown(), None);
        ownership = Ownership::Owned { owner, stage: Stage::Mounted(None) };
    } else if let Some(path) = path {
        fields.map.insert(UNFINISHED_UNMOUNT.to_owned(), path);
    }
    let quarantine = evicted(fields, ownership.owner())?;
    let was_mounted =
        ownership != Ownership::Free || !quarantine.is_empty() || fields.map.contains_key(UNFINISHED_UNMOUNT);
    Ok(OwnershipFields { ownership, path_info, quarantine, was_mounted, ..OwnershipFields::default() })
}

/// `path_info`, an object or JSON in a string; without the secrets the earlier plugin wrote into it.
fn take_path(fields: &mut Fields) -> Result<Option<Value>, RecordError> {
    let path = match fields.map.shift_remove("path_info") {
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(serde_json::from_str(&text).map_err(|e| fields.error("path_info", e))?),
        other => other,
    };
    Ok(path.filter(|path: &Value| !path.is_null()).map(without_secrets))
}

/// Nodes in `old_path_info`, each with the path it had. The owner is none of them: if it was evicted once, it has taken the
/// volume back since.
fn evicted(fields: &mut Fields, owner: Option<&Owner>) -> Result<BTreeMap<NodeId, Quarantine>, RecordError> {
    let evicted: Vec<(String, Value)> = fields.optional("old_path_info")?.unwrap_or_default();
    let evicted = evicted.into_iter().map(|(node, path)| (NodeId::new(&node), path));
    let evicted = evicted.filter(|(node, _)| owner.is_none_or(|owner| owner.node != *node));
    Ok(evicted.map(|(node, path)| (node, quarantine(path))).collect())
}

fn quarantine(path: Value) -> Quarantine {
    // Text that is no JSON could hold anything, a secret too.
    let path = match path {
        Value::String(text) => serde_json::from_str(&text).ok(),
        path => Some(path),
    };
    let path = path.filter(|path: &Value| path.is_object()).map(without_secrets);
    let rest = Rest::of(path.into_iter().map(|path| ("path_info".to_owned(), path)).collect());
    Quarantine { epoch: Epoch(0), boot: BootId::unknown(), host: None, revoked: false, rest }
}

/// The earlier plugin wrote the CHAP password of the host into every path.
fn without_secrets(mut path: Value) -> Value {
    forget_secrets(&mut path);
    path
}

#[cfg(test)]
mod tests;
