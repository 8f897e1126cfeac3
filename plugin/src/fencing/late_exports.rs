//! Export requests whose outcome is unknown: they may still take effect, late.
//!
//! Such a request burns its LUN number. Burned numbers are looked for and removed by their exact address, at
//! reconciliation and before a Remove. A node whose kernel scans new LUNs by itself goes further: it does not export
//! and attach while an earlier request of its own may still take effect, for that late path would bring a map it lost
//! back to life after the fence. See `docs/model.md`, "The late export".

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::driver::{Driver, Loaded};
use super::error::FenceError;
use super::mutants::Mutant;
use super::refusal::Refusal;
use super::revoking::remove_one;
use crate::array::{Channel, Export, HostName, Lun, VlunRow};
use crate::volume::names::VolumeId;
use crate::volume::record::{Owner, Ownership, Stage, VolumeRecord};

/// A host and a LUN number at it.
pub(super) type Number = (HostName, Lun);

impl Driver {
    /// For Remove: takes away late exports of given-up requests by their exact address, and what is left of this node's
    /// own if nothing of the volume is on it; refuses while anything else is exported. One pass, never a loop: a node
    /// that mounts the volume meanwhile is not touched.
    ///
    /// # Errors
    /// [`Refusal::StillExported`] names what is exported.
    pub async fn refuse_exports(&self, record: &VolumeRecord) -> Result<(), FenceError> {
        let rows = self.read_exports(record).await?;
        let mut removable: BTreeSet<(HostName, Lun)> = record.burned_luns.values().flatten().cloned().collect();
        if !rows.is_empty() && self.parts.node.inspect(&self.wwn_of(&mut record.clone()).await?).await?.is_clean() {
            let host = self.my_host(record).await?;
            removable.extend(rows.iter().filter(|row| row.host() == Some(&host)).map(|row| (host.clone(), row.lun())));
        }
        for export in late(&rows, &removable, None) {
            remove_one(self.backend(record)?.array.as_ref(), &export, Channel::Wsapi).await?;
        }
        let left: Vec<String> = self.read_exports(record).await?.iter().map(ToString::to_string).collect();
        if left.is_empty() { Ok(()) } else { Err(Refusal::StillExported { rows: left }.into()) }
    }

    /// Removes exports that took effect after their request was given up, by their exact address, and forgets this
    /// node's own numbers that have shown up so or are older than any request can get.
    pub(super) async fn remove_late_exports(&self, id: VolumeId) -> Result<(), FenceError> {
        let Some(loaded) = self.load(id).await? else { return Ok(()) };
        let me = &self.parts.me;
        let record = &loaded.record;
        let owned = record.is_owned_by(&me.node, &me.boot);
        let burned: BTreeSet<Number> = record
            .burned_luns
            .iter()
            .filter(|(node, _)| owned || **node == me.node)
            .flat_map(|(_, luns)| luns.clone())
            .collect();
        self.forget_burned_times(id, &burned);
        if burned.is_empty() {
            return Ok(());
        }
        let backend = self.backend(record)?;
        let current = export_in_force(record);
        // Age first, then the look: what takes effect in between is seen.
        let mut aged = self.older_than(id, &burned, backend.policy.burned_watch);
        let rows = self.read_exports(record).await?;
        // What is listed is no request that never came.
        aged.retain(|(host, lun)| !rows.iter().any(|row| row.host() == Some(host) && row.lun() == *lun));
        let found = late(&rows, &burned, current.as_ref());
        for export in &found {
            info!(?export, "removing an export that took effect late");
            remove_one(backend.array.as_ref(), export, Channel::Wsapi).await?;
        }
        let mut seen = BTreeSet::new();
        if !found.is_empty() {
            let left = self.read_exports(record).await?;
            let still = late(&left, &burned, current.as_ref());
            let numbers = |exports: &[Export]| -> BTreeSet<Number> {
                exports.iter().filter_map(|export| Some((export.to.host()?.clone(), export.lun))).collect()
            };
            seen = numbers(&found).difference(&numbers(&still)).cloned().collect();
        }
        self.forget_numbers(&loaded, &seen, &aged).await
    }

    /// Forgets what was seen and is gone, and by age only this node's own: another node may sleep between decision and
    /// request for longer than any watch.
    async fn forget_numbers(
        &self,
        loaded: &Loaded,
        seen: &BTreeSet<Number>,
        aged: &BTreeSet<Number>,
    ) -> Result<(), FenceError> {
        let mut record = loaded.record.clone();
        forget_seen(&mut record, seen);
        if let Some(luns) = record.burned_luns.get_mut(&self.parts.me.node) {
            luns.retain(|burned| !aged.contains(burned));
        }
        record.burned_luns.retain(|_, luns| !luns.is_empty());
        if record.burned_luns != loaded.record.burned_luns {
            // Not committed: somebody changed the record, and the next look forgets them.
            self.save(loaded, record).await?;
        }
        Ok(())
    }

    /// An earlier export request of this node that may still take effect and must not, because this kernel would find
    /// the LUN by itself: its number and how long until it is too old to come.
    pub(super) async fn request_on_its_way(
        &self,
        record: &VolumeRecord,
    ) -> Result<Option<(Lun, Duration)>, FenceError> {
        let own = record.burned_luns.get(&self.parts.me.node).into_iter().flatten().cloned().collect::<BTreeSet<_>>();
        let ignores = self.parts.defects.has(Mutant::MountBesideLateExport);
        if own.is_empty() || ignores || !self.parts.node.finds_luns_by_itself().await? {
            return Ok(None);
        }
        let watch = self.backend(record)?.policy.burned_watch;
        let mut since = self.burned_since.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |number: &Number| {
            let age = since.entry((record.id, number.clone())).or_insert_with(Instant::now).elapsed();
            watch.checked_sub(age).filter(|left| !left.is_zero())
        };
        let youngest = own.iter().map(left).zip(&own).max_by_key(|(left, _)| *left);
        Ok(youngest.and_then(|(left, (_, lun))| Some((*lun, left?))))
    }

