//! Removal of exports, proven by reading back over the channel the removal did not use.

use std::collections::BTreeSet;

use tokio::time::Instant;
use tracing::{info, warn};

use super::claiming::Claimed;
use super::driver::Driver;
use super::error::FenceError;
use super::mutants::Mutant;
use crate::array::{Array, ArrayError, Channel, Export, HostName, Lun, VlunRow};
use crate::volume::record::{Stage, VolumeRecord};

impl Driver {
    /// Removes these exports of a volume, and everything of it that shows up meanwhile, until none is left.
    ///
    /// Rows are listed first, then ownership is confirmed, then they are removed by their exact address: a node that
    /// slept anywhere in between can only hit exports that were made before its own epoch ended.
    pub(super) async fn revoke_rows(
        &self,
        claimed: &mut Claimed,
        rows: Vec<VlunRow>,
        allowed: impl Fn(&VlunRow) -> bool + Send + Sync,
    ) -> Result<Revoked, FenceError> {
        let record = claimed.loaded.record.clone();
        let patience = self.backend(&record)?.policy.revoke_patience;
        self.remove_until(&record, rows, Channel::Cli, patience, allowed, Some(claimed)).await
    }

    /// Removes this node's own exports of a volume, REST first, and proves that none is left.
    pub(super) async fn remove_own_exports(&self, record: &VolumeRecord) -> Result<Revoked, FenceError> {
        let mut rows = self.read_exports(record).await?;
        if rows.is_empty() && record.ownership.stage().and_then(Stage::attempt).is_some() {
            // There was an export: one channel alone is not believed that it is gone.
            rows = read_back(self.backend(record)?.array.as_ref(), record, Channel::Wsapi).await?;
        }
        let mut hosts = BTreeSet::from([self.my_host(record).await?]);
        let foreign = |hosts: &BTreeSet<HostName>, rows: &[VlunRow]| {
            rows.iter().any(|row| row.host().is_none_or(|host| !hosts.contains(host)))
        };
        if foreign(&hosts, &rows) {
            hosts = self.my_hosts(record).await?;
        }
        if foreign(&hosts, &rows) {
            // Perhaps an administrator renamed this node's host: the array is asked again whose initiators are whose.
            self.forget_host(&record.backend);
            hosts.insert(self.my_host(record).await?);
        }
        let patience = self.backend(record)?.policy.revoke_patience;
        let mine = |row: &VlunRow| row.host().is_some_and(|host| hosts.contains(host));
        self.remove_until(record, rows, Channel::Wsapi, patience, mine, None).await
    }

    /// What the mutant does that revokes before it claims.
    pub(super) async fn revoke_unclaimed(&self, record: &VolumeRecord) -> Result<(), FenceError> {
        let rows = self.read_exports(record).await?;
        let patience = self.backend(record)?.policy.revoke_patience;
        self.remove_until(record, rows, Channel::Cli, patience, |_| true, None).await?;
        Ok(())
    }

