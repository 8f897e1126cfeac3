//! Getting a volume off this node: in order when it is ours, by shutting it down when it was taken from us.

use std::path::Path;
use std::time::Duration;

use tracing::{info, warn};

use super::driver::{Driver, Loaded};
use super::error::FenceError;
use super::mounting::Round;
use super::mutants::Mutant;
use super::refusal::Refusal;
use crate::array::Wwn;
use crate::node::{Device, LocalTruth, NodeError, Use};
use crate::volume::record::VolumeRecord;

/// How often the exclusive open is tried before a device counts as busy, and the pause between tries.
const IDLE_TRIES: usize = 4;
const IDLE_PAUSE: Duration = Duration::from_millis(250);

/// What an orderly take-down came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenDown {
    /// Nothing of the volume is left on this node.
    Clean,
    /// Another mount namespace or process holds it: everything was put back as it was.
    StillUsed,
}

impl Driver {
    /// Takes down what an interrupted attempt or an automatic scan left; the volume is ours or was never written.
    pub(super) async fn tear_down(&self, round: &Round) -> Result<(), FenceError> {
        let me = &self.parts.me;
        if let Some(device) =
            round.local.device.as_ref().filter(|_| !round.loaded.record.is_owned_by(&me.node, &me.boot))
        {
            // Not ours: whatever a map still queues must not reach the volume.
            self.parts.node.fail_queued_io(device).await?;
        }
        match self.take_down(&round.wwn, &round.local).await? {
            TakenDown::Clean => Ok(()),
            TakenDown::StillUsed => match round.loaded.record.quarantine.get(&me.node) {
                Some(lost) => {
                    let reason = "its device is still held by a process or another mount namespace".to_owned();
                    Err(Refusal::Quarantined { epoch: lost.epoch.0, reason }.into())
                }
                None => Err(Refusal::MountedByOthers { at: round.local.mounted_at.clone() }.into()),
            },
        }
    }

    /// Orderly: write back, unmount, prove idle, flush the map, delete the paths, look again.
    pub(super) async fn take_down(&self, wwn: &Wwn, local: &LocalTruth) -> Result<TakenDown, FenceError> {
        let node = &self.parts.node;
        if local.mounted_at.iter().any(|dir| !self.is_ours(dir)) {
            // Somebody else mounted it too: theirs to unmount, and nothing is touched until then.
            return Ok(TakenDown::StillUsed);
        }
        for dir in &local.mounted_at {
            match node.sync_filesystem(dir).await {
                Err(error @ NodeError::Failed { .. }) => {
                    // What the kernel could not write back it will not write back by waiting; unmounting says the rest.
                    tracing::error!(%error, "writing back failed; unmounting all the same");
                }
                other => other?,
            }
        }
        if self.parts.defects.has(Mutant::LazyUnmount) {
            for dir in &local.mounted_at {
                node.unmount_fenced(dir).await?;
            }
            if let Some(device) = &local.device {
                // Refused while somebody uses it; the paths go all the same.
                let _ = node.flush_map(device).await;
                node.delete_paths(wwn).await?;
            }
            return Ok(TakenDown::Clean);
        }
        for dir in &local.mounted_at {
            match node.unmount(dir).await {
                Err(NodeError::Busy { .. }) => return Ok(TakenDown::StillUsed),
                other => other?,
            }
        }
        let Some(device) = &local.device else { return Ok(TakenDown::Clean) };
        if !self.is_idle(device).await? {
            for dir in &local.mounted_at {
                node.mount(device, dir).await?;
            }
            return Ok(TakenDown::StillUsed);
        }
        node.flush_map(device).await?;
        node.delete_paths(wwn).await?;
        self.prove_clean(wwn, "after an orderly take-down").await?;
        Ok(TakenDown::Clean)
    }

    /// For a volume that another node took: nothing of it may ever be written back.
    pub(super) async fn clean_fenced(&self, round: &Round) -> Result<(), FenceError> {
        // Also of a volume this node still owns: a kernel that does not show the shutdown would mount the dead filesystem again.
        self.journal_given_up(round.loaded.record.id).await?;
        self.drop_fenced(&round.loaded.record, &round.wwn, &round.local).await
    }

