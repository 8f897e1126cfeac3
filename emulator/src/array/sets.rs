//! Host sets and volume sets: names for groups, with the rules of membership.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;
use super::names::{DomainName, SetName, check_comment};

/// A set of hosts or volumes. Members are numbers, so a rename of a member needs no change here.
#[derive(Debug, Clone)]
pub struct ObjectSet {
    /// Number; stays through a rename.
    pub id: u32,
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: SetName,
    /// Comment.
    pub comment: Option<String>,
    /// Domain.
    pub domain: Option<DomainName>,
    /// Flash cache policy, where it was ever set; volume sets only.
    pub flash_cache: Option<bool>,
    /// Numbers of the members in the order they were added.
    pub(crate) members: Vec<u32>,
}

/// Body of `POST /hostsets` and `POST /volumesets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CreateSet {
    /// Name (required).
    pub name: Option<String>,
    /// Domain.
    pub domain: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// Names of the members.
    pub setmembers: Option<Vec<String>>,
}

impl CreateSet {
    /// A set with these members.
    #[must_use]
    pub fn new(name: &str, members: &[&str]) -> Self {
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        Self { name: Some(name.to_owned()), setmembers: Some(members), ..Self::default() }
    }
}

/// Body of `PUT /hostsets/<name>` and `PUT /volumesets/<name>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModifySet {
    /// 1 add members, 2 remove members.
    pub action: Option<i64>,
    /// Names of the members to add or remove.
    pub setmembers: Option<Vec<String>>,
    /// Name to give it.
    pub new_name: Option<String>,
    /// Comment to set.
    pub comment: Option<String>,
    /// 1 on, 2 off; volume sets only.
    pub flash_cache_policy: Option<i64>,
}

/// A row of `GET /hostsets` or `GET /volumesets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetRow {
    /// Number.
    pub id: u32,
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: SetName,
    /// Comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainName>,
    /// Names of the members; absent when there are none, as on real arrays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setmembers: Vec<String>,
    /// 1 on, 2 off, where it was ever set; volume sets only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash_cache_policy: Option<u8>,
    /// Whether a QoS rule applies; volume sets only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos_enabled: Option<bool>,
}

/// Which of the two families of sets a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetKind {
    /// Host sets.
    Host,
    /// Volume sets.
    Volume,
}

