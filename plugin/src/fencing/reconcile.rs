//! Bringing node, array and record back in line without anybody asking.
//!
//! Runs at start, on every change the store's watch reports, and at an interval, so that a crash at any step, a
//! fence this node slept through, or a late export heals by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::decision::Me;
use super::driver::{Driver, Loaded};
use super::error::FenceError;
use super::mutants::Mutant;
use super::refusal::Refusal;
use crate::node::{BootId, LocalTruth};
use crate::store::journal::JournalEntry;
use crate::store::{Revision, WatchEvent, keys};
use crate::volume::names::VolumeId;
use crate::volume::record::{Stage, VolumeRecord};

/// Pause after the store could not be read or watched.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// What reconciliation does with one volume on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileStep {
    /// All is as it should be.
    Nothing,
    /// An attempt or release of this node was interrupted, or the node rebooted: take down what is left and free.
    FinishRelease,
    /// Mounted here without a reference: the caller had gone. Released after a while.
    Unclaimed,
    /// Not ours: get it off this node, then out of quarantine.
    Leave,
    /// Not ours and nothing is left here: out of quarantine.
    ClearQuarantine,
}

/// What reconciliation does, from record, kernel and journal.
#[must_use]
pub fn next_reconcile_step(
    record: &VolumeRecord,
    me: &Me,
    local: &LocalTruth,
    journal: Option<&JournalEntry>,
) -> ReconcileStep {
    if let Some(owner) = record.ownership.owner().filter(|owner| owner.node == me.node) {
        if owner.boot == BootId::unknown() && !local.is_clean() {
            // Mounted by the earlier plugin: the next Mount adopts it.
            return ReconcileStep::Nothing;
        }
        let complete = matches!(record.ownership.stage(), Some(Stage::Mounted(_)));
        if owner.boot != me.boot || !complete {
            return ReconcileStep::FinishRelease;
        }
        let unclaimed = record.references(&me.node, &me.boot).is_empty();
        return if unclaimed { ReconcileStep::Unclaimed } else { ReconcileStep::Nothing };
    }
    let lost = record.quarantine.contains_key(&me.node);
    if local.is_clean() {
        return if lost { ReconcileStep::ClearQuarantine } else { ReconcileStep::Nothing };
    }
    // A mount this plugin did not make is nobody's to take down.
    if lost || journal.is_some() || local.mounted_at.is_empty() { ReconcileStep::Leave } else { ReconcileStep::Nothing }
}

