//! The end of a soak: everything is healed and has a minute to be well again. Every volume must be mountable on another node, hold
//! what was acknowledged, and be removable; then nothing may be left.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::store::{MetadataStore as _, keys};
use hpe3par_docker_plugin::volume::record::{Ownership, VolumeRecord};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::deployment::{Deployment, ORDER};
use super::workload::{Engines, Volume};
use crate::checks::{Invariant, Violation};
use crate::cluster::witness::node_name;
use crate::soak::machine::{Order, Report};

/// Everything must be well again so long after the last fault (liveness bound L3).
pub const HEALED_WITHIN: Duration = Duration::from_secs(60);
/// Nothing may be left so long after the last Unmount (L10).
pub const CLEAN_WITHIN: Duration = Duration::from_secs(30);
/// How long the last changes of the orchestrators may take: a Mount may wait for as long as its deadline.
pub const LAST_CHANGES: Duration = Duration::from_secs(150);
/// Pause between looks.
const LOOK: Duration = Duration::from_millis(400);
/// Times an Unmount is sent again.
const TRIES: usize = 20;
/// How long an auditor's container may take until its first record is on the disk.
const WRITES: Duration = Duration::from_secs(10);

/// What the closing found.
#[derive(Debug, Default)]
pub struct Closing {
    /// From the last fault until every volume was mounted elsewhere, written, read and free again.
    pub healed_in: Option<Duration>,
    /// From the last Unmount until nothing was left.
    pub clean_in: Option<Duration>,
    /// What was wrong.
    pub violations: Vec<Violation>,
    /// What was left.
    pub leaks: Vec<String>,
}

/// Takes every fault away and brings everybody back.
///
/// # Errors
/// When somebody does not come back.
pub async fn heal(deployment: &Deployment) -> Result<()> {
    deployment.members.heal().await.context("healing etcd")?;
    deployment.array.lock().await.heal().await.context("healing the array")?;
    futures::future::try_join_all(deployment.workers.iter().map(|worker| worker.heal(&deployment.fact_log))).await?;
    Ok(())
}

/// Demands that everything is well again, counted from `healed`.
pub async fn demand(engines: &Arc<Engines>, healed: Instant) -> Closing {
    let mut closing = Closing::default();
    let now = || engines.site().deployment.clock.now();
    engines.end_orphans().await;
    pay_debts(engines).await;
    let audits = engines.known_volumes().into_iter().enumerate().map(|(number, volume)| {
        let engines = Arc::clone(engines);
        async move { audit(&engines, &volume, number, healed).await }
    });
    for audited in futures::future::join_all(audits).await {
        if let Err(words) = audited {
            closing.violations.push(Violation::new(Invariant::L1Liveness, now(), words));
        }
    }
    closing.healed_in = closing.violations.is_empty().then(|| healed.elapsed());
    let begun = Instant::now();
    remove_all(engines).await;
    loop {
        closing.leaks = remains(&engines.site().deployment).await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        if closing.leaks.is_empty() {
            closing.clean_in = Some(begun.elapsed());
            return closing;
        }
        if begun.elapsed() > CLEAN_WITHIN {
            let leak = |words: &String| Violation::new(Invariant::C9NoLeak, now(), words.clone());
            closing.violations.extend(closing.leaks.iter().map(leak));
            return closing;
        }
        sleep(LOOK).await;
    }
}

/// Engines send every Unmount again that did not come through, and those of references only the records know of: an answer that
/// nobody heard leaves one.
async fn pay_debts(engines: &Arc<Engines>) {
    let debts = engines.debts().into_iter().map(|(worker, id, volume)| async move {
        engines.unmount(worker, &volume, &id, TRIES).await;
    });
    futures::future::join_all(debts).await;
    for _ in 0..TRIES {
        let Some((worker, volume, id)) = reference_left(engines).await else { return };
        engines.site().figures.count("unmount", "of a reference that no engine knew of");
        engines.unmount(worker, &volume, &id, TRIES).await;
    }
}

async fn reference_left(engines: &Engines) -> Option<(usize, Volume, String)> {
    let records = engines.site().deployment.records().await.ok()?;
    records.iter().find_map(|record| {
        let (node, info) = record.path_info.iter().find(|(_, info)| !info.mount_ids.is_empty())?;
        let name = node_name(node.as_str());
        let worker = engines.site().deployment.workers.iter().position(|worker| worker.name() == name)?;
        let volume = Volume { name: record.display_name.to_string(), wwn: record.wwn.clone()?, delay: 1 };
        Some((worker, volume, info.mount_ids.first()?.clone()))
    })
}

