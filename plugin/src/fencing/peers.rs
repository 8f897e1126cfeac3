//! The other nodes: which hosts of the array they are, and whether their plugin is alive.

use std::collections::BTreeMap;

use tracing::{info, warn};

use super::driver::Driver;
use super::error::FenceError;
use crate::array::host_entry::ensure_host;
use crate::array::{Channel, HostName, VlunRow};
use crate::node::{BootId, NodeId};
use crate::store::{Change, Transaction, keys};
use crate::volume::record::VolumeRecord;

impl Driver {
    /// This node's host on the volume's array: found or made once, then remembered; written down for the other
    /// nodes before the first export, so that they know whose exports they see.
    pub(super) async fn my_host(&self, record: &VolumeRecord) -> Result<HostName, FenceError> {
        let array = &self.backend(record)?.array;
        let mut hosts = self.hosts.lock().await;
        if let Some(host) = hosts.get(array.id()) {
            return Ok(host.clone());
        }
        let facts = self.parts.node.facts().await?;
        let domain = match &record.cpg {
            Some(cpg) => array.cpg_domain(cpg).await?,
            None => None,
        };
        let host = ensure_host(array.as_ref(), &facts, domain.as_deref()).await?;
        let key = keys::host_node(array.id(), &host);
        let value = self.parts.me.node.as_str().as_bytes().to_vec();
        if self.parts.store.get(&key).await?.is_none_or(|entry| entry.value != value) {
            info!(%host, node = %self.parts.me.node, "this node's host on the array");
            let changes = vec![Change::Put { key, value, lease: None }];
            self.parts.store.commit(Transaction { guards: Vec::new(), changes }).await?;
        }
        hosts.insert(array.id().to_owned(), host.clone());
        Ok(host)
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

    /// The node's plugin keeps its registration alive in this boot.
    pub(super) async fn is_alive(&self, node: &NodeId, boot: &BootId) -> Result<bool, FenceError> {
        let Some(entry) = self.parts.store.get(&keys::node(node)).await? else { return Ok(false) };
        let registered: serde_json::Value = serde_json::from_slice(&entry.value).unwrap_or_default();
        let registered_boot = registered.get("boot_id").and_then(serde_json::Value::as_str).unwrap_or_default();
        Ok(*boot == BootId::unknown() || registered_boot == boot.as_str())
    }

    /// The exports of a volume; over the command line when REST does not answer.
    pub(super) async fn read_exports(&self, record: &VolumeRecord) -> Result<Vec<VlunRow>, FenceError> {
        let array = &self.backend(record)?.array;
        match array.exports_of(&record.array_name, Channel::Wsapi).await {
            Ok(rows) => Ok(rows),
            Err(error) => {
                warn!(%error, "reading exports over WSAPI failed; reading over the command line");
                Ok(array.exports_of(&record.array_name, Channel::Cli).await?)
            }
        }
    }
}
