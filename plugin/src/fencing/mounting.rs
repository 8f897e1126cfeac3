//! The way of a Mount: gather facts, decide, take one step, start again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::decision::{ContestSeen, DelayClock, ExportsSeen, MountFacts, MountStep, next_mount_step};
use super::driver::{Doubt, Driver, Loaded};
use super::error::FenceError;
use super::mutants::Mutant;
use super::references;
use super::refusal::Refusal;
use super::revoking::read_back;
use crate::array::{Channel, Lun, Wwn};
use crate::node::{LocalTruth, registration};
use crate::store::{Change, Guard, Revision, Transaction, keys};
use crate::volume::mount::{Caller, Mounted};
use crate::volume::names::VolumeId;
use crate::volume::options::CreateOptions;
use crate::volume::record::{Lifecycle, Owner, Ownership, Rest, Stage, Takeover};

/// How long a wait for the owner lasts at most before everything is looked at again, should the watch be deaf.
const WATCH_DISTRUST: Duration = Duration::from_secs(5);

/// Pause after a watch broke.
const WATCH_BROKEN: Duration = Duration::from_millis(500);

/// Pause between two looks for an export of this node that may still take effect.
const LATE_EXPORT_LOOK: Duration = Duration::from_secs(2);

/// Facts of one round, owned.
pub(super) struct Round {
    pub(super) loaded: Loaded,
    pub(super) wwn: Wwn,
    pub(super) local: LocalTruth,
    pub(super) mount_dir: PathBuf,
    exports: Option<ExportsSeen>,
    contest: Option<(ContestSeen, Revision)>,
}

