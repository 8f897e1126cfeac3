//! The witness of a lab: collects what the array, the nodes, the store and the callers saw, as one history of facts.
//!
//! Facts of the array carry the array's own time. What happens on a node or is committed by a plugin is told to the
//! witness before it goes on, and gets the array's time at that moment, so the order is the order things happened in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::store::{Change, Revision, Transaction, keys};
use hpe3par_docker_plugin::volume::record::{Stage, VolumeRecord};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{Channel, CommandOutcome, Event, EventKind, VlunNote};
use hpe3par_emulator::datapath::{LedgerEntry, Verdict};

use super::observed_store::StoreObserver;
use super::overheard::Calls;
use crate::checks::{Fact, FactKind, LifeKey, Phase, RecordFact, WriteFact};
use crate::node::{Epochs, NodeEvent, NodeObserver};
use crate::report::{Command, Recording};

/// Collects facts. One per lab.
#[derive(Default)]
pub struct Witness {
    array: OnceLock<Emulator>,
    seen: Mutex<Seen>,
    calls: Calls,
}

#[derive(Default)]
struct Seen {
    facts: Vec<Fact>,
    records: BTreeMap<Revision, Fact>,
    epochs: BTreeMap<(String, Wwn), u64>,
    volumes: BTreeMap<String, Wwn>,
    names: BTreeMap<Wwn, String>,
    faults: BTreeSet<(String, String)>,
    requests: u64,
}

impl Witness {
    /// Looks at this array from now on. Later calls change nothing.
    pub fn watch(&self, array: &Emulator) {
        let _ = self.array.set(array.clone());
    }

    fn record(&self, record: &VolumeRecord, at: Revision, now: Duration) {
        let Some(fact) = record_fact(record) else { return };
        let wwn = fact.volume.clone();
        let mut seen = self.lock();
        seen.volumes.insert(record.array_name.to_string(), wwn.clone());
        seen.names.insert(wwn.clone(), record.display_name.to_string());
        if let Some(owner) = record.ownership.owner() {
            let host = owner.host.as_ref().map_or_else(|| owner.node.to_string(), ToString::to_string);
            seen.epochs.insert((host, wwn), record.epoch.0);
        }
        seen.records.insert(at, Fact { at: now, kind: FactKind::Record(fact) });
    }

    /// A Mount is about to be asked; gives the number of the request.
    pub fn mount_asked(&self, node: &str, volume: &Wwn) -> u64 {
        let now = self.now();
        let mut seen = self.lock();
        seen.requests += 1;
        let request = seen.requests;
        seen.facts.push(Fact {
            at: now,
            kind: FactKind::MountAsked { node: node.to_owned(), volume: volume.clone(), request },
        });
        request
    }

    /// A Mount was answered.
    pub fn mount_answered(&self, node: &str, volume: &Wwn, request: u64, answer: Result<PathBuf, String>) {
        let kind = FactKind::MountAnswered { node: node.to_owned(), volume: volume.clone(), request, answer };
        let fact = Fact { at: self.now(), kind };
        self.lock().facts.push(fact);
    }

    /// Something is broken on purpose from now on.
    pub fn fault_began(&self, who: &str, what: &str) {
        let kind = FactKind::FaultBegan { who: who.to_owned(), what: what.to_owned(), lasts: None };
        let fact = Fact { at: self.now(), kind };
        let mut seen = self.lock();
        if seen.faults.insert((who.to_owned(), what.to_owned())) {
            seen.facts.push(fact);
        }
    }

    /// What was broken works again. Nothing is told of what was not broken.
    pub fn fault_ended(&self, who: &str, what: &str) {
        let kind = FactKind::FaultEnded { who: who.to_owned(), what: what.to_owned() };
        let fact = Fact { at: self.now(), kind };
        let mut seen = self.lock();
        if seen.faults.remove(&(who.to_owned(), what.to_owned())) {
            seen.facts.push(fact);
        }
    }

