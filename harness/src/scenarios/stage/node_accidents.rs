//! Accidents on nodes and on the storage network: lingering processes, stale devices, writes that are late.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hpe3par_docker_plugin::array::{PortPosition, TargetPort};
use hpe3par_docker_plugin::node::{AttachRequest, Node as _};
use hpe3par_emulator::array::{Initiator, Lun};
use hpe3par_emulator::datapath::{TaskId, WriteLabel};

use super::Stage;
use crate::node::NodeEvent;
use crate::node::fabric::BLOCK;
use crate::scenarios::holder::Holder;

/// A block of the log that no scenario reaches otherwise.
const FAR_BLOCK: u64 = 200;
/// A LUN number that no export of a scenario reaches.
const FAR_LUN: u32 = 200;

impl Stage {
    /// A process the plugin knows nothing of uses the filesystem of a volume.
    ///
    /// # Errors
    /// When it is not mounted there.
    pub async fn linger(&mut self, worker: &str, volume: &str) -> Result<()> {
        let container =
            self.containers.values().find(|container| container.worker == worker && container.volume == volume);
        let dir = container.context("the volume is not mounted there")?.mountpoint.clone();
        let namespace = self.lab()?.worker(worker)?.node().run_container(&dir).await?;
        self.lingering = Some(namespace);
        Ok(())
    }

    /// The process ends.
    ///
    /// # Errors
    /// When there is none.
    pub async fn end_lingering(&mut self, worker: &str, _volume: &str) -> Result<()> {
        let namespace = self.lingering.take().context("no process lingers")?;
        self.lab()?.worker(worker)?.node().stop_container(namespace).await;
        Ok(())
    }

    /// Somebody unmounts a volume in the host's namespace.
    ///
    /// # Errors
    /// When the unmount fails.
    pub async fn unmount_by_hand(&mut self, volume: &str, worker: &str) -> Result<()> {
        let held = |container: &&super::Container| container.worker == worker && container.volume == volume;
        let dir = self.containers.values().find(held).context("the volume is not mounted there")?.mountpoint.clone();
        Ok(self.lab()?.worker(worker)?.node().unmount(&dir).await?)
    }

    /// A worker keeps a SCSI device of a volume that was exported to it and is no more, at the number its next export gets.
    ///
    /// # Errors
    /// When the device cannot be made.
    pub async fn leave_stale_device(&mut self, worker: &str) -> Result<()> {
        self.by_hand();
        self.create("stale", &[]).await?;
        let (name, wwn) = (self.array_name("stale").await?, self.wwn("stale").await?);
        let lab = self.lab()?;
        let node = lab.worker(worker)?.node().clone();
        let array = lab.on_array();
        array.know_host(worker, Some(&node.identity().iqn))?;
        let stored = lab.everything_stored().await?;
        let counter = stored.iter().find(|(key, _)| key.starts_with("/luns/") && key.ends_with(worker));
        let next: u32 = counter.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(1);
        array.export(&name, worker, next)?;
        let lun = hpe3par_docker_plugin::array::Lun::try_from(next).context("LUN number of the stale device")?;
        let ports = self.iscsi_ports()?;
        let request = AttachRequest { wwn, lun, ports, chap: None, paths_wanted: 1, patience: Duration::from_secs(2) };
        node.attach(&request).await?;
        array.remove_exports(&name)
    }

    /// Whatever is exported to a worker, its storage network shows it another volume there, which is in use elsewhere.
    ///
    /// # Errors
    /// When the other volume cannot be exported to the worker.
    pub async fn show_another_volume(&mut self, worker: &str, other: &str) -> Result<()> {
        self.by_hand();
        let (name, array) = (self.array_name(other).await?, self.lab()?.on_array());
        let worker = self.lab()?.worker(worker)?;
        array.allow_several_hosts(&name)?;
        array.know_host(worker.name(), Some(&worker.node().identity().iqn))?;
        array.export(&name, worker.name(), FAR_LUN)?;
        worker.storage().lead_astray(Some(FAR_LUN.try_into().context("LUN number of the other volume")?));
        Ok(())
    }

    /// A worker's storage network shows what is exported, and only that.
    ///
    /// # Errors
    /// When the array does not remove the other volume's export.
    pub async fn show_what_is_exported(&mut self, worker: &str, other: &str) -> Result<()> {
        let name = self.array_name(other).await?;
        self.lab()?.worker(worker)?.storage().lead_astray(None);
        self.lab()?.on_array().remove_exports_to(&name, worker)
    }

    /// A write of a container leaves its node and does not arrive yet.
    ///
    /// # Errors
    /// When the container's node has no session.
    pub async fn hold_write(&mut self, holder: &Holder) -> Result<()> {
        let container = self.container(holder)?.clone();
        let wwn = self.wwn(&container.volume).await?;
        let lab = self.lab()?;
        let node = lab.worker(&container.worker)?.node();
        let initiator = Initiator::parse(&node.identity().iqn)?;
        let lun = node.luns_of(&wwn).into_iter().next().context("the node has no device of the volume")?;
        let mounted = |event: &NodeEvent| match event {
            NodeEvent::Mounted { wwn: of, life, .. } if *of == wwn => Some(life.clone()),
            _ => None,
        };
        let life = lab
            .witness()
            .node_events()
            .iter()
            .rev()
            .find_map(|(_, event)| mounted(event))
            .context("nobody has it mounted")?;
        let label = WriteLabel::from(&life);
        let task = lab.array().handle().with(|array, now| {
            let session = array.nexuses().find(|nexus| nexus.initiator == initiator).map(|nexus| nexus.id);
            let lun = Lun::new(i64::from(lun.number())).map_err(|error| anyhow::anyhow!("{error}"))?;
            let offset = FAR_BLOCK * BLOCK as u64;
            let sent = array.send_write(
                now,
                session.context("the node is not logged in")?,
                lun,
                offset,
                vec![0xAA; BLOCK],
                Some(label),
            );
            sent.map_err(|error| anyhow::anyhow!("{error}"))
        })?;
        self.held_write = Some(task);
        Ok(())
    }

    /// The write arrives.
    ///
    /// # Errors
    /// When none is held.
    pub fn release_write(&mut self) -> Result<()> {
        let task: TaskId = self.held_write.take().context("no write is held")?;
        let fate = self.lab()?.array().handle().with(|array, now| array.finish_write(now, task));
        let told = fate.map_or_else(|error| error.to_string(), |()| "accepted".to_owned());
        self.notes.insert("held write".to_owned(), told);
        Ok(())
    }

    /// The array did not accept the write that was held.
    ///
    /// # Errors
    /// When it did.
    pub fn held_write_was_refused(&self) -> Result<()> {
        let fate = self.notes.get("held write").context("no write has arrived")?;
        ensure!(fate != "accepted", "the array accepted a write of a fenced node");
        Ok(())
    }

    fn iscsi_ports(&self) -> Result<Vec<TargetPort>> {
        let rows = self.lab()?.array().handle().with(|array, _| {
            let ports = array.ports().iter();
            ports
                .filter_map(|port| port.iscsi().map(|(iqn, portal)| (port.pos, iqn.to_string(), portal.to_string())))
                .collect::<Vec<_>>()
        });
        rows.into_iter()
            .map(|(position, iqn, portal)| {
                let position: PortPosition = position.to_string().parse().context("reading a port position")?;
                Ok(TargetPort::Iscsi { position, portal, iqn })
            })
            .collect()
    }
}
