//! What is done when an array is lost, and afterwards: failover, recover, restore, switchover, reverse.

use std::time::Duration;

use serde::Deserialize;

use super::super::Array;
use super::super::error::ArrayError;
use super::super::event::EventKind;
use super::super::task::TaskKind;
use super::{Partners, RcopyGroup, RcopyRole, RcopyState};

/// What to do; the numbers are those of `POST /remotecopygroups/<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryAction {
    /// Swap the two sides of a stopped group without moving data (6).
    ChangeDirection,
    /// Failover: hosts may write on the secondary side (7).
    ChangeToPrimary,
    /// Switchover: swap the two sides of a started group, without loss (8).
    Migrate,
    /// Recover: after a failover the former primary side becomes the mirror (9).
    ChangeToSecondary,
    /// Restore: both sides become again what they were made as (10).
    ChangeToNaturalDirection,
    /// Let hosts write again after a group went into failsafe (11).
    OverrideFailsafe,
}

impl RecoveryAction {
    /// The action with this number.
    ///
    /// # Errors
    /// 46 for any other number.
    pub fn from_wsapi(number: i64) -> Result<Self, ArrayError> {
        Ok(match number {
            6 => Self::ChangeDirection,
            7 => Self::ChangeToPrimary,
            8 => Self::Migrate,
            9 => Self::ChangeToSecondary,
            10 => Self::ChangeToNaturalDirection,
            11 => Self::OverrideFailsafe,
            _ => return Err(ArrayError::bad_enum_value().with_ref("action")),
        })
    }
}

/// Body of `POST /remotecopygroups/<name>` without the action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RecoverGroup {
    /// Target; the only one when absent.
    pub target_name: Option<String>,
    /// Do not start the group afterwards.
    pub skip_start: Option<bool>,
    /// Do not synchronise afterwards.
    pub skip_sync: Option<bool>,
    /// Take over although the last data did not arrive; here it always has.
    pub discard_new_data: Option<bool>,
    /// Promote no snapshots; there are none here.
    pub skip_promote: Option<bool>,
    /// Make no snapshots; there are none here.
    pub no_snapshot: Option<bool>,
    /// Stop the group first.
    pub stop_groups: Option<bool>,
    /// Change the direction of the group here only.
    pub local_groups_direction: Option<bool>,
}

impl Array {
    /// Does one of the recovery actions on a group.
    ///
    /// # Errors
    /// 187 unknown group; 46 unknown action; provisional codes (403) on the wrong side, in the wrong state, for a target that is not in
    /// the group or, where it is needed, cannot be reached; (400) when one of several targets has to be named.
    pub fn recover_rcopy_group(
        &mut self,
        partners: &mut Partners<'_>,
        now: Duration,
        name: &str,
        action: RecoveryAction,
        body: &RecoverGroup,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let group = self.rcopy_group(name)?.clone();
        let targets = group.targets_for(body.target_name.as_deref())?;
        let [target] = targets.as_slice() else {
            return Err(ArrayError::rcopy_target_not_specified().with_ref("targetName"));
        };
        if group.is_started() && body.stop_groups == Some(true) {
            self.stop_target(partners, group.id, target);
        }
        match action {
            RecoveryAction::ChangeToPrimary => self.fail_over(partners, &group, target),
            RecoveryAction::ChangeToSecondary => self.recover(partners, &group, target, body),
            RecoveryAction::ChangeToNaturalDirection => self.restore_direction(partners, &group, target, body),
            RecoveryAction::Migrate => self.switch_over(partners, &group, target),
            RecoveryAction::ChangeDirection => self.reverse(partners, &group, target, body),
            RecoveryAction::OverrideFailsafe => {
                let failsafe = group.target(target).is_some_and(|part| part.state == RcopyState::Failsafe);
                if !failsafe {
                    return Err(ArrayError::rcopy_not_in_failover());
                }
                self.set_target_state(partners, group.id, target, RcopyState::Stopped);
                Ok(())
            }
        }?;
        self.note(EventKind::RcopyGroupChanged { group: group.name });
        Ok(())
    }

    /// Refuses while a group is started, unless its partner cannot be reached: then the links are lost, and it has stopped by itself.
    fn refuse_started(&self, partners: &mut Partners<'_>, id: u32, target: &str) -> Result<(), ArrayError> {
        let started = self.remote_copy.groups.get(id).is_some_and(RcopyGroup::is_started);
        if started && partners.get(target).is_ok() { Err(ArrayError::rcopy_group_not_stopped()) } else { Ok(()) }
    }

    /// Failover: this side becomes primary; the other one does not hear of it.
    fn fail_over(&mut self, partners: &mut Partners<'_>, group: &RcopyGroup, target: &str) -> Result<(), ArrayError> {
        if group.role == RcopyRole::Primary {
            return Err(ArrayError::rcopy_only_on_secondary());
        }
        self.refuse_started(partners, group.id, target)?;
        self.take_role(group.id, RcopyRole::Primary);
        if let Some(part) = self.group_mut(group.id).and_then(|group| group.target_mut(target)) {
            part.state = RcopyState::Stopped;
        }
        Ok(())
    }

