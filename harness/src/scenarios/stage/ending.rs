//! The end of every scenario: everything is healed, every container stops, another node reads what was acknowledged,
//! nothing may be left, and the whole history is judged.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hpe3par_docker_plugin::volume::record::{Lifecycle, Ownership, VolumeRecord};

use super::Stage;
use super::disturbances::{ETCD_PAUSED, Where};
use super::requests::Patience;
use crate::checks::{ExportRule, Fact, FactKind, Remains, Rules, Violation, check, check_leaks, scan_for_secrets};
use crate::cluster::configuration::ARRAY_PASSWORD;
use crate::cluster::lab::Lab;
use crate::cluster::panics;
use crate::cluster::wait::wait_for_condition;
use crate::cluster::witness::node_name;
use crate::report::Recording;
use crate::scenarios::holder::Holder;

/// How long the site may take to become clean once everything is healed (liveness bound L10).
const CLEAN: Duration = Duration::from_secs(30);

impl Stage {
    /// Ends the scenario. With `judge`, all checks are made.
    ///
    /// # Errors
    /// What broke, in one paragraph for each.
    pub async fn end(&mut self, judge: bool) -> Result<()> {
        let judged = if judge && self.lab.is_some() { self.judge().await } else { Ok(()) };
        if let Some(lab) = self.lab.take() {
            self.recording = Some(lab.recording());
            lab.shut_down().await;
        }
        judged
    }

    /// What the run saw, and which invariants it broke; there once the scenario has ended.
    pub fn take_recording(&mut self) -> Option<(Recording, Vec<Violation>)> {
        Some((self.recording.take()?, std::mem::take(&mut self.broken)))
    }

    async fn judge(&mut self) -> Result<()> {
        self.heal().await.context("healing everything after the scenario")?;
        self.settle().await;
        self.stop_everything().await?;
        self.audit().await.context("reading everything after the scenario")?;
        self.nothing_is_left().await?;
        self.broken = self.violations().await?;
        ensure!(self.broken.is_empty(), "{}", told(&self.broken));
        self.nobody_panicked()
    }

    fn nobody_panicked(&self) -> Result<()> {
        for worker in self.lab()?.workers() {
            let log = worker.log().text();
            let told = log.lines().skip_while(|line| !line.starts_with(panics::MARK)).take(2).collect::<Vec<_>>();
            ensure!(told.is_empty(), "the plugin on {}: {}", worker.name(), told.join(" "));
        }
        Ok(())
    }

    /// Takes every fault away and brings every machine and plugin back.
    async fn heal(&mut self) -> Result<()> {
        let lab = self.lab_mut()?;
        lab.array().handle().with_faults(hpe3par_emulator::faults::FaultPlan::clear);
        let _ = lab.etcd().resume();
        lab.witness().fault_ended("store", ETCD_PAUSED);
        if !lab.etcd_mut().is_running() {
            lab.etcd_mut().restart().await?;
        }
        self.restore_schema().await?;
        let names: Vec<String> = self.lab()?.workers().map(|worker| worker.name().to_owned()).collect();
        for name in &names {
            self.cut(name, Where::Everything, false)?;
            self.no_trouble(name)?;
            let worker = self.lab_mut()?.worker_mut(name)?;
            worker.thaw_plugin();
            worker.storage().lead_astray(None);
            let was_wrong = worker.configuration.restore();
            if was_wrong {
                worker.kill_plugin().await;
            }
            worker.node().power_on();
            if !worker.is_running() {
                worker.start().await?;
            }
        }
        Ok(())
    }

    async fn stop_everything(&mut self) -> Result<()> {
        let containers: Vec<(Holder, String)> =
            self.containers.iter().map(|(holder, container)| (holder.clone(), container.worker.clone())).collect();
        for (holder, worker) in containers {
            self.stop(&holder, &worker).await?;
        }
        Ok(())
    }

    /// Another node than the last owner mounts every volume and reads every acknowledged record.
    async fn audit(&mut self) -> Result<()> {
        for record in records(self.lab()?).await? {
            let volume = record.display_name.to_string();
            if record.lifecycle != Lifecycle::Available
                || !self.lab()?.on_array().has_volume(record.array_name.as_str())
            {
                continue;
            }
            let holder = Holder::Container("auditor".to_owned());
            let worker = self.auditor_of(&record)?;
            self.mount(&holder, &worker, &volume, Patience::UntilItSucceeds).await?;
            self.succeeded(None)?;
            self.reads_acknowledged(&holder, None)?;
            self.stop(&holder, &worker).await?;
            self.succeeded(None)?;
        }
        Ok(())
    }

    /// The owner if there still is one (a mount whose caller had given up), else the worker after the one that had it last.
    fn auditor_of(&self, record: &VolumeRecord) -> Result<String> {
        if let Some(owner) = record.ownership.owner() {
            return Ok(node_name(owner.node.as_str()));
        }
        let workers: Vec<&str> = self.lab()?.workers().map(crate::cluster::worker::Worker::name).collect();
        let last = record.steps.last().map(|step| node_name(step.node.as_str()));
        let place = workers.iter().position(|name| Some(*name) == last.as_deref()).map_or(0, |place| place + 1);
        workers.get(place % workers.len().max(1)).map(|name| (*name).to_owned()).context("the lab has no workers")
    }

