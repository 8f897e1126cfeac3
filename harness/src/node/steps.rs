//! The plugin's node port, step by step. Each step runs in the kernel: it goes on when its caller dies or gives up.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, Wwn};
use hpe3par_docker_plugin::node::{
    AttachRequest, Content, Device, Filesystem, Initiators, LocalTruth, Node, NodeError, NodeFacts, RootAccess, Use,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::fabric::FabricError;
use super::hook::{Injection, Moment};
use super::io::position_of;
use super::kernel::{FilesystemState, HOST, Mount, ScsiAddress};
use super::machine::{Machine, SimulatedNode};

/// How long a lazy unmount of a dead filesystem waits for it to leave the kernel before it returns anyway.
const LAZY_UNMOUNT: Duration = Duration::from_secs(1);
/// How often an attach looks for paths that are missing.
const RESCAN: Duration = Duration::from_secs(1);

fn failed(step: &'static str, object: &str, reason: &dyn fmt::Display) -> NodeError {
    NodeError::Failed { step, object: object.to_owned(), reason: reason.to_string() }
}

impl SimulatedNode {
    /// Runs a step in the kernel, with the hook before and after it and a deadline for its caller.
    pub(super) async fn step<T, F>(&self, step: &'static str, object: &str, work: F) -> Result<T, NodeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, NodeError>> + Send + 'static,
    {
        self.inject(step, object, Moment::Before).await?;
        if !self.is_powered() {
            return Err(failed(step, object, &"the machine has no power"));
        }
        let (done, heard) = oneshot::channel();
        let latency = self.machine.step_latency();
        self.machine.run(Box::pin(async move {
            sleep(latency).await;
            // A caller that gave up does not hear the result.
            let _ = done.send(work.await);
        }));
        let deadline = self.deadline_of(step);
        let result = match timeout(deadline, heard).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) => return Err(failed(step, object, &"the machine lost power")),
            Err(_) => return Err(NodeError::TimedOut { step, object: object.to_owned(), seconds: deadline.as_secs() }),
        };
        self.inject(step, object, Moment::After).await?;
        Ok(result)
    }

    fn deadline_of(&self, step: &'static str) -> Duration {
        let deadline = self.machine.options.step_deadline;
        if step == "attach" { deadline * 2 } else { deadline }
    }

    async fn inject(&self, step: &'static str, object: &str, moment: Moment) -> Result<(), NodeError> {
        match self.machine.hook().at(step, object, moment) {
            Injection::None => Ok(()),
            Injection::Delay(delay) => {
                sleep(delay).await;
                Ok(())
            }
            Injection::Fail(reason) => Err(failed(step, object, &reason)),
            Injection::Hang => std::future::pending().await,
        }
    }

    /// A step on a device handle: fails when the handle speaks of a map that is no more.
    async fn on_device<T, F>(
        &self,
        step: &'static str,
        device: &Device,
        work: impl FnOnce(Arc<Machine>, Device) -> F + Send + 'static,
    ) -> Result<T, NodeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, String>> + Send,
    {
        let (machine, device) = (self.machine.clone(), device.clone());
        let object = device.path.display().to_string();
        let name = object.clone();
        self.step(step, &object, async move {
            if machine.state().kernel.map_of(&device).is_none() {
                return Err(failed(step, &name, &"No such device"));
            }
            work(machine, device).await.map_err(|reason| failed(step, &name, &reason))
        })
        .await
    }

    /// A step on a directory of the host.
    async fn on_dir<T, F>(
        &self,
        step: &'static str,
        dir: &Path,
        work: impl FnOnce(Arc<Machine>, std::path::PathBuf) -> F + Send + 'static,
    ) -> Result<T, NodeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, String>> + Send,
    {
        let (machine, dir) = (self.machine.clone(), dir.to_owned());
        let object = dir.display().to_string();
        let name = object.clone();
        self.step(step, &object, async move { work(machine, dir).await.map_err(|reason| failed(step, &name, &reason)) })
            .await
    }
}

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
        let state = self.machine.state();
        let on_device = |m: &&Mount| state.kernel.filesystems.get(&m.filesystem).is_some_and(|fs| fs.wwn == device.wwn);
        Ok(state.kernel.mounts.iter().filter(on_device).any(|m| m.namespace != HOST || m.dir != dir))
    }

    async fn finds_luns_by_itself(&self) -> Result<bool, NodeError> {
        Ok(self.machine.options.finds_luns_by_itself)
    }

    async fn purge_stale_lun(&self, lun: Lun) -> Result<(), NodeError> {
        let machine = self.machine.clone();
        self.step("purge_stale_lun", &lun.to_string(), async move {
            machine.purge(lun).await;
            Ok(())
        })
        .await
    }
}

