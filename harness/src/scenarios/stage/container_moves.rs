//! Longer sequences: a volume that goes to and fro, containers that come and go.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Stage;
use super::requests::Patience;
use crate::scenarios::holder::Holder;

impl Stage {
    /// Moves a volume between two workers by force; each time the one that loses it stands still with a dirty cache.
    ///
    /// # Errors
    /// When a mount, a write or a takeover fails.
    pub async fn to_and_fro(&mut self, volume: &str, workers: [&str; 2], times: usize) -> Result<()> {
        for round in 0..=times {
            let (worker, other) = if round % 2 == 0 { (workers[0], workers[1]) } else { (workers[1], workers[0]) };
            let holder = Holder::Container(format!("round{}", letter(round)));
            self.losers_die(worker).await;
            self.mount(&holder, worker, volume, Patience::UntilItSucceeds).await?;
            self.succeeded(None)?;
            self.reads_acknowledged(&holder, None)?;
            self.write(&holder, 2).await?;
            self.leave_dirty(&holder, 2).await?;
            self.lab()?.worker(worker)?.freeze_plugin().await;
            self.lab()?.worker(other)?.thaw_plugin();
        }
        self.lab()?.workers().for_each(crate::cluster::worker::Worker::thaw_plugin);
        Ok(())
    }

    /// Two workers take a volume from each other until one is told to stop.
    ///
    /// # Errors
    /// When one of the first takeovers fails.
    pub async fn fight(&mut self, volume: &str, workers: [&str; 2], times: usize) -> Result<()> {
        for round in 0..=times {
            let worker = workers[round % 2];
            let holder = Holder::Container(format!("replica{}", letter(round)));
            self.losers_die(worker).await;
            self.mount(&holder, worker, volume, Patience::UntilItSucceeds).await?;
            self.succeeded(None)?;
            self.notes.insert("loser".to_owned(), workers[(round + 1) % 2].to_owned());
        }
        Ok(())
    }

    /// Containers of a worker that lost its volume die of their I/O errors.
    async fn losers_die(&mut self, worker: &str) {
        let lost: Vec<Holder> = self
            .containers
            .iter()
            .filter(|(_, container)| container.worker == worker)
            .map(|(holder, _)| holder.clone())
            .collect();
        for holder in lost {
            let _ = self.die(&holder).await;
        }
    }

    /// The loser of the last fight asks once more.
    ///
    /// # Errors
    /// When there was no fight.
    pub async fn loser_asks(&mut self, volume: &str) -> Result<()> {
        let loser = self.notes.get("loser").cloned().unwrap_or_default();
        self.losers_die(&loser).await;
        self.mount(&Holder::Container("replica".to_owned()), &loser, volume, Patience::Once).await
    }

    /// Mounts and unmounts a volume several times on one worker.
    ///
    /// # Errors
    /// When one of the requests fails.
    pub async fn come_and_go(&mut self, holder: &Holder, worker: &str, volume: &str, times: usize) -> Result<()> {
        for _ in 0..times {
            self.have_mounted(holder, worker, volume).await?;
            self.stop(holder, worker).await?;
            self.succeeded(None)?;
            self.nobody_owns(volume, Duration::from_secs(10)).await?;
        }
        Ok(())
    }

    /// Every export of a volume to a worker so far had a LUN number of its own.
    ///
    /// # Errors
    /// Names the numbers.
    pub async fn lun_numbers_differ(&self, volume: &str, worker: &str, count: usize) -> Result<()> {
        let name = self.array_name(volume).await?;
        let exports = self.lab()?.on_array().exports_ever(&name);
        let numbers: Vec<u32> =
            exports.into_iter().filter(|export| export.host == worker).map(|export| export.lun).collect();
        let different: std::collections::BTreeSet<u32> = numbers.iter().copied().collect();
        ensure!(numbers.len() == count && different.len() == count, "the LUN numbers were {numbers:?}");
        Ok(())
    }
}

fn letter(number: usize) -> char {
    char::from(b'a' + u8::try_from(number % 26).unwrap_or_default())
}
