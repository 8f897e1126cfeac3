//! The state of the modelled world: record, array, nodes, and what has been seen of the volume.
//!
//! Everything is small and copied by value; numbers that only serve comparison are renamed by [`canonical`] so
//! that the number of states is finite without a bound on epochs or LUN numbers.

pub mod canonical;
mod kernel;
mod neighbour;
mod operation;
mod sets;

pub use kernel::{Filesystem, Kernel};
pub use neighbour::Neighbour;
pub use operation::{After, Operation, Step};
pub use sets::{Lun, LunSet, NodeId, NodeSet, PerNode};

/// Epoch of ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u8);

impl Epoch {
    /// The epoch after this one. Renaming keeps epochs small, so it never saturates in an exploration.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// How far the owner is; the production record's `Stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Every export is being removed.
    Fencing,
    /// One export with this number is under way.
    Attaching(Lun),
    /// Mounted through this export.
    Mounted(Lun),
    /// Being taken down.
    Releasing(Lun),
}

impl Stage {
    /// The export this stage is about.
    #[must_use]
    pub fn attempt(self) -> Option<Lun> {
        match self {
            Self::Fencing => None,
            Self::Attaching(lun) | Self::Mounted(lun) | Self::Releasing(lun) => Some(lun),
        }
    }

    /// A mount was committed in this epoch.
    #[must_use]
    pub fn was_mounted(self) -> bool {
        matches!(self, Self::Mounted(_) | Self::Releasing(_))
    }
}

/// Who owns the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ownership {
    /// Nobody.
    Free,
    /// A node.
    Owned {
        /// Which.
        owner: NodeId,
        /// It owns in the boot it is in now; false after it rebooted.
        this_boot: bool,
        /// How far it is.
        stage: Stage,
    },
}

impl Ownership {
    /// The owner.
    #[must_use]
    pub fn owner(self) -> Option<NodeId> {
        match self {
            Self::Free => None,
            Self::Owned { owner, .. } => Some(owner),
        }
    }

    /// The export in force or under way.
    #[must_use]
    pub fn attempt(self) -> Option<Lun> {
        match self {
            Self::Free => None,
            Self::Owned { stage, .. } => stage.attempt(),
        }
    }
}

/// A takeover and its delay timer. The expiry of the timer is the permission to force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Takeover {
    /// None is open.
    Closed,
    /// Open. Its timer may run out at any moment.
    Open,
}

/// The volume's record in the metadata store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// Epoch of ownership.
    pub epoch: Epoch,
    /// Owner and stage.
    pub ownership: Ownership,
    /// A takeover, if open.
    pub takeover: Takeover,
    /// Nodes that lost the volume and have not proven that they are clean.
    pub quarantine: NodeSet,
    /// Those of them whose exports were not yet verified to be gone.
    pub unverified: NodeSet,
    /// LUN numbers whose export may still take effect though its request was given up, by node. The number of an
    /// open attempt is not among them: it is in the stage.
    pub burned: PerNode<LunSet>,
}

impl Record {
    /// The node owns the volume in this epoch and in its present boot.
    #[must_use]
    pub fn is_owned_by(&self, node: NodeId, epoch: Epoch) -> bool {
        self.epoch == epoch
            && matches!(self.ownership, Ownership::Owned { owner, this_boot: true, .. } if owner == node)
    }
}

/// What the array has of the volume, and requests on their way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Array {
    /// VLUN templates, by host.
    pub vluns: PerNode<LunSet>,
    /// Requests to create a VLUN that were given up and may still take effect.
    pub late_creates: PerNode<LunSet>,
    /// Requests to remove a VLUN that were answered or given up and may still take effect.
    pub late_removals: PerNode<LunSet>,
    /// The same, sent in an epoch that has ended since.
    pub stale_removals: PerNode<LunSet>,
}

/// One node: its plugin's operation and its kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Node {
    /// What the plugin is doing.
    pub operation: Operation,
    /// What the kernel has of the volume.
    pub kernel: Kernel,
}

