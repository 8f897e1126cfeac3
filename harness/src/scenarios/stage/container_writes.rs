//! What the applications in the containers do: append, fsync, read.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::timeout;

use super::{Container, Stage};
use crate::scenarios::holder::Holder;

/// How long a write may take before the application gives up on it.
const WRITE: Duration = Duration::from_secs(8);

impl Stage {
    /// Appends records and flushes them; every one must be acknowledged.
    ///
    /// # Errors
    /// When a write or its flush fails.
    pub async fn write(&mut self, holder: &Holder, count: usize) -> Result<()> {
        let container = self.container(holder)?.clone();
        for _ in 0..count {
            let text = self.append_one(holder, &container).await?;
            let node = self.lab()?.worker(&container.worker)?.node().clone();
            let flushed = timeout(WRITE, node.fsync(container.namespace)).await;
            flushed.context("fsync hangs")?.with_context(|| format!("fsync of {holder}"))?;
            self.acknowledged.entry(container.volume.clone()).or_default().push((holder.clone(), text));
        }
        Ok(())
    }

    /// Appends records and leaves them in the page cache.
    ///
    /// # Errors
    /// When an append fails.
    pub async fn leave_dirty(&mut self, holder: &Holder, count: usize) -> Result<()> {
        let container = self.container(holder)?.clone();
        for _ in 0..count {
            self.append_one(holder, &container).await?;
        }
        Ok(())
    }

    async fn append_one(&mut self, holder: &Holder, container: &Container) -> Result<String> {
        self.appended += 1;
        let text = format!("{} {}", holder.name(), self.appended);
        let node = self.lab()?.worker(&container.worker)?.node().clone();
        node.append(container.namespace, &text).await.with_context(|| format!("append of {holder}"))?;
        Ok(text)
    }

    /// A write of a container that lost its volume must not be acknowledged.
    ///
    /// # Errors
    /// When it is.
    pub async fn write_is_refused(&mut self, holder: &Holder) -> Result<()> {
        let container = self.container(holder)?.clone();
        let node = self.lab()?.worker(&container.worker)?.node().clone();
        if node.append(container.namespace, "too late").await.is_err() {
            return Ok(());
        }
        match timeout(Duration::from_secs(2), node.fsync(container.namespace)).await {
            Ok(Ok(_)) => {
                bail!("a write of {holder} on {} was acknowledged after the volume was taken over", container.worker)
            }
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// The container reads everything of its volume that was ever acknowledged, and there were `count` such records.
    ///
    /// # Errors
    /// Names the records that are missing.
    pub fn reads_all(&self, holder: &Holder, count: usize) -> Result<()> {
        let container = self.container(holder)?;
        let acknowledged = self.acknowledged.get(&container.volume).map_or(0, Vec::len);
        ensure!(acknowledged == count, "the scenario has {acknowledged} acknowledged records, not {count}");
        self.reads_acknowledged(holder, None)
    }

    /// The container reads every acknowledged record of its volume, or only those of one writer.
    ///
    /// # Errors
    /// Names the records that are missing.
    pub fn reads_acknowledged(&self, holder: &Holder, writer: Option<&Holder>) -> Result<()> {
        let container = self.container(holder)?;
        let node = self.lab()?.worker(&container.worker)?.node();
        let log = node.read_log(&container.mountpoint).with_context(|| format!("nothing is mounted for {holder}"))?;
        let missing =
            self.missing_in(&container.volume, writer, &log.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
        ensure!(missing.is_empty(), "{holder} on {} does not find acknowledged records: {missing:?}", container.worker);
        Ok(())
    }

    /// Acknowledged records of a volume that a log does not have.
    pub(super) fn missing_in(&self, volume: &str, writer: Option<&Holder>, log: &[String]) -> Vec<String> {
        let acknowledged = self.acknowledged.get(volume).map(Vec::as_slice).unwrap_or_default();
        let wanted = acknowledged.iter().filter(|(by, _)| writer.is_none_or(|writer| writer == by));
        wanted.filter(|(_, text)| !log.contains(text)).map(|(_, text)| text.clone()).collect()
    }
}