    /// Removes the chosen rows over `first`, falling back to the other channel, and reads back over the channel
    /// that was not used for the removal, until no chosen row is left or `patience` is over. Rows that are still
    /// listed although their removal was accepted are removed over the other channel in the next round. With `claimed`,
    /// every round first confirms that this node still owns the volume in that epoch.
    async fn remove_until(
        &self,
        record: &VolumeRecord,
        rows: Vec<VlunRow>,
        first: Channel,
        patience: std::time::Duration,
        chosen: impl Fn(&VlunRow) -> bool + Send + Sync,
        mut claimed: Option<&mut Claimed>,
    ) -> Result<Revoked, FenceError> {
        let array = self.backend(record)?.array.as_ref();
        let until = Instant::now() + patience;
        let mut channel = first;
        let (mut rows, mut others): (Vec<VlunRow>, Vec<VlunRow>) = rows.into_iter().partition(&chosen);
        if self.parts.defects.has(Mutant::RevokeFirstHostOnly) {
            let first = rows.first().and_then(|row| row.host().cloned());
            rows.retain(|row| row.host() == first.as_ref());
        }
        if self.parts.defects.has(Mutant::RevokeNeedsPort) {
            rows.retain(|row| !matches!(row, VlunRow::Template(export) if export.to.host().is_some()));
        }
        let mut removed = BTreeSet::new();
        while !rows.is_empty() {
            if let Some(claimed) = claimed.as_deref_mut() {
                self.refresh(claimed).await?;
            }
            let templates: BTreeSet<Export> = rows
                .iter()
                .filter_map(|row| match row {
                    VlunRow::Template(export) => Some(export.clone()),
                    VlunRow::Active { .. } => None,
                })
                .collect();
            let mut used = channel;
            for export in &templates {
                used = remove_one(array, export, channel).await?;
            }
            removed.extend(templates);
            if self.parts.defects.has(Mutant::SkipReadBack) {
                return Ok(Revoked { removed, others });
            }
            if self.parts.defects.has(Mutant::RevokeFirstHostOnly) || self.parts.defects.has(Mutant::RevokeNeedsPort) {
                return Ok(Revoked { removed, others });
            }
            (rows, others) = read_back(array, record, used).await?.into_iter().partition(&chosen);
            if rows.is_empty() {
                break;
            }
            if Instant::now() >= until {
                return Err(FenceError::NotRevoked { left: list(&rows) });
            }
            tokio::time::sleep(Self::REVOKE_PAUSE).await;
            channel = used.other();
        }
        Ok(Revoked { removed, others })
    }
}

/// What a revocation came to.
pub(super) struct Revoked {
    /// Exports that were listed, so that their requests had taken effect, and are gone.
    pub(super) removed: BTreeSet<Export>,
    /// Rows that were left alone because they were not chosen.
    pub(super) others: Vec<VlunRow>,
}

impl Revoked {
    /// Host and LUN number of each export that is gone.
    pub(super) fn numbers(&self) -> BTreeSet<(HostName, Lun)> {
        self.removed.iter().filter_map(|export| Some((export.to.host()?.clone(), export.lun))).collect()
    }
}

/// Removes one export. A channel that cannot or does not say what it did is followed by the other channel; only
/// the reading back decides. Returns the channel whose removal was the last that may have had an effect.
pub(super) async fn remove_one(array: &dyn Array, export: &Export, first: Channel) -> Result<Channel, FenceError> {
    info!(?export, ?first, "removing export");
    let error = match array.unexport(export, first).await {
        Ok(()) => return Ok(first),
        Err(error) if error.is_not_found() => return Ok(first),
        Err(error) => error,
    };
    warn!(?export, %error, "removal over the first channel failed or is unknown; using the other");
    match array.unexport(export, first.other()).await {
        Ok(()) => Ok(first.other()),
        Err(second) if second.is_not_found() => Ok(first.other()),
        Err(second) => Err(worse(error, second).into()),
    }
}

/// Reads the exports over the channel that was not used; if that is away, over the used one, which then has to
/// answer for itself: one management channel alone may still complete a takeover.
pub(super) async fn read_back(
    array: &dyn Array,
    record: &VolumeRecord,
    used: Channel,
) -> Result<Vec<VlunRow>, FenceError> {
    match array.exports_of(&record.array_name, used.other()).await {
        Ok(rows) => Ok(rows),
        Err(error) => {
            warn!(%error, "reading back over the other channel failed; reading over the same one");
            Ok(array.exports_of(&record.array_name, used).await?)
        }
    }
}

/// The error that tells more: an unknown outcome outranks a refusal.
fn worse(first: ArrayError, second: ArrayError) -> ArrayError {
    if second.is_unknown() { second } else { first }
}

fn list(rows: &[VlunRow]) -> String {
    let words: BTreeSet<String> = rows.iter().map(ToString::to_string).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}
