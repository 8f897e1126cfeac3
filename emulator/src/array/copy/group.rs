//! Virtual copies of several volumes at one moment, and bringing virtual copies up to date.

use std::time::Duration;

use serde::Deserialize;

use super::super::Array;
use super::super::error::ArrayError;
use super::super::names::VolumeName;
use super::super::task::TaskNumber;
use super::super::volume::Volume;
use super::{CreatePhysicalCopy, CreateSnapshot, StartedCopy};

/// A volume of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupSnapshotMember {
    /// Volume to copy (required).
    pub volume_name: Option<String>,
    /// Name of the copy.
    pub snapshot_name: Option<String>,
    /// Number of the copy.
    pub snapshot_id: Option<i64>,
    /// World wide name of the copy.
    #[serde(rename = "snapshotWWN")]
    pub snapshot_wwn: Option<String>,
}

/// `parameters` of the action CREATE_VVS_GROUP_SNAPSHOT (8) of `POST /volumes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupSnapshot {
    /// Volumes to copy (required).
    pub volume_group: Option<Vec<GroupSnapshotMember>>,
    /// Comment of every copy.
    pub comment: Option<String>,
    /// Whether the copies refuse writes.
    pub read_only: Option<bool>,
    /// Copies named alike have numbers alike; of no effect here.
    #[serde(rename = "match")]
    pub same: Option<bool>,
    /// Hours until the array may delete the copies.
    pub expiration_hours: Option<i64>,
    /// Hours during which they cannot be deleted.
    pub retention_hours: Option<i64>,
    /// Do not hold I/O back while the copies are made; of no effect here, where that takes no time.
    pub skip_block: Option<bool>,
    /// Volume set to add the copies to.
    pub add_to_set: Option<String>,
}

impl Array {
    /// Makes virtual copies of several volumes at one moment: all or none; gives their names.
    ///
    /// # Errors
    /// 40 without volumes; those of [`Array::create_snapshot`] for each; a provisional code (400) for names given twice.
    pub fn create_group_snapshot(
        &mut self,
        now: Duration,
        body: &GroupSnapshot,
    ) -> Result<Vec<VolumeName>, ArrayError> {
        self.advance(now);
        let group = body.volume_group.as_deref().unwrap_or_default();
        if group.is_empty() {
            return Err(ArrayError::missing_required().with_ref("volumeGroup"));
        }
        let mut copies = Vec::with_capacity(group.len());
        for (count, member) in group.iter().enumerate() {
            let of = member.volume_name.as_deref();
            let of = of.ok_or_else(|| ArrayError::missing_required().with_ref("volumeName"))?;
            let snapshot = CreateSnapshot {
                name: Some(member.snapshot_name.clone().unwrap_or_else(|| "@vvname@.@count@".to_owned())),
                id: member.snapshot_id,
                comment: body.comment.clone(),
                read_only: body.read_only,
                expiration_hours: body.expiration_hours,
                retention_hours: body.retention_hours,
                add_to_set: body.add_to_set.clone(),
                wwn: member.snapshot_wwn.clone(),
            };
            copies.push(self.prepare_snapshot(of, &snapshot, count)?);
        }
        self.put_group(copies, body.add_to_set.as_deref())
    }

    /// Makes virtual copies of all members of a volume set; the name is a pattern with `@count@` or `@vvname@`.
    ///
    /// # Errors
    /// 102 unknown set; provisional codes for a set without members (404) or a pattern that gives two copies one name (400); those of
    /// [`Array::create_snapshot`].
    pub fn create_set_snapshot(
        &mut self,
        now: Duration,
        set: &str,
        body: &CreateSnapshot,
    ) -> Result<Vec<VolumeName>, ArrayError> {
        self.advance(now);
        let members = self.members_of_volume_set(set)?;
        let mut copies = Vec::with_capacity(members.len());
        for (count, member) in members.iter().enumerate() {
            copies.push(self.prepare_snapshot(member.as_str(), body, count)?);
        }
        self.put_group(copies, body.add_to_set.as_deref())
    }

    /// Names of the members of a volume set that is not empty.
    fn members_of_volume_set(&self, set: &str) -> Result<Vec<VolumeName>, ArrayError> {
        let set = self.volume_sets.named(set).ok_or_else(ArrayError::non_existent_set)?;
        let names: Vec<_> =
            set.members.iter().filter_map(|id| self.volume_by_id(*id)).map(|v| v.name.clone()).collect();
        if names.is_empty() { Err(ArrayError::empty_set()) } else { Ok(names) }
    }