    /// Shut the filesystem down, fail queued I/O, unmount, drop map and paths, prove.
    pub(super) async fn drop_fenced(
        &self,
        record: &VolumeRecord,
        wwn: &Wwn,
        local: &LocalTruth,
    ) -> Result<(), FenceError> {
        let node = &self.parts.node;
        info!(volume = %record.display_name, node = %self.parts.me.node, epoch = %record.epoch, "this node lost the volume: shutting its filesystem down and dropping it");
        for dir in &local.mounted_at {
            node.shutdown_filesystem(dir).await?;
        }
        if let Some(device) = &local.device {
            node.fail_queued_io(device).await?;
        }
        for dir in &local.mounted_at {
            node.unmount_fenced(dir).await?;
        }
        if let Some(device) = &local.device {
            if !self.is_idle(device).await? {
                let reason = format!("{} is still held by a process or another mount namespace", device.path.display());
                return Err(Refusal::Quarantined { epoch: record.epoch.0, reason }.into());
            }
            node.flush_map(device).await?;
        }
        node.delete_paths(wwn).await?;
        self.prove_clean(wwn, "after being fenced").await
    }

    /// Whatever this node has of a volume it does not own goes: fenced if mounted, in order if only a device.
    pub(super) async fn leave(&self, loaded: &Loaded) -> Result<(), FenceError> {
        let mut record = loaded.record.clone();
        let wwn = self.wwn_of(&mut record).await?;
        let local = self.parts.node.inspect(&wwn).await?;
        if local.is_clean() || self.parts.defects.has(Mutant::LeaveDevices) {
            return Ok(());
        }
        if local.mounted_at.is_empty() {
            if let Some(device) = &local.device {
                self.parts.node.fail_queued_io(device).await?;
            }
            if self.take_down(&wwn, &local).await? == TakenDown::StillUsed {
                warn!(volume = %record.display_name, "a device of a volume this node does not own is in use here");
            }
            return Ok(());
        }
        let lost = record.quarantine.contains_key(&self.parts.me.node) || self.journal_entry(record.id).is_some();
        if !lost && !local.mounted_at.iter().all(|dir| self.is_ours(dir)) {
            return Err(Refusal::MountedByOthers { at: local.mounted_at }.into());
        }
        if !lost && record.has_unfinished_unmount() {
            // Of the earlier plugin: nobody took the volume, so it is written back in order.
            return self.take_down(&wwn, &local).await.map(|_| ());
        }
        self.drop_fenced(&record, &wwn, &local).await
    }

    /// The directory is one this plugin mounts volumes at.
    fn is_ours(&self, dir: &Path) -> bool {
        let of_earlier_settings = || self.journal_entries().iter().any(|entry| entry.mount_dir == dir);
        self.parts.mount_prefix.covers(dir) || of_earlier_settings()
    }

    async fn is_idle(&self, device: &Device) -> Result<bool, FenceError> {
        if self.parts.defects.has(Mutant::OwnNamespaceIsIdle) {
            return Ok(true);
        }
        for attempt in 0..IDLE_TRIES {
            if self.parts.node.device_use(device).await? == Use::Idle {
                return Ok(true);
            }
            if attempt + 1 < IDLE_TRIES {
                // A filesystem may need a moment to let go of its device after the last unmount.
                tokio::time::sleep(IDLE_PAUSE).await;
            }
        }
        Ok(false)
    }

    async fn prove_clean(&self, wwn: &Wwn, when: &str) -> Result<(), FenceError> {
        let left = self.parts.node.inspect(wwn).await?;
        if left.is_clean() {
            return Ok(());
        }
        Err(NodeError::Failed {
            step: "proving the node clean",
            object: wwn.to_string(),
            reason: format!("{when} there is still {left:?}"),
        }
        .into())
    }
}
