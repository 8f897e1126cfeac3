//! From the claim to a validated export: claim, revoke, mark, export, validate.
//!
//! What must never happen here: an export while any other VLUN of the volume is left, a LUN number that an
//! earlier request or a device of this node may still mean, an attach without having read the record again after the export.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::decision::is_ours;
use super::driver::{Driver, Loaded};
use super::error::FenceError;
use super::late_exports::{Number, burn_open_attempt, forget_seen};
use super::mounting::Round;
use super::mutants::Mutant;
use super::refusal::Refusal;
use super::revoking::read_back;
use crate::array::{ArrayError, Channel, Export, ExportTarget, HostName, Lun, VlunRow};
use crate::node::BootId;
use crate::store::{Change, Guard, StoreError, Transaction, keys};
use crate::volume::record::{Attempt, Epoch, Owner, Ownership, Quarantine, Rest, Stage, VolumeRecord};

/// How many exports one Mount tries, each with a number of its own.
const EXPORT_TRIES: usize = 6;
/// How long an array may be too busy to export, and the pause between two tries.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// How many readings of the LUN counter one allotment tries against other volumes' mounts on this node.
const COUNTER_TRIES: usize = 32;

/// A claim that committed: this node owns the volume in this epoch.
pub(super) struct Claimed {
    pub(super) loaded: Loaded,
    pub(super) host: HostName,
    pub(super) epoch: Epoch,
    /// Exports that were listed and removed since the claim.
    pub(super) seen: BTreeSet<Number>,
}

impl Driver {
    /// Becomes owner in a new epoch; whoever loses the volume by it goes into quarantine. `None`: somebody was faster.
    pub(super) async fn claim(
        &self,
        round: &Round,
        ended: &[Owner],
        after_clock: bool,
    ) -> Result<Option<Claimed>, FenceError> {
        let host = self.my_host(&round.loaded.record).await?;
        let me = &self.parts.me;
        let mut record = round.loaded.record.clone();
        let lost_epoch = record.epoch;
        if lost_epoch.0 >= Epoch::MAX_READ {
            return Err(Refusal::EpochsUsedUp { epoch: lost_epoch.0 }.into());
        }
        record.epoch = lost_epoch.next();
        record.takeover = None;
        record.quarantine.remove(&me.node);
        record.forget_unfinished_unmount();
        burn_open_attempt(&mut record, &BTreeSet::new());
        for lost in ended {
            let Owner { node, boot, host, rest: _ } = lost.clone();
            record.path_info.remove(&node);
            record
                .quarantine
                .insert(node, Quarantine { epoch: lost_epoch, boot, host, revoked: false, rest: Rest::default() });
        }
        if record.path_info.get(&me.node).is_some_and(|info| info.boot_id != me.boot) {
            // References of an earlier boot: the containers that held them are gone.
            record.path_info.remove(&me.node);
        }
        let owner = Owner::new(me.node.clone(), me.boot.clone(), Some(host.clone()));
        record.ownership = Ownership::Owned { owner, stage: Stage::Fencing };
        record.note(&me.node, claim_words(ended, record.epoch));
        let epoch = record.epoch;
        let mut with = Transaction::default();
        let id = record.id;
        if after_clock {
            with.guards.push(Guard::Absent(keys::takeover_clock(id)));
        }
        if !self.parts.defects.has(Mutant::StalePermitCounts) {
            with.changes.push(Change::Delete { key: keys::takeover_clock(id) });
            with.changes.push(Change::Delete { key: keys::takeover_permit(id) });
        }
        if !ended.is_empty() {
            let window = self.backend(&record)?.policy.takeover_window;
            let lease = self.parts.store.grant_lease(window).await?;
            with.changes.push(Change::Put {
                key: keys::recent_takeover(id, epoch.0),
                value: me.node.as_str().into(),
                lease: Some(lease),
            });
        }
        info!(volume = %record.display_name, node = %me.node, %epoch, ended = ?ended.iter().map(|e| e.node.as_str()).collect::<Vec<_>>(), "claiming");
        let Some(loaded) = self.save_with(&round.loaded, record, with).await? else { return Ok(None) };
        // What this node remembers is of an earlier epoch; it vouches for nothing any more.
        self.forget_here(id).await?;
        Ok(Some(Claimed { loaded, host, epoch, seen: BTreeSet::new() }))
    }

