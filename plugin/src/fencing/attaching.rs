//! From a validated export to a committed mount, and the way back when a step fails.
//!
//! What must never happen here: mkfs on anything that was not proven blank, a mount of a device whose WWN was
//! not read from the device itself, an answer without a committed record and a mount seen in this kernel.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{info, warn};

use super::claiming::Claimed;
use super::driver::{Doubt, Driver};
use super::error::FenceError;
use super::mounting::Round;
use super::mutants::Mutant;
use super::references;
use super::refusal::Refusal;
use super::revoking::remove_one;
use crate::array::{Channel, TargetPort};
use crate::node::{AttachRequest, Content, Device, Filesystem, NodeError};
use crate::store::StoreError;
use crate::volume::mount::{Caller, Mounted};
use crate::volume::record::{Attempt, DeviceInfo, Format, Ownership, PathInfo, Rest, Stage, VolumeRecord};

/// How often a commit is tried again when the record changed or the store did not answer.
const COMMIT_TRIES: usize = 6;
/// Pause before the store is asked whether a commit took effect.
const COMMIT_PAUSE: Duration = Duration::from_millis(500);

impl Driver {
    /// Carries a claim through to a mount. On failure everything that was done is undone, as far as possible now;
    /// reconciliation does the rest.
    pub(super) async fn bring_up(
        &self,
        mut claimed: Claimed,
        round: &Round,
        mount_id: &str,
        caller: &Caller,
    ) -> Result<Mounted, FenceError> {
        let mut result = self.bring_up_steps(&mut claimed, round, mount_id, caller).await;
        if result.is_err()
            && let Err(lost @ FenceError::LostOwnership { .. }) = self.refresh(&mut claimed).await
        {
            // Whatever failed, it failed because another node took the volume.
            result = Err(lost);
        }
        if self.parts.defects.has(Mutant::FailedMountsStay) {
            return result;
        }
        if let Err(error) = &result {
            warn!(volume = %claimed.loaded.record.display_name, epoch = %claimed.epoch, %error, "mount failed; undoing it");
            if let Err(left) = self.undo(&claimed, error).await {
                warn!(volume = %claimed.loaded.record.display_name, error = %left, "undo is not complete; reconciliation will finish it");
            }
        }
        result
    }

    async fn bring_up_steps(
        &self,
        claimed: &mut Claimed,
        round: &Round,
        mount_id: &str,
        caller: &Caller,
    ) -> Result<Mounted, FenceError> {
        let exported = self.fence_and_export(claimed).await?;
        let attached = self.attach(&claimed.loaded.record, round, exported).await;
        if attached.is_err() {
            // Perhaps this node is another host of the array by now: look it up again next time.
            self.forget_host(&claimed.loaded.record.backend);
        }
        let (device, ports) = attached?;
        self.ensure_filesystem(claimed, &device).await?;
        self.mount_device(&device, &round.mount_dir).await?;
        self.parts.node.set_root_access(&round.mount_dir, claimed.loaded.record.access).await?;
        let local = self.parts.node.inspect(&round.wwn).await?;
        if !local.is_mounted_at(&round.mount_dir) || local.luns.iter().any(|lun| *lun != exported.lun) {
            return Err(NodeError::Failed {
                step: "verifying the mount",
                object: round.mount_dir.display().to_string(),
                reason: format!("the kernel shows {local:?} instead of a mount through LUN {}", exported.lun),
            }
            .into());
        }
        self.commit_mount(claimed, round, &device, &ports, exported, mount_id, caller).await
    }

    pub(super) async fn attach(
        &self,
        record: &VolumeRecord,
        round: &Round,
        attempt: Attempt,
    ) -> Result<(Device, Vec<TargetPort>), FenceError> {
        let backend = self.backend(record)?;
        let ports = backend.array.target_ports().await?;
        if !round.local.luns.contains(&attempt.lun) {
            // A number that is about to be used. One by which the volume is here already is not stale.
            self.parts.node.purge_stale_lun(attempt.lun, &ports).await?;
        }
        let request = AttachRequest {
            wwn: round.wwn.clone(),
            lun: attempt.lun,
            ports: ports.clone(),
            chap: None,
            paths_wanted: backend.paths_wanted.min(ports.len()),
            patience: backend.policy.attach_patience,
        };
        Ok((self.parts.node.attach(&request).await?, ports))
    }

