//! Virtual copies (`createSnapshot`): their names, times, sets and limits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::super::error::ArrayError;
use super::super::names::{CpgName, SetName, VolumeName, check_comment};
use super::super::sets::{CreateSet, SetKind};
use super::super::volume::{Policies, Provisioning, Volume};
use super::super::volume_create::read_times;
use super::super::{Array, Wwn};
use crate::scsi::UnitState;

/// Most virtual copies of one volume (500 in all releases up to 3.3.1).
pub const SNAPSHOTS_MAX: usize = 500;

/// `parameters` of the action `createSnapshot`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateSnapshot {
    /// Name of the copy (required); may hold the tokens of [`Array::snapshot_name`].
    pub name: Option<String>,
    /// Number; the next one when absent.
    pub id: Option<i64>,
    /// Comment.
    pub comment: Option<String>,
    /// Whether it refuses writes.
    pub read_only: Option<bool>,
    /// Hours until the array may delete it.
    pub expiration_hours: Option<i64>,
    /// Hours during which it cannot be deleted.
    pub retention_hours: Option<i64>,
    /// Volume set to add the copy to; made when it does not exist.
    pub add_to_set: Option<String>,
    /// World wide name to give it.
    #[serde(rename = "WWN")]
    pub wwn: Option<String>,
}

impl CreateSnapshot {
    /// A copy with this name that can be written.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    /// The same, refusing writes.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = Some(true);
        self
    }
}

impl Array {
    /// Makes a virtual copy of the volume `of`; gives its name.
    ///
    /// # Errors
    /// 23 for an unknown volume, 40 without a name, 45/57/69 for a bad one, 22 when it exists, 59 when the number is taken; provisional
    /// codes for a volume without snapshot CPG (409), a read-only copy of a read-only copy (403), a volume that is being filled (409),
    /// or more than [`SNAPSHOTS_MAX`] copies (503).
    pub fn create_snapshot(
        &mut self,
        now: Duration,
        of: &str,
        body: &CreateSnapshot,
    ) -> Result<VolumeName, ArrayError> {
        self.advance(now);
        let copy = self.prepare_snapshot(of, body, 0)?;
        self.check_set_to_add_to(body.add_to_set.as_deref(), &copy)?;
        let name = copy.name.clone();
        self.put_snapshot(copy);
        self.add_to_set(body.add_to_set.as_deref(), &[name.to_string()])?;
        Ok(name)
    }

