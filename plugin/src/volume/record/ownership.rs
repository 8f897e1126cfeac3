//! Ownership of a volume: epoch, owner, stage, takeover, quarantine.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Rest;
use crate::array::{HostName, Lun};
use crate::node::{BootId, Filesystem, NodeId};

/// Epoch of ownership. Every claim adds one; an epoch has exactly one owner.
///
/// Read from a record it is at most [`Self::MAX_READ`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct Epoch(pub u64);

impl Epoch {
    /// The largest epoch a record may hold: the last whole number that every reader of JSON keeps exactly (RFC 8259 s. 6). A
    /// claim a second would take 285 million years to get there.
    pub const MAX_READ: u64 = (1 << 53) - 1;

    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl TryFrom<u64> for Epoch {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if number > Self::MAX_READ {
            return Err(format!("epoch {number} is larger than {}: no plugin wrote that", Self::MAX_READ));
        }
        Ok(Self(number))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Owner of a volume: a node in one boot, and the host it is on the array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Node.
    pub node: NodeId,
    /// Boot of the node.
    pub boot: BootId,
    /// Host on the array; unknown for records of the earlier plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub rest: Rest,
}

impl Owner {
    /// A node in one boot, and its host on the array if that is known.
    #[must_use]
    pub fn new(node: NodeId, boot: BootId, host: Option<HostName>) -> Self {
        Self { node, boot, host, rest: Rest::default() }
    }
}

/// One export attempt, with a LUN number of its own: no other attempt gets it before the host's counter has wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// LUN number.
    pub lun: Lun,
}

/// How far the owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Every VLUN of the volume is being removed; nothing may be exported.
    Fencing,
    /// No VLUN was left; one export with this number is under way.
    Attaching(Attempt),
    /// Mounted through this export. `None` for records of the earlier plugin.
    Mounted(Option<Attempt>),
    /// The last reference is gone; unmount, detach and removal of the export are under way.
    Releasing(Option<Attempt>),
}

impl Stage {
    /// The export this stage is about.
    #[must_use]
    pub fn attempt(self) -> Option<Attempt> {
        match self {
            Self::Fencing => None,
            Self::Attaching(attempt) => Some(attempt),
            Self::Mounted(attempt) | Self::Releasing(attempt) => attempt,
        }
    }
}

/// Who owns the volume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ownership {
    /// Nobody: no export, no mount anywhere that is not in quarantine.
    #[default]
    Free,
    /// One node.
    Owned {
        /// The owner.
        owner: Owner,
        /// How far it is.
        stage: Stage,
    },
}

impl Ownership {
    /// The owner, if there is one.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Free => None,
            Self::Owned { owner, .. } => Some(owner),
        }
    }

    /// How far the owner is.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Free => None,
            Self::Owned { stage, .. } => Some(*stage),
        }
    }
}

/// A node waits to take the volume over. The delay timer is a leased key; its expiry is the permission to force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// Who asked first.
    pub by: NodeId,
    /// Epoch that is to be ended.
    pub of_epoch: Epoch,
    /// Delay in seconds.
    pub delay: u64,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A node that lost the volume and has not proven that it is clean: it may not be exported the volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Epoch it lost.
    pub epoch: Epoch,
    /// Boot it lost it in: another boot has no mount of that life.
    pub boot: BootId,
    /// Host on the array, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// Its exports were read back as gone.
    pub revoked: bool,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A step that was about to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Epoch it was taken in.
    pub epoch: Epoch,
    /// Who took it.
    pub node: NodeId,
    /// What, in words.
    pub what: String,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Whether the volume ever got a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The record does not say: written by the earlier plugin, or imported.
    #[default]
    Unknown,
    /// Created by this plugin, never formatted.
    Unformatted,
    /// The device was proven blank and a filesystem is being made; it was never mounted yet.
    Formatting {
        /// Epoch in which that began.
        epoch: Epoch,
        /// Which filesystem.
        filesystem: Filesystem,
    },
    /// Has a filesystem. Never make one again.
    Formatted,
}
