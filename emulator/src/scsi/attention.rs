//! Unit attentions: what an initiator is told before its next command is done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::codes;
use crate::array::{Array, Lun};
use crate::datapath::{Sense, SessionId};

/// Most unit attentions that wait for one LUN; the newest are lost first.
const WAITING_MAX: usize = 8;

/// Unit attentions of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attentions {
    /// LUNs that were used since the login, so that POWER ON was told.
    met: BTreeSet<Lun>,
    waiting: BTreeMap<Lun, VecDeque<Sense>>,
}

impl Attentions {
    fn push(&mut self, lun: Lun, sense: Sense) {
        let waiting = self.waiting.entry(lun).or_default();
        if waiting.len() < WAITING_MAX && !waiting.contains(&sense) {
            waiting.push_back(sense);
        }
    }

    fn pop(&mut self, lun: Lun) -> Option<Sense> {
        if self.met.insert(lun) {
            return Some(Sense::POWER_ON);
        }
        if self.waiting.is_empty() {
            return None;
        }
        let waiting = self.waiting.get_mut(&lun)?;
        let sense = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&lun);
        }
        sense
    }
}

impl Array {
    /// Takes the next unit attention of a LUN.
    pub(super) fn next_attention(&mut self, session: SessionId, lun: Lun) -> Option<Sense> {
        let nexus = self.nexuses.get_mut(session)?;
        nexus.attentions.pop(lun).or_else(|| self.take_unit_attention(session))
    }

    /// Tells every session that reaches a volume, but one, of a change; `whom` picks among them.
    pub(super) fn tell_users_of(
        &mut self,
        volume: u32,
        sense: Sense,
        but: Option<SessionId>,
        whom: impl Fn(&super::Registrant) -> bool,
    ) {
        let mut reached: Vec<(SessionId, Lun)> = Vec::new();
        for nexus in self.nexuses() {
            if but == Some(nexus.id) || !whom(&super::Registrant::of(nexus)) {
                continue;
            }
            let luns = self.luns_on(&(nexus.initiator.clone(), nexus.port));
            reached.extend(luns.into_iter().filter(|(_, t)| t.volume == volume).map(|(lun, _)| (nexus.id, lun)));
        }
        for (session, lun) in reached {
            if let Some(nexus) = self.nexuses.get_mut(session) {
                nexus.attentions.push(lun, sense);
            }
        }
    }

    /// Tells every session that reaches a volume that its capacity changed.
    pub(crate) fn tell_capacity_changed(&mut self, volume: u32) {
        self.tell_users_of(volume, codes::CAPACITY_CHANGED, None, |_| true);
    }

    /// LOGICAL UNIT RESET: ends the writes in flight on the unit and its RESERVE(6), and tells its other users. Gives whether there is
    /// such a unit.
    pub fn reset_unit(&mut self, session: SessionId, lun: [u8; 8]) -> bool {
        let Ok(super::unit::Place::Volume { volume, .. }) = self.place_of(session, lun) else { return false };
        self.abort_tasks(|task| task.is_for(volume));
        if let Some(volume) = self.volumes.get_mut(volume) {
            volume.unit.reserved_by = None;
        }
        self.tell_users_of(volume, codes::UNIT_RESET, Some(session), |_| true);
        true
    }

    /// CLEAR TASK SET: ends the writes in flight on the unit, of all its users. Gives whether there is such a unit.
    pub fn clear_unit(&mut self, session: SessionId, lun: [u8; 8]) -> bool {
        let Ok(super::unit::Place::Volume { volume, .. }) = self.place_of(session, lun) else { return false };
        self.abort_tasks(|task| task.is_for(volume));
        true
    }

    /// TARGET WARM RESET: the same for every unit that the session reaches.
    pub fn reset_target(&mut self, session: SessionId) {
        let Some(nexus) = self.nexuses.get(session) else { return };
        let path = (nexus.initiator.clone(), nexus.port);
        let volumes: BTreeSet<u32> = self.luns_on(&path).values().map(|t| t.volume).collect();
        for volume in volumes {
            self.abort_tasks(|task| task.is_for(volume));
            if let Some(volume) = self.volumes.get_mut(volume) {
                volume.unit.reserved_by = None;
            }
            self.tell_users_of(volume, codes::BUS_RESET, Some(session), |_| true);
        }
    }
}
