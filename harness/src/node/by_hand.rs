//! What people do on a node past the plugin: they mount and unmount devices by hand.

use std::path::{Path, PathBuf};

use hpe3par_docker_plugin::array::Wwn;

use super::kernel::{HOST, Mount};
use super::machine::SimulatedNode;

impl SimulatedNode {
    /// Somebody runs `umount` on every mount of a volume in the host's namespace. Containers keep theirs.
    pub fn unmount_by_hand(&self, wwn: &Wwn) {
        let dirs = self.machine.state().kernel.host_mounts_of(wwn);
        self.unmount_dirs(dirs);
    }

    /// Somebody runs `umount` on a directory of the host. Nothing happens if nothing is mounted there.
    pub fn unmount_dir_by_hand(&self, dir: &Path) {
        self.unmount_dirs(vec![dir.to_owned()]);
    }

    fn unmount_dirs(&self, dirs: Vec<PathBuf>) {
        let machine = self.machine.clone();
        self.machine.run(Box::pin(async move {
            for dir in dirs {
                let last = machine.state().kernel.detach(HOST, &dir);
                if let Some(filesystem) = last {
                    machine.put_away(filesystem).await;
                }
            }
        }));
    }

    /// Somebody mounts a volume at one more directory of the host: the same filesystem, shown twice. Nothing happens where
    /// it is not mounted yet.
    pub fn mount_by_hand(&self, wwn: &Wwn, dir: &Path) {
        let mut state = self.machine.state();
        let kernel = &mut state.kernel;
        if kernel.mounted_at(HOST, dir).is_none()
            && let Some(filesystem) = kernel.filesystem_on(wwn)
        {
            kernel.mounts.push(Mount { namespace: HOST, dir: dir.to_owned(), filesystem });
        }
    }
}
