//! The last scene of a soak: etcd is put back to a backup that is older than a takeover. The nodes must notice that the store
//! says less than they remember, and leave everything as it is until the newer state is back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

use super::deployment::Deployment;
use super::holder::{Holder, SUCCEEDS, WRITES};
use super::workload::{Engines, Volume};

/// How long the store is an old one.
const OLD: Duration = Duration::from_secs(15);
/// Pause between requests meanwhile.
const PAUSE: Duration = Duration::from_secs(1);
/// What a node says that noticed.
const NOTICED: &str = "restored from an older state";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Nodes that said that the store is older than what they remember.
    pub noticed_by: Vec<String>,
    /// Mounts on other nodes than the owner that were refused while the store was old.
    pub refused: usize,
    /// Those that succeeded, and where.
    pub granted: Vec<String>,
    /// The owner's application wrote all the time.
    pub owner_wrote: bool,
    /// From the newer state's return until the volume was mounted elsewhere with everything in it.
    pub well_after: Duration,
}

impl Restored {
    /// It was noticed, nothing was given away, and the owner was left alone.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.noticed_by.is_empty() && self.granted.is_empty() && self.owner_wrote
    }
}

impl std::fmt::Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let noticed = if self.noticed_by.is_empty() { "nobody".to_owned() } else { self.noticed_by.join(", ") };
        let wrote = if self.owner_wrote { "went on writing" } else { "could not go on writing" };
        write!(
            f,
            "noticed by {noticed}; Mounts elsewhere: {} refused, {} granted; the owner's application {wrote}; well again {:.1} s after \
             the newer state was back",
            self.refused,
            self.granted.len(),
            self.well_after.as_secs_f64()
        )
    }
}

/// Plays the scene on a site that is quiet and well.
///
/// # Errors
/// When something fails that has to succeed.
pub async fn play(engines: &Arc<Engines>) -> Result<Restored> {
    let deployment = Arc::clone(&engines.site().deployment);
    let last = deployment.workers.len().saturating_sub(1);
    let volume = engines.create(0, "restored", 1).await.context("creating a volume")?;
    let first = Holder::hold(engines, &volume, 0).await?;
    let (old, new) = (deployment.directory().join("backup"), deployment.directory().join("newer"));
    deployment.members.back_up(&old).await?;
    let owner = Holder::hold(engines, &volume, 1).await.context("taking the volume over after the backup")?;
    first.let_go(engines, &volume).await?;
    sleep(WRITES).await;
    deployment.members.back_up(&new).await?;
    let before = owner.progress(engines).await?;
    deployment.members.put_back(&old).await?;
    let (refused, granted) = ask_elsewhere(engines, &volume, [0, last]).await;
    let after = owner.progress(engines).await?;
    let noticed_by = who_noticed(&deployment)?;
    deployment.members.put_back(&new).await?;
    let back = Instant::now();
    owner.let_go(engines, &volume).await?;
    let auditor =
        Holder::hold(engines, &volume, last).await.context("mounting the volume after the newer state was back")?;
    auditor.let_go(engines, &volume).await?;
    let well_after = back.elapsed();
    remove(engines, &volume).await?;
    let owner_wrote = after.failure.is_none() && after.synced > before.synced;
    Ok(Restored { noticed_by, refused, granted, owner_wrote, well_after })
}

/// Asks for the volume where it is not, for as long as the store is old. What is granted is kept until then.
async fn ask_elsewhere(engines: &Engines, volume: &Volume, workers: [usize; 2]) -> (usize, Vec<String>) {
    let (begun, mut refused, mut granted) = (Instant::now(), 0, Vec::new());
    while begun.elapsed() < OLD {
        for worker in workers {
            let id = engines.new_mount_id();
            match engines.mount(worker, volume, &id).await {
                Ok(_) => granted.push(format!("worker{}", worker + 1)),
                Err(_) => refused += 1,
            }
            engines.unmount(worker, volume, &id, 1).await;
        }
        sleep(PAUSE).await;
    }
    (refused, granted)
}

fn who_noticed(deployment: &Deployment) -> Result<Vec<String>> {
    let mut who = Vec::new();
    for worker in &deployment.workers {
        if says(worker.log(), NOTICED)? {
            who.push(worker.name().to_owned());
        }
    }
    Ok(who)
}

fn says(log: &Path, words: &str) -> Result<bool> {
    let bytes = std::fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    Ok(String::from_utf8_lossy(&bytes).contains(words))
}

async fn remove(engines: &Engines, volume: &Volume) -> Result<()> {
    let begun = Instant::now();
    loop {
        match engines.remove(0, volume).await {
            Ok(()) => return Ok(()),
            Err(error) if begun.elapsed() > SUCCEEDS => return Err(error.context("the Remove never succeeded")),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
