//! The array as a process of its own: management interfaces, data path over TCP, and a file of what it did.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::array::Wwn;
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{ArrayConfig, VlunAddress, VlunFilter, VlunRow};
use hpe3par_emulator::server::RunningEmulator;
use serde::{Deserialize, Serialize};

use super::clock::SharedClock;
use super::fact_log::FactLog;
use super::machine::until_nobody_holds_the_other_end;
use super::san::SanServer;
use crate::checks::{Fact, FactKind};
use crate::cluster::configuration::{ARRAY_PASSWORD, ARRAY_USER};
use crate::cluster::witness::{export_fact, write_fact};

/// How long a received write is on its way to the medium, at most.
const SETTLING: Duration = Duration::from_millis(20);

/// After this time an idle session of the REST interface is gone: 15 minutes on a real array, cut to what a soak can wait for.
/// Every plugin that is killed leaves up to four, and the array has 36.
const SESSION_IDLE: Duration = Duration::from_secs(40);
/// After this time the array finishes a removal of an export that left a path behind.
const FINISHED_AFTER: Duration = Duration::from_secs(6);

/// What the array is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayPlan {
    /// Address it listens on, with any free ports.
    pub address: Ipv4Addr,
    /// Seed of its delays and names.
    pub seed: u64,
    /// The soak's clock.
    pub clock: SharedClock,
    /// File for what it has to tell.
    pub facts: PathBuf,
}

/// What it says once everything listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayReady {
    /// REST interface.
    pub wsapi: SocketAddr,
    /// Command line.
    pub ssh: SocketAddr,
    /// Control interface.
    pub control: SocketAddr,
    /// Data path.
    pub san: SocketAddr,
    /// Authority of its certificate, PEM.
    pub ca_pem: String,
    /// SSH host key.
    pub ssh_host_key: String,
}

/// Serves until it is told to stop, or until whoever started it is gone.
///
/// # Errors
/// When the plan cannot be read or something does not listen.
pub async fn run(plan: &Path, stop: impl Future<Output = ()>) -> Result<()> {
    let text = std::fs::read_to_string(plan).with_context(|| format!("reading {}", plan.display()))?;
    let plan: ArrayPlan = serde_json::from_str(&text).with_context(|| format!("reading {}", plan.display()))?;
    crate::cluster::install_tls_provider();
    let any = SocketAddr::from((plan.address, 0));
    let config = ArrayConfig { session_idle: SESSION_IDLE, ..ArrayConfig::default() };
    let array = Emulator::builder().array(config).account(ARRAY_USER, ARRAY_PASSWORD.to_owned().into()).seed(plan.seed);
    let array = array.wsapi(any).ssh(any).control(any).start().await.context("starting the array")?;
    let fact_log = FactLog::append_to(&plan.facts, plan.clock)?;
    let san = SanServer::start(plan.address, array.handle().clone(), Duration::ZERO..=SETTLING, plan.seed).await?;
    let recorder = tokio::spawn(record(array.handle().clone(), fact_log, plan.clock));
    let finisher = tokio::spawn(finish_partial_removals(array.handle().clone()));
    announce(&array, &san)?;
    tokio::select! {
        biased;
        () = stop => {}
        () = until_nobody_holds_the_other_end() => {}
    }
    recorder.abort();
    finisher.abort();
    array.shutdown().await;
    Ok(())
}

fn announce(array: &RunningEmulator, san: &SanServer) -> Result<()> {
    let ready = ArrayReady {
        wsapi: array.wsapi_addr(),
        ssh: array.ssh_addr(),
        control: array.control_addr(),
        san: san.address(),
        ca_pem: array.ca_pem().context("the array has no certificate")?.to_owned(),
        ssh_host_key: array.ssh_host_key().to_owned(),
    };
    let line = serde_json::to_string(&ready)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("open that the array is up")
}

/// How often the ledger is looked at when there is no event.
const LOOK: Duration = Duration::from_millis(100);

/// What the array did, written down as facts on the soak's clock.
async fn record(array: Emulator, fact_log: FactLog, clock: SharedClock) {
    let mut seen = Seen::default();
    let offset = offset(&array, clock);
    loop {
        for fact in seen.news(&array) {
            fact_log.log_at(fact.at + offset, fact.kind);
        }
        // A look without news is as good as one with news.
        let _ = tokio::time::timeout(LOOK, array.event_after(seen.event)).await;
    }
}

