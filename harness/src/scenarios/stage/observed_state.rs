//! What the record, the array and the machines show.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::volume::record::{Ownership, Stage as RecordStage, VolumeRecord};

use super::Stage;
use crate::cluster::docker_client::Dialect;
use crate::cluster::wait::wait_for_condition;
use crate::cluster::witness::node_name;
use crate::node::NodeEvent;
use crate::scenarios::holder::Holder;

/// How long a state may take to be reached when a scenario names no time.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// The record's owner as a worker's name.
pub(super) fn owner_of(record: &VolumeRecord) -> Option<String> {
    record.ownership.owner().map(|owner| node_name(owner.node.as_str()))
}

impl Stage {
    /// Name of a volume on the array.
    ///
    /// # Errors
    /// When there is no record of it.
    pub async fn array_name(&self, volume: &str) -> Result<String> {
        Ok(self.lab()?.record(volume).await?.array_name.to_string())
    }

    /// WWN of a volume.
    ///
    /// # Errors
    /// When there is no record of it, or the array has not told it yet.
    pub async fn wwn(&self, volume: &str) -> Result<Wwn> {
        self.lab()?.wwn(volume).await
    }

    /// Waits until the record of a volume is as `look` wants it; `look` says what is missing.
    ///
    /// # Errors
    /// When it does not become so.
    pub async fn record_becomes(
        &self,
        volume: &str,
        what: &str,
        within: Duration,
        look: impl Fn(&VolumeRecord) -> Result<(), String>,
    ) -> Result<()> {
        let lab = self.lab()?;
        let what = format!("{volume}: {what}");
        let read = || async { look(&lab.record(volume).await.map_err(|error| format!("{error:#}"))?) };
        Ok(wait_for_condition(&what, within, read).await?)
    }

    /// A worker owns a volume, and has it mounted, attached or is releasing it.
    ///
    /// # Errors
    /// Names the owner the record has.
    pub async fn owns(&self, worker: &str, volume: &str) -> Result<()> {
        self.record_becomes(volume, &format!("owned by {worker}"), SOON, |record| {
            if owner_of(record).as_deref() == Some(worker) { Ok(()) } else { Err(describe(record)) }
        })
        .await
    }

    /// Nobody owns a volume, and nothing waits for it.
    ///
    /// # Errors
    /// Names the owner the record has.
    pub async fn nobody_owns(&self, volume: &str, within: Duration) -> Result<()> {
        self.record_becomes(volume, "owned by nobody", within, |record| {
            let free = record.ownership == Ownership::Free && record.path_info.is_empty();
            if free { Ok(()) } else { Err(describe(record)) }
        })
        .await
    }

    /// A worker waits for a volume that another one owns.
    ///
    /// # Errors
    /// When it does not.
    pub async fn waits_for(&self, worker: &str, volume: &str) -> Result<()> {
        self.record_becomes(volume, &format!("{worker} waits"), SOON, |record| {
            let by = record.takeover.as_ref().map(|takeover| node_name(takeover.by.as_str()));
            if by.as_deref() == Some(worker) { Ok(()) } else { Err(describe(record)) }
        })
        .await
    }

    /// A worker has written that it takes a volume, and has not got it yet.
    ///
    /// # Errors
    /// When it has not.
    pub async fn has_claimed(&self, worker: &str, volume: &str) -> Result<()> {
        self.record_becomes(volume, &format!("claimed by {worker}"), SOON, |record| {
            if owner_of(record).as_deref() == Some(worker) { Ok(()) } else { Err(describe(record)) }
        })
        .await
    }

    /// A worker is in the middle of releasing a volume.
    ///
    /// # Errors
    /// When it is not.
    pub async fn is_releasing(&self, worker: &str, volume: &str) -> Result<()> {
        self.record_becomes(volume, &format!("being released by {worker}"), SOON, |record| {
            let releasing = matches!(record.ownership.stage(), Some(RecordStage::Releasing(_)));
            if releasing && owner_of(record).as_deref() == Some(worker) { Ok(()) } else { Err(describe(record)) }
        })
        .await
    }

    /// No step of the record says that the worker began to release the volume.
    ///
    /// # Errors
    /// When one does.
    pub async fn never_began_to_release(&self, worker: &str, volume: &str) -> Result<()> {
        let (record, id) = (self.lab()?.record(volume).await?, self.lab()?.worker(worker)?.id());
        let began = record.steps.iter().any(|step| step.node == id && step.what.starts_with("releasing"));
        ensure!(!began, "{worker} began to release {volume}");
        Ok(())
    }

    /// A worker is, or is not, in quarantine for a volume.
    ///
    /// # Errors
    /// When it is otherwise.
    pub async fn quarantined(&self, worker: &str, volume: &str, wanted: bool, within: Duration) -> Result<()> {
        let id = self.lab()?.worker(worker)?.id();
        self.record_becomes(volume, &format!("quarantine of {worker}: {wanted}"), within, |record| {
            if record.quarantine.contains_key(&id) == wanted { Ok(()) } else { Err(describe(record)) }
        })
        .await
    }

    /// A volume is exported to these hosts and to nobody else.
    ///
    /// # Errors
    /// Names the hosts it is exported to.
    pub async fn exported_to(&self, volume: &str, wanted: &[&str], within: Duration) -> Result<()> {
        let (name, array) = (self.array_name(volume).await?, self.lab()?.on_array());
        let look = || async {
            let hosts = array.hosts_with(&name);
            if hosts.iter().map(String::as_str).eq(wanted.iter().copied()) { Ok(()) } else { Err(format!("{hosts:?}")) }
        };
        Ok(wait_for_condition(&format!("{volume} to be exported to {wanted:?}"), within, look).await?)
    }

