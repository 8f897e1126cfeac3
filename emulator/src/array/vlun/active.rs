//! What a path sees: the resolution of templates into active VLUNs, and the rows of both.

use std::collections::{BTreeMap, BTreeSet};

use super::{Path, TemplateLife, VlunFilter, VlunRow, VlunTarget, VlunTemplate};
use crate::array::Array;
use crate::array::identity::{Initiator, Lun, PortPos, Wwn};

impl Array {
    /// The template in force for a LUN on a path: the one of the highest rank.
    pub(crate) fn resolve(&self, path: &Path, lun: Lun) -> Option<&VlunTemplate> {
        self.resolve_for(&path.0, path.1, lun)
    }

    /// The same for a path in two parts.
    pub(crate) fn resolve_for(&self, initiator: &Initiator, port: PortPos, lun: Lun) -> Option<&VlunTemplate> {
        let host = self.host_of(initiator);
        let of_host = host.into_iter().flat_map(|h| self.vluns.of_host_lun(h.id, lun));
        let of_sets = host.into_iter().flat_map(|h| &h.sets).flat_map(|set| self.vluns.of_host_set_lun(*set, lun));
        let of_port = self.vluns.of_port_lun(port, lun);
        of_host
            .chain(of_sets)
            .chain(of_port)
            .filter(|t| t.target.port().is_none_or(|bound| bound == port) && t.is_in_force(initiator, port))
            .max_by_key(|t| t.target.kind().rank())
    }

    /// The volumes that a path sees, by LUN.
    pub(crate) fn luns_on(&self, path: &Path) -> BTreeMap<Lun, &VlunTemplate> {
        let host = self.host_of(&path.0);
        let of_host = host.into_iter().flat_map(|h| self.vluns.of_host(h.id));
        let of_sets = host.into_iter().flat_map(|h| &h.sets).flat_map(|set| self.vluns.of_host_set(*set));
        let luns: BTreeSet<Lun> = of_host.chain(of_sets).chain(self.vluns.of_port(path.1)).map(|t| t.lun).collect();
        luns.into_iter().filter_map(|lun| self.resolve(path, lun).map(|t| (lun, t))).collect()
    }

    /// The paths on which a template is active.
    pub(crate) fn active_paths(&self, template: &VlunTemplate) -> BTreeSet<Path> {
        let wins = |path: &Path| self.resolve(path, template.lun).is_some_and(|t| t.generation == template.generation);
        match template.target {
            VlunTarget::Port(port) => self.nexuses.paths_on(port).filter(wins).collect(),
            VlunTarget::Host(host) | VlunTarget::MatchedSet(host, _) => {
                self.paths_of(host).into_iter().filter(wins).collect()
            }
            VlunTarget::HostSet(set) => {
                self.members_of_host_set(set).iter().flat_map(|h| self.paths_of(*h)).filter(wins).collect()
            }
        }
    }

    /// The logged-in paths of a host.
    fn paths_of(&self, host: u32) -> Vec<Path> {
        let initiators = self.hosts.get(host).map(|h| h.initiators.as_slice()).unwrap_or_default();
        let on_ports = |i: &Initiator| self.nexuses.ports_of(i).into_iter().map(|p| (i.clone(), p)).collect::<Vec<_>>();
        initiators.iter().flat_map(on_ports).collect()
    }

    /// Whether any volume is exported to a host, by name or through a set.
    pub(crate) fn is_exported_to(&self, host: u32) -> bool {
        let sets = self.hosts.get(host).map(|h| &h.sets);
        self.vluns.names_host(host) || sets.into_iter().flatten().any(|set| self.vluns.names_host_set(*set))
    }