    /// C9: neither exports nor mounts nor devices nor owners are left.
    async fn nothing_is_left(&self) -> Result<()> {
        let lab = self.lab()?;
        let look = || async {
            let remains = remains(lab).await.map_err(|error| format!("{error:#}"))?;
            let leaks = check_leaks(&remains, Duration::ZERO);
            if leaks.is_empty() { Ok(()) } else { Err(told(&leaks)) }
        };
        Ok(wait_for_condition("everything to be clean after the last unmount", CLEAN, look).await?)
    }

    async fn violations(&self) -> Result<Vec<Violation>> {
        let lab = self.lab()?;
        let by_hand = self.notes.contains_key("by hand");
        let several_hosts = self.settings.iter().any(|(key, value)| key == "one_host" && value == "false");
        let rules = Rules {
            exports: if by_hand || several_hosts { ExportRule::OneWriter } else { ExportRule::Strict },
            node_of_host: lab
                .workers()
                .map(|worker| (worker.name().to_owned(), worker.name().to_owned()))
                .collect::<BTreeMap<_, _>>(),
            exports_removed_by_hand: by_hand,
            ..Rules::default()
        };
        let mut violations = check(&self.counted(lab.witness().history()), &rules);
        violations.extend(self.secrets_told(lab).await?);
        Ok(violations)
    }

    /// The history, without records from before somebody rewrote one in another form.
    fn counted(&self, mut history: Vec<Fact>) -> Vec<Fact> {
        let from: u128 = self.notes.get("records count from").and_then(|text| text.parse().ok()).unwrap_or_default();
        history.retain(|fact| !matches!(fact.kind, FactKind::Record(_)) || fact.at.as_nanos() >= from);
        history
    }

    /// C10: the array's password is in no log, record or answer.
    async fn secrets_told(&self, lab: &Lab) -> Result<Vec<Violation>> {
        let mut texts: Vec<(String, String)> = lab.everything_stored().await?;
        texts.extend(lab.workers().map(|worker| (format!("the log of {}", worker.name()), worker.log().text())));
        texts.extend(self.outcomes.iter().map(|outcome| (outcome.what.clone(), format!("{:?}", outcome.answer))));
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Ok(scan_for_secrets(&texts, &[ARRAY_PASSWORD]))
    }

    /// The acknowledged records of a volume must still be there. Gives their number.
    ///
    /// # Errors
    /// Names what the last owner does not find.
    pub async fn all_readable_on_last_owner(&self, volume: &str) -> Result<usize> {
        let record = self.lab()?.record(volume).await?;
        let Some(info) = record.path_info.values().next() else {
            bail!("{volume} is mounted nowhere: {:?}", record.ownership)
        };
        let owner = record.ownership.owner().context("nobody owns it")?;
        let node = self.lab()?.worker(&node_name(owner.node.as_str()))?.node();
        let log = node.read_log(&info.mount_dir).context("the record's mount is not there")?;
        let missing = self.missing_in(volume, None, &log.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
        ensure!(missing.is_empty(), "acknowledged records are missing: {missing:?}");
        Ok(self.acknowledged.get(volume).map_or(0, Vec::len))
    }

    /// Forgets what was acknowledged on a volume that an administrator destroyed.
    pub fn forget_acknowledged(&mut self, volume: &str) {
        self.acknowledged.remove(volume);
    }

    /// From now on exports change by hand, so the strict rules on who removes them do not hold.
    pub fn by_hand(&mut self) {
        self.notes.insert("by hand".to_owned(), String::new());
    }

    /// What happened so far breaks no rule. For looks in the middle of a scenario.
    ///
    /// # Errors
    /// What broke.
    pub async fn nothing_broken_so_far(&self) -> Result<()> {
        let violations = self.violations().await?;
        ensure!(violations.is_empty(), "{}", told(&violations));
        Ok(())
    }
}

async fn records(lab: &Lab) -> Result<Vec<VolumeRecord>> {
    let stored = lab.everything_stored().await?;
    let of_volumes = stored.iter().filter(|(key, _)| key.starts_with(hpe3par_docker_plugin::store::keys::VOLUMES));
    of_volumes.map(|(key, value)| VolumeRecord::from_json(key, value.as_bytes()).context("reading a record")).collect()
}

async fn remains(lab: &Lab) -> Result<Remains> {
    let records = records(lab).await?;
    let array = lab.on_array();
    let exports = records
        .iter()
        .filter(|record| array.has_volume(record.array_name.as_str()))
        .flat_map(|record| {
            array
                .rows(record.array_name.as_str())
                .into_iter()
                .map(|row| format!("{} as {}", record.display_name, row.address()))
        })
        .collect();
    let busy = |record: &&VolumeRecord| {
        record.ownership != Ownership::Free
            || !record.path_info.is_empty()
            || record.takeover.is_some()
            || !record.quarantine.is_empty()
    };
    let nodes = lab.workers().map(|worker| (worker.name().to_owned(), worker.node().leftovers())).collect();
    Ok(Remains {
        exports,
        nodes,
        records: records.iter().filter(busy).map(super::observed_state::describe).collect(),
        takeovers: Vec::new(),
        journals: Vec::new(),
        volumes: Vec::new(),
    })
}

/// Violations as text, each with the facts just before it.
fn told(violations: &[Violation]) -> String {
    let one = |violation: &Violation| {
        let around =
            violation.around.iter().rev().take(14).rev().map(|line| format!("\n        {line}")).collect::<String>();
        format!("{violation}{around}")
    };
    violations.iter().map(one).collect::<Vec<_>>().join("\n    ")
}