/// What an observer with full sight has seen; the protocol does not see this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seen {
    /// Newest epoch in which a kernel mounted the filesystem: from then on it builds on what is on the volume.
    pub mounted: Epoch,
    /// Newest epoch in which a Mount was answered with success, and on which node.
    pub served: Epoch,
    /// The node of that answer.
    pub served_by: Option<NodeId>,
}

/// The whole world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The record.
    pub record: Record,
    /// The array.
    pub array: Array,
    /// The nodes; those beyond the configured number stay as they are.
    pub nodes: PerNode<Node>,
    /// The other volume at each host; stays as it is where only one volume is configured.
    pub others: PerNode<Neighbour>,
    /// The observer.
    pub seen: Seen,
    /// Faults that may still happen.
    pub faults_left: u8,
}

impl State {
    /// A free volume that nobody has used, with a budget of faults.
    #[must_use]
    pub fn initial(faults: u8) -> Self {
        Self {
            record: Record {
                epoch: Epoch(0),
                ownership: Ownership::Free,
                takeover: Takeover::Closed,
                quarantine: NodeSet::default(),
                unverified: NodeSet::default(),
                burned: PerNode::default(),
            },
            array: Array::default(),
            nodes: PerNode::default(),
            others: PerNode::default(),
            seen: Seen::default(),
            faults_left: faults,
        }
    }

    /// The node's map has a path that the array serves: what is written to it reaches the volume.
    #[must_use]
    pub fn is_live(&self, node: NodeId) -> bool {
        !(self.nodes[node].kernel.scanned & self.array.vluns[node]).is_empty()
    }

    /// The node's kernel can bring data of its cache or queue onto the volume right now.
    #[must_use]
    pub fn can_write(&self, node: NodeId) -> bool {
        let kernel = &self.nodes[node].kernel;
        kernel.in_flight || (kernel.filesystem.holds_data() && self.is_live(node))
    }

    /// Data of one volume goes to the other: a device is still bound to a number that the other volume is exported by.
    #[must_use]
    pub fn is_misled(&self, node: NodeId) -> bool {
        let (kernel, other) = (&self.nodes[node].kernel, &self.others[node]);
        let ours_to_theirs = kernel.filesystem.holds_data() && !(kernel.scanned & other.vluns).is_empty();
        let theirs_to_ours = other.holds_data && !(other.scanned & self.array.vluns[node]).is_empty();
        ours_to_theirs || theirs_to_ours
    }

    /// Hosts the volume is exported to.
    #[must_use]
    pub fn exported_to(&self) -> NodeSet {
        NodeId::ALL.into_iter().filter(|node| !self.array.vluns[*node].is_empty()).collect()
    }

    /// LUN numbers of a host that mean something to the volume somewhere; any other is as good as never used.
    #[must_use]
    pub fn numbers_in_play(&self, host: NodeId) -> LunSet {
        let array = &self.array;
        let mut luns = array.vluns[host]
            | array.late_creates[host]
            | array.late_removals[host]
            | array.stale_removals[host]
            | self.record.burned[host]
            | self.nodes[host].kernel.scanned;
        for node in NodeId::ALL {
            luns = luns | self.nodes[node].operation.rows[host] | self.nodes[node].operation.seen[host];
        }
        luns | self.nodes[host].operation.avoid | self.attempts(host)
    }

    /// Numbers that the array has an export by at the host: it refuses another by the same.
    #[must_use]
    pub fn taken(&self, host: NodeId) -> LunSet {
        self.array.vluns[host] | self.others[host].vluns
    }

    /// Numbers of a host that are of an export in force or under way.
    #[must_use]
    pub fn attempts(&self, host: NodeId) -> LunSet {
        let mut luns = self.recorded_attempt(host);
        self.nodes[host].operation.attempt.into_iter().for_each(|lun| luns.insert(lun));
        luns
    }

    /// The number of a host that the record names as exported or attempted.
    #[must_use]
    pub fn recorded_attempt(&self, host: NodeId) -> LunSet {
        let ownership = &self.record.ownership;
        let attempt = ownership.attempt().filter(|_| ownership.owner() == Some(host));
        attempt.map_or_else(LunSet::default, LunSet::of)
    }
}