    /// Recover: after a failover the other side becomes secondary and is filled from here.
    fn recover(
        &mut self,
        partners: &mut Partners<'_>,
        group: &RcopyGroup,
        target: &str,
        body: &RecoverGroup,
    ) -> Result<(), ArrayError> {
        if group.role != RcopyRole::Primary || !group.is_reversed() {
            return Err(ArrayError::rcopy_not_in_failover());
        }
        self.refuse_started(partners, group.id, target)?;
        self.give_role(partners, group, target, RcopyRole::Secondary)?;
        self.run_again(partners, group.id, target, body, TaskKind::RemoteCopyRecover);
        Ok(())
    }

    /// Restore: both sides become what they were made as. Data goes first from the side that hosts wrote on.
    fn restore_direction(
        &mut self,
        partners: &mut Partners<'_>,
        group: &RcopyGroup,
        target: &str,
        body: &RecoverGroup,
    ) -> Result<(), ArrayError> {
        if !group.is_reversed() {
            return Err(ArrayError::rcopy_not_in_failover());
        }
        partners.get(target)?;
        if group.role == RcopyRole::Primary {
            self.push_data(partners, group.id, target);
            self.give_role(partners, group, target, RcopyRole::Primary)?;
            self.take_role(group.id, RcopyRole::Secondary);
            self.run_from_there(partners, group, target, body)
        } else {
            self.give_role(partners, group, target, RcopyRole::Secondary)?;
            self.take_role(group.id, RcopyRole::Primary);
            self.run_again(partners, group.id, target, body, TaskKind::RemoteCopyRestore);
            Ok(())
        }
    }

    /// Switchover of a started group: the sides change places without loss and it goes on the other way.
    fn switch_over(&mut self, partners: &mut Partners<'_>, group: &RcopyGroup, target: &str) -> Result<(), ArrayError> {
        if group.role != RcopyRole::Primary {
            return Err(ArrayError::rcopy_only_on_primary());
        }
        if !group.is_started() {
            return Err(ArrayError::rcopy_group_not_started());
        }
        partners.get(target)?;
        self.push_data(partners, group.id, target);
        self.give_role(partners, group, target, RcopyRole::Primary)?;
        self.take_role(group.id, RcopyRole::Secondary);
        Ok(())
    }

    /// Swaps the sides of a stopped group, here only or on both sides; moves no data.
    fn reverse(
        &mut self,
        partners: &mut Partners<'_>,
        group: &RcopyGroup,
        target: &str,
        body: &RecoverGroup,
    ) -> Result<(), ArrayError> {
        self.refuse_started(partners, group.id, target)?;
        let role = group.role.other();
        if body.local_groups_direction != Some(true) {
            self.give_role(partners, group, target, role.other())?;
        }
        self.take_role(group.id, role);
        Ok(())
    }

    /// Gives this side of a group a role; hosts may write to its volumes on the primary side only.
    fn take_role(&mut self, id: u32, role: RcopyRole) {
        let Some(group) = self.group_mut(id) else { return };
        group.role = role;
        let volumes: Vec<u32> = group.volumes.keys().copied().collect();
        for volume in volumes {
            self.change_volume(volume, |volume| volume.read_only = role == RcopyRole::Secondary);
        }
    }

    /// Gives the other side of a group a role.
    fn give_role(
        &self,
        partners: &mut Partners<'_>,
        group: &RcopyGroup,
        target: &str,
        role: RcopyRole,
    ) -> Result<(), ArrayError> {
        let part = group.target(target).ok_or_else(ArrayError::rcopy_invalid_target)?;
        let partner = partners.get(target)?;
        let other = partner.remote_copy.groups.id_of(part.remote_group.as_str());
        partner.take_role(other.ok_or_else(ArrayError::non_existent_rcopy_group)?, role);
        Ok(())
    }

    /// Starts and fills a group after its direction was settled, as far as the request wants it.
    fn run_again(&mut self, partners: &mut Partners<'_>, id: u32, target: &str, body: &RecoverGroup, kind: TaskKind) {
        if body.skip_start == Some(true) {
            return;
        }
        self.set_target_state(partners, id, target, RcopyState::Started);
        self.start_filling(partners, id, target, body.skip_sync == Some(true), kind);
    }

    /// The same when the other side is primary now: both halves are marked as started, and the mirror here has the data already.
    fn run_from_there(
        &mut self,
        partners: &mut Partners<'_>,
        group: &RcopyGroup,
        target: &str,
        body: &RecoverGroup,
    ) -> Result<(), ArrayError> {
        if body.skip_start == Some(true) {
            self.set_target_state(partners, group.id, target, RcopyState::Stopped);
            return Ok(());
        }
        self.set_target_state(partners, group.id, target, RcopyState::Started);
        self.set_mirror_status(partners, group.id, target, super::SyncStatus::Synced);
        let name = group.name.clone();
        let (now, user) = (self.now, self.config.user.clone());
        self.enter_ended_task(TaskKind::RemoteCopyRestore, &name, &user, now);
        Ok(())
    }
}
