//! What this host lacks of what the steps run: found before the first Mount needs it.

use crate::array::settings::Protocol;
use crate::node::Filesystem;

use super::LinuxNode;

/// Something this host lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The tool, by its name.
    pub tool: &'static str,
    /// What it is needed for.
    pub needed_for: &'static str,
    /// The package that has it in Debian and Ubuntu.
    pub package: &'static str,
}

const ISCSIADM: Missing =
    Missing { tool: "iscsiadm", needed_for: "logging in to the array's iSCSI ports", package: "open-iscsi" };
const MULTIPATHD: Missing =
    Missing { tool: "multipathd", needed_for: "the multipath map of a volume", package: "multipath-tools" };
const MKFS_EXT4: Missing =
    Missing { tool: "mkfs.ext4", needed_for: "the filesystem of a new volume", package: "e2fsprogs" };
const MKFS_XFS: Missing =
    Missing { tool: "mkfs.xfs", needed_for: "the filesystem of a new volume", package: "xfsprogs" };

impl LinuxNode {
    /// Tools that volumes of this kind need and that are neither in PATH nor in the usual directories.
    #[must_use]
    pub fn missing_tools(&self, protocol: Protocol, filesystem: Filesystem) -> Vec<Missing> {
        let login = (protocol == Protocol::Iscsi).then_some(ISCSIADM);
        let format = match filesystem {
            Filesystem::Ext4 => MKFS_EXT4,
            Filesystem::Xfs => MKFS_XFS,
        };
        let needed = login.into_iter().chain([MULTIPATHD, format]);
        needed.filter(|missing| !self.commands.has(missing.tool)).collect()
    }
}
