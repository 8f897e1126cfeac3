//! Nodes, LUN numbers and sets of them, one byte each.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitAnd, BitOr, Index, IndexMut, Sub};

/// A node, and its host on the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    /// First node.
    A,
    /// Second node.
    B,
    /// Third node.
    C,
}

impl NodeId {
    /// All nodes a model can have.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// The first `count` nodes.
    pub fn first(count: usize) -> impl Iterator<Item = Self> + Clone {
        Self::ALL.into_iter().take(count)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One value for each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PerNode<T>(pub [T; 3]);

impl<T> Index<NodeId> for PerNode<T> {
    type Output = T;
    fn index(&self, node: NodeId) -> &T {
        &self.0[node as usize]
    }
}

impl<T> IndexMut<NodeId> for PerNode<T> {
    fn index_mut(&mut self, node: NodeId) -> &mut T {
        &mut self.0[node as usize]
    }
}

/// A set of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeSet(u8);

impl NodeSet {
    /// Just this node.
    #[must_use]
    pub fn of(node: NodeId) -> Self {
        Self(node.bit())
    }

    /// The node is in the set.
    #[must_use]
    pub fn contains(self, node: NodeId) -> bool {
        self.0 & node.bit() != 0
    }

    /// Adds a node.
    pub fn insert(&mut self, node: NodeId) {
        self.0 |= node.bit();
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeId) {
        self.0 &= !node.bit();
    }

    /// No node is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many nodes are in the set.
    #[must_use]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The nodes in order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        NodeId::ALL.into_iter().filter(move |node| self.contains(*node))
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

impl BitOr for NodeSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Sub for NodeSet {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A LUN number of one host. Only equality means something, so a few stand for all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lun(NonZeroU8);

impl Lun {
    /// How many numbers of one host can mean something at the same time; more is reported as a cut exploration.
    pub const IN_PLAY: usize = 8;

    /// The number with this index.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        if index >= Self::IN_PLAY {
            return None;
        }
        u8::try_from(index + 1).ok().and_then(NonZeroU8::new).map(Self)
    }

    /// Index from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0.get()) - 1
    }

    fn bit(self) -> u8 {
        1 << self.index()
    }

    /// All numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::IN_PLAY).filter_map(Self::at)
    }
}

impl fmt::Debug for Lun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A set of LUN numbers of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LunSet(u8);

impl LunSet {
    /// Just this number.
    #[must_use]
    pub fn of(lun: Lun) -> Self {
        Self(lun.bit())
    }

    /// The number is in the set.
    #[must_use]
    pub fn contains(self, lun: Lun) -> bool {
        self.0 & lun.bit() != 0
    }

    /// Adds a number.
    pub fn insert(&mut self, lun: Lun) {
        self.0 |= lun.bit();
    }

    /// Takes a number out.
    pub fn remove(&mut self, lun: Lun) {
        self.0 &= !lun.bit();
    }

    /// No number is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The numbers in order.
    pub fn iter(self) -> impl Iterator<Item = Lun> {
        Lun::all().filter(move |lun| self.contains(*lun))
    }

    /// The lowest number that is not in the set.
    #[must_use]
    pub fn first_absent(self) -> Option<Lun> {
        Lun::all().find(|lun| !self.contains(*lun))
    }
}

impl BitOr for LunSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for LunSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for LunSet {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