    /// Templates and active VLUNs as the WSAPI lists them: each template followed by its active rows. An active row stands for
    /// one logged-in path, however many sessions that path has.
    #[must_use]
    pub fn vlun_rows(&self, filter: &VlunFilter) -> Vec<VlunRow> {
        let mut rows = Vec::new();
        for template in self.candidates(filter) {
            let Some(volume) = self.volumes.get(template.volume) else { continue };
            let row = |hostname, remote_name, port_pos, active| VlunRow {
                lun: template.lun,
                volume_name: volume.name.clone(),
                hostname,
                remote_name,
                port_pos,
                kind: template.target.kind(),
                volume_wwn: volume.wwn.clone(),
                multipathing: 1,
                failed_path_pol: 1,
                failed_path_interval: 0,
                active,
                generation: template.generation,
            };
            if template.life == TemplateLife::Standing && filter.active != Some(true) {
                rows.push(row(self.target_name(template.target), None, template.target.port(), false));
            }
            if filter.active != Some(false) {
                for (initiator, port) in self.active_paths(template) {
                    let host = self.host_of(&initiator).map(|h| h.name.to_string());
                    rows.push(row(host, Some(initiator.to_string()), Some(port), true));
                }
            }
        }
        rows.retain(|row| filter.admits(row));
        rows
    }

    /// The templates worth looking at for a filter.
    fn candidates(&self, filter: &VlunFilter) -> Vec<&VlunTemplate> {
        if let Some(name) = &filter.volume {
            let volume = self.volumes.id_of(name.as_str());
            return volume.into_iter().flat_map(|id| self.vluns.of_volume(id)).collect();
        }
        if let Some(wwn) = &filter.volume_wwn {
            let volumes = Wwn::new(wwn).map(|wwn| self.volume_index.with_wwn(&wwn).collect::<Vec<_>>());
            return volumes.unwrap_or_default().into_iter().flat_map(|id| self.vluns.of_volume(id)).collect();
        }
        if let Some(name) = &filter.remote_name {
            let host = Initiator::parse(name).ok().and_then(|initiator| self.host_of(&initiator));
            // An initiator of no host sees only what is presented to ports.
            return match host {
                Some(host) => self.templates_reaching(host.name.as_str()),
                None => self.vluns.of_all_ports().collect(),
            };
        }
        match &filter.host {
            Some(name) => match name.strip_prefix("set:") {
                Some(set) => {
                    let set = self.host_sets.id_of(set);
                    set.into_iter().flat_map(|id| self.vluns.of_host_set(id)).collect()
                }
                None => self.templates_reaching(name),
            },
            None => self.vluns.iter().collect(),
        }
    }

    /// Templates that can have rows with this host name.
    fn templates_reaching(&self, host: &str) -> Vec<&VlunTemplate> {
        let Some(host) = self.hosts.named(host) else { return Vec::new() };
        let ports: BTreeSet<PortPos> = self.paths_of(host.id).into_iter().map(|(_, port)| port).collect();
        let of_sets = host.sets.iter().flat_map(|set| self.vluns.of_host_set(*set));
        let of_ports = ports.into_iter().flat_map(|port| self.vluns.of_port(port));
        self.vluns.of_host(host.id).chain(of_sets).chain(of_ports).collect()
    }

    /// How rows and addresses name the host side of a target.
    pub(crate) fn target_name(&self, target: VlunTarget) -> Option<String> {
        match target {
            VlunTarget::Port(_) => None,
            VlunTarget::Host(host) | VlunTarget::MatchedSet(host, _) => {
                self.hosts.get(host).map(|h| h.name.to_string())
            }
            VlunTarget::HostSet(set) => self.host_sets.get(set).map(|s| format!("set:{}", s.name)),
        }
    }
}

impl VlunFilter {
    /// Whether a row meets every condition.
    fn admits(&self, row: &VlunRow) -> bool {
        let same = |wish: &Option<String>, held: Option<&str>| wish.as_deref().is_none_or(|w| held == Some(w));
        let same_hex = |wish: &Option<String>, held: &str| wish.as_deref().is_none_or(|w| held.eq_ignore_ascii_case(w));
        same(&self.volume, Some(row.volume_name.as_str()))
            && same(&self.host, row.hostname.as_deref())
            && self.lun.is_none_or(|lun| lun == row.lun)
            && same_hex(&self.volume_wwn, row.volume_wwn.as_str())
            && (self.remote_name.is_none()
                || same_hex(&self.remote_name, row.remote_name.as_deref().unwrap_or_default()))
            && self.active.is_none_or(|active| active == row.active)
    }
}