impl Driver {
    /// Mounts a volume here for a mount id, taking it over where the policy allows.
    ///
    /// # Errors
    /// Nothing is mounted for the caller on any error. [`FenceError::TakeoverInProgress`] and
    /// [`FenceError::Deadline`] mean that a repeated call continues.
    pub async fn mount(
        &self,
        id: VolumeId,
        mount_id: &str,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Mounted, FenceError> {
        loop {
            let guard = self.volume_guard(id).await;
            self.finish_what_memory_knows(id).await?;
            self.drop_doubtful(id).await?;
            let (round, step) = self.decide(id).await?;
            debug!(volume = %id, node = %self.parts.me.node, epoch = %round.loaded.record.epoch, ?step, "mount step");
            let deserted = !caller.is_waiting() && !self.parts.defects.has(Mutant::DepartedCallerHolds);
            if Instant::now() >= deadline || deserted {
                return Err(out_of_time(&round, &step));
            }
            match step {
                MountStep::AddReference => {
                    if let Some(mounted) = self.add_reference(&round, mount_id, caller).await? {
                        return Ok(mounted);
                    }
                }
                MountStep::CleanFenced => self.clean_fenced(&round).await?,
                MountStep::Remount => self.remount(&round).await?,
                MountStep::TearDown => self.tear_down(&round).await?,
                MountStep::OpenTakeover => self.open_takeover(&round).await?,
                MountStep::Wait => {
                    if !self.parts.defects.has(Mutant::OneLockForAll) {
                        drop(guard);
                    }
                    self.wait_for_change(&round, deadline).await?;
                }
                MountStep::Claim { ended, after_clock } => {
                    if let Some((lun, left)) = self.request_on_its_way(&round.loaded.record).await? {
                        self.remove_late_exports(id).await?;
                        drop(guard);
                        wait_for_late_export(lun, left, deadline).await?;
                        continue;
                    }
                    if self.parts.defects.has(Mutant::RevokeBeforeClaim) {
                        self.revoke_unclaimed(&round.loaded.record).await?;
                    }
                    let Some(claimed) = self.claim(&round, &ended, after_clock).await? else {
                        if self.parts.defects.has(Mutant::LostClaimIsSuccess) {
                            return Ok(Mounted { mountpoint: round.mount_dir, device: PathBuf::new() });
                        }
                        continue;
                    };
                    match self.bring_up(claimed, &round, mount_id, caller).await {
                        Ok(mounted) => return Ok(mounted),
                        Err(error @ (FenceError::LostOwnership { .. } | FenceError::ExportOnItsWay { .. })) => {
                            info!(volume = %id, %error, "the mount was undone; deciding anew");
                        }
                        Err(error) => return Err(error),
                    }
                }
                MountStep::Refuse(refusal) => {
                    if matches!(refusal, Refusal::ExportedToStrangers { .. }) {
                        // The stranger may be this node under a new name on the array: look it up again next time.
                        self.forget_host(&round.loaded.record.backend);
                    }
                    return Err(refusal.into());
                }
                MountStep::AskExports | MountStep::AskContest => {}
            }
        }
    }

    /// Gathers facts, cheapest first, until the decision asks no more.
    async fn decide(&self, id: VolumeId) -> Result<(Round, MountStep), FenceError> {
        let mut loaded = self.load(id).await?.ok_or(FenceError::NoSuchVolume)?;
        self.refuse_older_store(&loaded.record)?;
        let wwn = match self.wwn_of(&mut loaded.record).await {
            Err(FenceError::Array(error)) if error.is_not_found() && loaded.record.lifecycle == Lifecycle::Creating => {
                return Err(Refusal::StillCreating.into());
            }
            wwn => wwn?,
        };
        let local = self.inspect(id, &wwn).await?;
        let mount_dir = self.mount_dir(&loaded.record, &wwn);
        let mut round = Round { loaded, wwn, local, mount_dir, exports: None, contest: None };
        let backend = self.backend(&round.loaded.record)?;
        loop {
            let step = next_mount_step(&MountFacts {
                me: &self.parts.me,
                record: &round.loaded.record,
                local: &round.local,
                mount_dir: &round.mount_dir,
                exports: round.exports.as_ref(),
                contest: round.contest.as_ref().map(|(contest, _)| contest),
                policy: &backend.policy,
                delay: round.loaded.record.mount_conflict_delay.unwrap_or(backend.policy.conflict_delay),
                defects: self.parts.defects,
            });
            match step {
                MountStep::AskExports if round.exports.is_none() => {
                    round.exports = Some(self.see_exports(&round.loaded).await?);
                }
                MountStep::AskContest if round.contest.is_none() => {
                    round.contest = Some(self.see_contest(&round.loaded).await?);
                }
                MountStep::Claim { .. } | MountStep::OpenTakeover => {
                    if let Some(reason) = self.alarm.reason() {
                        return Ok((round, MountStep::Refuse(Refusal::DuplicateIdentity(reason))));
                    }
                    return Ok((round, step));
                }
                step => return Ok((round, step)),
            }
        }
    }

    /// The exports of a volume, and whose they are.
    pub(super) async fn see_exports(&self, loaded: &Loaded) -> Result<ExportsSeen, FenceError> {
        let record = &loaded.record;
        let my_host = self.my_host(record).await?;
        let mut rows = self.read_exports(record).await?;
        let mine = record.ownership.owner().is_some_and(|owner| owner.node == self.parts.me.node);
        if rows.is_empty() && mine {
            // An owner must not conclude from one empty answer that its export is gone.
            rows = read_back(self.backend(record)?.array.as_ref(), record, Channel::Wsapi).await?;
        }
        let node_hosts = if rows.iter().all(|row| row.host() == Some(&my_host)) {
            BTreeMap::new()
        } else {
            self.node_hosts(record).await?
        };
        Ok(ExportsSeen { my_host, rows, node_hosts })
    }

    async fn see_contest(&self, loaded: &Loaded) -> Result<(ContestSeen, Revision), FenceError> {
        let record = &loaded.record;
        let store = self.parts.store.as_ref();
        let owner_alive = match record.ownership.owner() {
            Some(owner) => registration::is_alive(store, &owner.node, &owner.boot).await?,
            None => false,
        };
        let (entries, revision) = store.list(&keys::takeovers(record.id)).await?;
        let present = |key: String| entries.iter().any(|entry| entry.key == key);
        let clock = if present(keys::takeover_clock(record.id)) {
            DelayClock::Running
        } else if present(keys::takeover_permit(record.id)) {
            DelayClock::Expired
        } else {
            DelayClock::Stale
        };
        let recent_takeovers =
            entries.iter().filter(|entry| entry.key.starts_with(&keys::recent_takeovers(record.id))).count();
        Ok((ContestSeen { owner_alive, clock, recent_takeovers }, revision))
    }

    /// Records one more reference of a volume that is really mounted here. No array call.
    async fn add_reference(
        &self,
        round: &Round,
        mount_id: &str,
        caller: &Caller,
    ) -> Result<Option<Mounted>, FenceError> {
        let me = &self.parts.me;
        let mut record = round.loaded.record.clone();
        let device = round.local.device.as_ref();
        let answer = |device: PathBuf| Mounted { mountpoint: round.mount_dir.clone(), device };
        let owner = match &record.ownership {
            Ownership::Owned { owner, .. } if owner.node == me.node => Owner { boot: me.boot.clone(), ..owner.clone() },
            _ if !self.parts.defects.has(Mutant::AlreadyMountedIsSuccess) => return Ok(None),
            // Success without ownership.
            _ => return Ok(Some(answer(device.map(|device| device.path.clone()).unwrap_or_default()))),
        };
        let attempt = record.ownership.stage().and_then(Stage::attempt);
        record.ownership = Ownership::Owned { owner, stage: Stage::Mounted(attempt) };
        if !record.path_info.contains_key(&me.node) {
            let Some(device) = device else { return Ok(None) };
            let info = super::attaching::path_info(&record, round, device, Value::Null, me);
            record.path_info.insert(me.node.clone(), info);
        }
        let Some(info) = record.path_info.get_mut(&me.node) else { return Ok(None) };
        info.boot_id = me.boot.clone();
        let held = info.mount_ids.len();
        if references::is_counted_again(&info.mount_ids, mount_id)
            && let Some(device) = device
            && !self.parts.node.is_mounted_elsewhere(device, &round.mount_dir).await?
        {
            // dockerd died with its containers and never unmounted: what the id held it holds no more.
            info!(volume = %round.loaded.record.display_name, mount_id, "no container has the volume mounted; counting this id anew");
            references::forget(&mut info.mount_ids, mount_id);
        }
        if self.parts.defects.has(Mutant::NewIdReplacesOthers) {
            info.mount_ids.clear();
        }
        references::add(&mut info.mount_ids, mount_id);
        if self.parts.defects.has(Mutant::IdsAreASet) {
            info.mount_ids.dedup();
        }
        let added = info.mount_ids.len() > held;
        let answer = answer(info.path.clone());
        let (epoch, holds) = (record.epoch, references::count(&info.mount_ids, mount_id));
        let saved = match self.save(&round.loaded, record).await {
            Ok(Some(saved)) => saved,
            Ok(None) => return Ok(None),
            Err(error) => {
                // The commit may have taken effect, and the caller hears of an error, so it will never let go.
                if added {
                    self.doubt(round.loaded.record.id, Doubt { mount_id: mount_id.to_owned(), epoch, holds });
                }
                return Err(error);
            }
        };
        if let Err(error) = self.journal_mounted(&saved.record).await {
            if added {
                self.drop_again(saved, mount_id).await?;
            }
            return Err(error);
        }
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).remove(&saved.record.id);
        if added {
            self.forget_departed(saved, mount_id, caller).await?;
        }
        Ok(Some(answer))
    }

