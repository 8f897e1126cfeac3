//! Sectors are registers: within its ownership history each behaves as if every read and write happened at one moment between
//! question and answer.
//!
//! Values are unique, so that linearizability is decided exactly and fast (Gibbons and Korach, *Testing Shared Memories*): the
//! operations on one value make a zone, from the first answer to the last question. If the zone runs forward, the register held that
//! value all the time in it: two such zones may not overlap, and no zone that runs backward may lie within one.

use std::collections::BTreeMap;
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;

use super::history::{Fact, FactKind, SectorFact, SectorOperation, short};
use super::violation::{Invariant, Violation};
use crate::node::NodeEvent;

/// What is known of one value of one sector.
#[derive(Debug, Clone, Copy)]
struct Value {
    value: u64,
    /// When it was asked to be written; `None` when nobody did.
    written: Option<Duration>,
    /// First answer to an operation on it.
    first_answer: Duration,
    /// Last question of an operation on it.
    last_question: Duration,
    /// First answer to a read of it.
    read: Option<Duration>,
    /// The write was answered with success.
    acknowledged: bool,
}

/// Values of a sector.
type Values = BTreeMap<u64, Value>;

/// Judges all sectors of a history.
#[must_use]
pub fn check_sectors(history: &[Fact]) -> Vec<Violation> {
    let mut sectors: BTreeMap<(Wwn, u64), Values> = BTreeMap::new();
    let mounts = mounts(history);
    for fact in history {
        if let FactKind::Sector(sector) = &fact.kind {
            let values = sectors.entry((sector.volume.clone(), sector.sector)).or_default();
            add(values, sector, fact.at, || next_mount(&mounts, &sector.volume, fact.at));
        }
    }
    let judged = sectors.iter().filter_map(|((volume, sector), values)| {
        let (at, words) = broken(values)?;
        let words = format!("sector {sector} of {}: {words}", short(volume));
        Some(Violation::new(Invariant::C14SectorsAreRegisters, at, words))
    });
    judged.collect()
}

/// When each volume was mounted, in order.
fn mounts(history: &[Fact]) -> BTreeMap<&Wwn, Vec<Duration>> {
    let mut mounts: BTreeMap<&Wwn, Vec<Duration>> = BTreeMap::new();
    for fact in history {
        if let FactKind::Node { event: NodeEvent::Mounted { wwn, .. }, .. } = &fact.kind {
            mounts.entry(wwn).or_default().push(fact.at);
        }
    }
    mounts
}

/// A write with unknown outcome may take effect until the next mount of the volume, and not later.
fn next_mount(mounts: &BTreeMap<&Wwn, Vec<Duration>>, volume: &Wwn, after: Duration) -> Duration {
    let of_volume = mounts.get(volume).map(Vec::as_slice).unwrap_or_default();
    of_volume.get(of_volume.partition_point(|at| *at <= after)).copied().unwrap_or(Duration::MAX)
}

fn add(values: &mut Values, fact: &SectorFact, answered: Duration, until: impl FnOnce() -> Duration) {
    let asked = fact.asked;
    let (value, written, answered, read) = match (fact.operation, fact.done) {
        (SectorOperation::Write(value), true) => (value, Some(asked), answered, None),
        (SectorOperation::Write(value), false) => (value, Some(asked), until(), None),
        // What was there before anything was written counts as written at the beginning.
        (SectorOperation::Read(None), true) => {
            merge(
                values,
                Value {
                    acknowledged: true,
                    ..Value::of(0, Some(Duration::ZERO), Duration::ZERO, Duration::ZERO, None)
                },
            );
            (0, None, answered, Some(answered))
        }
        (SectorOperation::Read(Some(value)), true) => (value, None, answered, Some(answered)),
        (SectorOperation::Read(_), false) => return,
    };
    let acknowledged = written.is_some() && fact.done;
    merge(values, Value { acknowledged, ..Value::of(value, written, answered, asked, read) });
}

impl Value {
    fn of(
        value: u64,
        written: Option<Duration>,
        first_answer: Duration,
        last_question: Duration,
        read: Option<Duration>,
    ) -> Self {
        Self { value, written, first_answer, last_question, read, acknowledged: false }
    }
}

fn merge(values: &mut Values, new: Value) {
    let known = values.entry(new.value).or_insert(new);
    known.written = known.written.or(new.written);
    known.first_answer = known.first_answer.min(new.first_answer);
    known.last_question = known.last_question.max(new.last_question);
    known.acknowledged |= new.acknowledged;
    known.read = match (known.read, new.read) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
}

