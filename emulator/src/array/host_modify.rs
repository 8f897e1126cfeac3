//! Changes of a host: name, persona, texts, paths and CHAP (`PUT /hosts/<name>`).

use std::time::Duration;

use serde::Deserialize;

use super::Array;
use super::chap::ChapAccount;
use super::error::ArrayError;
use super::event::EventKind;
use super::host::{HostDescriptors, PATHS_MAX, read_paths};
use super::identity::Initiator;
use super::names::{HostName, check_comment};
use super::persona::Persona;

/// Body of `PUT /hosts/<name>`. `Debug` is not offered: the body may hold a CHAP secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModifyHost {
    /// Name to give it.
    pub new_name: Option<String>,
    /// Persona to give it.
    pub persona: Option<i64>,
    /// Texts to set; those absent stay.
    pub descriptors: Option<HostDescriptors>,
    /// 1 add, 2 remove the paths given.
    pub path_operation: Option<i64>,
    /// Fibre Channel initiators.
    #[serde(rename = "FCWWNs")]
    pub fc_wwns: Option<Vec<String>>,
    /// iSCSI initiators.
    #[serde(rename = "iSCSINames")]
    pub iscsi_names: Option<Vec<String>>,
    /// Name of an NVMe host to add or remove.
    #[serde(rename = "NQN")]
    pub nqn: Option<String>,
    /// Remove paths although a volume is exported over them.
    pub force_path_removal: Option<bool>,
    /// 1 add, 2 remove CHAP.
    pub chap_operation: Option<i64>,
    /// 1 initiator, 2 target.
    pub chap_operation_mode: Option<i64>,
    /// CHAP name; the host name when absent.
    pub chap_name: Option<String>,
    /// CHAP secret.
    pub chap_secret: Option<String>,
    /// Whether the secret is in hex.
    pub chap_secret_hex: Option<bool>,
    /// Remove only the account of the target.
    pub chap_remove_target_only: Option<bool>,
}

/// Adding or removing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Remove,
}

impl Operation {
    /// 1 add, 2 remove.
    fn read(number: i64, member: &str) -> Result<Self, ArrayError> {
        match number {
            1 => Ok(Self::Add),
            2 => Ok(Self::Remove),
            _ => Err(ArrayError::bad_enum_value().with_ref(member)),
        }
    }
}

impl Array {
    /// Changes a host; gives its name after the change. Either everything asked for is done or nothing.
    ///
    /// # Errors
    /// 17 unknown host; 78 nothing to do, or paths without operation, or the reverse; 44 parameters that exclude each other; 16 new
    /// name taken; 73 path on another host; 80 path not on this host; 26 path or persona in use by an export; and the CHAP codes.
    pub fn modify_host(&mut self, now: Duration, name: &str, body: &ModifyHost) -> Result<HostName, ArrayError> {
        self.advance(now);
        let mut host = self.hosts.named(name).ok_or_else(ArrayError::non_existent_host)?.clone();
        let before = host.name.clone();
        if *body == ModifyHost::default() {
            return Err(ArrayError::one_required());
        }
        let paths = self.read_path_change(body)?;
        if let Some(text) = &body.new_name {
            let new_name = HostName::new(text.as_str()).map_err(|e| e.refusal("newName"))?;
            if new_name != host.name && self.hosts.named(&new_name).is_some() {
                return Err(ArrayError::existent_host().with_ref("newName"));
            }
            host.name = new_name;
        }
        if let Some(number) = body.persona {
            let persona = Persona::from_wsapi(number)?;
            if persona != host.persona && self.is_exported_to(host.id) {
                return Err(ArrayError::exported_vlun());
            }
            host.persona = persona;
        }
        if let Some(descriptors) = &body.descriptors {
            check_comment(descriptors.comment.as_deref().unwrap_or_default())?;
            host.descriptors.merge(descriptors);
        }
        if let Some(operation) = body.chap_operation {
            change_chap(&mut host, Operation::read(operation, "chapOperation")?, body)?;
        }
        match &paths {
            Some((Operation::Add, added)) => self.check_added_paths(&host, added)?,
            Some((Operation::Remove, removed)) => {
                self.check_removed_paths(&host, removed, body.force_path_removal == Some(true))?;
            }
            None => {}
        }
        let now_named = host.name.clone();
        let id = host.id;
        self.apply_paths(&mut host, paths);
        self.hosts.rename(&before, now_named.clone());
        if let Some(slot) = self.hosts.get_mut(id) {
            *slot = host;
        }
        self.note(EventKind::HostModified { host: before, now: now_named.clone() });
        Ok(now_named)
    }