/// By how much the soak's clock is ahead of the array's, which counts from its own start; both run alike. A pause between the
/// two looks makes it smaller, never greater.
fn offset(array: &Emulator, clock: SharedClock) -> Duration {
    (0..100).map(|_| clock.now().saturating_sub(array.now())).max().unwrap_or_default()
}

/// Removes what partial removals left behind, some time later.
async fn finish_partial_removals(array: Emulator) {
    let mut since: BTreeMap<VlunAddress, Duration> = BTreeMap::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        array.with(|array, now| {
            let left = left_behind(&array.vlun_rows(&VlunFilter::default()));
            since.retain(|address, _| left.contains(address));
            for address in left {
                let first = *since.entry(address.clone()).or_insert(now);
                if now >= first + FINISHED_AFTER {
                    // What somebody else has removed meanwhile is gone as well.
                    let _ = array.remove_vlun(now, &address);
                }
            }
        });
    }
}

/// Active VLUNs without a template.
fn left_behind(rows: &[VlunRow]) -> BTreeSet<VlunAddress> {
    let address = |row: &VlunRow| VlunAddress { port: None, ..row.address() };
    let templates: BTreeSet<VlunAddress> = rows.iter().filter(|row| !row.active).map(address).collect();
    rows.iter().filter(|row| row.active).map(address).filter(|address| !templates.contains(address)).collect()
}

/// How far the logs of the array were read.
#[derive(Debug, Default)]
struct Seen {
    event: u64,
    write: u64,
    /// Names of volumes, also of those that are gone.
    wwns: BTreeMap<String, Wwn>,
}

impl Seen {
    fn news(&mut self, array: &Emulator) -> Vec<Fact> {
        let (events, writes, volumes) = array.with(|array, _| {
            let volumes: Vec<(String, String)> =
                array.volumes().map(|volume| (volume.name.to_string(), volume.wwn.to_string())).collect();
            (array.events().since(self.event).to_vec(), array.ledger().since(self.write), volumes)
        });
        self.wwns.extend(volumes.into_iter().filter_map(|(name, wwn)| Some((name, wwn.parse().ok()?))));
        self.event = events.last().map_or(self.event, |event| event.seq);
        self.write = writes.last().map_or(self.write, |entry| entry.seq);
        let exports = events.iter().filter_map(|event| {
            let kind = export_fact(&event.kind, &self.wwns)?;
            Some(Fact { at: event.at, kind })
        });
        let written =
            writes.iter().map(|entry| Fact { at: entry.decided, kind: FactKind::Write(write_fact(entry, &self.wwns)) });
        exports.chain(written).collect()
    }
}

#[cfg(test)]
mod tests {
    use hpe3par_emulator::array::{CreateHost, CreateVlun, CreateVolume, RemovalAnomaly};

    use super::*;

    #[test]
    fn news_are_told_once() {
        let array = Emulator::new(ArrayConfig::default());
        let mut seen = Seen::default();
        array
            .with(|array, now| {
                array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024))?;
                array.create_host(now, &CreateHost::iscsi("a", &[]))?;
                array.create_vlun(now, &CreateVlun::host_sees("v1", 7, "a"))
            })
            .unwrap();
        let told = seen.news(&array);
        assert!(matches!(&told[..], [Fact { kind: FactKind::Exported { lun: 7, .. }, .. }]), "{told:?}");
        assert!(seen.news(&array).is_empty());
    }

    #[test]
    fn what_a_partial_removal_leaves_is_found_and_can_be_removed() {
        let array = Emulator::new(ArrayConfig::default());
        let port = hpe3par_emulator::array::PortPos::new(0, 2, 1).unwrap();
        let initiator = hpe3par_emulator::array::Initiator::parse("iqn.1993-08.org.debian:01:a").unwrap();
        let made = array
            .with(|array, now| {
                array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024))?;
                array.create_host(now, &CreateHost::iscsi("a", &["iqn.1993-08.org.debian:01:a"]))?;
                array.create_vlun(now, &CreateVlun::host_sees("v1", 7, "a"))
            })
            .unwrap();
        array.with(|array, now| array.login(now, &initiator, port)).unwrap();
        let rows = || array.with(|array, _| array.vlun_rows(&VlunFilter::default()));
        assert!(left_behind(&rows()).is_empty());
        array.with(|array, now| array.remove_vlun_as(now, &made.address, RemovalAnomaly::Partial)).unwrap();
        let left = left_behind(&rows());
        assert_eq!(left, BTreeSet::from([made.address]));
        for address in &left {
            array.with(|array, now| array.remove_vlun(now, address)).unwrap();
        }
        assert!(rows().is_empty());
    }
}
