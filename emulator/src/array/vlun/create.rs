//! Making a VLUN: every check of the array, in the order the codes suggest.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{CreateVlun, CreatedVlun, TemplateLife, VlunAddress, VlunTarget, VlunTemplate};
use crate::array::config::SecondLun;
use crate::array::error::ArrayError;
use crate::array::event::{EventKind, VlunNote};
use crate::array::identity::{Lun, PortPos};
use crate::array::names::VolumeName;
use crate::array::{Array, Volume, VolumeActivity};

/// The hosts that a target reaches.
enum Hosts {
    /// Every host, known or not.
    All,
    /// These.
    Some(BTreeSet<u32>),
}

impl Hosts {
    fn meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Some(a), Self::Some(b)) => !a.is_disjoint(b),
        }
    }
}

impl Array {
    /// Makes a VLUN template, or with `set:` and a volume set one for each member.
    ///
    /// # Errors
    /// 40 missing volume, LUN or part of the port; 23, 17, 102, 20 unknown volume, host, host set, port; a provisional code without
    /// host and port, or with host set and port; 28 and 115 LUN out of range; 99 LUN reserved by the persona; a provisional code
    /// (409) when no LUN of the range is free; a provisional code (400) for different domains; a provisional code (403) for a second
    /// host of a `oneHost` volume; 18 when the VLUN exists or the LUN is taken; 97 for a volume that a physical copy
    /// fills.
    pub fn create_vlun(&mut self, now: Duration, body: &CreateVlun) -> Result<CreatedVlun, ArrayError> {
        self.advance(now);
        if let Some(set) = body.volume_name.as_deref().and_then(|name| name.strip_prefix("set:")) {
            return self.export_set(now, set, body);
        }
        let volume = self.volume_to_export(body)?;
        let (volume_id, volume_name) = (volume.id, volume.name.clone());
        let target = self.target_in_request(body)?;
        self.check_domains(volume, target)?;
        if volume.policies.one_host {
            self.check_one_host(volume_id, target)?;
        }
        let overriding = body.override_lower_priority == Some(true);
        if overriding && body.hostname.is_none() {
            return Err(ArrayError::missing_required().with_ref("hostname"));
        }
        let lun = if body.auto_lun == Some(true) {
            self.choose_lun(volume_id, target, body)?
        } else {
            let wish = body.lun.ok_or_else(|| ArrayError::missing_required().with_ref("lun"))?;
            let lun = Lun::new(wish)?;
            self.check_persona(target, lun)?;
            self.check_overlap(volume_id, target, lun, overriding)?;
            lun
        };
        let generation = self.vluns.next_generation();
        let template = VlunTemplate { generation, volume: volume_id, lun, target, life: TemplateLife::Standing };
        self.vluns.insert(template);
        self.tell_hosts_of(target, body.no_vcn == Some(true));
        let note = self.vlun_note(volume_name.clone(), generation, lun, target);
        let address = VlunAddress {
            volume: volume_name.to_string(),
            lun: i64::from(lun.get()),
            host: note.host.clone(),
            port: note.port,
        };
        self.note(EventKind::VlunCreated(note));
        let has_active_paths = self.vluns.get(generation).is_some_and(|t| !self.active_paths(t).is_empty());
        Ok(CreatedVlun { address, lun, kind: target.kind(), generation, has_active_paths })
    }

    /// How the log names a template.
    pub(crate) fn vlun_note(
        &self,
        volume: VolumeName,
        generation: crate::array::VlunGeneration,
        lun: Lun,
        target: VlunTarget,
    ) -> VlunNote {
        VlunNote { generation, volume, lun, host: self.target_name(target), port: target.port(), kind: target.kind() }
    }