    /// Revokes all exports of the volume and makes a fresh one to this node. On success the record says
    /// `attaching` with the LUN number that is exported, and that was read back after the export.
    pub(super) async fn fence_and_export(&self, claimed: &mut Claimed) -> Result<Attempt, FenceError> {
        let trusts = self.parts.defects.has(Mutant::RecordAloneSaysFree);
        if !(trusts && claimed.loaded.record.quarantine.is_empty()) {
            self.revoke_all(claimed).await?;
        }
        self.refuse_beside_late_export(claimed).await?;
        let mut skip = BTreeSet::new();
        let mut attempt = self.start_attempt(claimed, &skip).await?;
        for _ in 0..EXPORT_TRIES {
            if self.has_device_at(attempt.lun).await? {
                // A late export of another volume came up here since the number was taken.
                warn!(volume = %claimed.loaded.record.display_name, lun = %attempt.lun, "this node has a device at the LUN number; taking the next one");
                attempt = self.start_attempt(claimed, &skip).await?;
                continue;
            }
            let export = self.export_of(&claimed.loaded.record, &claimed.host, attempt.lun);
            match self.export_when_not_busy(claimed, &export).await? {
                Ok(()) => {
                    self.validate(claimed).await?;
                    return Ok(attempt);
                }
                Err(ArrayError::Exists { message, .. }) => {
                    // Either the number is taken at this host, or the array holds the volume for another host.
                    warn!(volume = %claimed.loaded.record.display_name, lun = %attempt.lun, message, "LUN number or volume is taken; taking the next number");
                    skip.extend(self.backend(&claimed.loaded.record)?.array.luns_of(&claimed.host).await?);
                    self.revoke_all(claimed).await?;
                    attempt = self.start_attempt(claimed, &skip).await?;
                }
                Err(error @ ArrayError::Refused { .. }) => {
                    // A late export of somebody else makes an array with `oneHost` refuse: revoke it and try again.
                    if self.read_exports(&claimed.loaded.record).await?.is_empty() {
                        return Err(error.into());
                    }
                    warn!(volume = %claimed.loaded.record.display_name, lun = %attempt.lun, %error, "an export showed up meanwhile; revoking again");
                    self.revoke_all(claimed).await?;
                    attempt = self.start_attempt(claimed, &skip).await?;
                }
                Err(error) if error.is_unknown() => {
                    warn!(volume = %claimed.loaded.record.display_name, lun = %attempt.lun, %error, "outcome of the export is unknown; its LUN number is burned");
                    if !self.parts.defects.has(Mutant::ReuseLunNumber) {
                        self.burn(claimed, attempt.lun).await?;
                        self.revoke_all(claimed).await?;
                        self.refuse_beside_late_export(claimed).await?;
                        attempt = self.start_attempt(claimed, &skip).await?;
                    }
                }
                Err(error) => {
                    if error.is_not_found() {
                        // The host object may have been removed or renamed: find it anew next time.
                        self.forget_host(&claimed.loaded.record.backend);
                    }
                    return Err(error.into());
                }
            }
        }
        Err(FenceError::NoLunNumber { host: claimed.host.to_string(), tried: EXPORT_TRIES })
    }

    /// The last look before an export: a device of this node at the number would be taken for the volume's.
    async fn has_device_at(&self, lun: Lun) -> Result<bool, FenceError> {
        let looks = !self.parts.defects.has(Mutant::LowestLun);
        Ok(looks && self.parts.node.luns_present().await?.contains(&lun))
    }