    /// Puts prepared copies into the state.
    fn put_group(&mut self, copies: Vec<Volume>, set: Option<&str>) -> Result<Vec<VolumeName>, ArrayError> {
        for (place, copy) in copies.iter().enumerate() {
            if copies[..place].iter().any(|other| other.name == copy.name) {
                return Err(ArrayError::duplicate_name().with_ref("name"));
            }
            self.check_set_to_add_to(set, copy)?;
        }
        let names: Vec<VolumeName> = copies.iter().map(|copy| copy.name.clone()).collect();
        for mut copy in copies {
            // Numbers were chosen before any of them was taken.
            if self.volumes.has_id(copy.id) {
                copy.id = self.volumes.next_id();
            }
            self.put_snapshot(copy);
        }
        self.add_to_set(set, &names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(names)
    }

    /// Starts physical copies of all members of a volume set into the members of another one, in their order.
    ///
    /// # Errors
    /// 102 unknown sets; provisional codes for sets without members (404) or of different length (400); those of
    /// [`Array::create_physical_copy`]. The copies begun before one is refused go on, as on real arrays.
    pub fn create_set_copy(
        &mut self,
        now: Duration,
        set: &str,
        body: &CreatePhysicalCopy,
    ) -> Result<Vec<StartedCopy>, ArrayError> {
        self.advance(now);
        let target =
            body.dest_volume.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("destVolume"))?;
        let target =
            target.strip_prefix("set:").ok_or_else(|| ArrayError::bad_volume_pattern().with_ref("destVolume"))?;
        let (sources, targets) = (self.members_of_volume_set(set)?, self.members_of_volume_set(target)?);
        if sources.len() != targets.len() {
            return Err(ArrayError::bad_volume_pattern().with_ref("destVolume"));
        }
        let pairs = sources.iter().zip(&targets);
        pairs
            .map(|(source, target)| {
                let one = CreatePhysicalCopy { dest_volume: Some(target.to_string()), ..body.clone() };
                self.create_physical_copy(now, source.as_str(), &one)
            })
            .collect()
    }

    /// Does something to every member of a volume set that `applies` to.
    fn for_members(
        &mut self,
        set: &str,
        what: impl Fn(&mut Self, &str) -> Result<Option<TaskNumber>, ArrayError>,
    ) -> Result<Vec<TaskNumber>, ArrayError> {
        let members = self.members_of_volume_set(set)?;
        let tasks: Result<Vec<_>, _> = members.iter().map(|name| what(self, name.as_str())).collect();
        Ok(tasks?.into_iter().flatten().collect())
    }

    /// Resynchronises every physical copy in a volume set; gives the tasks.
    ///
    /// # Errors
    /// 102 unknown set, and those of [`Array::resync_physical_copy`].
    pub fn resync_set(&mut self, now: Duration, set: &str) -> Result<Vec<TaskNumber>, ArrayError> {
        self.advance(now);
        self.for_members(set, |array, name| array.resync_physical_copy(now, name).map(Some))
    }

    /// Stops the copies into every member of a volume set.
    ///
    /// # Errors
    /// 102 unknown set, and those of [`Array::stop_physical_copy`].
    pub fn stop_set_copy(&mut self, now: Duration, set: &str) -> Result<(), ArrayError> {
        self.advance(now);
        self.for_members(set, |array, name| array.stop_physical_copy(now, name).map(|()| None)).map(drop)
    }

    /// Promotes every virtual copy in a volume set; gives the tasks.
    ///
    /// # Errors
    /// 102 unknown set, and those of [`Array::promote_snapshot`].
    pub fn promote_set(
        &mut self,
        now: Duration,
        set: &str,
        body: &super::PromoteSnapshot,
    ) -> Result<Vec<TaskNumber>, ArrayError> {
        self.advance(now);
        self.for_members(set, |array, name| array.promote_snapshot(now, name, body).map(Some))
    }

    /// Stops the promotions of every virtual copy in a volume set.
    ///
    /// # Errors
    /// 102 unknown set, and those of [`Array::stop_promotion`].
    pub fn stop_set_promotion(&mut self, now: Duration, set: &str) -> Result<(), ArrayError> {
        self.advance(now);
        self.for_members(set, |array, name| array.stop_promotion(now, name).map(|()| None)).map(drop)
    }

    /// Gives virtual copies the data that their parents have now (`updatevv`), keeping name, number and world wide name; with
    /// `read_only` they refuse writes from then on. All or none.
    ///
    /// # Errors
    /// 23 unknown volume; 32 and 25 when a copy has copies; 26 when it is exported; provisional codes for a volume that is no copy (409)
    /// or is retained (403).
    pub fn update_snapshots(&mut self, now: Duration, names: &[String], read_only: bool) -> Result<(), ArrayError> {
        self.advance(now);
        if names.is_empty() {
            return Err(ArrayError::missing_required().with_ref("volumeSnapshotList"));
        }
        let mut pairs = Vec::with_capacity(names.len());
        for name in names {
            let copy = self.volume(name)?;
            let parent = copy.copy_of.filter(|_| copy.is_snapshot()).ok_or_else(ArrayError::base_volume)?;
            copy.refuse_if_busy()?;
            self.refuse_loss_of_data(copy)?;
            pairs.push((copy.id, parent));
        }
        let created = self.timestamp(self.now);
        for (copy, parent) in pairs {
            self.fill_from(copy, parent);
            self.change_volume(copy, |copy| {
                copy.read_only |= read_only;
                (copy.created, copy.copied_on_write) = (created, 0);
            });
        }
        Ok(())
    }
}
