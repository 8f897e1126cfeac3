//! The plugin's node port, step by step.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, TargetPort, Wwn};
use hpe3par_docker_plugin::node::{
    AttachRequest, Content, Device, Filesystem, Initiators, LocalTruth, Node, NodeError, NodeFacts, RootAccess, Use,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::hook::Moment;
use super::kernel::{FilesystemState, HOST, Mount};
use super::machine::SimulatedNode;

/// How long a lazy unmount of a dead filesystem waits for it to leave the kernel before it returns anyway.
const LAZY_UNMOUNT: Duration = Duration::from_secs(1);

#[async_trait]
impl Node for SimulatedNode {
    async fn facts(&self) -> Result<NodeFacts, NodeError> {
        let machine = self.machine.clone();
        self.step("facts", self.hostname(), async move {
            let identity = &machine.identity;
            Ok(NodeFacts {
                hostname: identity.hostname.clone(),
                machine: identity.machine.clone(),
                boot: machine.state().kernel.boot.clone(),
                initiators: Initiators { iqn: Some(identity.iqn.clone()), wwpns: Vec::new() },
                idle_wwpns: Vec::new(),
            })
        })
        .await
    }

    async fn inspect(&self, wwn: &Wwn) -> Result<LocalTruth, NodeError> {
        let (machine, volume) = (self.machine.clone(), wwn.clone());
        self.step("inspect", wwn.as_str(), async move { Ok(machine.local_truth(&volume).await) }).await
    }

    async fn luns_present(&self) -> Result<BTreeSet<Lun>, NodeError> {
        let machine = self.machine.clone();
        self.step("luns_present", "", async move { Ok(machine.state().kernel.devices.keys().map(|a| a.lun).collect()) })
            .await
    }

    async fn volumes_present(&self) -> Result<BTreeSet<Wwn>, NodeError> {
        let machine = self.machine.clone();
        self.step("volumes_present", "", async move { Ok(machine.state().kernel.volumes()) }).await
    }

    async fn attach(&self, request: &AttachRequest) -> Result<Device, NodeError> {
        let (machine, wanted) = (self.machine.clone(), request.clone());
        self.step("attach", request.wwn.as_str(), async move { machine.attach(&wanted).await }).await
    }

    async fn probe(&self, device: &Device) -> Result<Content, NodeError> {
        self.on_device("probe", device, |machine, device| async move {
            machine.look_at(&device.wwn).await.map_err(|e| e.to_string())
        })
        .await
    }

    async fn make_filesystem(&self, device: &Device, kind: Filesystem) -> Result<(), NodeError> {
        self.on_device("make_filesystem", device, move |machine, device| async move {
            if machine.state().kernel.is_busy(&device.wwn) {
                return Err("the device is in use".to_owned());
            }
            machine.make(&device.wwn, kind).await.map_err(|e| e.to_string())
        })
        .await
    }

    async fn mount(&self, device: &Device, dir: &Path) -> Result<(), NodeError> {
        let dir = dir.to_owned();
        self.on_device("mount", device, |machine, device| async move { machine.mount_at(&device, &dir).await }).await
    }

    async fn set_root_access(&self, dir: &Path, _access: RootAccess) -> Result<(), NodeError> {
        self.on_dir("set_root_access", dir, |machine, dir| async move {
            machine.state().kernel.mounted_at(HOST, &dir).map(|_| ()).ok_or_else(|| "not mounted".to_owned())
        })
        .await
    }

    async fn sync_filesystem(&self, dir: &Path) -> Result<(), NodeError> {
        self.on_dir("sync_filesystem", dir, |machine, dir| async move {
            let number = machine.state().kernel.mounted_at(HOST, &dir).ok_or("not mounted")?;
            machine.write_back(number).await.map(|_| ())
        })
        .await
    }

    async fn unmount(&self, dir: &Path) -> Result<(), NodeError> {
        self.on_dir("unmount", dir, |machine, dir| async move {
            let last = machine.state().kernel.detach(HOST, &dir);
            if let Some(number) = last {
                machine.put_away(number).await;
            }
            Ok(())
        })
        .await
    }

    async fn device_use(&self, device: &Device) -> Result<Use, NodeError> {
        let (machine, device) = (self.machine.clone(), device.clone());
        let object = device.path.display().to_string();
        self.step("device_use", &object, async move {
            let busy = machine.state().kernel.is_busy(&device.wwn);
            Ok(if busy { Use::Busy } else { Use::Idle })
        })
        .await
    }

    async fn flush_map(&self, device: &Device) -> Result<(), NodeError> {
        let (machine, device) = (self.machine.clone(), device.clone());
        let object = device.path.display().to_string();
        let name = object.clone();
        self.step("flush_map", &object, async move {
            let mut state = machine.state();
            if state.kernel.is_busy(&device.wwn) {
                return Err(NodeError::Busy { object: name });
            }
            state.kernel.maps.remove(&device.wwn);
            drop(state);
            machine.changed.notify_waiters();
            Ok(())
        })
        .await
    }

    async fn delete_paths(&self, wwn: &Wwn) -> Result<(), NodeError> {
        let (machine, volume) = (self.machine.clone(), wwn.clone());
        self.step("delete_paths", wwn.as_str(), async move {
            let addresses = machine.state().kernel.paths_of(&volume);
            machine.delete_devices(&addresses).await;
            Ok(())
        })
        .await
    }

    async fn shutdown_filesystem(&self, dir: &Path) -> Result<(), NodeError> {
        self.on_dir("shutdown_filesystem", dir, |machine, dir| async move {
            let number = machine.state().kernel.mounted_at(HOST, &dir).ok_or("not mounted")?;
            machine.stop(number, FilesystemState::Shut);
            Ok(())
        })
        .await
    }

    async fn fail_queued_io(&self, device: &Device) -> Result<(), NodeError> {
        let (machine, device) = (self.machine.clone(), device.clone());
        let object = device.path.display().to_string();
        self.step("fail_queued_io", &object, async move {
            // Without a map nothing queues: path devices alone fail at once.
            if let Some(map) = machine.state().kernel.maps.get_mut(&device.wwn) {
                map.queueing = false;
            }
            machine.changed.notify_waiters();
            Ok(())
        })
        .await
    }

    async fn unmount_fenced(&self, dir: &Path) -> Result<(), NodeError> {
        self.on_dir("unmount_fenced", dir, |machine, dir| async move {
            let last = machine.state().kernel.detach(HOST, &dir);
            if let Some(number) = last {
                let away = machine.clone();
                let (done, gone) = oneshot::channel::<()>();
                machine.run(Box::pin(async move {
                    away.put_away(number).await;
                    drop(done);
                }));
                // Lazy: what does not leave the kernel soon leaves it later.
                let _ = timeout(LAZY_UNMOUNT, gone).await;
            }
            Ok(())
        })
        .await
    }

    async fn is_mounted_elsewhere(&self, device: &Device, dir: &Path) -> Result<bool, NodeError> {
        self.inject("is_mounted_elsewhere", device.wwn.as_str(), Moment::Before).await?;
        let state = self.machine.state();
        let on_device = |m: &&Mount| state.kernel.filesystems.get(&m.filesystem).is_some_and(|fs| fs.wwn == device.wwn);
        Ok(state.kernel.mounts.iter().filter(on_device).any(|m| m.namespace != HOST || m.dir != dir))
    }

    async fn finds_luns_by_itself(&self) -> Result<bool, NodeError> {
        self.inject("finds_luns_by_itself", "", Moment::Before).await?;
        Ok(self.machine.options.finds_luns_by_itself)
    }

    async fn purge_stale_lun(&self, lun: Lun, _ports: &[TargetPort]) -> Result<(), NodeError> {
        let machine = self.machine.clone();
        self.step("purge_stale_lun", &lun.to_string(), async move {
            machine.purge(lun).await;
            Ok(())
        })
        .await
    }
}
