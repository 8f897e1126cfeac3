//! The way of an Unmount: drop the reference, and with the last one take everything down before the record is freed.
//!
//! The order is the point: write back, unmount, prove idle, drop the device, remove the export, verify, and only
//! then free the record. Freed first, another node would mount beside a live mount.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::cleaning::TakenDown;
use super::driver::{Driver, Loaded};
use super::error::FenceError;
use super::late_exports::{Number, burn_open_attempt, forget_seen};
use super::mutants::Mutant;
use super::references;
use super::refusal::Refusal;
use crate::array::Wwn;
use crate::node::{BootId, LocalTruth, NodeError};
use crate::store::{Change, Transaction, keys};
use crate::volume::names::VolumeId;
use crate::volume::record::{Owner, Ownership, Stage, VolumeRecord};

/// How long a release waits for a path before it says so, and the pause between two looks.
const PATH_WAIT: Duration = Duration::from_secs(30);
const PATH_LOOK: Duration = Duration::from_secs(1);

/// What an Unmount does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmountStep {
    /// Other references remain, or the id is unknown while others hold: write the shorter list, if it is shorter.
    DropReference,
    /// The last reference: write `releasing`, then take everything down.
    Release,
    /// An interrupted release or attempt of this node: finish it.
    FinishRelease,
    /// This node does not own the volume: clean this node only.
    Leave,
}

/// What an Unmount does next, from the record alone.
#[must_use]
pub fn next_unmount_step(record: &VolumeRecord, me: &super::decision::Me, mount_id: &str) -> UnmountStep {
    if record.ownership.owner().is_none_or(|owner| owner.node != me.node) {
        return UnmountStep::Leave;
    }
    match record.ownership.stage() {
        Some(Stage::Mounted(_)) => {}
        _ => return UnmountStep::FinishRelease,
    }
    let mut ids = record.path_info.get(&me.node).map(|info| info.mount_ids.clone()).unwrap_or_default();
    references::drop_one(&mut ids, mount_id);
    if ids.is_empty() { UnmountStep::Release } else { UnmountStep::DropReference }
}

impl Driver {
    /// Drops one reference; the last one releases the volume.
    ///
    /// # Errors
    /// The volume stays `releasing` until everything is down and verified; a repeated call or reconciliation continues.
    pub async fn unmount(&self, id: VolumeId, mount_id: &str, deadline: Instant) -> Result<(), FenceError> {
        let _guard = self.volume_guard(id).await;
        self.finish_what_memory_knows(id).await?;
        self.drop_doubtful(id).await?;
        loop {
            let Some(loaded) = self.load(id).await? else { return Ok(()) };
            self.refuse_older_store(&loaded.record)?;
            self.refuse_stolen_identity(&loaded.record)?;
            if Instant::now() >= deadline {
                return Err(FenceError::Deadline { doing: "dropping the reference" });
            }
            let step = next_unmount_step(&loaded.record, &self.parts.me, mount_id);
            debug!(volume = %id, node = %self.parts.me.node, epoch = %loaded.record.epoch, ?step, "unmount step");
            match step {
                UnmountStep::Leave => {
                    self.leave(&loaded).await?;
                    self.forget_here(id).await?;
                    self.clear_quarantine(loaded).await?;
                    return Ok(());
                }
                UnmountStep::DropReference => {
                    if self.drop_reference(&loaded, mount_id).await? {
                        return Ok(());
                    }
                }
                UnmountStep::Release => {
                    let Some(releasing) = self.start_release(&loaded, mount_id).await? else { continue };
                    return self.release(releasing).await;
                }
                UnmountStep::FinishRelease => return self.release(loaded).await,
            }
        }
    }

    /// While another machine uses this node's identity, what "this node" owned in another boot may be that machine's.
    fn refuse_stolen_identity(&self, record: &VolumeRecord) -> Result<(), FenceError> {
        let me = &self.parts.me;
        let of_another_life =
            |owner: &&Owner| owner.node == me.node && owner.boot != me.boot && owner.boot != BootId::unknown();
        match (self.alarm.reason(), record.ownership.owner().filter(of_another_life)) {
            (Some(reason), Some(_)) => Err(Refusal::DuplicateIdentity(reason).into()),
            _ => Ok(()),
        }
    }

    async fn drop_reference(&self, loaded: &Loaded, mount_id: &str) -> Result<bool, FenceError> {
        let mut record = loaded.record.clone();
        let Some(info) = record.path_info.get_mut(&self.parts.me.node) else { return Ok(true) };
        if !references::drop_one(&mut info.mount_ids, mount_id) {
            info!(volume = %loaded.record.display_name, mount_id, "unmount of an id that does not hold the volume; nothing changed");
            return Ok(true);
        }
        if self.save(loaded, record.clone()).await?.is_none() {
            return Ok(false);
        }
        self.journal_mounted(&record).await?;
        Ok(true)
    }

