//! Measurements on a lab: how long a caller waits for a Mount.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use crate::cluster::docker_client::{Dialect, DockerClient};
use crate::cluster::lab::{Lab, LabOptions};
use crate::cluster::wait::wait_for_condition;

/// Times of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// What was measured.
    pub what: &'static str,
    /// The times, shortest first.
    pub times: Vec<Duration>,
}

impl Figures {
    fn new(what: &'static str, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { what, times }
    }

    /// The median; 0 of nothing.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.at(50)
    }

    /// What 99 of 100 do not exceed.
    #[must_use]
    pub fn p99(&self) -> Duration {
        self.at(99)
    }

    /// The longest.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.at(100)
    }

    fn at(&self, percent: usize) -> Duration {
        let rank = (self.times.len() * percent).div_ceil(100).max(1) - 1;
        self.times.get(rank).copied().unwrap_or_default()
    }
}

/// Measures mounts without conflict, takeovers without delay, and hand-overs from a release to the waiting mount.
///
/// # Errors
/// When the lab does not start or a request fails.
pub async fn measure(mounts: usize, takeovers: usize) -> Result<Vec<Figures>> {
    let lab =
        Lab::start(LabOptions { settings: vec![("takeover_limit".into(), "1000".into())], ..LabOptions::default() })
            .await?;
    let figures = vec![
        Figures::new("Mount of a volume nobody owns (attach, check, mount)", free_mounts(&lab, mounts).await?),
        Figures::new("Mount that takes the volume from a frozen node, delay 0", forced(&lab, takeovers).await?),
        Figures::new("Hand-over: from the owner's release to the waiting Mount", handed_over(&lab, takeovers).await?),
    ];
    lab.shut_down().await;
    Ok(figures)
}

fn clients(lab: &Lab) -> Result<(DockerClient, DockerClient)> {
    Ok((lab.worker("worker1")?.client(Dialect::Dockerd)?, lab.worker("worker2")?.client(Dialect::Dockerd)?))
}

async fn create(client: &DockerClient, name: &str, delay: u64) -> Result<()> {
    let options = [("size".to_owned(), "1".to_owned()), ("mountConflictDelay".to_owned(), delay.to_string())];
    client.create(name, &options).await.with_context(|| format!("creating {name}"))
}

async fn free_mounts(lab: &Lab, count: usize) -> Result<Vec<Duration>> {
    let (client, _) = clients(lab)?;
    create(&client, "free", 30).await?;
    let mut times = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        client.mount("free", ID).await?;
        times.push(begun.elapsed());
        client.unmount("free", ID).await?;
    }
    Ok(times)
}

async fn forced(lab: &Lab, count: usize) -> Result<Vec<Duration>> {
    let (one, two) = clients(lab)?;
    create(&one, "forced", 0).await?;
    let mut times = Vec::new();
    for _ in 0..count {
        one.mount("forced", ID).await?;
        lab.worker("worker1")?.freeze_plugin().await;
        let begun = Instant::now();
        two.mount("forced", ID).await?;
        times.push(begun.elapsed());
        lab.worker("worker1")?.thaw_plugin();
        two.unmount("forced", ID).await?;
        settled(lab, "forced").await?;
    }
    Ok(times)
}

async fn handed_over(lab: &Lab, count: usize) -> Result<Vec<Duration>> {
    let (one, two) = clients(lab)?;
    create(&one, "handed", 60).await?;
    let mut times = Vec::new();
    for _ in 0..count {
        one.mount("handed", ID).await?;
        let waiting = tokio::spawn({
            let two = two.clone();
            async move { two.mount("handed", ID).await.map(|_| Instant::now()) }
        });
        let waits = || async {
            let record = lab.record("handed").await.map_err(|error| format!("{error:#}"))?;
            record.takeover.map(drop).ok_or_else(|| "nobody waits".to_owned())
        };
        wait_for_condition("the second node to wait", Duration::from_secs(10), waits).await?;
        one.unmount("handed", ID).await?;
        let released = Instant::now();
        let mounted = waiting.await.context("the waiting caller panicked")??;
        times.push(mounted.saturating_duration_since(released));
        two.unmount("handed", ID).await?;
        settled(lab, "handed").await?;
    }
    Ok(times)
}

/// Waits until nobody is in quarantine any more, so that the next round begins clean.
async fn settled(lab: &Lab, volume: &str) -> Result<()> {
    let clean = || async {
        let record = lab.record(volume).await.map_err(|error| format!("{error:#}"))?;
        if record.quarantine.is_empty() { Ok(()) } else { Err(format!("{:?}", record.quarantine)) }
    };
    Ok(wait_for_condition("the fenced node to clean itself", Duration::from_secs(30), clean).await?)
}

/// A mount id as dockerd makes them.
const ID: &str = "b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let figures = Figures::new("test", times);
        assert_eq!(figures.median(), Duration::from_millis(100));
        assert_eq!(figures.p99(), Duration::from_millis(198));
        assert_eq!(figures.longest(), Duration::from_millis(200));
        assert_eq!(Figures::new("none", Vec::new()).median(), Duration::ZERO);
    }
}
