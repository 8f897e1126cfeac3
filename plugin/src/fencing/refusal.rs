//! Why nothing was done, in words for the person who waits for a container.

use std::path::PathBuf;

use thiserror::Error;

use crate::node::NodeId;

/// A request that is refused without effect.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Create has not finished.
    #[error(
        "the volume is still being created; try again in a moment. If nobody is creating it any more, repeat its Create or remove it"
    )]
    StillCreating,
    /// A Create that another one began with another size.
    #[error(
        "a Create of this volume with {begun} GiB was begun and has not finished, now {asked} GiB are asked for; repeat it with {begun} GiB, or remove the volume first"
    )]
    OtherSize {
        /// Size in the record, GiB.
        begun: u64,
        /// Size of this request, GiB.
        asked: u64,
    },
    /// Remove is under way.
    #[error("the volume is being removed")]
    BeingRemoved,
    /// Another node has it and the policy says to leave it there.
    #[error("node {owner} owns the volume{}; mount_conflict_policy does not let this node take it; stop the container on {owner} first", if *alive { " and is alive" } else { "" })]
    OwnedElsewhere {
        /// Owner.
        owner: NodeId,
        /// Its plugin is alive.
        alive: bool,
    },
    /// Two healthy nodes fight.
    #[error(
        "nodes {owner} and {asking} take the volume from each other: {takeovers} takeovers within the last {window} s; {owner} keeps it. Two containers on different nodes use one volume: scale to one replica, or give each its own volume"
    )]
    Thrashing {
        /// Owner, who keeps it.
        owner: NodeId,
        /// Who asks.
        asking: NodeId,
        /// How many takeovers were counted.
        takeovers: usize,
        /// Over how many seconds.
        window: u64,
    },
    /// The array exports the volume to hosts outside the cluster.
    #[error("the array exports the volume to {}, which is no node of this cluster; remove that export, or set fence_unknown_hosts = true to let the plugin remove it", rows.join("; "))]
    ExportedToStrangers {
        /// The exports.
        rows: Vec<String>,
    },
    /// A volume that is to be removed is still exported.
    #[error("the array still exports the volume to {}; if a node died with it, mount and unmount it once on a living node, which revokes that; else remove the export first", rows.join("; "))]
    StillExported {
        /// The exports.
        rows: Vec<String>,
    },
    /// Something else has mounted the device on this node.
    #[error("the volume is mounted at {} on this node, but not by this plugin; unmount it by hand", at.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    MountedByOthers {
        /// Where.
        at: Vec<PathBuf>,
    },
    /// This node was fenced and cannot get clean.
    #[error(
        "this node lost the volume in epoch {epoch} and is not clean yet: {reason}; it is in quarantine for this volume. If that does not pass by itself, reboot the node"
    )]
    Quarantined {
        /// Epoch that was lost.
        epoch: u64,
        /// What is left.
        reason: String,
    },
    /// Somebody owns it: it cannot be removed.
    #[error("node {owner} has the volume mounted or is releasing it; unmount it first")]
    InUse {
        /// Owner.
        owner: NodeId,
    },
    /// Another live node has this node's identity.
    #[error("{0}")]
    DuplicateIdentity(String),
    /// The store was restored from a backup.
    #[error(
        "this node remembers epoch {remembered} of the volume, the metadata store says {stored}: the store was restored from an older state. Nothing is touched; restore the newer state, or check who has the volume mounted, unmount it there, remove its journal entry in state_dir, and restart the plugins"
    )]
    StoreIsOlder {
        /// The newest epoch that this node has seen.
        remembered: u64,
        /// Epoch in the store.
        stored: u64,
    },
    /// The record holds the largest epoch there can be.
    #[error(
        "the volume's record holds epoch {epoch}, after which there is none; no plugin wrote that. Check who has the volume mounted, then write a sound record"
    )]
    EpochsUsedUp {
        /// Epoch in the record.
        epoch: u64,
    },
    /// The content of the device does not fit the record.
    #[error(
        "the volume was never formatted according to its record, but the device is not blank; nothing was written. Check what it holds before using it"
    )]
    NotBlank,
    /// The record says formatted, the device does not look so.
    #[error(
        "the volume was formatted according to its record, but the device shows no filesystem ({found}); nothing was written"
    )]
    FilesystemGone {
        /// What was found.
        found: String,
    },
}