    /// A worker has neither a mount nor a device of a volume.
    ///
    /// # Errors
    /// Says what it has.
    pub async fn is_clean(&self, worker: &str, volume: &str, within: Duration) -> Result<()> {
        let (wwn, node) = (self.wwn(volume).await?, self.lab()?.worker(worker)?.node());
        let look = || async {
            let left = node.leftovers();
            let has = left.devices.iter().any(|(_, of)| *of == wwn)
                || left.maps.contains(&wwn)
                || left.filesystems.contains(&wwn)
                || left.mounts.iter().any(|(of, _)| *of == wwn);
            if has { Err(format!("{left:?}")) } else { Ok(()) }
        };
        Ok(wait_for_condition(&format!("{worker} to have nothing of {volume}"), within, look).await?)
    }

    /// A worker has a volume mounted in its kernel.
    ///
    /// # Errors
    /// When there is no such worker or volume.
    pub async fn has_mounted_in_kernel(&self, worker: &str, volume: &str) -> Result<bool> {
        let wwn = self.wwn(volume).await?;
        Ok(self.lab()?.worker(worker)?.node().leftovers().mounts.iter().any(|(of, _)| *of == wwn))
    }

    /// Waits until a worker has a volume no longer mounted.
    ///
    /// # Errors
    /// When it keeps it.
    pub async fn no_longer_mounted(&self, worker: &str, volume: &str, within: Duration) -> Result<()> {
        let look = || async {
            match self.has_mounted_in_kernel(worker, volume).await {
                Ok(false) => Ok(()),
                Ok(true) => Err("mounted".to_owned()),
                Err(error) => Err(format!("{error:#}")),
            }
        };
        Ok(wait_for_condition(&format!("{worker} to unmount {volume}"), within, look).await?)
    }

    /// As long as a worker has a volume in its kernel, the record says that it owns it. Looks until one of them ends,
    /// or for a second.
    ///
    /// # Errors
    /// When the record is freed or given away first.
    pub async fn owned_while_mounted(&self, worker: &str, volume: &str) -> Result<()> {
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            // The record is read first: a release that ends between the two looks is no mistake.
            let owner = owner_of(&self.lab()?.record(volume).await?);
            let wwn = self.wwn(volume).await?;
            let left = self.lab()?.worker(worker)?.node().leftovers();
            let has = left.filesystems.contains(&wwn) || left.devices.iter().any(|(_, of)| *of == wwn);
            if !has {
                return Ok(());
            }
            ensure!(owner.as_deref() == Some(worker), "{worker} still has {volume}, but the record says {owner:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Two containers on a worker use one mount of a volume.
    ///
    /// # Errors
    /// When their mount points differ or there are several mounts.
    pub async fn share_one_mount(&self, first: &Holder, second: &Holder, worker: &str, volume: &str) -> Result<()> {
        let (one, two) = (self.container(first)?, self.container(second)?);
        ensure!(one.mountpoint == two.mountpoint, "{:?} and {:?} differ", one.mountpoint, two.mountpoint);
        let wwn = self.wwn(volume).await?;
        let filesystems = self.lab()?.worker(worker)?.node().leftovers().filesystems;
        let count = filesystems.iter().filter(|of| **of == wwn).count();
        ensure!(count == 1, "{worker} has {count} filesystems of {volume} in its kernel");
        Ok(())
    }

    /// How often a filesystem was made on a volume.
    ///
    /// # Errors
    /// When there is no record of the volume.
    pub async fn filesystems_made(&self, volume: &str) -> Result<usize> {
        let wwn = self.wwn(volume).await?;
        let made = |event: &NodeEvent| matches!(event, NodeEvent::FilesystemMade { wwn: of, .. } if *of == wwn);
        Ok(self.lab()?.witness().node_events().iter().filter(|(_, event)| made(event)).count())
    }

    /// Get on a worker shows a mount point, or none.
    ///
    /// # Errors
    /// When it is otherwise or Get fails.
    pub async fn shows_mount_point(&self, worker: &str, volume: &str, wanted: bool) -> Result<()> {
        let shown = self.lab()?.worker(worker)?.client(Dialect::Dockerd)?.get(volume).await?;
        let mountpoint = shown.get("Mountpoint").and_then(serde_json::Value::as_str).unwrap_or_default();
        ensure!(mountpoint.is_empty() != wanted, "Get on {worker} shows '{mountpoint}'");
        Ok(())
    }

    /// A worker does not know a volume.
    ///
    /// # Errors
    /// When it does.
    pub async fn does_not_know(&self, worker: &str, volume: &str) -> Result<()> {
        match self.lab()?.worker(worker)?.client(Dialect::Dockerd)?.get(volume).await {
            Err(error) if error.refusal().is_some() => Ok(()),
            Ok(serde_json::Value::Null) => Ok(()),
            answer => bail!("Get on {worker} answers {answer:?}"),
        }
    }
}

/// A record in a line.
pub(super) fn describe(record: &VolumeRecord) -> String {
    let takeover = record.takeover.as_ref().map(|takeover| node_name(takeover.by.as_str()));
    let quarantine: Vec<String> = record.quarantine.keys().map(|node| node_name(node.as_str())).collect();
    format!(
        "epoch {}, owner {:?}, stage {:?}, waiting {takeover:?}, quarantine {quarantine:?}, mounts {:?}",
        record.epoch,
        owner_of(record),
        record.ownership.stage(),
        record.path_info.keys().map(|node| node_name(node.as_str())).collect::<Vec<_>>(),
    )
}