    /// Numbers this process has known for longer than `watch`.
    fn older_than(&self, id: VolumeId, burned: &BTreeSet<Number>, watch: Duration) -> BTreeSet<Number> {
        let mut since = self.burned_since.lock().unwrap_or_else(PoisonError::into_inner);
        burned
            .iter()
            .filter(|burned| since.entry((id, (*burned).clone())).or_insert_with(Instant::now).elapsed() >= watch)
            .cloned()
            .collect()
    }

    fn forget_burned_times(&self, id: VolumeId, burned: &BTreeSet<Number>) {
        let mut since = self.burned_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.retain(|(volume, known), _| *volume != id || burned.contains(known));
    }
}

/// An owner that did not get beyond its export may still have the request on its way: its number stays known, unless
/// it is among `seen`, the numbers that were listed and removed.
pub(super) fn burn_open_attempt(record: &mut VolumeRecord, seen: &BTreeSet<Number>) {
    if let Ownership::Owned { owner: Owner { node, host: Some(host), .. }, stage: Stage::Attaching(attempt) } =
        record.ownership.clone()
        && !seen.contains(&(host.clone(), attempt.lun))
    {
        record.burn(&node, &host, attempt.lun);
    }
}

/// Forgets numbers whose exports were listed and are gone: until the counter has wrapped a number is of one request, so
/// nothing of it is on its way any more.
pub(super) fn forget_seen(record: &mut VolumeRecord, seen: &BTreeSet<Number>) {
    for luns in record.burned_luns.values_mut() {
        luns.retain(|burned| !seen.contains(burned));
    }
    record.burned_luns.retain(|_, luns| !luns.is_empty());
}

/// Host and LUN number of the owner's export.
fn export_in_force(record: &VolumeRecord) -> Option<Number> {
    let host = record.ownership.owner()?.host.clone()?;
    Some((host, record.ownership.stage().and_then(Stage::attempt)?.lun))
}

/// Templates that are known to come from requests given up, except the export in force.
fn late(rows: &[VlunRow], burned: &BTreeSet<Number>, current: Option<&Number>) -> Vec<Export> {
    rows.iter()
        .filter_map(|row| match row {
            VlunRow::Template(export) => Some(export),
            VlunRow::Active { .. } => None,
        })
        .filter(|export| {
            // Each host counts its own LUN numbers: the same number at another host is another export.
            let number = export.to.host().map(|host| (host.clone(), export.lun));
            number.is_some_and(|number| current != Some(&number) && burned.contains(&number))
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ExportTarget;
    use crate::node::{BootId, NodeId};
    use crate::volume::names::{ArrayVolumeName, VolumeName};
    use crate::volume::record::Attempt;

    fn number(host: &str, lun: u32) -> Number {
        (host.parse().unwrap(), Lun::try_from(lun).unwrap())
    }

    fn attaching() -> VolumeRecord {
        let mut record = VolumeRecord::new(VolumeId(uuid::Uuid::from_u128(7)), VolumeName::of_existing("db").unwrap());
        let (host, lun) = number("host-a", 5);
        let owner = Owner::new(NodeId::new("a"), BootId::new("boot1"), Some(host));
        record.ownership = Ownership::Owned { owner, stage: Stage::Attaching(Attempt { lun }) };
        record
    }

    #[test]
    fn an_open_attempt_is_burned_unless_its_export_was_seen() {
        let mut record = attaching();
        burn_open_attempt(&mut record, &[number("host-a", 5)].into());
        assert!(record.burned_luns.is_empty());
        burn_open_attempt(&mut record, &[number("host-b", 5), number("host-a", 6)].into());
        assert_eq!(record.burned_luns[&NodeId::new("a")], [number("host-a", 5)]);
        forget_seen(&mut record, &[number("host-a", 6)].into());
        assert_eq!(record.burned_luns.len(), 1, "another number's export proves nothing");
        forget_seen(&mut record, &[number("host-a", 5)].into());
        assert!(record.burned_luns.is_empty());
    }

    #[test]
    fn one_number_of_two_hosts_is_two_burned_numbers() {
        let mut record = attaching();
        let node = NodeId::new("a");
        for (host, lun) in [number("host-a", 5), number("host-b", 5), number("host-a", 5)] {
            record.burn(&node, &host, lun);
        }
        assert_eq!(record.burned_luns[&node], [number("host-b", 5), number("host-a", 5)]);
    }

    #[test]
    fn late_are_burned_templates_other_than_the_export_in_force() {
        let volume = ArrayVolumeName::for_volume(VolumeId(uuid::Uuid::from_u128(7)));
        let export = |(host, lun): Number| Export { volume: volume.clone(), lun, to: ExportTarget::Host(host) };
        let rows = [("host-a", 5), ("host-a", 6), ("host-b", 5)]
            .map(|(host, lun)| VlunRow::Template(export(number(host, lun))));
        let burned = [number("host-a", 5), number("host-a", 6)].into();
        assert_eq!(late(&rows, &burned, Some(&number("host-a", 6))), [export(number("host-a", 5))]);
        let all = [export(number("host-a", 5)), export(number("host-a", 6))];
        assert_eq!(late(&rows, &burned, Some(&number("host-b", 6))), all, "another host's number hides nothing");
    }
}
