//! The chronicle of one run: everything that happened, in order, judged as it happens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::store::{Change, keys};
use hpe3par_docker_plugin::volume::record::{Stage, VolumeRecord};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{Array, Event, EventKind, VlunNote};
use hpe3par_emulator::datapath::{LedgerEntry, Verdict};
use tokio::time::Instant;

use super::committed_record::CommittedRecord;
use super::coverage::{Coverage, Topic, refusal_in};
use crate::checks::{self, Checkers, Fact, FactKind, LifeKey, Phase, RecordFact, Rules, Violation, WriteFact};
use crate::node::{Epochs, NodeEvent, NodeObserver};

struct Inner {
    facts: Vec<Fact>,
    checkers: Checkers,
    violations: Vec<Violation>,
    events_seen: u64,
    writes_seen: u64,
    wwns: BTreeMap<String, Wwn>,
    records: BTreeMap<Wwn, RecordFact>,
    coverage: Coverage,
}

/// A claim that ends another node's ownership.
pub const TAKEOVER: &str = "takeover";

/// Collects facts from all sides of a run.
pub struct Chronicle {
    inner: Mutex<Inner>,
    emulator: Emulator,
    start: Instant,
    notes: bool,
}

impl Chronicle {
    /// An empty chronicle. Without `notes`, lines that no checker needs are not kept.
    #[must_use]
    pub fn new(emulator: Emulator, start: Instant, rules: &Rules, wwns: BTreeMap<String, Wwn>, notes: bool) -> Self {
        let (events_seen, writes_seen) =
            emulator.with(|array, _| (array.events().last_seq(), array.ledger().last_seq()));
        let inner = Inner {
            facts: Vec::new(),
            checkers: Checkers::new(rules),
            violations: Vec::new(),
            events_seen,
            writes_seen,
            wwns,
            records: BTreeMap::new(),
            coverage: Coverage::default(),
        };
        Self { inner: Mutex::new(inner), emulator, start, notes }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Adds a fact, after everything the array has done before it.
    pub fn tell(&self, kind: FactKind) {
        self.hear_array();
        let at = self.now();
        self.inner().add(Fact { at, kind });
    }

    /// Adds a line that no checker looks at, if such lines are kept.
    pub fn note(&self, who: &str, what: impl FnOnce() -> String) {
        if self.notes {
            self.tell(FactKind::Note { who: who.to_owned(), what: what() });
        }
    }

    /// Adds a fact that no checker looks at, if such facts are kept.
    pub fn tell_people(&self, kind: impl FnOnce() -> FactKind) {
        if self.notes {
            self.tell(kind());
        }
    }

    /// Counts that something of this kind happened.
    pub fn count(&self, topic: Topic, name: &str) {
        self.inner().coverage.count(topic, name);
    }

    /// Counts an answer by its kind, and the refusal it tells of.
    pub fn count_answer<T>(&self, topic: Topic, what: &str, answer: &Result<T, String>) {
        let mut inner = self.inner();
        let kind = match answer {
            Ok(_) => "ok".to_owned(),
            Err(reason) => {
                if let Some(refusal) = refusal_in(reason) {
                    inner.coverage.count(Topic::Refusal, refusal);
                }
                kind_of(reason)
            }
        };
        inner.coverage.count(topic, format!("{what} {kind}").trim_start());
    }

    /// Takes over what the array has done since the last time.
    pub fn hear_array(&self) {
        let mut inner = self.inner();
        let (events_seen, writes_seen) = (inner.events_seen, inner.writes_seen);
        self.emulator.with(|array, _| {
            for write in &array.ledger().since(writes_seen) {
                inner.add_write(write);
                inner.writes_seen = write.seq;
            }
            for event in array.events().since(events_seen) {
                inner.add_event(event, array);
                inner.events_seen = event.seq;
            }
        });
    }

    /// Takes over a committed transaction.
    pub fn hear_commit(&self, changes: &[Change]) {
        for change in changes {
            let Change::Put { key, value, .. } = change else { continue };
            if !key.starts_with(keys::VOLUMES) {
                continue;
            }
            if let Ok(record) = serde_json::from_slice::<CommittedRecord<'_>>(value) {
                self.hear_record(record);
            }
        }
    }

    fn hear_record(&self, record: CommittedRecord<'_>) {
        let last = record.fencing.steps.0.clone();
        let Some(fact) = record.fact() else { return };
        if let Some(step) = last {
            self.count(Topic::Step, shape_of(&step.what));
            self.note(&step.node, || format!("writes ahead: {}", step.what));
        }
        let before = self.inner().records.insert(fact.volume.clone(), fact.clone());
        let owner_of = |fact: &RecordFact| fact.owner.as_ref().map(|(node, _)| node.clone());
        if let (Some(loser), Some(winner)) = (before.as_ref().and_then(owner_of), owner_of(&fact))
            && loser != winner
        {
            self.count(Topic::Step, TAKEOVER);
        }
        self.tell(FactKind::Record(fact));
    }

    /// The record of a volume as committed last.
    #[must_use]
    pub fn record_of(&self, wwn: &Wwn) -> Option<RecordFact> {
        self.inner().records.get(wwn).cloned()
    }