    /// Something is broken on purpose for this long.
    pub fn fault(&self, who: &str, what: &str, lasts: Duration) {
        let kind = FactKind::FaultBegan { who: who.to_owned(), what: what.to_owned(), lasts: Some(lasts) };
        let fact = Fact { at: self.now(), kind };
        self.lock().facts.push(fact);
    }

    /// The calls of the plugins' sockets.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Everything so far, for the page of the run. `nodes` are the names of the workers.
    #[must_use]
    pub fn recording(&self, nodes: Vec<String>) -> Recording {
        let Some(array) = self.array.get() else { return Recording::default() };
        let facts = self.history();
        let commands = array.with(|array, _| array.events().all().iter().filter_map(command).collect());
        let begun = SystemTime::now().checked_sub(self.now());
        let seen = self.lock();
        let (names, array_names) = (seen.names.clone(), seen.volumes.clone());
        Recording { begun, nodes, names, array_names, facts, calls: self.calls.all(), commands, scenes: Vec::new() }
    }

    /// Everything so far, in the order it happened.
    #[must_use]
    pub fn history(&self) -> Vec<Fact> {
        let Some(array) = self.array.get() else { return Vec::new() };
        let (events, ledger, volumes_now) = array.with(|array, _| {
            let wwns: Vec<(String, String)> =
                array.volumes().map(|volume| (volume.name.to_string(), volume.wwn.to_string())).collect();
            (array.events().all().to_vec(), array.ledger().all(), wwns)
        });
        let seen = self.lock();
        let mut wwns = seen.volumes.clone();
        wwns.extend(volumes_now.into_iter().filter_map(|(name, wwn)| Some((name, wwn.parse().ok()?))));
        let mut facts: Vec<Fact> = events
            .iter()
            .filter_map(|event| Some(Fact { at: event.at, kind: export_fact(&event.kind, &wwns)? }))
            .chain(
                ledger.iter().map(|entry| Fact { at: entry.decided, kind: FactKind::Write(write_fact(entry, &wwns)) }),
            )
            .collect();
        facts.extend(seen.facts.iter().cloned());
        facts.extend(in_order_of_revision(&seen.records));
        facts.sort_by_key(|fact| fact.at);
        facts
    }

    /// What happened on the nodes: node and event.
    #[must_use]
    pub fn node_events(&self) -> Vec<(String, NodeEvent)> {
        let of_node = |fact: &Fact| match &fact.kind {
            FactKind::Node { node, event } => Some((node.clone(), event.clone())),
            _ => None,
        };
        self.lock().facts.iter().filter_map(of_node).collect()
    }

    /// The history as lines for people.
    #[must_use]
    pub fn time_line(&self) -> Vec<String> {
        self.history().iter().map(ToString::to_string).collect()
    }

    /// Time since the start of the array.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.array.get().map(Emulator::now).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreObserver for Witness {
    fn committed(&self, transaction: &Transaction, at: Revision) {
        let now = self.now();
        for record in records_in(transaction) {
            self.record(&record, at, now);
        }
    }
}

impl NodeObserver for Witness {
    fn observe(&self, node: &str, event: NodeEvent) {
        let fact = Fact { at: self.now(), kind: FactKind::Node { node: node.to_owned(), event } };
        self.lock().facts.push(fact);
    }
}

impl Epochs for Witness {
    fn epoch_of(&self, node: &str, wwn: &Wwn) -> u64 {
        self.lock().epochs.get(&(node.to_owned(), wwn.clone())).copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("facts", &self.lock().facts.len()).finish_non_exhaustive()
    }
}

/// Name of the worker whose node id this is.
#[must_use]
pub fn node_name(id: &str) -> String {
    id.strip_prefix("node-of-").unwrap_or(id).to_owned()
}

/// The volume records that a transaction writes.
pub fn records_in(transaction: &Transaction) -> impl Iterator<Item = VolumeRecord> {
    transaction.changes.iter().filter_map(|change| match change {
        Change::Put { key, value, .. } if key.starts_with(keys::VOLUMES) => VolumeRecord::from_json(key, value).ok(),
        _ => None,
    })
}