    /// A caller that left before it could be answered holds nothing: its reference goes again.
    pub(super) async fn forget_departed(
        &self,
        saved: Loaded,
        mount_id: &str,
        caller: &Caller,
    ) -> Result<(), FenceError> {
        if caller.is_waiting() || self.parts.defects.has(Mutant::DepartedCallerHolds) {
            return Ok(());
        }
        let id = saved.record.id;
        if let Some(saved) = self.drop_again(saved, mount_id).await? {
            return self.journal_mounted(&saved.record).await;
        }
        debug!(volume = %id, "the volume was taken over before the reference was dropped");
        Ok(())
    }

    /// Drops one reference of this node, whoever else changes the record meanwhile. `None`: it is not ours any more. What
    /// cannot be dropped now is dropped later.
    async fn drop_again(&self, saved: Loaded, mount_id: &str) -> Result<Option<Loaded>, FenceError> {
        let (id, me) = (saved.record.id, &self.parts.me);
        let holds = references::count(saved.record.references(&me.node, &me.boot), mount_id);
        let doubt = Doubt { mount_id: mount_id.to_owned(), epoch: saved.record.epoch, holds };
        let dropped = self.drop_until_saved(saved, mount_id).await;
        if dropped.is_err() {
            self.doubt(id, doubt);
        }
        dropped
    }