    /// Adds a violation found outside the stream of facts.
    pub fn accuse(&self, mut violation: Violation) {
        let mut inner = self.inner();
        violation.around = checks::lines_before(&inner.facts, inner.facts.len());
        inner.violations.push(violation);
    }

    /// An invariant is broken already.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.inner().violations.is_empty()
    }

    /// How many facts were told.
    #[must_use]
    pub fn length(&self) -> usize {
        self.inner().facts.len()
    }

    /// Ends the chronicle: the time line, the violations and what was covered.
    #[must_use]
    pub fn close(&self) -> (Vec<Fact>, Vec<Violation>, Coverage) {
        self.hear_array();
        let mut inner = self.inner();
        (std::mem::take(&mut inner.facts), std::mem::take(&mut inner.violations), std::mem::take(&mut inner.coverage))
    }
}

impl NodeObserver for Chronicle {
    fn observe(&self, node: &str, event: NodeEvent) {
        self.tell(FactKind::Node { node: node.to_owned(), event });
    }
}

impl Epochs for Chronicle {
    fn epoch_of(&self, _: &str, wwn: &Wwn) -> u64 {
        self.record_of(wwn).map_or(0, |record| record.epoch)
    }
}

impl Inner {
    fn add(&mut self, fact: Fact) {
        let found = self.checkers.see(&fact);
        self.facts.push(fact);
        for mut violation in found {
            violation.around = checks::lines_before(&self.facts, self.facts.len());
            self.violations.push(violation);
        }
    }

    fn add_write(&mut self, write: &LedgerEntry) {
        let volume = write.volume.as_ref().and_then(|name| self.wwns.get(name.as_str())).cloned();
        let life = write.label.as_ref().map(|l| LifeKey { node: l.node.clone(), boot: l.boot, mount: l.serial });
        let fact = WriteFact {
            volume,
            host: write.host.as_ref().map(ToString::to_string),
            lun: u32::from(write.lun.get()),
            offset: write.offset,
            accepted: write.verdict == Verdict::Accepted,
            life,
        };
        self.add(Fact { at: write.decided, kind: FactKind::Write(fact) });
    }

    fn add_event(&mut self, event: &Event, array: &Array) {
        let kind = match &event.kind {
            EventKind::VolumeCreated { volume } => {
                self.learn_wwn(volume.as_str(), array);
                None
            }
            EventKind::VlunCreated(note) => self
                .export_fact(note)
                .map(|(volume, host, lun, generation)| FactKind::Exported { volume, host, lun, generation }),
            EventKind::VlunRemoved { vlun, .. } => self
                .export_fact(vlun)
                .map(|(volume, host, lun, generation)| FactKind::Unexported { volume, host, lun, generation }),
            _ => None,
        };
        if let Some(kind) = kind {
            self.add(Fact { at: event.at, kind });
        }
    }

    /// A volume that a plugin made during the run.
    fn learn_wwn(&mut self, name: &str, array: &Array) {
        if let Ok(volume) = array.volume(name)
            && let Ok(wwn) = volume.wwn.as_str().parse()
        {
            self.wwns.insert(name.to_owned(), wwn);
        }
    }

    fn export_fact(&self, note: &VlunNote) -> Option<(Wwn, String, u32, u64)> {
        let volume = self.wwns.get(note.volume.as_str())?.clone();
        let host = match (&note.host, &note.port) {
            (Some(host), _) => host.clone(),
            (None, Some(port)) => format!("port {port}"),
            (None, None) => "everybody".to_owned(),
        };
        Some((volume, host, u32::from(note.lun.get()), note.generation.0))
    }
}

/// What a record says, for checkers; `None` before its volume has a WWN.
#[must_use]
pub fn record_fact(record: &VolumeRecord) -> Option<RecordFact> {
    let phase = match record.ownership.stage() {
        None => Phase::Free,
        Some(Stage::Fencing) => Phase::Fencing,
        Some(Stage::Attaching(_)) => Phase::Attaching,
        Some(Stage::Mounted(_)) => Phase::Mounted,
        Some(Stage::Releasing(_)) => Phase::Releasing,
    };
    Some(RecordFact {
        volume: record.wwn.clone()?,
        epoch: record.epoch.0,
        owner: record.ownership.owner().map(|owner| (owner.node.to_string(), owner.boot.to_string())),
        phase,
        lun: record.ownership.stage().and_then(Stage::attempt).map(|attempt| attempt.lun),
    })
}

/// The first words of a step, up to the first name or number, so that equal kinds count as one.
fn shape_of(words: &str) -> &str {
    let mut end = 0;
    for word in words.split_inclusive(' ').take(3) {
        if word.chars().any(|c| c.is_ascii_digit() || c == '/') {
            break;
        }
        end += word.len();
    }
    words[..end].trim_end_matches([' ', ':', ','])
}

/// The kind of a failure, without names and numbers.
fn kind_of(reason: &str) -> String {
    let reason = reason.split(" failed: ").last().unwrap_or(reason);
    let words = reason.split_whitespace().filter(|word| !word.chars().any(|c| c.is_ascii_digit() || "/'".contains(c)));
    words.take(7).collect::<Vec<_>>().join(" ")
}