impl Machine {
    /// What the kernel has of a volume. A mount is dead when its filesystem is stopped; its paths are down when none answers as this volume.
    async fn local_truth(&self, wwn: &Wwn) -> LocalTruth {
        let (truth, paths, stopped) = {
            let state = self.state();
            let kernel = &state.kernel;
            let paths = kernel.paths_of(wwn);
            let truth = LocalTruth {
                device: kernel.device_of(wwn),
                luns: paths.iter().map(|address| address.lun).collect(),
                mounted_at: kernel.host_mounts_of(wwn),
                filesystem_dead: false,
                paths_down: false,
            };
            let stopped = kernel.filesystems.values().any(|fs| fs.wwn == *wwn && fs.state != FilesystemState::Alive);
            (truth, paths, stopped)
        };
        let mounted = !truth.mounted_at.is_empty();
        let paths_down = mounted && !self.any_alive(&paths, wwn).await;
        LocalTruth { filesystem_dead: mounted && stopped, paths_down, ..truth }
    }

    async fn any_alive(&self, paths: &[ScsiAddress], wwn: &Wwn) -> bool {
        for address in paths {
            if self.fresh_identity(*address).await.is_ok_and(|fresh| fresh == *wwn) {
                return true;
            }
        }
        false
    }

    /// Scans the LUN at each port until enough paths are there; binds them to a map.
    async fn attach(&self, request: &AttachRequest) -> Result<Device, NodeError> {
        let until = Instant::now() + request.patience;
        loop {
            let mut last_error = FabricError::NoLun;
            let mut found = 0;
            for port in &request.ports {
                let known = self.state().kernel.sessions.contains_key(&position_of(port));
                let logged_in =
                    if known { self.session(position_of(port)).await } else { self.open_session(port).await };
                match logged_in {
                    Ok(_) => {
                        match self.scan_path(request, ScsiAddress { port: position_of(port), lun: request.lun }).await {
                            Ok(()) => found += 1,
                            Err(Scan::Wrong(error)) => return Err(error),
                            Err(Scan::Missing(error)) => last_error = error,
                        }
                    }
                    Err(error) => last_error = error,
                }
            }
            let enough = found >= request.paths_wanted.max(1);
            let over = Instant::now() >= until;
            if enough || (over && found > 0) {
                break;
            }
            if over {
                return Err(failed(
                    "attach",
                    request.wwn.as_str(),
                    &format!("no path at LUN {}: {last_error}", request.lun),
                ));
            }
            sleep(RESCAN).await;
        }
        let device = {
            let mut state = self.state();
            state.kernel.ensure_map(&request.wwn);
            state.kernel.device_of(&request.wwn)
        };
        self.changed.notify_waiters();
        device.ok_or_else(|| failed("attach", request.wwn.as_str(), &"the map did not appear"))
    }

    async fn scan_path(&self, request: &AttachRequest, address: ScsiAddress) -> Result<(), Scan> {
        let wrong = |found: &Wwn| {
            Scan::Wrong(NodeError::WrongDevice {
                lun: request.lun,
                found: found.to_string(),
                wanted: request.wwn.clone(),
            })
        };
        let fresh = self.fresh_identity(address).await.map_err(Scan::Missing)?;
        if fresh != request.wwn {
            return Err(wrong(&fresh));
        }
        // A device that is there already keeps the identity of its first scan, whatever the LUN is now.
        let known = self.state().kernel.devices.get(&address).map(|device| device.wwn.clone());
        if let Some(stale) = known.filter(|known| *known != request.wwn) {
            return Err(wrong(&stale));
        }
        self.add_device(address, &request.wwn);
        Ok(())
    }

    /// Deletes devices of a LUN number that belong to no map in use, and maps that are left without any path.
    async fn purge(&self, lun: Lun) {
        let stale: Vec<ScsiAddress> = {
            let state = self.state();
            let kernel = &state.kernel;
            let idle = |wwn: &Wwn| !kernel.is_busy(wwn);
            kernel.devices.iter().filter(|(a, d)| a.lun == lun && idle(&d.wwn)).map(|(a, _)| *a).collect()
        };
        self.delete_devices(&stale).await;
        let mut state = self.state();
        let kernel = &mut state.kernel;
        let with_paths: BTreeSet<Wwn> = kernel.devices.values().map(|device| device.wwn.clone()).collect();
        let in_use: BTreeSet<Wwn> = kernel.maps.keys().filter(|wwn| kernel.is_busy(wwn)).cloned().collect();
        kernel.maps.retain(|wwn, _| with_paths.contains(wwn) || in_use.contains(wwn));
    }
}

/// Why a path was not added.
enum Scan {
    Missing(FabricError),
    Wrong(NodeError),
}
