//! Where volumes are found by anything but number and name, and what they take from their CPGs.
//!
//! Only [`Array::put_volume`], [`Array::change_volume`] and [`Array::take_volume`] put volumes in, change and take them, so the
//! index cannot fall behind; every command stays logarithmic in the number of volumes.

use std::collections::{BTreeMap, BTreeSet};

use super::Array;
use super::event::EventKind;
use super::identity::Wwn;
use super::names::{CpgName, VolumeName};
use super::timestamp::Timestamp;
use super::volume::{Provisioning, Volume};

/// Space that a volume takes, MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct VolumeSpace {
    pub(crate) user_reserved: u64,
    pub(crate) user_used: u64,
    pub(crate) snapshot_reserved: u64,
    pub(crate) snapshot_used: u64,
    pub(crate) admin_reserved: u64,
}

impl VolumeSpace {
    fn add(&mut self, other: Self) {
        self.user_reserved += other.user_reserved;
        self.user_used += other.user_used;
        self.snapshot_reserved += other.snapshot_reserved;
        self.snapshot_used += other.snapshot_used;
        self.admin_reserved += other.admin_reserved;
    }

    fn subtract(&mut self, other: Self) {
        self.user_reserved = self.user_reserved.saturating_sub(other.user_reserved);
        self.user_used = self.user_used.saturating_sub(other.user_used);
        self.snapshot_reserved = self.snapshot_reserved.saturating_sub(other.snapshot_reserved);
        self.snapshot_used = self.snapshot_used.saturating_sub(other.snapshot_used);
        self.admin_reserved = self.admin_reserved.saturating_sub(other.admin_reserved);
    }

    /// The part in the user CPG.
    const fn without_snapshots(self) -> Self {
        Self { snapshot_reserved: 0, snapshot_used: 0, ..self }
    }

    /// The part in the snapshot CPG.
    const fn only_snapshots(self) -> Self {
        Self {
            snapshot_reserved: self.snapshot_reserved,
            snapshot_used: self.snapshot_used,
            user_reserved: 0,
            user_used: 0,
            admin_reserved: 0,
        }
    }

    /// All that is reserved, MiB.
    pub(crate) const fn reserved(self) -> u64 {
        self.user_reserved + self.snapshot_reserved + self.admin_reserved
    }
}

/// What the volumes of one CPG are and take.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpgUse {
    /// Volumes whose user space is in it.
    pub(crate) users: BTreeSet<u32>,
    /// Volumes whose snapshot space is in it.
    pub(crate) snapshots: BTreeSet<u32>,
    /// How many base volumes are full, thin, deduplicated.
    pub(crate) counts: [u32; 3],
    /// Virtual size of the base volumes, MiB.
    pub(crate) virtual_mib: u64,
    /// Space; user and administrative space of `users`, snapshot space of `snapshots`.
    pub(crate) space: VolumeSpace,
}

/// The index.
#[derive(Debug, Clone, Default)]
pub(crate) struct VolumeIndex {
    by_wwn: BTreeMap<Wwn, BTreeSet<u32>>,
    children: BTreeMap<u32, BTreeSet<u32>>,
    expiring: BTreeSet<(Timestamp, u32)>,
    cpgs: BTreeMap<CpgName, CpgUse>,
}

/// Adds a number to the set under a key.
fn put<K: Ord>(map: &mut BTreeMap<K, BTreeSet<u32>>, key: K, id: u32) {
    map.entry(key).or_default().insert(id);
}

/// Takes a number from the set under a key; empty sets go.
fn take<K: Ord>(map: &mut BTreeMap<K, BTreeSet<u32>>, key: &K, id: u32) {
    if let Some(held) = map.get_mut(key) {
        held.remove(&id);
        if held.is_empty() {
            map.remove(key);
        }
    }
}

impl VolumeIndex {
    fn add(&mut self, volume: &Volume) {
        put(&mut self.by_wwn, volume.wwn.clone(), volume.id);
        if let Some(parent) = volume.copy_of {
            put(&mut self.children, parent, volume.id);
        }
        if let Some(at) = volume.expires {
            self.expiring.insert((at, volume.id));
        }
        self.account(volume, true);
    }

    fn take(&mut self, volume: &Volume) {
        take(&mut self.by_wwn, &volume.wwn, volume.id);
        if let Some(parent) = volume.copy_of {
            take(&mut self.children, &parent, volume.id);
        }
        if let Some(at) = volume.expires {
            self.expiring.remove(&(at, volume.id));
        }
        self.account(volume, false);
    }

