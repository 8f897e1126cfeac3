//! Objects found by number or by name; the number stays through a rename, so other tables refer to it.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Objects `T` with a number and a unique name `N`.
#[derive(Debug, Clone)]
pub(crate) struct Registry<N: Ord, T> {
    by_id: BTreeMap<u32, T>,
    by_name: BTreeMap<N, u32>,
    next: u32,
}

impl<N: Ord + Clone, T> Registry<N, T> {
    /// An empty registry whose first number is `first`.
    pub(crate) fn starting_at(first: u32) -> Self {
        Self { by_id: BTreeMap::new(), by_name: BTreeMap::new(), next: first }
    }

    /// The lowest number above all that were ever given out or taken.
    pub(crate) fn next_id(&self) -> u32 {
        self.next
    }

    /// Adds an object; the caller has checked that number and name are free.
    pub(crate) fn insert(&mut self, id: u32, name: N, object: T) {
        self.next = self.next.max(id.saturating_add(1));
        self.by_name.insert(name, id);
        self.by_id.insert(id, object);
    }

    /// Takes an object out.
    pub(crate) fn remove<Q>(&mut self, name: &Q) -> Option<T>
    where
        N: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.by_name.remove(name).and_then(|id| self.by_id.remove(&id))
    }

    /// Gives the object another name; the caller has checked that it is free.
    pub(crate) fn rename<Q>(&mut self, from: &Q, to: N)
    where
        N: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        if let Some(id) = self.by_name.remove(from) {
            self.by_name.insert(to, id);
        }
    }

    /// Number of the object with this name.
    pub(crate) fn id_of<Q>(&self, name: &Q) -> Option<u32>
    where
        N: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.by_name.get(name).copied()
    }

    /// The object with this name.
    pub(crate) fn named<Q>(&self, name: &Q) -> Option<&T>
    where
        N: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.by_name.get(name).and_then(|id| self.by_id.get(id))
    }

    /// The object with this number.
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.by_id.get(&id)
    }

    /// The object with this number, to change.
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.by_id.get_mut(&id)
    }

    /// Whether the number is taken.
    pub(crate) fn has_id(&self, id: u32) -> bool {
        self.by_id.contains_key(&id)
    }

    /// All objects, to change.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.by_id.values_mut()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All objects in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.by_id.values()
    }
}
