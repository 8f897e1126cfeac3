//! Copies: virtual copies (snapshots), physical and online copies, promotion, tuning and conversion.
//!
//! Data is shared between a volume and its copies until one of them is written, so a copy costs no time in the emulator itself; the
//! task that a real array needs for it runs in virtual time, and the states, refusals and intermediate virtual copies of that time
//! are there as long as it runs.

mod group;
mod physical;
mod promote;
mod snapshot;
#[cfg(test)]
mod tests;
mod tune;

pub use self::group::{GroupSnapshot, GroupSnapshotMember};
pub use self::physical::{CreatePhysicalCopy, StartedCopy};
pub use self::promote::PromoteSnapshot;
pub use self::snapshot::{CreateSnapshot, SNAPSHOTS_MAX};
use self::tune::Conversion;
pub use self::tune::TuneVolume;
use super::Array;
use super::error::ArrayError;
use super::volume::{Volume, VolumeActivity};

/// What is done with volumes when the time of a copy task has come; volumes by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CopyWork {
    /// Fill `target` from `snapshot`, which stays when `keep` says so.
    Physical { target: u32, snapshot: u32, keep: bool },
    /// Cut the online copy `target` loose from its two intermediate virtual copies, the last one first.
    Online { target: u32, between: [u32; 2] },
    /// Give `target` the data of `snapshot`.
    Promote { target: u32, snapshot: u32 },
    /// Move or convert a volume.
    Tune { volume: u32, to: Conversion },
}

impl CopyWork {
    /// The volume that is worked on.
    const fn target(&self) -> u32 {
        match self {
            Self::Physical { target, .. } | Self::Online { target, .. } | Self::Promote { target, .. } => *target,
            Self::Tune { volume, .. } => *volume,
        }
    }
}

impl Volume {
    /// Refuses work on a volume that the array is busy with.
    pub(crate) fn refuse_if_busy(&self) -> Result<(), ArrayError> {
        Err(match self.activity {
            None => return Ok(()),
            Some((VolumeActivity::Promoting, _)) => ArrayError::promote_in_progress(),
            Some((VolumeActivity::CopyTarget | VolumeActivity::ResyncTarget, _)) => {
                ArrayError::physical_copy_in_progress()
            }
            Some((VolumeActivity::OnlineCopyTarget, _)) => ArrayError::online_copy_in_progress(),
            Some((VolumeActivity::Tuning, _)) => ArrayError::tune_in_progress(),
            Some((VolumeActivity::Converting, _)) => ArrayError::conversion_in_progress(),
        })
    }

    /// Whether its data is not yet what it will be, so that it cannot be exported or copied.
    pub(crate) fn is_being_filled(&self) -> bool {
        matches!(
            self.activity,
            Some((VolumeActivity::Promoting | VolumeActivity::CopyTarget | VolumeActivity::ResyncTarget, _))
        )
    }
}

impl Array {
    /// Ends a copy whose time has come; gives whether everything it needs was still there.
    pub(crate) fn finish_copy(&mut self, work: &CopyWork) -> bool {
        let target = work.target();
        if self.change_volume(target, |volume| volume.activity = None).is_none() {
            return false;
        }
        match work {
            CopyWork::Physical { snapshot, keep, .. } => self.finish_physical_copy(target, *snapshot, *keep),
            CopyWork::Online { between, .. } => {
                self.change_volume(target, |volume| volume.copy_of = None);
                between.iter().for_each(|id| self.drop_intermediate(*id));
                true
            }
            CopyWork::Promote { snapshot, .. } => self.fill_from(target, *snapshot),
            CopyWork::Tune { to, .. } => self.finish_conversion(target, to),
        }
    }

    /// Leaves a copy whose task was cancelled the way real arrays do: the target of an online copy keeps its intermediate virtual
    /// copies, which the caller removes one by one (the vendor's client does).
    pub(crate) fn abandon_copy(&mut self, work: &CopyWork) {
        self.change_volume(work.target(), |volume| volume.activity = None);
        if let CopyWork::Physical { snapshot, .. } = work {
            self.change_volume(work.target(), |volume| (volume.copied_from, volume.saved_snapshot) = (None, None));
            self.drop_intermediate(*snapshot);
        }
    }

    /// Removes a virtual copy that the array made for itself.
    fn drop_intermediate(&mut self, id: u32) {
        if let Some(name) = self.volume_by_id(id).map(|v| v.name.clone()) {
            self.take_volume(name.as_str());
        }
    }

    /// Gives `target` the data that `source` has now; gives whether both are there.
    fn fill_from(&mut self, target: u32, source: u32) -> bool {
        let Some(blocks) = self.volume_by_id(source).map(|v| v.blocks.clone()) else { return false };
        let kept = if self.volume_index.has_children(target) { blocks.bytes_in_use() } else { 0 };
        let filled = self.change_data(target, |volume| {
            volume.blocks = blocks;
            volume.copied_on_write += kept;
        });
        self.note_write_for_mirrors(target);
        filled.is_some()
    }
}
