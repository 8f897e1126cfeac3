//! Type, state and priority of a task.

use std::time::Duration;

use serde::Serialize;

use crate::array::error::ArrayError;

/// Type of a task; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum TaskKind {
    /// Offline copy of a volume (1).
    VvCopy,
    /// Filling a physical copy again (2).
    PhysCopyResync,
    /// Moving a volume to another CPG (3).
    MoveRegions,
    /// Promoting a virtual copy (4).
    PromoteSv,
    /// Synchronising a remote copy group (5).
    RemoteCopySync,
    /// Changing the direction of a remote copy group (6).
    RemoteCopyReverse,
    /// Failing a remote copy group over (7).
    RemoteCopyFailover,
    /// Recovering a remote copy group (8).
    RemoteCopyRecover,
    /// Restoring a remote copy group (9).
    RemoteCopyRestore,
    /// Compacting a CPG (10).
    CompactCpg,
    /// The array's own checks (15).
    System,
    /// Online copy of a volume (18).
    OnlineCopy,
    /// Changing the provisioning of a volume (19).
    ConvertVv,
}

impl TaskKind {
    /// Number of the WSAPI and word of `showtask`.
    const fn names(self) -> (u8, &'static str) {
        match self {
            Self::VvCopy => (1, "vv_copy"),
            Self::PhysCopyResync => (2, "phys_copy_resync"),
            Self::MoveRegions => (3, "move_regions"),
            Self::PromoteSv => (4, "promote_sv"),
            Self::RemoteCopySync => (5, "remote_copy_sync"),
            Self::RemoteCopyReverse => (6, "remote_copy_reverse"),
            Self::RemoteCopyFailover => (7, "remote_copy_failover"),
            Self::RemoteCopyRecover => (8, "remote_copy_recover"),
            Self::RemoteCopyRestore => (9, "remote_copy_restore"),
            Self::CompactCpg => (10, "compact_cpg"),
            Self::System => (15, "background_command"),
            Self::OnlineCopy => (18, "online_copy"),
            Self::ConvertVv => (19, "convert_vv"),
        }
    }

    /// Word in the column `Type` of `showtask`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        self.names().1
    }
}

impl From<TaskKind> for u8 {
    fn from(kind: TaskKind) -> Self {
        kind.names().0
    }
}

/// State of a task; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum TaskStatus {
    /// Ended well (1).
    Done,
    /// Running (2).
    Active,
    /// Cancelled (3).
    Cancelled,
    /// Ended badly (4).
    Failed,
}

impl From<TaskStatus> for u8 {
    fn from(status: TaskStatus) -> Self {
        status as u8 + 1
    }
}

impl TaskStatus {
    /// Word in the column `Status` of `showtask`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// Priority of a copy; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum TaskPriority {
    /// High (1).
    High,
    /// Medium (2), the default.
    #[default]
    Medium,
    /// Low (3).
    Low,
}

impl TaskPriority {
    /// The priority with this number.
    ///
    /// # Errors
    /// 46 for any other number.
    pub fn from_wsapi(number: i64) -> Result<Self, ArrayError> {
        match number {
            1 => Ok(Self::High),
            2 => Ok(Self::Medium),
            3 => Ok(Self::Low),
            _ => Err(ArrayError::bad_enum_value().with_ref("priority")),
        }
    }

    /// Word of the command line.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "med",
            Self::Low => "low",
        }
    }

    /// Time for a piece of work that takes `time` at medium priority.
    pub(super) fn stretch(self, time: Duration) -> Duration {
        match self {
            Self::High => time * 2 / 3,
            Self::Medium => time,
            Self::Low => time * 2,
        }
    }
}