    fn volume_to_export(&self, body: &CreateVlun) -> Result<&Volume, ArrayError> {
        let name = body.volume_name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("volumeName"))?;
        VolumeName::new(name).map_err(|e| e.refusal("volumeName"))?;
        let volume = self.volume(name)?;
        match volume.activity {
            Some((VolumeActivity::CopyTarget | VolumeActivity::ResyncTarget, _)) => {
                Err(ArrayError::vlun_of_copy_target())
            }
            _ => Ok(volume),
        }
    }

    /// The target that host name and port of a request stand for (1.3.1 guide p. 101).
    fn target_in_request(&self, body: &CreateVlun) -> Result<VlunTarget, ArrayError> {
        let port = body.port_pos.map(super::PortPosInput::read).transpose()?;
        if let Some(port) = port {
            self.port(port)?;
        }
        let Some(host) = body.hostname.as_deref().filter(|h| !h.is_empty()) else {
            return port.map(VlunTarget::Port).ok_or_else(ArrayError::missing_export_info);
        };
        if let Some(set) = host.strip_prefix("set:") {
            if port.is_some() {
                return Err(ArrayError::matched_host_set());
            }
            return self.host_sets.id_of(set).map(VlunTarget::HostSet).ok_or_else(ArrayError::non_existent_set);
        }
        let id = self.host(host)?.id;
        Ok(port.map_or(VlunTarget::Host(id), |port| VlunTarget::MatchedSet(id, port)))
    }

    /// Numbers of the hosts that a target reaches.
    fn hosts_reached(&self, target: VlunTarget) -> Hosts {
        match target {
            VlunTarget::Port(_) => Hosts::All,
            VlunTarget::Host(host) | VlunTarget::MatchedSet(host, _) => Hosts::Some(BTreeSet::from([host])),
            VlunTarget::HostSet(set) => Hosts::Some(self.members_of_host_set(set).iter().copied().collect()),
        }
    }

    /// Volume and hosts must be in the same domain; a port is in none.
    fn check_domains(&self, volume: &Volume, target: VlunTarget) -> Result<(), ArrayError> {
        let Hosts::Some(hosts) = self.hosts_reached(target) else { return Ok(()) };
        let same = hosts.iter().filter_map(|id| self.hosts.get(*id)).all(|h| h.domain == volume.domain);
        if same { Ok(()) } else { Err(ArrayError::not_in_same_domain()) }
    }

    /// A `oneHost` volume goes to one host: the same as before, or the first.
    fn check_one_host(&self, volume: u32, target: VlunTarget) -> Result<(), ArrayError> {
        let Hosts::Some(hosts) = self.hosts_reached(target) else { return Err(ArrayError::one_host_policy()) };
        let same = |other: VlunTarget| match self.hosts_reached(other) {
            Hosts::All => false,
            Hosts::Some(others) => others.is_subset(&hosts),
        };
        let alone = hosts.len() <= 1 && self.vluns.of_volume(volume).all(|t| same(t.target));
        if alone { Ok(()) } else { Err(ArrayError::one_host_policy()) }
    }

    /// Refuses a LUN that the persona of a host keeps for itself.
    fn check_persona(&self, target: VlunTarget, lun: Lun) -> Result<(), ArrayError> {
        let Hosts::Some(hosts) = self.hosts_reached(target) else { return Ok(()) };
        let reserved = hosts.iter().filter_map(|id| self.hosts.get(*id)).any(|h| h.persona.reserves(lun));
        if reserved { Err(ArrayError::lun_persona_conflict()) } else { Ok(()) }
    }

    /// The lowest LUN of the range that nothing speaks against.
    fn choose_lun(&self, volume: u32, target: VlunTarget, body: &CreateVlun) -> Result<Lun, ArrayError> {
        let lowest = Lun::new(body.lun.unwrap_or(0))?.get();
        let highest = match body.max_auto_lun.unwrap_or(0) {
            0 => Lun::MAX,
            bound => Lun::new(bound)?.get(),
        };
        if highest < lowest {
            return Err(ArrayError::parameter_conflict().with_ref("lun,maxAutoLun"));
        }
        let overriding = body.override_lower_priority == Some(true);
        (lowest..=highest)
            .map(Lun::fixed)
            .find(|lun| {
                self.check_persona(target, *lun).is_ok() && self.check_overlap(volume, target, *lun, overriding).is_ok()
            })
            .ok_or_else(ArrayError::auto_lun_unavailable)
    }

    /// Refuses a template that an existing one stands against: on one host a LUN is one volume, and two templates for one path
    /// exclude each other unless the new one may override the old one.
    fn check_overlap(&self, volume: u32, target: VlunTarget, lun: Lun, overriding: bool) -> Result<(), ArrayError> {
        let hosts = self.hosts_reached(target);
        let ports_meet = |a: Option<PortPos>, b: Option<PortPos>| a.is_none() || b.is_none() || a == b;
        let refuses = |old: &VlunTemplate| {
            // A set without members has no paths yet, but its exports would clash once it has.
            if old.target != target && !hosts.meet(&self.hosts_reached(old.target)) {
                return false;
            }
            let overlap = ports_meet(target.port(), old.target.port());
            let overridden = overriding && old.target.kind().rank() < target.kind().rank();
            match (old.volume == volume, old.lun == lun) {
                (true, true) => overlap && !overridden,
                (true, false) => overlap && !overridden && self.config.second_lun == SecondLun::Refuse,
                (false, true) => {
                    let both_named =
                        !matches!(target, VlunTarget::Port(_)) && !matches!(old.target, VlunTarget::Port(_));
                    (overlap || both_named) && !overridden
                }
                (false, false) => false,
            }
        };
        let taken = self.vluns.of_volume(volume).any(refuses) || self.with_lun(&hosts, target, lun).any(refuses);
        if taken { Err(ArrayError::existent_lun().with_ref("lun")) } else { Ok(()) }
    }

    /// Templates with this LUN that may share a path with the target.
    fn with_lun<'a>(
        &'a self,
        hosts: &Hosts,
        target: VlunTarget,
        lun: Lun,
    ) -> Box<dyn Iterator<Item = &'a VlunTemplate> + 'a> {
        let Hosts::Some(hosts) = hosts else {
            return Box::new(self.vluns.iter().filter(move |t| t.lun == lun));
        };
        let mut sets: BTreeSet<u32> =
            hosts.iter().filter_map(|h| self.hosts.get(*h)).flat_map(|h| h.sets.clone()).collect();
        if let VlunTarget::HostSet(set) = target {
            sets.insert(set);
        }
        let of_hosts = hosts.clone().into_iter().flat_map(move |h| self.vluns.of_host_lun(h, lun));
        let of_sets = sets.into_iter().flat_map(move |s| self.vluns.of_host_set_lun(s, lun));
        Box::new(of_hosts.chain(of_sets).chain(self.vluns.of_any_port_lun(lun)))
    }

    /// Refuses new members of a host set that have one of its LUNs already, or would be a second host of a `oneHost` volume.
    pub(crate) fn check_host_set_growth(&self, set: u32, added: &[u32]) -> Result<(), ArrayError> {
        for template in self.vluns.of_host_set(set) {
            let total = self.members_of_host_set(set).len() + added.len();
            let one_host = self.volumes.get(template.volume).is_some_and(|v| v.policies.one_host);
            if one_host && total > 1 {
                return Err(ArrayError::one_host_policy());
            }
            for host in added {
                self.check_persona(VlunTarget::Host(*host), template.lun)?;
                self.check_overlap(template.volume, VlunTarget::Host(*host), template.lun, false)?;
            }
        }
        Ok(())
    }

    /// Raises REPORTED LUNS DATA HAS CHANGED on the sessions of a target, unless the command said not to.
    pub(crate) fn tell_hosts_of(&mut self, target: VlunTarget, silent: bool) {
        if silent {
            return;
        }
        match self.hosts_reached(target) {
            Hosts::All => {
                if let Some(port) = target.port() {
                    self.nexuses.raise_unit_attention_on(port);
                }
            }
            Hosts::Some(hosts) => {
                let initiators: Vec<_> =
                    hosts.iter().filter_map(|h| self.hosts.get(*h)).flat_map(|h| h.initiators.clone()).collect();
                initiators.iter().for_each(|i| self.nexuses.raise_unit_attention(i));
            }
        }
    }
}
