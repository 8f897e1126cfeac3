//! The templates with the indices that keep making and removing them logarithmic.

use std::collections::{BTreeMap, BTreeSet};

use super::{VlunTarget, VlunTemplate};
use crate::array::identity::{Lun, PortPos, VlunGeneration};

/// Templates of one owner by LUN.
type ByLun = BTreeMap<Lun, BTreeSet<VlunGeneration>>;

/// All templates.
#[derive(Debug, Clone, Default)]
pub(crate) struct VlunTable {
    templates: BTreeMap<VlunGeneration, VlunTemplate>,
    by_volume: BTreeMap<u32, BTreeSet<VlunGeneration>>,
    by_host: BTreeMap<u32, ByLun>,
    by_host_set: BTreeMap<u32, ByLun>,
    by_port: BTreeMap<PortPos, ByLun>,
    made: u64,
}

/// Adds to or takes from an index.
fn index<K: Ord>(map: &mut BTreeMap<K, ByLun>, key: K, lun: Lun, generation: VlunGeneration, add: bool) {
    let by_lun = map.entry(key).or_default();
    let at_lun = by_lun.entry(lun).or_default();
    if add {
        at_lun.insert(generation)
    } else {
        at_lun.remove(&generation)
    };
    if at_lun.is_empty() {
        by_lun.remove(&lun);
    }
}

impl VlunTable {
    /// Goes on numbering where another one stopped.
    pub(crate) fn number_after(&mut self, other: &Self) {
        self.made = self.made.max(other.made);
    }

    /// A number that no template ever had.
    pub(crate) fn next_generation(&mut self) -> VlunGeneration {
        self.made += 1;
        VlunGeneration(self.made)
    }

    pub(crate) fn insert(&mut self, template: VlunTemplate) {
        self.by_volume.entry(template.volume).or_default().insert(template.generation);
        self.set_index(&template, true);
        self.templates.insert(template.generation, template);
    }

    pub(crate) fn remove(&mut self, generation: VlunGeneration) -> Option<VlunTemplate> {
        let template = self.templates.remove(&generation)?;
        if let Some(held) = self.by_volume.get_mut(&template.volume) {
            held.remove(&generation);
            if held.is_empty() {
                self.by_volume.remove(&template.volume);
            }
        }
        self.set_index(&template, false);
        Some(template)
    }

    fn set_index(&mut self, template: &VlunTemplate, add: bool) {
        let (lun, generation) = (template.lun, template.generation);
        match template.target {
            VlunTarget::Host(host) | VlunTarget::MatchedSet(host, _) => {
                index(&mut self.by_host, host, lun, generation, add);
            }
            VlunTarget::HostSet(set) => index(&mut self.by_host_set, set, lun, generation, add),
            VlunTarget::Port(port) => index(&mut self.by_port, port, lun, generation, add),
        }
    }

    pub(crate) fn get(&self, generation: VlunGeneration) -> Option<&VlunTemplate> {
        self.templates.get(&generation)
    }

    pub(crate) fn get_mut(&mut self, generation: VlunGeneration) -> Option<&mut VlunTemplate> {
        self.templates.get_mut(&generation)
    }

    /// All templates in the order they were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &VlunTemplate> {
        self.templates.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.templates.len()
    }

    /// Templates of these numbers.
    fn of<'a>(&'a self, held: Option<&'a BTreeSet<VlunGeneration>>) -> impl Iterator<Item = &'a VlunTemplate> {
        held.into_iter().flatten().filter_map(|g| self.templates.get(g))
    }

    pub(crate) fn of_volume(&self, volume: u32) -> impl Iterator<Item = &VlunTemplate> {
        self.of(self.by_volume.get(&volume))
    }

    /// Host-sees and matched-set templates of a host with this LUN.
    pub(crate) fn of_host_lun(&self, host: u32, lun: Lun) -> impl Iterator<Item = &VlunTemplate> {
        self.of(self.by_host.get(&host).and_then(|l| l.get(&lun)))
    }

    /// Templates of a host set with this LUN.
    pub(crate) fn of_host_set_lun(&self, set: u32, lun: Lun) -> impl Iterator<Item = &VlunTemplate> {
        self.of(self.by_host_set.get(&set).and_then(|l| l.get(&lun)))
    }

    /// Port-presents templates of a port with this LUN.
    pub(crate) fn of_port_lun(&self, port: PortPos, lun: Lun) -> impl Iterator<Item = &VlunTemplate> {
        self.of(self.by_port.get(&port).and_then(|l| l.get(&lun)))
    }

    /// Host-sees and matched-set templates of a host.
    pub(crate) fn of_host(&self, host: u32) -> impl Iterator<Item = &VlunTemplate> {
        self.by_host.get(&host).into_iter().flat_map(|l| l.values()).flat_map(|held| self.of(Some(held)))
    }

    /// Templates of a host set.
    pub(crate) fn of_host_set(&self, set: u32) -> impl Iterator<Item = &VlunTemplate> {
        self.by_host_set.get(&set).into_iter().flat_map(|l| l.values()).flat_map(|held| self.of(Some(held)))
    }

    /// Port-presents templates of a port.
    pub(crate) fn of_port(&self, port: PortPos) -> impl Iterator<Item = &VlunTemplate> {
        self.by_port.get(&port).into_iter().flat_map(|l| l.values()).flat_map(|held| self.of(Some(held)))
    }

    /// Port-presents templates with this LUN on any port.
    pub(crate) fn of_any_port_lun(&self, lun: Lun) -> impl Iterator<Item = &VlunTemplate> {
        self.by_port.values().filter_map(move |l| l.get(&lun)).flat_map(|held| self.of(Some(held)))
    }

    /// Port-presents templates of all ports.
    pub(crate) fn of_all_ports(&self) -> impl Iterator<Item = &VlunTemplate> {
        self.by_port.values().flat_map(|l| l.values()).flat_map(|held| self.of(Some(held)))
    }

    /// Whether any template exports the volume.
    pub(crate) fn names_volume(&self, volume: u32) -> bool {
        self.by_volume.contains_key(&volume)
    }

    /// Whether any template names the host itself.
    pub(crate) fn names_host(&self, host: u32) -> bool {
        self.by_host.get(&host).is_some_and(|l| !l.is_empty())
    }

    /// Whether any template names the host set.
    pub(crate) fn names_host_set(&self, set: u32) -> bool {
        self.by_host_set.get(&set).is_some_and(|l| !l.is_empty())
    }

    /// Whether the volume is exported to more than one host; port presents counts as several.
    pub(crate) fn reaches_several_hosts<'a>(&self, volume: u32, members: impl Fn(u32) -> &'a [u32]) -> bool {
        let mut hosts = BTreeSet::new();
        for template in self.of_volume(volume) {
            match template.target {
                VlunTarget::Port(_) => return true,
                VlunTarget::Host(host) | VlunTarget::MatchedSet(host, _) => hosts.extend([host]),
                VlunTarget::HostSet(set) => hosts.extend(members(set).iter().copied()),
            }
        }
        hosts.len() > 1
    }
}
