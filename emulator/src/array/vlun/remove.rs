//! Removing a VLUN, with what may go wrong there: the heart of fencing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Path, TemplateLife, VlunAddress, VlunTarget, VlunTemplate};
use crate::array::Array;
use crate::array::config::InflightPolicy;
use crate::array::error::ArrayError;
use crate::array::event::EventKind;
use crate::array::identity::{Lun, VlunGeneration};

/// How a removal deviates from what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RemovalAnomaly {
    /// It does what it says.
    #[default]
    None,
    /// It answers with success; template and active VLUNs stay for this time.
    Slow(Duration),
    /// It answers with success; the template goes, the first of its active VLUNs stays until the removal is repeated.
    Partial,
    /// It answers with success and does nothing.
    Lying,
}

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedVlun {
    /// Number of the template.
    pub generation: VlunGeneration,
    /// Writes in flight that were put on the medium first.
    pub settled: usize,
    /// Writes in flight that were aborted.
    pub aborted: usize,
    /// Writes in flight that may still be accepted.
    pub lingering: usize,
}

/// A removal that a fault has put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PendingRemoval {
    pub(crate) due: Duration,
    pub(crate) generation: VlunGeneration,
}

impl Array {
    /// Removes the template with exactly this address, and with it all its active VLUNs.
    ///
    /// # Errors
    /// 23, 17, 102 unknown volume, host, host set; 19 when there is no such template; 40 without host and port; 28 and 115 LUN out
    /// of range.
    pub fn remove_vlun(&mut self, now: Duration, address: &VlunAddress) -> Result<RemovedVlun, ArrayError> {
        self.remove_vlun_as(now, address, RemovalAnomaly::None)
    }

    /// The same, deviating as a fault wants it. The answer is that of a removal that worked.
    ///
    /// # Errors
    /// Those of [`Array::remove_vlun`].
    pub fn remove_vlun_as(
        &mut self,
        now: Duration,
        address: &VlunAddress,
        anomaly: RemovalAnomaly,
    ) -> Result<RemovedVlun, ArrayError> {
        self.advance(now);
        if let Some(set) = address.volume.strip_prefix("set:") {
            return self.remove_set_export(set, address, anomaly);
        }
        let generation = self.find_vlun(address)?;
        let untouched = RemovedVlun { generation, settled: 0, aborted: 0, lingering: 0 };
        match anomaly {
            RemovalAnomaly::None => Ok(self.drop_vlun(generation, &BTreeSet::new()).unwrap_or(untouched)),
            RemovalAnomaly::Slow(time) => {
                let due = now.saturating_add(time);
                self.pending_removals.insert(PendingRemoval { due, generation });
                self.note_faked_removal(generation, Some(due));
                self.do_due_removals();
                Ok(untouched)
            }
            RemovalAnomaly::Lying => {
                self.note_faked_removal(generation, None);
                Ok(untouched)
            }
            RemovalAnomaly::Partial => {
                let paths = self.vluns.get(generation).map(|t| self.active_paths(t)).unwrap_or_default();
                let kept = paths.into_iter().take(1).collect();
                Ok(self.drop_vlun(generation, &kept).unwrap_or(untouched))
            }
        }
    }

    /// Number of the template with exactly this address.
    ///
    /// # Errors
    /// Those of [`Array::remove_vlun`].
    pub fn find_vlun(&self, address: &VlunAddress) -> Result<VlunGeneration, ArrayError> {
        let volume = self.volume(&address.volume)?.id;
        let lun = Lun::new(address.lun)?;
        let target = self.target_of_address(address)?;
        let same = |t: &&VlunTemplate| t.volume == volume && t.target == target;
        let found = match target {
            VlunTarget::Host(host) | VlunTarget::MatchedSet(host, _) => self.vluns.of_host_lun(host, lun).find(same),
            VlunTarget::HostSet(set) => self.vluns.of_host_set_lun(set, lun).find(same),
            VlunTarget::Port(port) => self.vluns.of_port_lun(port, lun).find(same),
        };
        found.map(|t| t.generation).ok_or_else(ArrayError::non_existent_vlun)
    }

    /// The target that an address names.
    fn target_of_address(&self, address: &VlunAddress) -> Result<VlunTarget, ArrayError> {
        let Some(host) = address.host.as_deref().filter(|h| !h.is_empty()) else {
            return address
                .port
                .map(VlunTarget::Port)
                .ok_or_else(|| ArrayError::missing_required().with_ref("hostname"));
        };
        if let Some(set) = host.strip_prefix("set:") {
            return self.host_sets.id_of(set).map(VlunTarget::HostSet).ok_or_else(ArrayError::non_existent_set);
        }
        let id = self.host(host)?.id;
        Ok(address.port.map_or(VlunTarget::Host(id), |port| VlunTarget::MatchedSet(id, port)))
    }

    /// Takes a template away from every path but those kept, after dealing with its writes in flight.
    pub(crate) fn drop_vlun(&mut self, generation: VlunGeneration, kept: &BTreeSet<Path>) -> Option<RemovedVlun> {
        let (lun, target, volume) = self.vluns.get(generation).map(|t| (t.lun, t.target, t.volume))?;
        let name = self.volumes.get(volume).map(|v| v.name.clone())?;
        let note = self.vlun_note(name, generation, lun, target);
        let [settled, aborted, lingering] = self.end_writes_in_flight(generation, kept);
        if kept.is_empty() {
            self.vluns.remove(generation);
        } else if let Some(template) = self.vluns.get_mut(generation) {
            template.life = TemplateLife::Leftover(kept.clone());
        }
        self.tell_hosts_of(target, false);
        self.note(EventKind::VlunRemoved { vlun: note, settled, aborted, lingering });
        Some(RemovedVlun { generation, settled, aborted, lingering })
    }

    /// Deals with the writes in flight on a template as the configuration says; gives how many were settled, aborted, left.
    fn end_writes_in_flight(&mut self, generation: VlunGeneration, kept: &BTreeSet<Path>) -> [usize; 3] {
        let tasks = self.tasks_on(generation, kept);
        match self.config.inflight {
            InflightPolicy::SettleBeforeReturn => {
                tasks.iter().for_each(|task| self.settle(*task));
                [tasks.len(), 0, 0]
            }
            InflightPolicy::Abort => {
                let aborted = tasks.into_iter().filter(|task| self.abort_task(*task)).count();
                [0, aborted, 0]
            }
            InflightPolicy::Linger(time) => {
                let until = self.now.saturating_add(time);
                tasks.iter().for_each(|task| self.let_linger(*task, until));
                [0, 0, tasks.len()]
            }
        }
    }

    /// Does the removals that are due at the current time.
    pub(crate) fn do_due_removals(&mut self) {
        while let Some(next) = self.pending_removals.first().copied().filter(|p| p.due <= self.now) {
            self.pending_removals.remove(&next);
            self.drop_vlun(next.generation, &BTreeSet::new());
        }
    }

    fn note_faked_removal(&mut self, generation: VlunGeneration, due: Option<Duration>) {
        let Some((lun, target, volume)) = self.vluns.get(generation).map(|t| (t.lun, t.target, t.volume)) else {
            return;
        };
        if let Some(name) = self.volumes.get(volume).map(|v| v.name.clone()) {
            let vlun = self.vlun_note(name, generation, lun, target);
            self.note(EventKind::VlunRemovalFaked { vlun, due });
        }
    }
}