    async fn mount_device(&self, device: &Device, dir: &Path) -> Result<(), FenceError> {
        match self.parts.node.mount(device, dir).await {
            Err(NodeError::Busy { .. }) if self.parts.defects.has(Mutant::ExportToQuarantined) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Makes a filesystem if and only if the volume never had one and the device is proven blank.
    async fn ensure_filesystem(&self, claimed: &mut Claimed, device: &Device) -> Result<(), FenceError> {
        let record = &claimed.loaded.record;
        let content = match self.parts.node.probe(device).await {
            Err(_) if self.parts.defects.has(Mutant::ReadErrorIsBlank) => {
                return Ok(self.parts.node.make_filesystem(device, Filesystem::Ext4).await?);
            }
            content => content?,
        };
        let before = record.format;
        let interrupted = matches!(before, Format::Formatting { .. });
        match (&content, record.format) {
            (Content::Filesystem(_), _) => return Ok(()),
            (Content::Blank, Format::Unformatted | Format::Unknown | Format::Formatting { .. }) => {}
            // It was proven blank when formatting began, and was never mounted since: what is there is a torn mkfs.
            (Content::Other, Format::Formatting { .. }) => {}
            (Content::Other, Format::Unformatted | Format::Unknown) => return Err(Refusal::NotBlank.into()),
            (found, Format::Formatted) => return Err(Refusal::FilesystemGone { found: format!("{found:?}") }.into()),
        }
        let filesystem = self.backend(record)?.filesystem;
        if !interrupted {
            let format = Format::Formatting { epoch: claimed.epoch, filesystem };
            self.update(claimed, |record| record.format = format).await?;
        }
        info!(volume = %claimed.loaded.record.display_name, ?filesystem, "device is blank; making the filesystem");
        // `Formatted` is written with the commit of the first mount: until then nobody can have put data there.
        match self.parts.node.make_filesystem(device, filesystem).await {
            Err(error @ NodeError::Unsupported { .. }) if !interrupted => {
                // Not one byte was written. Left as it is, the record would call whatever comes onto the device a torn mkfs.
                self.update(claimed, |record| record.format = before).await?;
                Err(error.into())
            }
            made => Ok(made?),
        }
    }

    /// Changes the record while this node stays its owner in the claimed epoch.
    pub(super) async fn update(
        &self,
        claimed: &mut Claimed,
        change: impl Fn(&mut VolumeRecord),
    ) -> Result<(), FenceError> {
        for _ in 0..COMMIT_TRIES {
            let mut record = claimed.loaded.record.clone();
            change(&mut record);
            if let Some(saved) = self.save(&claimed.loaded, record).await? {
                claimed.loaded = saved;
                return Ok(());
            }
            self.refresh(claimed).await?;
        }
        Err(FenceError::ChangedMeanwhile { doing: "writing the volume's record" })
    }

    /// Commits `path_info`. The caller becomes a reference only if it still waits for the answer.
    #[allow(clippy::too_many_arguments)]
    async fn commit_mount(
        &self,
        claimed: &mut Claimed,
        round: &Round,
        device: &Device,
        ports: &[TargetPort],
        attempt: Attempt,
        mount_id: &str,
        caller: &Caller,
    ) -> Result<Mounted, FenceError> {
        let me = &self.parts.me;
        let mut info = path_info(&claimed.loaded.record, round, device, connection_info(ports, attempt), me);
        for _ in 0..COMMIT_TRIES {
            let mut record = claimed.loaded.record.clone();
            info.mount_ids = record.references(&me.node, &me.boot).to_vec();
            let held = info.mount_ids.len();
            if caller.is_waiting() || self.parts.defects.has(Mutant::DepartedCallerHolds) {
                references::add(&mut info.mount_ids, mount_id);
            }
            let added = info.mount_ids.len() > held;
            if let Ownership::Owned { owner, .. } = record.ownership {
                record.ownership = Ownership::Owned { owner, stage: Stage::Mounted(Some(attempt)) };
            }
            record.wwn = Some(round.wwn.clone());
            record.format = Format::Formatted;
            record.path_info.insert(me.node.clone(), info.clone());
            record.note(&me.node, format!("mounted at {}", info.mount_dir.display()));
            match self.save(&claimed.loaded, record).await {
                Ok(Some(saved)) => {
                    claimed.loaded = saved;
                    // Earlier tries were compared with an older revision: they can have no effect any more.
                    self.no_doubt(claimed.loaded.record.id);
                    return self.committed(claimed, &info, added.then_some((mount_id, caller))).await;
                }
                Ok(None) => self.refresh(claimed).await?,
                Err(FenceError::Store(StoreError::Unavailable { .. })) => {
                    // Unknown: read what is there before anything else is said.
                    let holds = references::count(&info.mount_ids, mount_id);
                    let doubt = Doubt { mount_id: mount_id.to_owned(), epoch: claimed.epoch, holds };
                    self.doubt(claimed.loaded.record.id, doubt);
                    tokio::time::sleep(COMMIT_PAUSE).await;
                    self.refresh(claimed).await?;
                }
                Err(error) => return Err(error),
            }
            // This commit or an earlier one, which may have come late, is there: nobody else writes this stage.
            let now = &claimed.loaded.record;
            if now.ownership.stage() == Some(Stage::Mounted(Some(attempt)))
                && now.path_info.get(&me.node) == Some(&info)
            {
                self.no_doubt(now.id);
                return self.committed(claimed, &info, added.then_some((mount_id, caller))).await;
            }
        }
        Err(FenceError::ChangedMeanwhile { doing: "committing the mount" })
    }

    /// The mount is committed: remember it here and answer. A caller that has gone leaves no reference; the volume
    /// stays mounted for a while for the repeated request, then reconciliation lets go.
    async fn committed(
        &self,
        claimed: &Claimed,
        info: &PathInfo,
        added: Option<(&str, &Caller)>,
    ) -> Result<Mounted, FenceError> {
        self.journal_mounted(&claimed.loaded.record).await?;
        if let Some((mount_id, caller)) = added {
            self.forget_departed(claimed.loaded.clone(), mount_id, caller).await?;
        }
        Ok(Mounted { mountpoint: info.mount_dir.clone(), device: info.path.clone() })
    }

    /// Takes back what a failed Mount did: own device, own export, own claim.
    async fn undo(&self, claimed: &Claimed, because: &FenceError) -> Result<(), FenceError> {
        let Some(now) = self.load(claimed.loaded.record.id).await? else { return Ok(()) };
        let me = &self.parts.me;
        if now.record.epoch == claimed.epoch && now.record.is_owned_by(&me.node, &me.boot) {
            return self.release(now).await;
        }
        info!(volume = %now.record.display_name, epoch = %now.record.epoch, %because, "another node owns the volume now; removing what is left here");
        self.leave(&now).await?;
        // The number this claim wrote ahead: exported or not, its template must not stay.
        if let Some(attempt) = claimed.loaded.record.ownership.stage().and_then(Stage::attempt) {
            let export = self.export_of(&now.record, &claimed.host, attempt.lun);
            remove_one(self.backend(&now.record)?.array.as_ref(), &export, Channel::Wsapi).await?;
        }
        Ok(())
    }
}

pub(super) fn path_info(
    record: &VolumeRecord,
    round: &Round,
    device: &Device,
    connection_info: Value,
    me: &super::decision::Me,
) -> PathInfo {
    PathInfo {
        name: record.display_name.as_str().to_owned(),
        path: device.path.clone(),
        device_info: DeviceInfo {
            path: device.by_id.clone(),
            scsi_wwn: round.wwn.map_name(),
            kind: "block".to_owned(),
            multipath_id: round.wwn.map_name(),
            rest: Rest::default(),
        },
        connection_info,
        mount_dir: round.mount_dir.clone(),
        mount_ids: Vec::new(),
        boot_id: me.boot.clone(),
        rest: Rest::default(),
    }
}

/// The shape existing records have, without any secret.
fn connection_info(ports: &[TargetPort], attempt: Attempt) -> Value {
    let lun = attempt.lun.number();
    let iscsi: Vec<(&str, &str)> = ports
        .iter()
        .filter_map(|port| match port {
            TargetPort::Iscsi { portal, iqn, .. } => Some((portal.as_str(), iqn.as_str())),
            TargetPort::Fc { .. } => None,
        })
        .collect();
    if iscsi.is_empty() {
        let wwns: Vec<&str> = ports
            .iter()
            .filter_map(|port| match port {
                TargetPort::Fc { wwpn, .. } => Some(wwpn.as_str()),
                TargetPort::Iscsi { .. } => None,
            })
            .collect();
        return json!({"driver_volume_type": "fibre_channel", "data": {"target_lun": lun, "target_discovered": true, "target_wwn": wwns, "encrypted": false}});
    }
    let (portals, iqns): (Vec<_>, Vec<_>) = iscsi.into_iter().unzip();
    json!({"driver_volume_type": "iscsi", "data": {
        "target_luns": vec![lun; portals.len()], "target_iqns": iqns, "target_discovered": true, "encrypted": false, "target_portals": portals,
    }})
}