    /// A virtual copy that is ready to be put into the state; `count` is its place in a group.
    pub(super) fn prepare_snapshot(&self, of: &str, body: &CreateSnapshot, count: usize) -> Result<Volume, ArrayError> {
        let parent = self.volume(of)?;
        let text = body.name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("name"))?;
        let name = self.free_volume_name(Some(&self.snapshot_name(text, parent, count)), "name")?;
        check_comment(body.comment.as_deref().unwrap_or_default())?;
        let created = self.timestamp(self.now);
        let (expires, retained_until) = read_times(created, body.expiration_hours, body.retention_hours)?;
        if parent.is_being_filled() {
            parent.refuse_if_busy()?;
        }
        let read_only = body.read_only == Some(true);
        if read_only && parent.read_only {
            return Err(ArrayError::read_only_of_read_only());
        }
        let snap_cpg = self.snapshot_cpg_of(parent)?;
        if self.volume_index.children(parent.id).count() >= SNAPSHOTS_MAX {
            return Err(ArrayError::snapshot_limit_reached());
        }
        self.refuse_too_many_volumes()?;
        let id = self.volume_id_in_request(body.id)?;
        let wwn = body.wwn.as_deref().map(Wwn::new).transpose()?;
        Ok(Volume {
            comment: body.comment.clone().filter(|c| !c.is_empty()),
            created,
            expires,
            retained_until,
            read_only,
            snap_cpg: Some(snap_cpg),
            wwn: wwn.unwrap_or_else(|| parent.wwn.clone()),
            ..copy_of(parent, id, name)
        })
    }

    /// Puts a prepared virtual copy into the state with a UUID and, unless one was asked for, a world wide name of its own.
    pub(super) fn put_snapshot(&mut self, mut copy: Volume) {
        let parent = copy.copy_of.and_then(|id| self.volume_by_id(id));
        if parent.is_none_or(|parent| parent.wwn == copy.wwn) {
            copy.wwn = self.wwn_for(copy.id);
        }
        copy.uuid = self.random.uuid();
        self.put_volume(copy);
    }

    /// Makes a virtual copy for the array's own purposes; gives its number.
    pub(super) fn put_intermediate(&mut self, parent: u32, read_only: bool) -> Option<u32> {
        let id = self.volumes.next_id();
        let mut name = format!("vcp.{id}");
        while self.volumes.named(name.as_str()).is_some() {
            name.push('x');
        }
        let name = VolumeName::new(name).ok()?;
        let parent = self.volume_by_id(parent)?;
        let copy = Volume { read_only, created: self.timestamp(self.now), ..copy_of(parent, id, name) };
        self.put_snapshot(copy);
        Some(id)
    }

    /// The CPG for virtual copies of a volume. From Primera on that of the volume itself serves where none was given.
    fn snapshot_cpg_of(&self, volume: &Volume) -> Result<CpgName, ArrayError> {
        let own = self.config.personality.is_primera().then(|| volume.cpg.clone());
        volume.snap_cpg.clone().or(own).ok_or_else(ArrayError::no_snap_cpg)
    }

    /// The name that a pattern stands for: `@vvname@`, `@vvid@`, `@count@` and the time (`@y@ @m@ @d@ @H@ @M@ @S@`) are filled in.
    #[must_use]
    pub fn snapshot_name(&self, pattern: &str, parent: &Volume, count: usize) -> String {
        if !pattern.contains('@') {
            return pattern.to_owned();
        }
        let [y, m, d, hour, minute, second] = self.timestamp(self.now).parts();
        pattern
            .replace("@vvname@", parent.name.as_str())
            .replace("@vvid@", &parent.id.to_string())
            .replace("@count@", &count.to_string())
            .replace("@y@", &y.to_string())
            .replace("@m@", &format!("{m:02}"))
            .replace("@d@", &format!("{d:02}"))
            .replace("@H@", &format!("{hour:02}"))
            .replace("@M@", &format!("{minute:02}"))
            .replace("@S@", &format!("{second:02}"))
    }

    /// Refuses a set that a new copy cannot be added to.
    pub(super) fn check_set_to_add_to(&self, set: Option<&str>, copy: &Volume) -> Result<(), ArrayError> {
        let Some(set) = set else { return Ok(()) };
        let name = SetName::new(set).map_err(|e| e.refusal("addToSet"))?;
        match self.volume_sets.named(&name) {
            Some(set) if set.domain != copy.domain => Err(ArrayError::member_not_in_same_domain()),
            _ => Ok(()),
        }
    }

    /// Adds new copies to a set, which is made when it does not exist.
    pub(super) fn add_to_set(&mut self, set: Option<&str>, copies: &[String]) -> Result<(), ArrayError> {
        let Some(set) = set else { return Ok(()) };
        let now = self.now;
        if self.volume_sets.named(set).is_some() {
            self.add_to_volume_set(now, set, copies).map(drop)
        } else {
            let body =
                CreateSet { name: Some(set.to_owned()), setmembers: Some(copies.to_vec()), ..CreateSet::default() };
            self.create_set(now, SetKind::Volume, &body).map(drop)
        }
    }
}

/// A virtual copy of `parent` with what it inherits; UUID and world wide name are still those of the parent.
fn copy_of(parent: &Volume, id: u32, name: VolumeName) -> Volume {
    Volume {
        id,
        name,
        provisioning: Provisioning::Snapshot,
        compressed: false,
        comment: None,
        policies: Policies { one_host: false, ..parent.policies },
        expires: None,
        retained_until: None,
        copy_of: Some(parent.id),
        copied_from: None,
        saved_snapshot: None,
        activity: None,
        copied_on_write: 0,
        read_fault: None,
        object_keys: BTreeMap::new(),
        unit: UnitState::default(),
        sets: BTreeSet::new(),
        rcopy_group: None,
        ..parent.clone()
    }
}
