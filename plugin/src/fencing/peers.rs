//! The other nodes: which hosts of the array they are, and whether their plugin is alive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::{info, warn};

use super::driver::Driver;
use super::error::FenceError;
use super::mutants::Mutant;
use super::refusal::Refusal;
use crate::array::host_entry::ensure_host;
use crate::array::{Channel, HostName, VlunRow};
use crate::node::{BootId, NodeId, registration};
use crate::store::{Change, Committed, Guard, Transaction, keys};
use crate::volume::record::VolumeRecord;

/// How long an operation waits for another one that looks for this node's host: while the array does not answer, nobody
/// queues for longer, and nobody's Unmount and reconciliation wait behind a queue.
const HOST_PATIENCE: Duration = Duration::from_secs(15);

impl Driver {
    /// This node's host for the volume's backend section: found or made once, then remembered; written down for the other
    /// nodes before the first export, so that they know whose exports they see.
    pub(super) async fn my_host(&self, record: &VolumeRecord) -> Result<HostName, FenceError> {
        let array = &self.backend(record)?.array;
        let cell = self.host_cell(&record.backend);
        let Ok(mut known) = timeout(HOST_PATIENCE, cell.lock()).await else {
            return Err(FenceError::Deadline {
                doing: "waiting for another operation that looks for this node's host on the array",
            });
        };
        if let Some(host) = known.as_ref() {
            return Ok(host.clone());
        }
        let facts = self.parts.node.facts().await?;
        let domain = match &record.cpg {
            Some(cpg) => array.cpg_domain(cpg).await?,
            None => None,
        };
        let host = {
            let refuses_foreign = !self.parts.defects.has(Mutant::SharedHost);
            ensure_host(array.as_ref(), &facts, domain.as_deref(), refuses_foreign).await?
        };
        self.claim_host(array.id(), &host).await?;
        *known = Some(host.clone());
        Ok(host)
    }

    /// One cell per backend section: sections of one array may differ in protocol, and so in host; and an array that does
    /// not answer keeps nobody else waiting.
    fn host_cell(&self, section: &str) -> Arc<tokio::sync::Mutex<Option<HostName>>> {
        Arc::clone(self.hosts.lock().unwrap_or_else(PoisonError::into_inner).entry(section.to_owned()).or_default())
    }

    /// Looks for the host anew at the next use.
    pub(super) fn forget_host(&self, section: &str) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(section);
    }

    /// Writes down which node the host is. Refused while it stands for another node that is alive: the two would see
    /// each other's exports, and fencing one would cut off the other.
    async fn claim_host(&self, array: &str, host: &HostName) -> Result<(), FenceError> {
        let key = keys::host_node(array, host);
        let me = &self.parts.me.node;
        let entry = self.parts.store.get(&key).await?;
        let known = entry.as_ref().and_then(|entry| std::str::from_utf8(&entry.value).ok()).map(NodeId::new);
        if known.as_ref() == Some(me) {
            return Ok(());
        }
        if let Some(other) = &known
            && !self.parts.defects.has(Mutant::SharedHost)
            && registration::is_alive(self.parts.store.as_ref(), other, &BootId::unknown()).await?
        {
            let reason = format!(
                "host {host} of the array stands for node {other}, which is alive; give this node a host name of its own"
            );
            return Err(Refusal::DuplicateIdentity(reason).into());
        }
        info!(%host, node = %me, "this node's host on the array");
        let guard =
            entry.map_or_else(|| Guard::Absent(key.clone()), |entry| Guard::Unchanged(key.clone(), entry.modified));
        let changes = vec![Change::Put { key, value: me.as_str().as_bytes().to_vec(), lease: None }];
        match self.parts.store.commit(Transaction { guards: vec![guard], changes }).await? {
            Committed::Yes(_) => Ok(()),
            Committed::No => Err(FenceError::ChangedMeanwhile { doing: "registering its host on the array" }),
        }
    }

    /// Hosts of the volume's array that are nodes of this cluster.
    pub(super) async fn node_hosts(&self, record: &VolumeRecord) -> Result<BTreeMap<HostName, NodeId>, FenceError> {
        let prefix = keys::host_nodes(self.backend(record)?.array.id());
        let (entries, _) = self.parts.store.list(&prefix).await?;
        Ok(entries
            .iter()
            .filter_map(|entry| {
                let host = entry.key.strip_prefix(&prefix)?.parse().ok()?;
                Some((host, NodeId::new(std::str::from_utf8(&entry.value).ok()?)))
            })
            .collect())
    }

    /// All hosts by which this node may have been exported the volume: as it is known now, as the record was written, and
    /// as the cluster has it.
    pub(super) async fn my_hosts(&self, record: &VolumeRecord) -> Result<BTreeSet<HostName>, FenceError> {
        let me = &self.parts.me.node;
        let mut hosts = BTreeSet::from([self.my_host(record).await?]);
        hosts.extend(record.ownership.owner().filter(|owner| owner.node == *me).and_then(|owner| owner.host.clone()));
        hosts.extend(record.quarantine.get(me).and_then(|lost| lost.host.clone()));
        hosts.extend(self.node_hosts(record).await?.into_iter().filter(|(_, node)| node == me).map(|(host, _)| host));
        Ok(hosts)
    }

    /// The exports of a volume; over the command line when REST does not answer.
    pub(super) async fn read_exports(&self, record: &VolumeRecord) -> Result<Vec<VlunRow>, FenceError> {
        let array = &self.backend(record)?.array;
        let error = match array.exports_of(&record.array_name, Channel::Wsapi).await {
            Ok(rows) => return Ok(rows),
            Err(error) => error,
        };
        if error.is_not_found() {
            // Without the volume there is no export of it.
            return Ok(Vec::new());
        }
        warn!(%error, "reading exports over WSAPI failed; reading over the command line");
        Ok(array.exports_of(&record.array_name, Channel::Cli).await?)
    }

    /// Both channels say that nobody is exported the volume. One channel alone, or an error, is no proof.
    pub(super) async fn is_exported_to_nobody(&self, record: &VolumeRecord) -> Result<bool, FenceError> {
        let array = &self.backend(record)?.array;
        for channel in [Channel::Wsapi, Channel::Cli] {
            match array.exports_of(&record.array_name, channel).await {
                Ok(rows) if rows.is_empty() => {}
                Ok(_) => return Ok(false),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
