//! Facts as items: what begins with one fact and ends with another becomes one item with a length.

use std::collections::BTreeMap;

use hpe3par_docker_plugin::array::Wwn;

use super::recording::Recording;
use super::timeline::{Answer, AnswerKind, Item, Lane, Moment, Ownership, PhaseBegin, What};
use crate::checks::{Fact, FactKind, LifeKey, Phase, RecordFact, WriteFact};
use crate::node::{Life, NodeEvent};

const NO_POWER: &str = "no power";
const FROZEN: &str = "stands still";
const NO_SAN: &str = "cut from the storage network";

/// All facts of a recording as items.
pub(super) fn items(recording: &Recording) -> Vec<Item> {
    let mut items = FactItems {
        with_requests: recording.calls.is_empty(),
        nodes: &recording.nodes,
        volume_of: volumes_of_lives(&recording.facts),
        ..FactItems::default()
    };
    recording.facts.iter().for_each(|fact| items.see(fact));
    items.items
}

/// The volume each mounted filesystem was on: a refused write tells only which filesystem it came from.
fn volumes_of_lives(facts: &[Fact]) -> BTreeMap<LifeKey, Wwn> {
    let of = |fact: &Fact| match &fact.kind {
        FactKind::Node {
            event: NodeEvent::Mounted { wwn, life, .. } | NodeEvent::FilesystemMade { wwn, life },
            ..
        } => Some((LifeKey::from(life), wwn.clone())),
        _ => None,
    };
    facts.iter().filter_map(of).collect()
}

/// Items so far, and which of them have not ended.
#[derive(Default)]
struct FactItems<'a> {
    with_requests: bool,
    nodes: &'a [String],
    volume_of: BTreeMap<LifeKey, Wwn>,
    items: Vec<Item>,
    exports: BTreeMap<u64, usize>,
    epochs: BTreeMap<Wwn, usize>,
    mounts: BTreeMap<LifeKey, usize>,
    faults: BTreeMap<(String, String), usize>,
    requests: BTreeMap<u64, usize>,
}