impl Array {
    /// Makes a set; gives its name.
    ///
    /// # Errors
    /// 40 without a name, 45/57/69 for a bad one, 101 when it exists, 38 unknown domain, 17 or 23 for an unknown member, a
    /// provisional code for members of another domain or members given twice.
    pub fn create_set(&mut self, now: Duration, kind: SetKind, body: &CreateSet) -> Result<SetName, ArrayError> {
        self.advance(now);
        let text = body.name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("name"))?;
        let name = SetName::new(text).map_err(|e| e.refusal("name"))?;
        if self.sets(kind).named(&name).is_some() {
            return Err(ArrayError::existent_set().with_ref("name"));
        }
        check_comment(body.comment.as_deref().unwrap_or_default())?;
        let domain = body.domain.as_deref().map(|d| self.known_domain(d)).transpose()?;
        let members = self.member_ids(kind, body.setmembers.as_deref().unwrap_or_default())?;
        let domain = self.common_domain(kind, domain, &members)?;
        let id = self.sets(kind).next_id();
        let uuid = self.random.uuid();
        for member in &members {
            self.mark_membership(kind, *member, id, true);
        }
        let comment = body.comment.clone().filter(|c| !c.is_empty());
        let set = ObjectSet { id, uuid, name: name.clone(), comment, domain, flash_cache: None, members };
        self.sets_mut(kind).insert(id, name.clone(), set);
        self.note_set(kind, name.clone());
        Ok(name)
    }

    /// Changes a set; gives its name after the change.
    ///
    /// # Errors
    /// 102 unknown set; 44 new name together with members; 78 nothing to do or members without action; 46 unknown action; 101 new
    /// name taken; 17 or 23 unknown member; provisional codes for a member that is in the set already (409) or not in it (404); 18
    /// when an export to the host set would give a new member a LUN it already has.
    pub fn modify_set(
        &mut self,
        now: Duration,
        kind: SetKind,
        name: &str,
        body: &ModifySet,
    ) -> Result<SetName, ArrayError> {
        self.advance(now);
        let mut set = self.sets(kind).named(name).ok_or_else(ArrayError::non_existent_set)?.clone();
        let before = set.name.clone();
        if *body == ModifySet::default() || (body.action.is_some() != body.setmembers.is_some()) {
            return Err(ArrayError::one_required().with_ref("action,setmembers"));
        }
        if body.new_name.is_some() && body.setmembers.is_some() {
            return Err(ArrayError::parameter_conflict().with_ref("newName,setmembers"));
        }
        if let Some(text) = &body.new_name {
            let new_name = SetName::new(text.as_str()).map_err(|e| e.refusal("newName"))?;
            if new_name != before && self.sets(kind).named(&new_name).is_some() {
                return Err(ArrayError::existent_set().with_ref("newName"));
            }
            set.name = new_name;
        }
        if let Some(comment) = &body.comment {
            check_comment(comment)?;
            set.comment = Some(comment.clone()).filter(|c| !c.is_empty());
        }
        match body.flash_cache_policy {
            None => {}
            Some(_) if kind == SetKind::Host => return Err(ArrayError::invalid_input().with_ref("flashCachePolicy")),
            Some(1) => set.flash_cache = Some(true),
            Some(2) => set.flash_cache = Some(false),
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("flashCachePolicy")),
        }
        let members = self.member_ids(kind, body.setmembers.as_deref().unwrap_or_default())?;
        match body.action {
            None => {}
            Some(1) => self.add_members(kind, &mut set, &members)?,
            Some(2) => self.take_members(kind, &mut set, &members)?,
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("action")),
        }
        let (id, now_named) = (set.id, set.name.clone());
        self.sets_mut(kind).rename(&before, now_named.clone());
        if let Some(slot) = self.sets_mut(kind).get_mut(id) {
            *slot = set;
        }
        self.note_set(kind, now_named.clone());
        Ok(now_named)
    }

    /// Adds volumes to a volume set.
    pub(crate) fn add_to_volume_set(
        &mut self,
        now: Duration,
        set: &str,
        volumes: &[String],
    ) -> Result<SetName, ArrayError> {
        let body = ModifySet { action: Some(1), setmembers: Some(volumes.to_vec()), ..ModifySet::default() };
        self.modify_set(now, SetKind::Volume, set, &body)
    }

    /// Deletes a set; its members stay.
    ///
    /// # Errors
    /// 102 unknown set, 26 when the volume set is exported or volumes are exported to the host set, 69 for a name with illegal characters (globs); a provisional code
    /// (409) for a volume set with a QoS rule.
    pub fn remove_set(&mut self, now: Duration, kind: SetKind, name: &str) -> Result<(), ArrayError> {
        self.advance(now);
        SetName::new(name).map_err(|e| e.refusal("name"))?;
        let set = self.sets(kind).named(name).ok_or_else(ArrayError::non_existent_set)?;
        if kind == SetKind::Host && self.vluns.names_host_set(set.id) {
            return Err(ArrayError::exported_vlun());
        }
        if kind == SetKind::Volume && self.set_exports.names_set(set.id) {
            return Err(ArrayError::exported_vlun());
        }
        if kind == SetKind::Volume && self.qos.names_set(set.id) {
            return Err(ArrayError::volume_set_is_qos_target());
        }
        if let Some(set) = self.sets_mut(kind).remove(name) {
            for member in &set.members {
                self.mark_membership(kind, *member, set.id, false);
            }
            self.note_set(kind, set.name);
        }
        Ok(())
    }

    /// All sets of a kind as the WSAPI shows them.
    #[must_use]
    pub fn set_rows(&self, kind: SetKind) -> Vec<SetRow> {
        self.sets(kind).iter().map(|s| self.set_row_of(kind, s)).collect()
    }

    /// One set as the WSAPI shows it.
    ///
    /// # Errors
    /// 102 when it does not exist.
    pub fn set_row(&self, kind: SetKind, name: &str) -> Result<SetRow, ArrayError> {
        self.sets(kind).named(name).map(|s| self.set_row_of(kind, s)).ok_or_else(ArrayError::non_existent_set)
    }

    fn set_row_of(&self, kind: SetKind, set: &ObjectSet) -> SetRow {
        let name_of = |id: &u32| match kind {
            SetKind::Host => self.hosts.get(*id).map(|h| h.name.to_string()),
            SetKind::Volume => self.volumes.get(*id).map(|v| v.name.to_string()),
        };
        SetRow {
            id: set.id,
            uuid: set.uuid.clone(),
            name: set.name.clone(),
            comment: set.comment.clone(),
            domain: set.domain.clone(),
            setmembers: set.members.iter().filter_map(name_of).collect(),
            qos_enabled: (kind == SetKind::Volume).then(|| self.qos.is_enabled_for(set.id)),
            flash_cache_policy: set.flash_cache.map(|enabled| if enabled { 1 } else { 2 }),
        }
    }

    /// Numbers of the hosts in a host set.
    pub(crate) fn members_of_host_set(&self, set: u32) -> &[u32] {
        self.host_sets.get(set).map_or(&[], |s| s.members.as_slice())
    }

    /// Numbers of the named members, each once.
    fn member_ids(&self, kind: SetKind, names: &[String]) -> Result<Vec<u32>, ArrayError> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let id = match kind {
                SetKind::Host => self.host(name)?.id,
                SetKind::Volume => self.volume(name)?.id,
            };
            if ids.contains(&id) {
                return Err(ArrayError::member_in_set());
            }
            ids.push(id);
        }
        Ok(ids)
    }

    /// The domain of all members, or the one asked for; refuses a mixture.
    fn common_domain(
        &self,
        kind: SetKind,
        wish: Option<DomainName>,
        members: &[u32],
    ) -> Result<Option<DomainName>, ArrayError> {
        let domain_of = |id: u32| match kind {
            SetKind::Host => self.hosts.get(id).and_then(|h| h.domain.clone()),
            SetKind::Volume => self.volumes.get(id).and_then(|v| v.domain.clone()),
        };
        let domain = if wish.is_some() { wish } else { members.first().and_then(|id| domain_of(*id)) };
        let same = members.iter().all(|id| domain_of(*id) == domain);
        if same { Ok(domain) } else { Err(ArrayError::member_not_in_same_domain()) }
    }

    fn add_members(&mut self, kind: SetKind, set: &mut ObjectSet, added: &[u32]) -> Result<(), ArrayError> {
        if added.iter().any(|id| set.members.contains(id)) {
            return Err(ArrayError::member_in_set());
        }
        if kind == SetKind::Host {
            self.check_host_set_growth(set.id, added)?;
        }
        let all: Vec<u32> = set.members.iter().chain(added).copied().collect();
        set.domain = self.common_domain(kind, set.domain.clone(), &all)?;
        if kind == SetKind::Volume {
            self.export_new_members(set.id, added)?;
        }
        set.members = all;
        added.iter().for_each(|id| self.mark_membership(kind, *id, set.id, true));
        Ok(())
    }

    fn take_members(&mut self, kind: SetKind, set: &mut ObjectSet, taken: &[u32]) -> Result<(), ArrayError> {
        if taken.iter().any(|id| !set.members.contains(id)) {
            return Err(ArrayError::member_not_in_set());
        }
        set.members.retain(|id| !taken.contains(id));
        if kind == SetKind::Volume {
            self.unexport_members(set.id, taken);
        }
        taken.iter().for_each(|id| self.mark_membership(kind, *id, set.id, false));
        Ok(())
    }

    /// Notes on a host that it is in a set or no longer; its LUNs may change with that.
    fn mark_membership(&mut self, kind: SetKind, member: u32, set: u32, inside: bool) {
        let mark =
            |sets: &mut std::collections::BTreeSet<u32>| if inside { sets.insert(set) } else { sets.remove(&set) };
        if kind == SetKind::Volume {
            if let Some(volume) = self.volumes.get_mut(member) {
                mark(&mut volume.sets);
            }
            return;
        }
        let Some(host) = self.hosts.get_mut(member) else { return };
        mark(&mut host.sets);
        let initiators = host.initiators.clone();
        initiators.iter().for_each(|i| self.nexuses.raise_unit_attention(i));
    }

    fn note_set(&mut self, kind: SetKind, set: SetName) {
        self.note(match kind {
            SetKind::Host => EventKind::HostSetChanged { set },
            SetKind::Volume => EventKind::VolumeSetChanged { set },
        });
    }
}
