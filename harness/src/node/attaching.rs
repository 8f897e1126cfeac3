//! Attaching a volume: scan one LUN at each port, compare identities, bind the paths to a map; and purging what is stale there.

use std::collections::BTreeSet;
use std::time::Duration;

use hpe3par_docker_plugin::array::{Lun, Wwn};
use hpe3par_docker_plugin::node::{AttachRequest, Device, NodeError};
use tokio::time::{Instant, sleep};

use super::fabric::FabricError;
use super::io::position_of;
use super::kernel::ScsiAddress;
use super::machine::Machine;
use super::steps::failed;

/// How often an attach looks for paths that are missing.
const RESCAN: Duration = Duration::from_secs(1);

impl Machine {
    /// Scans the LUN at each port until enough paths are there; binds them to a map.
    pub(super) async fn attach(&self, request: &AttachRequest) -> Result<Device, NodeError> {
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
    pub(super) async fn purge(&self, lun: Lun) {
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
