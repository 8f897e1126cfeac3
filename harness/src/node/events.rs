//! What happens on a node, for checkers and time lines.

use std::path::PathBuf;

use hpe3par_docker_plugin::array::{Lun, Wwn};
use serde::{Deserialize, Serialize};

use super::fabric::Life;
use super::format::RecordId;

/// Something that happened on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum NodeEvent {
    /// The machine came up.
    Booted {
        /// Its boot id.
        boot: String,
    },
    /// The machine lost power.
    PoweredOff,
    /// The machine stands still.
    Frozen,
    /// The machine goes on.
    Thawed,
    /// The cables to the array were cut or plugged in again.
    SanCut {
        /// Cut, or plugged in.
        cut: bool,
    },
    /// A SCSI device appeared.
    DeviceAdded {
        /// Identity as scanned.
        wwn: Wwn,
        /// LUN number it is bound to.
        lun: Lun,
    },
    /// A SCSI device was deleted.
    DeviceDeleted {
        /// Identity as scanned.
        wwn: Wwn,
        /// LUN number it was bound to.
        lun: Lun,
    },
    /// A filesystem was made.
    FilesystemMade {
        /// On which volume.
        wwn: Wwn,
        /// By whom.
        life: Life,
    },
    /// A filesystem was mounted: superblock and log were read from the device.
    Mounted {
        /// Volume.
        wwn: Wwn,
        /// The life that begins.
        life: Life,
        /// Where.
        dir: PathBuf,
        /// The chain found in the log.
        chain: Vec<RecordId>,
    },
    /// A filesystem left the kernel.
    Unmounted {
        /// Volume.
        wwn: Wwn,
        /// The life that ended.
        life: Life,
    },
    /// A filesystem was shut down or aborted.
    Stopped {
        /// Volume.
        wwn: Wwn,
        /// Its life.
        life: Life,
        /// Aborted by an I/O error, not shut down on purpose.
        aborted: bool,
    },
    /// `fsync` returned success for everything up to this record.
    Acknowledged {
        /// Volume.
        wwn: Wwn,
        /// Who wrote it.
        life: Life,
        /// Last record.
        record: RecordId,
    },
}

/// Receives events at the moment they happen. Must not block.
pub trait NodeObserver: Send + Sync {
    /// One event of one node.
    fn observe(&self, node: &str, event: NodeEvent);
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl NodeObserver for NoObserver {
    fn observe(&self, _: &str, _: NodeEvent) {}
}
