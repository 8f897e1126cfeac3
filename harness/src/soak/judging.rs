//! The judgement of a soak: the history by the checkers, the logs by what must not be in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_docker_plugin::store::MetadataStore as _;

use super::deployment::Deployment;
use super::fact_log::read_all;
use crate::checks::{
    ExportRule, Fact, FactKind, Invariant, LifeKey, Rules, Violation, check, check_sectors, scan_for_secrets,
};
use crate::cluster::configuration::ARRAY_PASSWORD;
use crate::cluster::panics;
use crate::node::NodeEvent;

/// The whole history of a soak.
///
/// # Errors
/// When a file cannot be read.
pub fn history(deployment: &Deployment) -> Result<Vec<Fact>> {
    read_all(&deployment.fact_files())
}

/// What the checkers find in a history.
#[must_use]
pub fn judge(deployment: &Deployment, history: &[Fact], one_host: bool) -> Vec<Violation> {
    let of = |name: &str| (name.to_owned(), name.to_owned());
    let rules = Rules {
        exports: if one_host { ExportRule::Strict } else { ExportRule::OneWriter },
        node_of_host: deployment.workers.iter().map(|worker| of(worker.name())).collect::<BTreeMap<_, _>>(),
        ..Rules::default()
    };
    let mut found = check(&mounts_that_took_effect(history), &rules);
    found.extend(check_sectors(history));
    found
}

/// A mount begins to count with the superblock it writes. A machine that was frozen between reading and writing and finds its
/// export gone has mounted nothing: its mount fails, nobody ever sees what it read.
fn mounts_that_took_effect(history: &[Fact]) -> Vec<Fact> {
    let wrote = |fact: &Fact| match &fact.kind {
        FactKind::Write(write) if write.accepted => write.life.clone(),
        _ => None,
    };
    let writers: BTreeSet<LifeKey> = history.iter().filter_map(wrote).collect();
    let counts = |fact: &&Fact| match &fact.kind {
        FactKind::Node { event: NodeEvent::Mounted { life, .. }, .. } => writers.contains(&LifeKey::from(life)),
        _ => true,
    };
    history.iter().filter(counts).cloned().collect()
}

/// Panics of plugins and processes.
///
/// # Errors
/// When a log cannot be read.
pub fn panics(deployment: &Deployment) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for (name, path) in logs(deployment) {
        let text = read(&path)?;
        let panicked = |line: &&str| line.starts_with(panics::MARK) || line.contains("' panicked at ");
        for line in text.lines().filter(panicked).take(3) {
            let words = format!("{name} panicked: {line}");
            found.push(Violation::new(Invariant::C11NoPanic, Duration::ZERO, words));
        }
    }
    Ok(found)
}

/// The array's password in a log, a fact, or in etcd.
///
/// # Errors
/// When something cannot be read.
pub async fn secrets(deployment: &Deployment) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    let (entries, _) = deployment.store.list("/").await.context("reading etcd")?;
    for entry in entries {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        found.extend(scan_for_secrets(&[(&entry.key, &value)], &[ARRAY_PASSWORD]));
    }
    let facts = deployment.fact_files().into_iter().map(|path| (path.display().to_string(), path));
    for (name, path) in logs(deployment).into_iter().chain(facts) {
        found.extend(scan_for_secrets(&[(&name, &read(&path)?)], &[ARRAY_PASSWORD]));
    }
    Ok(found)
}

fn logs(deployment: &Deployment) -> Vec<(String, PathBuf)> {
    let of_workers = deployment.workers.iter().flat_map(|worker| {
        let name = worker.name();
        [
            (format!("the log of the plugin on {name}"), worker.log().to_owned()),
            (format!("the stderr of {name}"), worker.directory().join("stderr")),
        ]
    });
    let array = ("the stderr of the array".to_owned(), deployment.directory().join("array.stderr"));
    of_workers.chain([array]).filter(|(_, path)| path.exists()).collect()
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::WriteFact;
    use crate::node::Life;

    fn wwn() -> hpe3par_docker_plugin::array::Wwn {
        "60002ac0000000000000000100012345".parse().unwrap()
    }

    fn mounted(mount: u64) -> Fact {
        let life = Life { node: "a".to_owned(), boot: 1, mount, epoch: 1 };
        let event = NodeEvent::Mounted { wwn: wwn(), life, dir: "/m".into(), chain: Vec::new() };
        Fact { at: Duration::from_secs(mount), kind: FactKind::Node { node: "a".to_owned(), event } }
    }

    fn wrote(mount: u64, accepted: bool) -> Fact {
        let life = Some(LifeKey { node: "a".to_owned(), boot: 1, mount });
        let write = WriteFact { volume: Some(wwn()), host: Some("a".to_owned()), lun: 1, offset: 0, accepted, life };
        Fact { at: Duration::from_secs(mount), kind: FactKind::Write(write) }
    }

    #[test]
    fn a_mount_whose_superblock_was_refused_does_not_count() {
        let history = [mounted(1), wrote(1, true), mounted(2), wrote(2, false)];
        assert_eq!(mounts_that_took_effect(&history), [mounted(1), wrote(1, true), wrote(2, false)]);
    }
}