impl FactItems<'_> {
    fn see(&mut self, fact: &Fact) {
        let at = Moment::from(fact.at);
        match &fact.kind {
            FactKind::Exported { volume, host, lun, generation } => self.exported(at, volume, host, *lun, *generation),
            FactKind::Unexported { generation, .. } => {
                let item = self.exports.remove(generation);
                self.end(item, at);
            }
            FactKind::Write(write) => self.write(at, write),
            FactKind::Record(record) => self.record(at, record),
            FactKind::Node { node, event } => self.on_node(at, node, event),
            // There are many; the write itself is shown at the array.
            FactKind::Sector(_) => {}
            FactKind::Note { who, what } => self.step(at, lane_of(who), None, what.clone()),
            FactKind::FaultBegan { who, what, lasts } => {
                self.fault(at, who, what, lasts.map(|lasts| Moment::from(fact.at + lasts)));
            }
            FactKind::FaultEnded { who, what } => self.healed(at, who, what),
            FactKind::MountAsked { node, volume, request } => self.asked(at, "Mount", node, volume, *request),
            FactKind::UnmountAsked { node, volume, request } => self.asked(at, "Unmount", node, volume, *request),
            FactKind::MountAnswered { request, answer, .. } => {
                self.answered(at, *request, answer.as_ref().map(|dir| dir.display().to_string()));
            }
            FactKind::UnmountAnswered { request, answer, .. } => {
                self.answered(at, *request, answer.as_ref().map(|()| String::new()));
            }
        }
    }

    fn add(&mut self, item: Item) -> usize {
        self.items.push(item);
        self.items.len() - 1
    }

    fn end(&mut self, place: Option<usize>, at: Moment) {
        if let Some(item) = place.and_then(|place| self.items.get_mut(place)) {
            item.end = Some(at);
        }
    }

    fn step(&mut self, at: Moment, lane: Lane, volume: Option<&Wwn>, what: String) {
        let node = match &lane {
            Lane::Node(name) => Some(name.clone()),
            Lane::Etcd | Lane::Array | Lane::Site => None,
        };
        self.add(Item {
            at,
            end: None,
            lane,
            node,
            volume: volume.map(ToString::to_string),
            what: What::Step { what },
        });
    }

    fn exported(&mut self, at: Moment, volume: &Wwn, host: &str, lun: u32, generation: u64) {
        let node = self.nodes.iter().find(|node| *node == host).cloned();
        let what = What::Export { host: host.to_owned(), lun, generation };
        let place = self.add(Item { at, end: None, lane: Lane::Array, node, volume: Some(volume.to_string()), what });
        self.exports.insert(generation, place);
    }

    fn write(&mut self, at: Moment, write: &WriteFact) {
        let meant = write.life.as_ref().and_then(|life| self.volume_of.get(life));
        let volume = write.volume.as_ref().or(meant).map(ToString::to_string);
        let what = What::Write {
            accepted: write.accepted,
            lun: write.lun,
            offset: write.offset,
            boot: write.life.as_ref().map(|life| life.boot),
            mount: write.life.as_ref().map(|life| life.mount),
        };
        let node = write.life.as_ref().map(|life| life.node.clone()).or_else(|| write.host.clone());
        self.add(Item { at, end: None, lane: Lane::Array, node, volume, what });
    }

    /// One epoch is one item, however often its record is written.
    fn record(&mut self, at: Moment, record: &RecordFact) {
        let open = self.epochs.get(&record.volume).copied();
        let (Some((owner, _)), Some(phase)) = (&record.owner, ownership(record.phase)) else {
            self.epochs.remove(&record.volume);
            self.end(open, at);
            return;
        };
        let begin = PhaseBegin { at, phase, lun: record.lun.map(|lun| lun.number()) };
        if let Some(item) = open.and_then(|place| self.items.get_mut(place)) {
            if let What::Epoch { epoch, phases } = &mut item.what
                && *epoch == record.epoch
                && item.node.as_ref() == Some(owner)
            {
                if phases.last().is_none_or(|last| last.phase != phase || last.lun != begin.lun) {
                    phases.push(begin);
                }
                return;
            }
            item.end = Some(at);
        }
        let place = self.add(Item {
            at,
            end: None,
            lane: Lane::Etcd,
            node: Some(owner.clone()),
            volume: Some(record.volume.to_string()),
            what: What::Epoch { epoch: record.epoch, phases: vec![begin] },
        });
        self.epochs.insert(record.volume.clone(), place);
    }

    fn asked(&mut self, at: Moment, method: &str, node: &str, volume: &Wwn, request: u64) {
        if !self.with_requests {
            return;
        }
        let what = What::Request { method: method.to_owned(), caller: None, asked: None, answer: None };
        let place = self.add(Item {
            at,
            end: None,
            lane: Lane::Node(node.to_owned()),
            node: Some(node.to_owned()),
            volume: Some(volume.to_string()),
            what,
        });
        self.requests.insert(request, place);
    }

    fn answered(&mut self, at: Moment, request: u64, told: Result<String, &String>) {
        let Some(item) = self.requests.remove(&request).and_then(|place| self.items.get_mut(place)) else { return };
        item.end = Some(at);
        if let What::Request { answer, .. } = &mut item.what {
            *answer = Some(match told {
                Ok(text) => Answer { outcome: AnswerKind::Done, text },
                Err(text) => Answer { outcome: AnswerKind::Refused, text: text.clone() },
            });
        }
    }

    fn fault(&mut self, at: Moment, who: &str, what: &str, until: Option<Moment>) {
        let key = (who.to_owned(), what.to_owned());
        if until.is_none() && self.faults.contains_key(&key) {
            return;
        }
        let lane = lane_of(who);
        let node = matches!(lane, Lane::Node(_)).then(|| who.to_owned());
        let place = self.add(Item {
            at,
            end: until,
            lane,
            node,
            volume: None,
            what: What::Fault { what: what.to_owned(), open: until.is_none() },
        });
        if until.is_none() {
            self.faults.insert(key, place);
        }
    }

    fn healed(&mut self, at: Moment, who: &str, what: &str) {
        let Some(place) = self.faults.remove(&(who.to_owned(), what.to_owned())) else { return };
        self.end(Some(place), at);
        if let Some(Item { what: What::Fault { open, .. }, .. }) = self.items.get_mut(place) {
            *open = false;
        }
    }

    fn on_node(&mut self, at: Moment, node: &str, event: &NodeEvent) {
        let lane = || Lane::Node(node.to_owned());
        match event {
            NodeEvent::PoweredOff => {
                self.end_mounts_of(at, node);
                self.fault(at, node, NO_POWER, None);
            }
            NodeEvent::Booted { boot } => {
                self.healed(at, node, NO_POWER);
                self.step(at, lane(), None, format!("boots as {boot}"));
            }
            NodeEvent::Frozen => self.fault(at, node, FROZEN, None),
            NodeEvent::Thawed => self.healed(at, node, FROZEN),
            NodeEvent::SanCut { cut: true } => self.fault(at, node, NO_SAN, None),
            NodeEvent::SanCut { cut: false } => self.healed(at, node, NO_SAN),
            NodeEvent::DeviceAdded { wwn, lun } => {
                self.step(at, lane(), Some(wwn), format!("SCSI device at LUN {lun} appears"));
            }
            NodeEvent::DeviceDeleted { wwn, lun } => {
                self.step(at, lane(), Some(wwn), format!("SCSI device at LUN {lun} deleted"));
            }
            NodeEvent::FilesystemMade { wwn, .. } => self.step(at, lane(), Some(wwn), "filesystem made".to_owned()),
            NodeEvent::Acknowledged { wwn, record, .. } => {
                self.step(at, lane(), Some(wwn), format!("fsync acknowledged up to record {}", record.number));
            }
            NodeEvent::Mounted { wwn, life, dir, chain } => {
                let directory = dir.display().to_string();
                self.mounted(at, wwn, life, directory, chain.len());
            }
            NodeEvent::Unmounted { life, .. } => self.unmounted(at, &LifeKey::from(life), "unmounted"),
            NodeEvent::Stopped { wwn, life, aborted } => self.stopped(at, wwn, life, *aborted),
        }
    }

    fn mounted(&mut self, at: Moment, wwn: &Wwn, life: &Life, directory: String, records: usize) {
        let what = What::Mount {
            boot: life.boot,
            mount: life.mount,
            epoch: life.epoch,
            directory,
            records,
            stopped: None,
            ending: None,
        };
        let place = self.add(Item {
            at,
            end: None,
            lane: Lane::Node(life.node.clone()),
            node: Some(life.node.clone()),
            volume: Some(wwn.to_string()),
            what,
        });
        self.mounts.insert(LifeKey::from(life), place);
    }

    fn unmounted(&mut self, at: Moment, life: &LifeKey, how: &str) {
        let place = self.mounts.remove(life);
        self.end(place, at);
        if let Some(Item { what: What::Mount { ending, .. }, .. }) = place.and_then(|place| self.items.get_mut(place)) {
            *ending = Some(how.to_owned());
        }
    }

    fn stopped(&mut self, at: Moment, wwn: &Wwn, life: &Life, aborted: bool) {
        let how = if aborted { "filesystem aborts after an I/O error" } else { "filesystem shut down" };
        self.step(at, Lane::Node(life.node.clone()), Some(wwn), how.to_owned());
        let place = self.mounts.get(&LifeKey::from(life)).copied();
        if let Some(Item { what: What::Mount { stopped, .. }, .. }) = place.and_then(|place| self.items.get_mut(place))
        {
            stopped.get_or_insert(at);
        }
    }

    fn end_mounts_of(&mut self, at: Moment, node: &str) {
        let lost: Vec<LifeKey> = self.mounts.keys().filter(|life| life.node == node).cloned().collect();
        lost.iter().for_each(|life| self.unmounted(at, life, "lost with the power"));
    }
}

fn ownership(phase: Phase) -> Option<Ownership> {
    match phase {
        Phase::Free => None,
        Phase::Fencing => Some(Ownership::Fencing),
        Phase::Attaching => Some(Ownership::Attaching),
        Phase::Mounted => Some(Ownership::Mounted),
        Phase::Releasing => Some(Ownership::Releasing),
    }
}

/// The lane of whom a fact names.
fn lane_of(who: &str) -> Lane {
    match who {
        "store" => Lane::Etcd,
        "world" => Lane::Site,
        other => Lane::from(other.to_owned()),
    }
}
