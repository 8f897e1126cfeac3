//! How data goes over: what was written to a primary volume since it was last looked at is shared with its mirrors.

use std::time::Duration;

use super::super::Array;
use super::super::task::TaskKind;
use super::{Partners, RcopyMode, RcopyRole, RcopyState, SyncStatus};

impl Array {
    /// Notes that a volume was written, if its group sends that over at once.
    pub(crate) fn note_write_for_mirrors(&mut self, volume: u32) {
        let Some(id) = self.volume_by_id(volume).and_then(|v| v.rcopy_group) else { return };
        let sends = |mode| matches!(mode, RcopyMode::Synchronous | RcopyMode::Asynchronous);
        let Some(group) = self.remote_copy.groups.get(id) else { return };
        let waits = group.role == RcopyRole::Primary
            && group.targets.iter().any(|target| target.state == RcopyState::Started && sends(target.mode));
        if waits {
            self.remote_copy.waiting.insert(id);
        }
    }

    /// Whether something has to go to a partner now.
    #[must_use]
    pub fn has_replication_waiting(&self) -> bool {
        !self.remote_copy.waiting.is_empty() || self.next_periodic_sync().is_some_and(|due| due <= self.now)
    }

    /// When the next periodic synchronisation is due.
    #[must_use]
    pub fn next_periodic_sync(&self) -> Option<Duration> {
        let groups = self.remote_copy.groups.iter().filter(|group| group.role == RcopyRole::Primary);
        let targets = groups.flat_map(|group| &group.targets);
        let runs =
            targets.filter(|t| t.state == RcopyState::Started && t.mode == RcopyMode::Periodic && t.syncing.is_none());
        runs.filter_map(|target| Some(target.last_sync? + target.sync_period?)).min()
    }

    /// Sends over what waits: data of written volumes, ends of synchronisations, and periodic synchronisations that are due. What is for
    /// a partner that cannot be reached stops the group there, as the loss of all links does.
    pub fn replicate(&mut self, partners: &mut Partners<'_>, now: Duration) {
        self.advance(now);
        for id in std::mem::take(&mut self.remote_copy.waiting) {
            self.replicate_group(partners, id);
        }
        self.start_due_periods(partners);
    }

    fn replicate_group(&mut self, partners: &mut Partners<'_>, id: u32) {
        let Some(group) = self.remote_copy.groups.get(id) else { return };
        if group.role != RcopyRole::Primary {
            return;
        }
        let started: Vec<_> = group
            .targets
            .iter()
            .filter(|t| t.state == RcopyState::Started)
            .map(|t| (t.target.clone(), t.mode))
            .collect();
        for (target, mode) in started {
            if partners.get(&target).is_err() {
                self.stop_target(partners, id, &target);
                continue;
            }
            if mode != RcopyMode::Periodic {
                self.push_data(partners, id, &target);
            }
            let synced =
                self.remote_copy.groups.get(id).and_then(|g| g.target(&target)).is_some_and(|t| t.syncing.is_none());
            if synced {
                self.set_mirror_status(partners, id, &target, SyncStatus::Synced);
            }
        }
    }

    fn start_due_periods(&mut self, partners: &mut Partners<'_>) {
        let now = self.now;
        let mut due = Vec::new();
        for group in self.remote_copy.groups.iter().filter(|group| group.role == RcopyRole::Primary) {
            for target in
                group.targets.iter().filter(|t| t.state == RcopyState::Started && t.mode == RcopyMode::Periodic)
            {
                let at = target.last_sync.zip(target.sync_period).map(|(last, period)| last + period);
                if target.syncing.is_none() && at.is_some_and(|at| at <= now) {
                    due.push((group.id, target.target.clone()));
                }
            }
        }
        for (id, target) in due {
            self.start_filling(partners, id, &target, false, TaskKind::RemoteCopySync);
        }
    }

    /// Gives the mirrors of a group on a target the data that its volumes have now.
    pub(super) fn push_data(&mut self, partners: &mut Partners<'_>, id: u32, target: &str) {
        let Some(group) = self.remote_copy.groups.get(id) else { return };
        let Ok(partner) = partners.get(target) else { return };
        for (volume, mirrors) in &group.volumes {
            let Some((source, mirror)) = self.volume_by_id(*volume).zip(mirrors.get(target)) else { continue };
            let (blocks, size) = (source.blocks.clone(), source.size_mib);
            if partner.volume_by_id(mirror.id).is_some_and(|there| there.size_mib < size) {
                partner.change_volume(mirror.id, |there| there.size_mib = size);
            }
            partner.change_data(mirror.id, |there| there.blocks = blocks);
        }
    }
}