/// What checkers look at of a record; `None` before the array has told the volume's WWN.
#[must_use]
pub fn record_fact(record: &VolumeRecord) -> Option<RecordFact> {
    let owner = record.ownership.owner().map(|owner| (node_name(owner.node.as_str()), owner.boot.to_string()));
    let stage = record.ownership.stage();
    Some(RecordFact {
        volume: record.wwn.clone()?,
        epoch: record.epoch.0,
        owner,
        phase: phase(stage),
        lun: stage.and_then(Stage::attempt).map(|attempt| attempt.lun),
    })
}

/// A commit that was told late happened before every commit with a higher revision that was told earlier.
fn in_order_of_revision(records: &BTreeMap<Revision, Fact>) -> Vec<Fact> {
    let mut facts: Vec<Fact> = records.values().cloned().collect();
    let mut latest = Duration::MAX;
    for fact in facts.iter_mut().rev() {
        fact.at = fact.at.min(latest);
        latest = fact.at;
    }
    facts
}

fn phase(stage: Option<Stage>) -> Phase {
    match stage {
        None => Phase::Free,
        Some(Stage::Fencing) => Phase::Fencing,
        Some(Stage::Attaching(_)) => Phase::Attaching,
        Some(Stage::Mounted(_)) => Phase::Mounted,
        Some(Stage::Releasing(_)) => Phase::Releasing,
    }
}

/// A change of the array's exports as a fact; volumes by name.
pub(crate) fn export_fact(kind: &EventKind, wwns: &BTreeMap<String, Wwn>) -> Option<FactKind> {
    let parts = |vlun: &VlunNote| {
        let port = vlun.port.map(|port| format!("port {port}"));
        let host = vlun.host.clone().or(port).unwrap_or_default();
        Some((wwns.get(vlun.volume.as_str())?.clone(), host, u32::from(vlun.lun.get()), vlun.generation.0))
    };
    match kind {
        EventKind::VlunCreated(vlun) => {
            let (volume, host, lun, generation) = parts(vlun)?;
            Some(FactKind::Exported { volume, host, lun, generation })
        }
        EventKind::VlunRemoved { vlun, .. } => {
            let (volume, host, lun, generation) = parts(vlun)?;
            Some(FactKind::Unexported { volume, host, lun, generation })
        }
        _ => None,
    }
}

/// A request that came in at a front end.
fn command(event: &Event) -> Option<Command> {
    let EventKind::Command { channel, command, outcome } = &event.kind else { return None };
    let name = match channel {
        Channel::Wsapi => "REST",
        Channel::Cli => "command line",
        Channel::Iscsi => "iSCSI",
        Channel::Control => "control",
        Channel::Direct => "in the same process",
    };
    let outcome = match outcome {
        CommandOutcome::Done => "done".to_owned(),
        CommandOutcome::Refused { code, desc } => format!("refused with {code}: {desc}"),
        CommandOutcome::Faulted { fault } => format!("FAULT: {fault}"),
    };
    let reads = ["GET ", "show", "POST /credentials", "DELETE /credentials", "set", "exit"];
    let reads = reads.iter().any(|reading| command.starts_with(reading)) && !command.starts_with("setv");
    Some(Command { at: event.at, channel: name.to_owned(), command: command.clone(), outcome, reads })
}

/// A write whose fate the array decided as a fact; volumes by name.
pub(crate) fn write_fact(entry: &LedgerEntry, wwns: &BTreeMap<String, Wwn>) -> WriteFact {
    WriteFact {
        volume: entry.volume.as_ref().and_then(|volume| wwns.get(volume.as_str()).cloned()),
        host: entry.host.as_ref().map(ToString::to_string),
        lun: u32::from(entry.lun.get()),
        offset: entry.offset,
        accepted: entry.verdict == Verdict::Accepted,
        life: entry.label.as_ref().map(|label| LifeKey {
            node: label.node.clone(),
            boot: label.boot,
            mount: label.serial,
        }),
    }
}