    /// Writes ahead that everything is about to be taken down.
    pub(super) async fn start_release(&self, loaded: &Loaded, mount_id: &str) -> Result<Option<Loaded>, FenceError> {
        let mut record = loaded.record.clone();
        if let Some(info) = record.path_info.get_mut(&self.parts.me.node) {
            references::drop_one(&mut info.mount_ids, mount_id);
        }
        if let Ownership::Owned { owner, stage } = record.ownership {
            record.ownership = Ownership::Owned { owner, stage: Stage::Releasing(stage.attempt()) };
        }
        record.note(&self.parts.me.node, "releasing: write back, unmount, detach, remove the export");
        if self.parts.defects.has(Mutant::FreeBeforeDeviceDown) {
            return self.free(loaded, record, &BTreeSet::new()).await;
        }
        self.save(loaded, record).await
    }

    /// Takes everything down and frees the record. The caller holds the volume; the record says this node owns it.
    pub(super) async fn release(&self, loaded: Loaded) -> Result<(), FenceError> {
        let mut record = loaded.record.clone();
        let wwn = self.wwn_of(&mut record).await?;
        let mut local = self.inspect(record.id, &wwn).await?;
        let hopeless = local.filesystem_dead || self.is_hopeless(&record, &local).await;
        if !hopeless && local.paths_down {
            local = self.wait_for_a_path(&record, &wwn).await?;
        }
        if hopeless {
            self.journal_given_up(record.id).await?;
            self.drop_fenced(&record, &wwn, &local).await?;
        } else if self.take_down(&wwn, &local).await? == TakenDown::StillUsed {
            return self.keep_in_use(&loaded, &local).await;
        }
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.id);
        self.journal_released(&record).await?;
        let seen = match self.remove_own_exports(&record).await {
            Err(_) if self.parts.defects.has(Mutant::IgnoreReleaseErrors) => BTreeSet::new(),
            revoked => revoked?.numbers(),
        };
        self.finish_release(loaded, &seen).await
    }

    /// Without a path nothing can be written back: at once if the array no longer exports the volume here, else after
    /// paths had their time to come back.
    async fn is_hopeless(&self, record: &VolumeRecord, local: &LocalTruth) -> bool {
        if !local.paths_down {
            self.stuck.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.id);
            return false;
        }
        if self.is_exported_to_nobody(record).await.is_ok_and(|nobody| nobody) {
            return true;
        }
        let patience = self.backend(record).map_or(Duration::ZERO, |backend| backend.policy.path_patience);
        let since =
            *self.stuck.lock().unwrap_or_else(PoisonError::into_inner).entry(record.id).or_insert_with(Instant::now);
        let hopeless = since.elapsed() >= patience;
        if hopeless {
            warn!(volume = %record.display_name, "no path came back in time: giving up what was not written back");
        }
        hopeless
    }

    /// Waits a while for a path: without one a write-back would hang in the kernel, with a thread of this process.
    async fn wait_for_a_path(&self, record: &VolumeRecord, wwn: &Wwn) -> Result<LocalTruth, FenceError> {
        let until = Instant::now() + PATH_WAIT;
        loop {
            let local = self.parts.node.inspect(wwn).await?;
            if !local.paths_down {
                return Ok(local);
            }
            if Instant::now() >= until {
                let reason = "no path to the array is left; it goes on when one comes back, and gives up in the end";
                return Err(NodeError::Failed {
                    step: "writing back",
                    object: format!("volume {}", record.display_name),
                    reason: reason.to_owned(),
                }
                .into());
            }
            tokio::time::sleep(PATH_LOOK).await;
        }
    }

    /// The last transaction of a release. If the volume was taken meanwhile there is nothing left to free.
    async fn finish_release(&self, mut loaded: Loaded, seen: &BTreeSet<Number>) -> Result<(), FenceError> {
        let id = loaded.record.id;
        let epoch = loaded.record.epoch;
        loop {
            let record = loaded.record.clone();
            if record.epoch != epoch || record.ownership.owner().is_none_or(|owner| owner.node != self.parts.me.node) {
                break;
            }
            if self.free(&loaded, record, seen).await?.is_some() {
                info!(volume = %loaded.record.display_name, node = %self.parts.me.node, %epoch, "released");
                break;
            }
            match self.load(id).await? {
                Some(fresh) => loaded = fresh,
                None => break,
            }
        }
        self.forget_here(id).await
    }

    async fn free(
        &self,
        loaded: &Loaded,
        mut record: VolumeRecord,
        seen: &BTreeSet<Number>,
    ) -> Result<Option<Loaded>, FenceError> {
        let id = record.id;
        burn_open_attempt(&mut record, seen);
        forget_seen(&mut record, seen);
        record.ownership = Ownership::Free;
        record.takeover = None;
        record.path_info.remove(&self.parts.me.node);
        record.note(&self.parts.me.node, "free");
        let changes =
            vec![Change::Delete { key: keys::takeover_clock(id) }, Change::Delete { key: keys::takeover_permit(id) }];
        self.save_with(loaded, record, Transaction { guards: Vec::new(), changes }).await
    }

    /// Somebody outside our bookkeeping still uses the device: it stays mounted and exported, without references.
    async fn keep_in_use(&self, loaded: &Loaded, local: &LocalTruth) -> Result<(), FenceError> {
        let name = &loaded.record.display_name;
        if local.mounted_at.is_empty() || !loaded.record.path_info.contains_key(&self.parts.me.node) {
            let object =
                local.device.as_ref().map_or_else(|| name.to_string(), |device| device.path.display().to_string());
            return Err(NodeError::Busy { object }.into());
        }
        warn!(volume = %name, "the device is still used by another mount, namespace or process; keeping it mounted");
        let mut current = loaded.clone();
        loop {
            let mut record = current.record.clone();
            if record.epoch != loaded.record.epoch {
                return Ok(());
            }
            if let Ownership::Owned { owner, stage } = record.ownership {
                record.ownership = Ownership::Owned { owner, stage: Stage::Mounted(stage.attempt()) };
            }
            if let Some(saved) = self.save(&current, record).await? {
                return self.journal_mounted(&saved.record).await;
            }
            match self.load(loaded.record.id).await? {
                Some(fresh) => current = fresh,
                None => return Ok(()),
            }
        }
    }

    /// Takes this node out of quarantine. The caller has just proven that nothing of the volume is left here.
    pub(super) async fn clear_quarantine(&self, mut loaded: Loaded) -> Result<(), FenceError> {
        let me = &self.parts.me.node;
        if loaded.record.quarantine.get(me).is_some_and(|lost| !lost.revoked) {
            // Nobody finished revoking: leave no export behind either.
            self.remove_own_exports(&loaded.record).await?;
        }
        while loaded.record.quarantine.contains_key(me) {
            let mut record = loaded.record.clone();
            let wwn = self.wwn_of(&mut record).await?;
            if !self.parts.node.inspect(&wwn).await?.is_clean() {
                return Ok(());
            }
            record.quarantine.remove(me);
            record.note(me, "clean: out of quarantine");
            if self.save(&loaded, record).await?.is_some() {
                info!(volume = %loaded.record.display_name, node = %me, "clean again: out of quarantine");
                return Ok(());
            }
            match self.load(loaded.record.id).await? {
                Some(fresh) => loaded = fresh,
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::decision::Me;
    use super::*;
    use crate::node::NodeId;
    use crate::volume::names::VolumeName;
    use crate::volume::record::{DeviceInfo, PathInfo, Rest};

    fn me() -> Me {
        Me { node: NodeId::new("a"), boot: BootId::new("boot1") }
    }

    fn owned_by(node: &str, stage: Stage, ids: &[&str]) -> VolumeRecord {
        let mut record = VolumeRecord::new(VolumeId(uuid::Uuid::from_u128(1)), VolumeName::of_existing("db").unwrap());
        let owner = Owner::new(NodeId::new(node), BootId::new("boot1"), None);
        record.ownership = Ownership::Owned { owner, stage };
        let device_info = DeviceInfo {
            path: "/dev/disk/by-id/x".into(),
            scsi_wwn: "3".to_owned(),
            kind: "block".to_owned(),
            multipath_id: String::new(),
            rest: Rest::default(),
        };
        let info = PathInfo {
            name: "db".to_owned(),
            path: "/dev/dm-1".into(),
            device_info,
            connection_info: serde_json::Value::Null,
            mount_dir: "/opt/hpe/data/hpedocker-x".into(),
            mount_ids: ids.iter().map(|&id| id.to_owned()).collect(),
            boot_id: BootId::new("boot1"),
            rest: Rest::default(),
        };
        record.path_info.insert(NodeId::new(node), info);
        record
    }

    #[test]
    fn only_the_last_reference_releases() {
        let mounted = |ids: &[&str]| owned_by("a", Stage::Mounted(None), ids);
        assert_eq!(next_unmount_step(&mounted(&["1", "2"]), &me(), "1"), UnmountStep::DropReference);
        assert_eq!(next_unmount_step(&mounted(&["1"]), &me(), "1"), UnmountStep::Release);
        // docker cp: the same id twice.
        assert_eq!(next_unmount_step(&mounted(&["1", "1"]), &me(), "1"), UnmountStep::DropReference);
        // An id that never held it, while others do.
        assert_eq!(next_unmount_step(&mounted(&["1"]), &me(), "9"), UnmountStep::DropReference);
    }

    #[test]
    fn an_interrupted_release_is_finished_and_a_lost_volume_is_left() {
        for stage in [Stage::Fencing, Stage::Releasing(None)] {
            assert_eq!(next_unmount_step(&owned_by("a", stage, &[]), &me(), "1"), UnmountStep::FinishRelease);
        }
        assert_eq!(next_unmount_step(&owned_by("b", Stage::Mounted(None), &["1"]), &me(), "1"), UnmountStep::Leave);
        let mut free = owned_by("a", Stage::Mounted(None), &[]);
        free.ownership = Ownership::Free;
        assert_eq!(next_unmount_step(&free, &me(), "1"), UnmountStep::Leave);
    }
}