/// Mounts a volume on some worker, writes, syncs, and unmounts. The mount reads the whole log; the history is judged for it.
async fn audit(engines: &Engines, volume: &Volume, number: usize, healed: Instant) -> Result<(), String> {
    let workers = engines.site().deployment.workers.len();
    let mut worker = number % workers.max(1);
    let id = engines.new_mount_id();
    let mounted = loop {
        let last = match engines.mount(worker, volume, &id).await {
            Ok(mounted) => break mounted,
            Err(error) => error.to_string(),
        };
        engines.unmount(worker, volume, &id, 1).await;
        if healed.elapsed() > HEALED_WITHIN {
            return Err(format!(
                "volume {} could not be mounted within {HEALED_WITHIN:?} after the last fault; worker{} said last: {last}",
                volume.name,
                worker + 1
            ));
        }
        worker = (worker + 1) % workers.max(1);
        sleep(LOOK).await;
    };
    let written = write_something(engines, worker, mounted.dir).await;
    let unmounted = engines.unmount(worker, volume, &id, TRIES).await;
    written.map_err(|error| {
        format!("volume {} mounted on worker{} after the last fault: {error:#}", volume.name, worker + 1)
    })?;
    if !unmounted {
        return Err(format!(
            "volume {} could not be unmounted on worker{} after the last fault",
            volume.name,
            worker + 1
        ));
    }
    if healed.elapsed() > HEALED_WITHIN {
        return Err(format!(
            "volume {} was well again only {:.1?} after the last fault",
            volume.name,
            healed.elapsed()
        ));
    }
    Ok(())
}

async fn write_something(engines: &Engines, worker: usize, dir: std::path::PathBuf) -> Result<()> {
    let console = engines.worker(worker)?.console();
    let Report::Container(container) = console.order(&Order::RunContainer { dir }, ORDER).await? else {
        anyhow::bail!("the machine did not say which container it started");
    };
    let begun = Instant::now();
    let report = loop {
        let Report::Application(report) = console.order(&Order::Application { container }, ORDER).await? else {
            anyhow::bail!("the machine did not say what its container did");
        };
        // A write may be slow on its way.
        if report.synced > 0 || report.failure.is_some() || begun.elapsed() > WRITES {
            break report;
        }
        sleep(LOOK).await;
    };
    console.order(&Order::StopContainer { container }, ORDER).await?;
    anyhow::ensure!(report.synced > 0 && report.failure.is_none(), "its application could not write: {report:?}");
    Ok(())
}

async fn remove_all(engines: &Engines) {
    for volume in engines.known_volumes() {
        for attempt in 0..TRIES {
            let workers = engines.site().deployment.workers.len().max(1);
            if engines.remove(attempt % workers, &volume).await.is_ok() {
                break;
            }
            sleep(LOOK).await;
        }
    }
}

/// Everything that should not be there any more, in words.
async fn remains(deployment: &Deployment) -> Result<Vec<String>> {
    let mut left = Vec::new();
    let state = deployment.array.lock().await.state().await.context("asking the array")?;
    left.extend(names(&state, "volumes").map(|name| format!("volume {name} on the array")));
    left.extend(names(&state, "vluns").map(|name| format!("an export of {name} on the array")));
    for record in deployment.records().await? {
        left.push(format!("a record: {}", unfinished(&record)));
    }
    for prefix in [keys::VOLUME_NAMES, "/takeovers/"] {
        let (entries, _) = deployment.store.list(prefix).await.context("reading etcd")?;
        let kept = entries.iter().filter(|entry| !entry.key.contains("/recent/"));
        left.extend(kept.map(|entry| format!("the key {} in etcd", entry.key)));
    }
    for worker in &deployment.workers {
        let status = worker.console().status(ORDER).await.with_context(|| format!("asking {}", worker.name()))?;
        if !status.leftovers.is_empty() {
            left.push(format!("in the kernel of {}: {}", worker.name(), status.leftovers));
        }
        left.extend(status.journal.iter().map(|entry| format!("in the journal of {}: {entry}", worker.name())));
    }
    Ok(left)
}

fn names<'a>(state: &'a Value, rows: &str) -> impl Iterator<Item = String> + 'a {
    let rows = state.get(rows).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| {
        let name = row.get("volumeName").or_else(|| row.get("name")).and_then(Value::as_str);
        name.unwrap_or("without a name").to_owned()
    })
}

fn unfinished(record: &VolumeRecord) -> String {
    let owner = match &record.ownership {
        Ownership::Free => "free".to_owned(),
        Ownership::Owned { owner, stage } => format!("owned by {} ({stage:?})", owner.node),
    };
    let quarantine: Vec<&str> = record.quarantine.keys().map(|node| node.as_str()).collect();
    format!("{} {:?}, {owner}, quarantine {quarantine:?}", record.display_name, record.lifecycle)
}