    /// Exports, and waits while the array is too busy: it says then that it did nothing, and by now nobody has the volume.
    async fn export_when_not_busy(
        &self,
        claimed: &mut Claimed,
        export: &Export,
    ) -> Result<Result<(), ArrayError>, FenceError> {
        let until = Instant::now() + BUSY_PATIENCE;
        loop {
            match self.backend(&claimed.loaded.record)?.array.export(export).await {
                Err(error @ ArrayError::Busy { .. }) if Instant::now() < until => {
                    warn!(volume = %claimed.loaded.record.display_name, lun = %export.lun, %error, "exporting again in a moment");
                    tokio::time::sleep(BUSY_PAUSE).await;
                    self.refresh(claimed).await?;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    pub(super) fn export_of(&self, record: &VolumeRecord, host: &HostName, lun: Lun) -> Export {
        Export { volume: record.array_name.clone(), lun, to: ExportTarget::Host(host.clone()) }
    }

    /// Writes down that the request for this number may still take effect; back to revoking.
    async fn burn(&self, claimed: &mut Claimed, lun: Lun) -> Result<(), FenceError> {
        let host = claimed.host.clone();
        self.update(claimed, |record| {
            if let Ownership::Owned { owner, .. } = record.ownership.clone() {
                record.burn(&owner.node, &host, lun);
                record
                    .note(&owner.node, format!("outcome of the export as LUN {lun} is unknown; the number is burned"));
                record.ownership = Ownership::Owned { owner, stage: Stage::Fencing };
            }
        })
        .await
    }

    /// Before every export: goes on only if each earlier request of this node was seen to have taken effect, or can do no
    /// harm. The claim itself may have burned the number of an attempt that a dead plugin left open.
    async fn refuse_beside_late_export(&self, claimed: &Claimed) -> Result<(), FenceError> {
        let mut record = claimed.loaded.record.clone();
        forget_seen(&mut record, &claimed.seen);
        match self.request_on_its_way(&record).await? {
            Some((lun, left)) => Err(FenceError::ExportOnItsWay { lun, seconds: left.as_secs() + 1 }),
            None => Ok(()),
        }
    }

    /// Removes every VLUN of the volume and proves it by reading back over the other channel. What the cluster has
    /// proven before (every quarantined node revoked) is not proven again.
    async fn revoke_all(&self, claimed: &mut Claimed) -> Result<(), FenceError> {
        let mut seen = self.see_exports(&claimed.loaded).await?;
        if seen.node_hosts.is_empty() {
            seen.node_hosts = self.node_hosts(&claimed.loaded.record).await?;
        }
        let proven = claimed.loaded.record.quarantine.values().all(|lost| lost.revoked);
        if seen.rows.is_empty() && proven {
            return Ok(());
        }
        if seen.rows.is_empty() {
            let record = &claimed.loaded.record;
            seen.rows = read_back(self.backend(record)?.array.as_ref(), record, Channel::Wsapi).await?;
        }
        let (policy, record) = (&self.backend(&claimed.loaded.record)?.policy, claimed.loaded.record.clone());
        let allowed = |row: &VlunRow| policy.fence_unknown_hosts || is_ours(&record, &seen, row);
        let revoked = self.revoke_rows(claimed, seen.rows.clone(), allowed).await?;
        claimed.seen.extend(revoked.numbers());
        if !revoked.others.is_empty() {
            let rows = revoked.others.iter().map(ToString::to_string).collect();
            return Err(Refusal::ExportedToStrangers { rows }.into());
        }
        tokio::time::sleep(self.backend(&claimed.loaded.record)?.policy.settle_delay).await;
        Ok(())
    }

    /// The next LUN number of the host's counter, written into the record together with the counter. The counter wraps after
    /// [`Lun::MAX`], so what this node can know to be in use is left out: devices here, numbers the array called taken,
    /// numbers burned for this volume, and exports this node remembers.
    async fn start_attempt(&self, claimed: &mut Claimed, skip: &BTreeSet<Lun>) -> Result<Attempt, FenceError> {
        let me = &self.parts.me;
        let array = self.backend(&claimed.loaded.record)?.array.id().to_owned();
        let counter = keys::luns(&array, &claimed.host);
        let mut avoid = self.parts.node.luns_present().await?;
        avoid.extend(skip);
        avoid.extend(claimed.loaded.record.burned_luns.values().flatten().map(|(_, lun)| *lun));
        avoid.extend(self.numbers_of_other_volumes(&claimed.host));
        avoid.extend(self.journal_entries().iter().filter_map(|entry| entry.lun));
        for _ in 0..COUNTER_TRIES {
            let entry = self.parts.store.get(&counter).await?;
            let (next, guard) = match &entry {
                None => (1, Guard::Absent(counter.clone())),
                Some(entry) => {
                    (parse_counter(&counter, &entry.value)?, Guard::Unchanged(counter.clone(), entry.modified))
                }
            };
            let (next, avoid) = if self.parts.defects.has(Mutant::LowestLun) {
                let listed = self.backend(&claimed.loaded.record)?.array.luns_of(&claimed.host).await?;
                (1, listed.into_iter().collect())
            } else {
                (next, avoid.clone())
            };
            let lun = first_free(next, &avoid)
                .ok_or_else(|| FenceError::NoLunNumber { host: claimed.host.to_string(), tried: Lun::MAX as usize })?;
            let attempt = Attempt { lun };
            let mut record = claimed.loaded.record.clone();
            forget_seen(&mut record, &claimed.seen);
            for entry in record.quarantine.values_mut() {
                entry.revoked = true;
            }
            let owner = Owner::new(me.node.clone(), me.boot.clone(), Some(claimed.host.clone()));
            record.ownership = Ownership::Owned { owner, stage: Stage::Attaching(attempt) };
            record.note(&me.node, format!("export to {} as LUN {lun}", claimed.host));
            let with = Transaction {
                guards: vec![guard],
                changes: vec![Change::Put {
                    key: counter.clone(),
                    value: lun.next().to_string().into_bytes(),
                    lease: None,
                }],
            };
            if let Some(saved) = self.save_with(&claimed.loaded, record, with).await? {
                claimed.loaded = saved;
                return Ok(attempt);
            }
            // Either another volume took a number, or the volume is not ours any more.
            self.refresh(claimed).await?;
        }
        Err(FenceError::NoLunNumber { host: claimed.host.to_string(), tried: COUNTER_TRIES })
    }

    /// Numbers at this host that requests for other volumes have used and that may still take effect, as far as this node has
    /// seen their records. The counter's distance alone keeps away those it has not.
    fn numbers_of_other_volumes(&self, host: &HostName) -> BTreeSet<Lun> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().flat_map(|record| numbers_at(record, host)).collect()
    }

    /// Reads the record again after the export: still the owner, in this epoch? Otherwise leave.
    async fn validate(&self, claimed: &mut Claimed) -> Result<(), FenceError> {
        if self.parts.defects.has(Mutant::SkipValidation) {
            return Ok(());
        }
        self.refresh(claimed).await
    }

    /// Reads the record again; an error if this node does not own the volume in the claimed epoch any more.
    pub(super) async fn refresh(&self, claimed: &mut Claimed) -> Result<(), FenceError> {
        let fresh = self.load(claimed.loaded.record.id).await?.ok_or(FenceError::NoSuchVolume)?;
        let me = &self.parts.me;
        if fresh.record.epoch != claimed.epoch || !fresh.record.is_owned_by(&me.node, &me.boot) {
            let owner = fresh.record.ownership.owner().map(|owner| owner.node.clone());
            return Err(FenceError::LostOwnership { owner, epoch: fresh.record.epoch.0 });
        }
        claimed.loaded = fresh;
        Ok(())
    }

    /// How long to pause between two readings of exports that should be gone.
    pub(super) const REVOKE_PAUSE: Duration = Duration::from_millis(500);
}

fn claim_words(ended: &[Owner], epoch: Epoch) -> String {
    if ended.is_empty() {
        return format!("claimed in epoch {epoch}");
    }
    let names: Vec<_> = ended
        .iter()
        .map(|e| format!("{}{}", e.node, if e.boot == BootId::unknown() { " (boot unknown)" } else { "" }))
        .collect();
    format!("claimed in epoch {epoch}, ending {}", names.join(", "))
}

fn parse_counter(key: &str, value: &[u8]) -> Result<u32, FenceError> {
    let text = String::from_utf8_lossy(value);
    text.trim().parse().map_err(|_| {
        StoreError::Refused { operation: format!("reading {key}"), reason: format!("'{text}' is no LUN number") }.into()
    })
}

/// The LUN numbers at a host that a record has burned or is exporting by.
fn numbers_at(record: &VolumeRecord, host: &HostName) -> BTreeSet<Lun> {
    let burned = record.burned_luns.values().flatten().filter(|(at, _)| at == host).map(|(_, lun)| *lun);
    let attempted = match &record.ownership {
        Ownership::Owned { owner, stage: Stage::Attaching(attempt) } if owner.host.as_ref() == Some(host) => {
            Some(attempt.lun)
        }
        _ => None,
    };
    burned.chain(attempted).collect()
}

/// The first number from `next` on, wrapping once, that may be handed out.
fn first_free(next: u32, avoid: &BTreeSet<Lun>) -> Option<Lun> {
    let mut lun = Lun::try_from(next).or_else(|_| Lun::try_from(1)).ok()?;
    for _ in 0..=Lun::MAX {
        if lun.is_free_for_exports() && !avoid.contains(&lun) {
            return Some(lun);
        }
        lun = lun.next();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_never_reserved_never_avoided_and_wrap(next in 0u32..20_000, avoid in proptest::collection::btree_set(0u32..16_384, 0..200)) {
            let avoid: BTreeSet<Lun> = avoid.into_iter().filter_map(|n| Lun::try_from(n).ok()).collect();
            let lun = first_free(next, &avoid).unwrap();
            prop_assert!(lun.is_free_for_exports() && !avoid.contains(&lun));
            if next <= Lun::MAX && lun.number() >= next {
                let between = (next..lun.number()).filter_map(|n| Lun::try_from(n).ok());
                prop_assert!(between.into_iter().all(|n| avoid.contains(&n) || !n.is_free_for_exports()));
            }
        }
    }

    #[test]
    fn a_full_range_gives_no_number() {
        let all: BTreeSet<Lun> = (0..=Lun::MAX).filter_map(|n| Lun::try_from(n).ok()).collect();
        assert_eq!(first_free(7, &all), None);
    }
}