    async fn drop_until_saved(&self, saved: Loaded, mount_id: &str) -> Result<Option<Loaded>, FenceError> {
        let (id, epoch) = (saved.record.id, saved.record.epoch);
        let mut current = Some(saved);
        while let Some(loaded) = current.filter(|loaded| loaded.record.epoch == epoch) {
            let mut record = loaded.record.clone();
            if let Some(info) = record.path_info.get_mut(&self.parts.me.node) {
                references::drop_one(&mut info.mount_ids, mount_id);
            }
            if let Some(saved) = self.save(&loaded, record).await? {
                return Ok(Some(saved));
            }
            current = self.load(id).await?;
        }
        Ok(None)
    }

    /// Remembers a reference that may be in the record though its caller was told that the mount failed.
    pub(super) fn doubt(&self, id: VolumeId, doubt: Doubt) {
        let mut doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        let doubts = doubtful.entry(id).or_default();
        if !doubts.contains(&doubt) {
            doubts.push(doubt);
        }
    }

    pub(super) fn no_doubt(&self, id: VolumeId) {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Drops references whose commit had an unknown outcome: their callers were told that the mount failed.
    pub(super) async fn drop_doubtful(&self, id: VolumeId) -> Result<(), FenceError> {
        let me = &self.parts.me;
        let doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        for Doubt { mount_id, epoch, holds } in doubtful.into_iter().flatten() {
            let Some(loaded) = self.load(id).await? else { break };
            let record = &loaded.record;
            let is_there = references::count(record.references(&me.node, &me.boot), &mount_id) >= holds;
            if record.epoch == epoch && record.is_owned_by(&me.node, &me.boot) && is_there {
                warn!(volume = %record.display_name, mount_id, "dropping the reference of a mount that was answered with an error");
                self.drop_until_saved(loaded, &mount_id).await?;
            }
        }
        self.no_doubt(id);
        Ok(())
    }

    /// The mount vanished, the device is still attached through this epoch's export: prove its identity, mount it again.
    async fn remount(&self, round: &Round) -> Result<(), FenceError> {
        let record = &round.loaded.record;
        let Some(attempt) = record.ownership.stage().and_then(Stage::attempt) else { return Ok(()) };
        info!(volume = %record.display_name, dir = %round.mount_dir.display(), "the mount vanished; mounting the device again");
        let again = match self.attach(record, round, attempt).await {
            Ok((device, _)) => self.parts.node.mount(&device, &round.mount_dir).await.map_err(FenceError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = again {
            warn!(%error, "mounting again failed; taking the device down instead");
            if let Some(device) = &round.local.device {
                // Nothing is mounted, so nothing can be lost by it; a map that queues would never go.
                self.parts.node.fail_queued_io(device).await?;
            }
            self.tear_down(round).await?;
        }
        Ok(())
    }

    /// Writes the takeover into the record and starts its delay timer, in one transaction.
    async fn open_takeover(&self, round: &Round) -> Result<(), FenceError> {
        let mut record = round.loaded.record.clone();
        let policy = &self.backend(&record)?.policy;
        // A record written by other hands may ask for more than any lease lasts.
        let longest = CreateOptions::LONGEST_DELAY.as_secs();
        let delay = record.mount_conflict_delay.unwrap_or(policy.conflict_delay).min(longest);
        let clock = self.parts.store.grant_lease(Duration::from_secs(delay)).await?;
        let permit = self.parts.store.grant_lease(Duration::from_secs(delay) + policy.permit_validity).await?;
        let owner = record
            .ownership
            .owner()
            .map_or_else(|| "an unrecorded exporter".to_owned(), |owner| owner.node.to_string());
        info!(volume = %record.display_name, %owner, epoch = %record.epoch, delay, by = %self.parts.me.node, "takeover opened: waiting for the owner to let go");
        record.takeover =
            Some(Takeover { by: self.parts.me.node.clone(), of_epoch: record.epoch, delay, rest: Rest::default() });
        record.note(&self.parts.me.node, format!("takeover opened, delay {delay} s"));
        let id = record.id;
        let value = self.parts.me.node.as_str().as_bytes().to_vec();
        let put = |key: String, lease| Change::Put { key, value: value.clone(), lease: Some(lease) };
        let with = Transaction {
            guards: vec![Guard::Absent(keys::takeover_clock(id))],
            changes: vec![put(keys::takeover_clock(id), clock), put(keys::takeover_permit(id), permit)],
        };
        if self.save_with(&round.loaded, record, with).await?.is_none() {
            // Somebody was first: their timer counts. Leases without keys end by themselves.
            self.parts.store.revoke_lease(clock).await?;
            self.parts.store.revoke_lease(permit).await?;
        }
        Ok(())
    }

    /// Waits until the record or the delay timer changes, or it is time to look again.
    async fn wait_for_change(&self, round: &Round, deadline: Instant) -> Result<(), FenceError> {
        let id = round.loaded.record.id;
        let Some((_, contest_revision)) = round.contest else { return Ok(()) };
        let mut record = self.parts.store.watch(&keys::volume(id), round.loaded.revision).await?;
        let mut clock = self.parts.store.watch(&keys::takeovers(id), contest_revision).await?;
        let until = deadline.min(Instant::now() + WATCH_DISTRUST);
        let heard = tokio::select! {
            biased;
            event = record.next() => event.is_ok(),
            event = clock.next() => event.is_ok(),
            () = tokio::time::sleep_until(until) => true,
        };
        if !heard {
            // The watch broke: look again soon, but not in a tight loop.
            tokio::time::sleep_until(until.min(Instant::now() + WATCH_BROKEN)).await;
        }
        Ok(())
    }
}

/// Waits a moment before the next look for an export that may still come.
async fn wait_for_late_export(lun: Lun, left: Duration, deadline: Instant) -> Result<(), FenceError> {
    let next = Instant::now() + left.min(LATE_EXPORT_LOOK);
    if next >= deadline {
        return Err(FenceError::ExportOnItsWay { lun, seconds: left.as_secs() + 1 });
    }
    tokio::time::sleep_until(next).await;
    Ok(())
}

/// What to say when the time is up before the volume was claimed.
fn out_of_time(round: &Round, step: &MountStep) -> FenceError {
    let record = &round.loaded.record;
    match (&record.takeover, record.ownership.owner(), step) {
        (Some(takeover), Some(owner), MountStep::Wait) => FenceError::TakeoverInProgress {
            owner: owner.node.to_string(),
            epoch: record.epoch.0,
            delay: takeover.delay,
        },
        _ => FenceError::Deadline { doing: "deciding on the volume" },
    }
}
