//! What the kernel has of a volume, as an inspection finds it.

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::node::LocalTruth;

use super::kernel::{FilesystemState, ScsiAddress};
use super::machine::Machine;

impl Machine {
    /// What the kernel has of a volume. A mount is dead when its filesystem is stopped; its paths are down when none answers as this volume.
    pub(super) async fn local_truth(&self, wwn: &Wwn) -> LocalTruth {
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
}