    /// Adds a volume to the figures of its CPGs, or takes it away.
    fn account(&mut self, volume: &Volume, add: bool) {
        let (user, snapshot) = (volume.space().without_snapshots(), volume.space().only_snapshots());
        if volume.provisioning != Provisioning::Snapshot {
            let held = self.cpgs.entry(volume.cpg.clone()).or_default();
            let count = &mut held.counts[volume.provisioning.cpg_counter()];
            if add {
                held.users.insert(volume.id);
                *count += 1;
                held.virtual_mib += volume.size_mib;
                held.space.add(user);
            } else {
                held.users.remove(&volume.id);
                *count = count.saturating_sub(1);
                held.virtual_mib = held.virtual_mib.saturating_sub(volume.size_mib);
                held.space.subtract(user);
            }
        }
        let Some(cpg) = &volume.snap_cpg else { return };
        let held = self.cpgs.entry(cpg.clone()).or_default();
        if add {
            held.snapshots.insert(volume.id);
            held.space.add(snapshot);
        } else {
            held.snapshots.remove(&volume.id);
            held.space.subtract(snapshot);
        }
    }

    /// Puts the figures of a volume right whose space was `before`.
    fn change_space(&mut self, volume: &Volume, before: VolumeSpace) {
        let after = volume.space();
        if volume.provisioning != Provisioning::Snapshot
            && let Some(held) = self.cpgs.get_mut(&volume.cpg)
        {
            held.space.subtract(before.without_snapshots());
            held.space.add(after.without_snapshots());
        }
        if let Some(held) = volume.snap_cpg.as_ref().and_then(|cpg| self.cpgs.get_mut(cpg)) {
            held.space.subtract(before.only_snapshots());
            held.space.add(after.only_snapshots());
        }
    }

    /// Virtual copies of a volume, by number.
    pub(crate) fn children(&self, volume: u32) -> impl Iterator<Item = u32> {
        self.children.get(&volume).into_iter().flatten().copied()
    }

    /// Whether a volume has virtual copies.
    pub(crate) fn has_children(&self, volume: u32) -> bool {
        self.children.contains_key(&volume)
    }

    /// The volumes with this world wide name.
    pub(crate) fn with_wwn(&self, wwn: &Wwn) -> impl Iterator<Item = u32> {
        self.by_wwn.get(wwn).into_iter().flatten().copied()
    }

    /// The volumes whose expiration is at or before a time, the earliest first.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<u32> {
        self.expiring.range(..=(now, u32::MAX)).map(|(_, id)| *id).collect()
    }

    /// What the volumes of a CPG are and take.
    pub(crate) fn cpg(&self, name: &CpgName) -> Option<&CpgUse> {
        self.cpgs.get(name)
    }
}

impl Array {
    /// Puts a new volume into the state and into the log.
    pub(crate) fn put_volume(&mut self, volume: Volume) {
        let name = volume.name.clone();
        self.volume_index.add(&volume);
        self.volumes.insert(volume.id, name.clone(), volume);
        self.note(EventKind::VolumeCreated { volume: name });
    }

    /// Changes a volume in any way; name, number excepted, and index follow. Nothing happens when there is none.
    pub(crate) fn change_volume<T>(&mut self, id: u32, change: impl FnOnce(&mut Volume) -> T) -> Option<T> {
        let volume = self.volumes.get_mut(id)?;
        self.volume_index.take(volume);
        let before = volume.name.clone();
        let result = change(volume);
        self.volume_index.add(volume);
        let now_named = volume.name.clone();
        if before != now_named {
            self.volumes.rename(&before, now_named);
        }
        Some(result)
    }

    /// Changes the data of a volume, and with it the space it takes.
    pub(crate) fn change_data<T>(&mut self, id: u32, change: impl FnOnce(&mut Volume) -> T) -> Option<T> {
        let volume = self.volumes.get_mut(id)?;
        let before = volume.space();
        let result = change(volume);
        if before != volume.space() {
            // The figures change by whole megabytes, so this is rare.
            self.volume_index.change_space(volume, before);
        }
        Some(result)
    }

    /// Takes a volume out of the state; writes in flight to it are aborted.
    pub(crate) fn take_volume(&mut self, name: &str) -> Option<VolumeName> {
        let volume = self.volumes.remove(name)?;
        self.volume_index.take(&volume);
        // A write that lingers after its export must not reach a later volume with the same number.
        self.abort_tasks(|task| task.is_for(volume.id));
        if volume.copy_of.is_some_and(|parent| !self.volume_index.has_children(parent))
            && let Some(parent) = volume.copy_of
        {
            // Without copies nothing has to be kept for them.
            self.change_volume(parent, |parent| parent.copied_on_write = 0);
        }
        self.note(EventKind::VolumeRemoved { volume: volume.name.clone() });
        Some(volume.name)
    }

    /// The volume with this number.
    pub(crate) fn volume_by_id(&self, id: u32) -> Option<&Volume> {
        self.volumes.get(id)
    }
}