/// When and how the values of a sector contradict each other.
fn broken(values: &Values) -> Option<(Duration, String)> {
    for value in values.values() {
        match (value.written, value.read) {
            (None, Some(at)) => return Some((at, format!("{:x} was read and nobody wrote it", value.value))),
            (Some(written), Some(at)) if at < written => {
                return Some((at, format!("{:x} was read before it was written", value.value)));
            }
            _ => {}
        }
    }
    // A write that nobody saw and that was never acknowledged may never have happened.
    let happened = values.values().filter(|value| value.read.is_some() || value.acknowledged);
    let (mut forward, backward): (Vec<&Value>, Vec<&Value>) =
        happened.partition(|value| value.first_answer < value.last_question);
    forward.sort_by_key(|value| value.first_answer);
    for pair in forward.windows(2) {
        let [earlier, later] = pair else { continue };
        if later.first_answer < earlier.last_question {
            let words = format!("it held {:x} and {:x} at the same time", earlier.value, later.value);
            return Some((later.first_answer, words));
        }
    }
    for value in backward {
        // The last forward zone that begins before this one does.
        let before = forward.partition_point(|zone| zone.first_answer < value.last_question);
        let around = before.checked_sub(1).and_then(|place| forward.get(place));
        if let Some(zone) = around.filter(|zone| value.first_answer < zone.last_question) {
            let words =
                format!("{:x} was written and was never there: it held {:x} all the time", value.value, zone.value);
            return Some((value.first_answer, words));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Life;

    fn wwn() -> Wwn {
        "60002ac0000000000000000100012345".parse().unwrap()
    }

    fn operation(asked: u64, answered: u64, operation: SectorOperation, done: bool) -> Fact {
        let (volume, asked) = (wwn(), Duration::from_secs(asked));
        let fact = SectorFact { node: "a".to_owned(), volume, sector: 3, operation, asked, done };
        Fact { at: Duration::from_secs(answered), kind: FactKind::Sector(fact) }
    }

    fn write(asked: u64, answered: u64, value: u64) -> Fact {
        operation(asked, answered, SectorOperation::Write(value), true)
    }

    fn read(asked: u64, answered: u64, value: u64) -> Fact {
        operation(asked, answered, SectorOperation::Read(Some(value)), true)
    }

    fn lost_write(asked: u64, answered: u64, value: u64) -> Fact {
        operation(asked, answered, SectorOperation::Write(value), false)
    }

    fn mounted(at: u64) -> Fact {
        let life = Life { node: "b".to_owned(), boot: 1, mount: 1, epoch: 2 };
        let event = NodeEvent::Mounted { wwn: wwn(), life, dir: "/m".into(), chain: Vec::new() };
        Fact { at: Duration::from_secs(at), kind: FactKind::Node { node: "b".to_owned(), event } }
    }

    fn is_good(history: &[Fact]) -> bool {
        check_sectors(history).is_empty()
    }

    #[test]
    fn registers_hold_what_was_written_last() {
        let empty = |asked, answered| operation(asked, answered, SectorOperation::Read(None), true);
        assert!(is_good(&[empty(0, 1), write(2, 3, 7), read(4, 5, 7), write(6, 7, 8), read(8, 9, 8)]));
        assert!(!is_good(&[write(2, 3, 7), write(4, 5, 8), read(6, 7, 7)]), "a write was lost");
        assert!(
            !is_good(&[write(2, 3, 7), read(4, 5, 7), write(6, 7, 8), read(8, 9, 8), read(10, 11, 7)]),
            "it came back"
        );
        assert!(!is_good(&[write(2, 3, 7), empty(4, 5)]), "it was empty again");
        assert!(!is_good(&[read(4, 5, 9)]), "nobody wrote it");
        assert!(!is_good(&[read(1, 2, 7), write(3, 4, 7)]), "read before it was written");
    }

    #[test]
    fn operations_at_the_same_time_may_take_effect_in_any_order() {
        assert!(is_good(&[write(1, 9, 7), write(2, 8, 8), read(10, 11, 7)]));
        assert!(is_good(&[write(1, 9, 7), write(2, 8, 8), read(10, 11, 8)]));
        assert!(is_good(&[write(1, 2, 7), write(3, 9, 8), read(4, 5, 7), read(6, 7, 8)]));
        assert!(!is_good(&[write(1, 2, 7), write(3, 9, 8), read(4, 5, 8), read(6, 7, 7)]));
    }

    #[test]
    fn a_write_without_answer_may_take_effect_until_the_next_mount_and_not_later() {
        assert!(is_good(&[write(1, 2, 7), lost_write(3, 4, 8), read(5, 6, 7), read(7, 8, 8)]));
        assert!(is_good(&[write(1, 2, 7), lost_write(3, 4, 8), mounted(10), read(11, 12, 7)]));
        let late = [write(1, 2, 7), lost_write(3, 4, 8), mounted(10), read(11, 12, 7), read(13, 14, 8)];
        assert!(!is_good(&late), "it took effect after the next mount");
    }
}