impl Driver {
    /// Reconciles for ever. Ends only with the task it runs in. What was begun goes on when the watch breaks: a step
    /// that is half done must not lose the guard of its volume.
    pub async fn run_reconcile(self: Arc<Self>) {
        let mut running = FuturesUnordered::new();
        loop {
            if let Err(error) = self.reconcile_until_watch_breaks(&mut running).await {
                if matches!(error, FenceError::Store(_)) {
                    self.store_away.store(true, Ordering::Relaxed);
                }
                debug!(node = %self.parts.me.node, %error, "reconciliation starts over");
            }
            let pause = Instant::now() + STORE_AWAY;
            loop {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(pause) => break,
                    Some(()) = running.next(), if !running.is_empty() => {}
                }
            }
        }
    }

    /// Lists everything, then follows the watch; looks at everything again at the interval.
    async fn reconcile_until_watch_breaks<'d>(
        &'d self,
        running: &mut FuturesUnordered<BoxFuture<'d, ()>>,
    ) -> Result<(), FenceError> {
        let interval = self.parts.backends.values().map(|b| b.policy.reconcile_interval).min();
        let interval = interval.unwrap_or(Duration::from_secs(15));
        let (concerned, revision) = self.look_at_all().await?;
        running.extend(concerned.into_iter().map(|id| self.reconcile_logged(id).boxed()));
        let mut watch = self.parts.store.watch(keys::VOLUMES, revision).await?;
        let mut next_round = Instant::now() + interval;
        loop {
            tokio::select! {
                biased;
                event = watch.next() => if let Some(id) = self.hear(event?) { running.push(self.reconcile_logged(id).boxed()) },
                Some(()) = running.next(), if !running.is_empty() => {}
                () = tokio::time::sleep_until(next_round) => {
                    let (concerned, _) = self.look_at_all().await?;
                    running.extend(concerned.into_iter().map(|id| self.reconcile_logged(id).boxed()));
                    next_round = Instant::now() + interval;
                }
            }
        }
    }

    /// Reads all records and names the volumes that concern this node.
    async fn look_at_all(&self) -> Result<(Vec<VolumeId>, Revision), FenceError> {
        let mut concerned = Vec::new();
        let (entries, revision) = self.parts.store.list(keys::VOLUMES).await?;
        let present = self.parts.node.volumes_present().await.unwrap_or_else(|error| {
            warn!(%error, "looking at this node's devices failed; going by the records alone");
            BTreeSet::new()
        });
        let mut seen = BTreeMap::new();
        for entry in entries {
            match VolumeRecord::from_json(&entry.key, &entry.value) {
                Ok(record) => {
                    let here = record.wwn.as_ref().is_some_and(|wwn| present.contains(wwn));
                    if here || self.concerns_me(&record) {
                        concerned.push(record.id);
                    }
                    self.remember_epoch(&record);
                    seen.insert(record.id, record);
                }
                Err(error) => warn!(%error, "a volume record cannot be read; leaving it alone"),
            }
        }
        for entry in self.journal_entries() {
            if !seen.contains_key(&entry.id) {
                concerned.push(entry.id);
            }
        }
        self.forget_epochs_but(&seen);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        self.store_away.store(false, Ordering::Relaxed);
        self.store_seen.store(true, Ordering::Relaxed);
        Ok((concerned, revision))
    }

    /// Takes a change into the cache; names the volume if it concerns this node.
    fn hear(&self, event: WatchEvent) -> Option<VolumeId> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            WatchEvent::Put(entry) => {
                let record = VolumeRecord::from_json(&entry.key, &entry.value).ok()?;
                let id = record.id;
                let concerned = self.concerns_me(&record);
                self.remember_epoch(&record);
                seen.insert(id, record);
                concerned.then_some(id)
            }
            WatchEvent::Deleted { key, .. } => {
                let id = key.strip_prefix(keys::VOLUMES)?.parse().ok()?;
                seen.remove(&id);
                self.forget_epoch(id);
                self.journal_entry(id).map(|_| id)
            }
        }
    }

    fn concerns_me(&self, record: &VolumeRecord) -> bool {
        let me = &self.parts.me.node;
        record.ownership.owner().is_some_and(|owner| owner.node == *me)
            || record.quarantine.contains_key(me)
            || record.burned_luns.contains_key(me)
            || self.journal_entry(record.id).is_some()
    }

    /// A defect that shows in one volume must not end the reconciliation of the others.
    async fn reconcile_logged(&self, id: VolumeId) {
        let Ok(outcome) = AssertUnwindSafe(self.reconcile(id)).catch_unwind().await else {
            error!(volume = %id, node = %self.parts.me.node, "reconciliation of the volume panicked; this is a defect of the plugin; trying again later");
            return;
        };
        if let Err(error) = outcome {
            warn!(volume = %id, node = %self.parts.me.node, %error, "reconciliation of the volume is not complete; trying again later");
        }
    }

    /// Reconciles one volume on this node. Does nothing while an operation of this process works on it.
    ///
    /// # Errors
    /// What is left is tried again at the next round.
    pub async fn reconcile(&self, id: VolumeId) -> Result<(), FenceError> {
        if self.alarm.reason().is_some() {
            // Another machine uses this node's identity: what the record says of "this node" may be meant for it.
            return Ok(());
        }
        let Some(_guard) = self.try_volume_guard(id) else { return Ok(()) };
        self.drop_doubtful(id).await?;
        let Some(loaded) = self.load(id).await? else { return self.record_is_gone(id).await };
        if self.journal_entry(id).is_some_and(|entry| entry.released || entry.ahead_of_store) {
            self.tell_store(loaded).await?;
        }
        let Some(mut loaded) = self.load(id).await? else { return self.record_is_gone(id).await };
        let wwn = match &loaded.record.wwn {
            Some(wwn) => wwn.clone(),
            None if self.concerns_me(&loaded.record) => self.wwn_of(&mut loaded.record).await?,
            None => return Ok(()),
        };
        let local = self.inspect(id, &wwn).await?;
        let journal = self.journal_entry(id);
        self.refuse_older_store(&loaded.record)?;
        let step = next_reconcile_step(&loaded.record, &self.parts.me, &local, journal.as_ref());
        debug!(volume = %id, node = %self.parts.me.node, epoch = %loaded.record.epoch, ?step, "reconcile step");
        if step != ReconcileStep::FinishRelease {
            self.stuck.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
        if step != ReconcileStep::Unclaimed {
            self.unclaimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
        match step {
            ReconcileStep::Nothing => {}
            ReconcileStep::FinishRelease if self.parts.defects.has(Mutant::FailedMountsStay) => {}
            ReconcileStep::FinishRelease => self.release(loaded.clone()).await?,
            ReconcileStep::Unclaimed => self.release_if_unclaimed(&loaded).await?,
            ReconcileStep::Leave | ReconcileStep::ClearQuarantine => {
                self.leave(&loaded).await?;
                self.forget_here(id).await?;
                self.clear_quarantine(loaded.clone()).await?;
            }
        }
        self.remove_late_exports(id).await
    }

    /// The record was deleted: nothing of the volume may stay on this node. Unless the array still exports it here: then
    /// it is the store that lost something, and what runs is left alone.
    async fn record_is_gone(&self, id: VolumeId) -> Result<(), FenceError> {
        let Some(entry) = self.journal_entry(id) else { return Ok(()) };
        let local = self.parts.node.inspect(&entry.wwn).await?;
        if !local.is_clean() {
            let mut record = VolumeRecord::new(id, entry.name.clone());
            record.backend.clone_from(&entry.backend);
            record.array_name.clone_from(&entry.array_name);
            if !local.mounted_at.is_empty() && !self.is_exported_to_nobody(&record).await? {
                return Err(Refusal::StoreIsOlder { remembered: entry.epoch.0, stored: 0 }.into());
            }
            self.drop_fenced(&record, &entry.wwn, &local).await?;
        }
        self.forget_here(id).await
    }

    /// Lets go of a mount whose caller had gone and did not come back.
    async fn release_if_unclaimed(&self, loaded: &Loaded) -> Result<(), FenceError> {
        let id = loaded.record.id;
        let hold = self.backend(&loaded.record)?.policy.unclaimed_hold;
        let since =
            *self.unclaimed.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert_with(Instant::now);
        if since.elapsed() < hold {
            return Ok(());
        }
        info!(volume = %loaded.record.display_name, node = %self.parts.me.node, "mounted without any reference for too long: releasing");
        self.unclaimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        match self.start_release(loaded, "").await? {
            Some(releasing) => self.release(releasing).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