    /// The change of paths in a body, checked for its form.
    fn read_path_change(&self, body: &ModifyHost) -> Result<Option<(Operation, Vec<Initiator>)>, ArrayError> {
        let given = body.fc_wwns.is_some() || body.iscsi_names.is_some() || body.nqn.is_some();
        let Some(number) = body.path_operation else {
            let missing = given || body.force_path_removal.is_some();
            return if missing { Err(ArrayError::one_required().with_ref("pathOperation")) } else { Ok(None) };
        };
        let operation = Operation::read(number, "pathOperation")?;
        if !given {
            return Err(ArrayError::one_required().with_ref("FCWWNs,iSCSINames"));
        }
        if operation == Operation::Add && body.force_path_removal == Some(true) {
            return Err(ArrayError::parameter_conflict().with_ref("forcePathRemoval"));
        }
        let paths = read_paths(body.fc_wwns.as_deref(), body.iscsi_names.as_deref(), body.nqn.as_deref())?;
        Ok(Some((operation, paths)))
    }

    /// Whether these paths may be added to the host.
    fn check_added_paths(&self, host: &super::Host, added: &[Initiator]) -> Result<(), ArrayError> {
        for path in added {
            match self.host_of_initiator.get(path) {
                Some(owner) if *owner == host.id => return Err(ArrayError::duplicate_path()),
                Some(_) => return Err(ArrayError::existent_path()),
                None => {}
            }
        }
        let total = host.initiators.len() + added.len();
        if total > PATHS_MAX { Err(ArrayError::too_many_paths()) } else { Ok(()) }
    }

    /// Whether these paths may be taken from the host.
    fn check_removed_paths(&self, host: &super::Host, removed: &[Initiator], force: bool) -> Result<(), ArrayError> {
        if removed.iter().any(|path| !host.initiators.contains(path)) {
            return Err(ArrayError::non_existent_path());
        }
        let carries_export = |path: &Initiator| self.is_exported_to(host.id) && !self.nexuses.ports_of(path).is_empty();
        if !force && removed.iter().any(carries_export) {
            return Err(ArrayError::exported_vlun());
        }
        Ok(())
    }

    /// Does a checked change of paths; sessions of the initiators see another set of LUNs from now on.
    fn apply_paths(&mut self, host: &mut super::Host, change: Option<(Operation, Vec<Initiator>)>) {
        let Some((operation, paths)) = change else { return };
        for path in &paths {
            if operation == Operation::Add {
                self.host_of_initiator.insert(path.clone(), host.id);
            } else {
                self.host_of_initiator.remove(path);
            }
            self.nexuses.raise_unit_attention(path);
        }
        match operation {
            Operation::Add => host.initiators.extend(paths),
            Operation::Remove => host.initiators.retain(|i| !paths.contains(i)),
        }
    }
}

/// Does the CHAP part of a change.
fn change_chap(host: &mut super::Host, operation: Operation, body: &ModifyHost) -> Result<(), ArrayError> {
    let conflict = |member: &str| Err(ArrayError::parameter_conflict().with_ref(member));
    if operation == Operation::Remove {
        let extra = body.chap_name.is_some()
            || body.chap_secret.is_some()
            || body.chap_secret_hex.is_some()
            || body.chap_operation_mode.is_some();
        if extra {
            return conflict("chapName,chapSecret,chapSecretHex,chapOperationMode");
        }
        return host.chap.remove(body.chap_remove_target_only == Some(true));
    }
    if body.chap_remove_target_only.is_some() {
        return conflict("chapRemoveTargetOnly");
    }
    let secret = body.chap_secret.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("chapSecret"))?;
    let name = body.chap_name.as_deref().unwrap_or(host.name.as_str());
    let account = ChapAccount::new(name, secret, body.chap_secret_hex == Some(true))?;
    match body.chap_operation_mode {
        Some(1) => host.chap.set_initiator(account),
        Some(2) => host.chap.set_target(account),
        Some(_) => Err(ArrayError::bad_enum_value().with_ref("chapOperationMode")),
        None => Err(ArrayError::missing_required().with_ref("chapOperationMode")),
    }
}

impl HostDescriptors {
    /// Takes over the texts that `other` has.
    fn merge(&mut self, other: &Self) {
        let take = |mine: &mut Option<String>, theirs: &Option<String>| {
            if theirs.is_some() {
                mine.clone_from(theirs);
            }
        };
        take(&mut self.location, &other.location);
        take(&mut self.ip_addr, &other.ip_addr);
        take(&mut self.os, &other.os);
        take(&mut self.model, &other.model);
        take(&mut self.contact, &other.contact);
        take(&mut self.comment, &other.comment);
    }
}
