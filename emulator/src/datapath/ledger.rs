//! The ledger: one line for every write that the array accepted or rejected.
//!
//! "No write of a fenced node was accepted" is a query on it. Memory is bounded: the newest lines are kept one by one, older ones are
//! folded into one line for each way they could have taken (session, LUN, VLUN template, fate, label without its number). A fold
//! keeps when the first and the last of its writes were decided, and a template stands for one export and never comes back; so "was
//! anything accepted through this export after that moment" has the same answer before and after folding.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Nexus, Sense, SessionId};
use crate::array::{HostName, Initiator, Lun, PortPos, VlunGeneration, VolumeName};

/// Lines kept one by one; about 50 bytes each.
const LINES_KEPT: usize = 1 << 20;

/// What the issuer of a write says about it, for observers only. A real array sees nothing of this and no decision uses it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteLabel {
    /// Node that issued the write.
    pub node: String,
    /// Which boot of the node.
    pub boot: u64,
    /// Ownership epoch in which it was issued.
    pub epoch: u64,
    /// Number given by the issuer.
    pub serial: u64,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is on the medium.
    Accepted,
    /// It ended with this sense.
    Rejected(Sense),
    /// It was aborted with its task or its session before it reached the medium; the issuer got no answer.
    Aborted,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Number, from 1 without gaps.
    pub seq: u64,
    /// When it was issued, in time since the start of the array.
    pub issued: Duration,
    /// When its fate was decided.
    pub decided: Duration,
    /// The way it took.
    #[serde(flatten)]
    pub way: WriteWay,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Its fate.
    pub verdict: Verdict,
    /// What the issuer says about it.
    pub label: Option<WriteLabel>,
}

impl std::ops::Deref for LedgerEntry {
    type Target = WriteWay;

    fn deref(&self) -> &WriteWay {
        &self.way
    }
}

/// The way of a write through the array.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteWay {
    /// Session.
    pub session: SessionId,
    /// LUN it was addressed to.
    pub lun: Lun,
    /// VLUN template it came through, if there was one.
    pub generation: Option<VlunGeneration>,
    /// Volume it reached, if the LUN led to one.
    pub volume: Option<VolumeName>,
    /// Host of the initiator, if it had one.
    pub host: Option<HostName>,
    /// Port.
    pub port: PortPos,
    /// Initiator.
    pub initiator: Initiator,
}

/// Writes that were folded into one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoldedWrites {
    /// The way they took.
    #[serde(flatten)]
    pub way: WriteWay,
    /// Their fate.
    pub verdict: Verdict,
    /// Their label; its number is that of the last of them.
    pub label: Option<WriteLabel>,
    /// How many there were.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Number of the first.
    pub first_seq: u64,
    /// Number of the last.
    pub last_seq: u64,
    /// When the first was decided.
    pub first_decided: Duration,
    /// When the last was decided.
    pub last_decided: Duration,
}

/// Which lines to list; every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerQuery {
    /// Lines after this number.
    pub after_seq: u64,
    /// Volume reached.
    pub volume: Option<String>,
    /// Host of the initiator.
    pub host: Option<String>,
    /// Node of the label.
    pub node: Option<String>,
    /// VLUN template.
    pub generation: Option<VlunGeneration>,
    /// Accepted only, or everything but accepted.
    pub accepted: Option<bool>,
}

/// What differs from write to write on one way.
#[derive(Debug, Clone)]
pub(crate) struct WriteFate {
    pub(crate) issued: Duration,
    pub(crate) decided: Duration,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) verdict: Verdict,
    pub(crate) label: Option<WriteLabel>,
}

/// The way of a write as its parts lie about in the array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WayRef<'a> {
    pub(crate) session: SessionId,
    pub(crate) initiator: &'a Initiator,
    pub(crate) port: PortPos,
    pub(crate) lun: Lun,
    pub(crate) host: Option<&'a HostName>,
    pub(crate) volume: Option<&'a VolumeName>,
    pub(crate) generation: Option<VlunGeneration>,
}

impl<'a> WayRef<'a> {
    /// The way of a session's write to a LUN.
    pub(crate) fn of(nexus: &'a Nexus, lun: Lun) -> Self {
        let Nexus { id, initiator, port, .. } = nexus;
        Self { session: *id, initiator, port: *port, lun, host: None, volume: None, generation: None }
    }

    fn is(&self, way: &WriteWay) -> bool {
        self.session == way.session
            && self.lun == way.lun
            && self.generation == way.generation
            && self.port == way.port
            && self.volume == way.volume.as_ref()
            && self.host == way.host.as_ref()
            && *self.initiator == way.initiator
    }

    fn to_way(self) -> WriteWay {
        WriteWay {
            session: self.session,
            lun: self.lun,
            generation: self.generation,
            volume: self.volume.cloned(),
            host: self.host.cloned(),
            port: self.port,
            initiator: self.initiator.clone(),
        }
    }
}

/// A line as it is kept; its number is its place.
#[derive(Debug, Clone)]
struct Line {
    way: u32,
    verdict: Verdict,
    issued: u64,
    decided: u64,
    offset: u64,
    length: u64,
    label: Option<Box<WriteLabel>>,
}

/// What folded writes have in common: way, fate, and node, boot and epoch of the label.
type FoldKey = (u32, Verdict, Option<(String, u64, u64)>);

/// All writes.
#[derive(Debug, Clone)]
pub struct Ledger {
    ways: Vec<WriteWay>,
    way_numbers: BTreeMap<WriteWay, u32>,
    /// The way that a session used last.
    last_way: BTreeMap<SessionId, u32>,
    lines: VecDeque<Line>,
    /// How many lines were folded.
    folded: u64,
    folds: BTreeMap<FoldKey, FoldedWrites>,
    lines_kept: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            ways: Vec::new(),
            way_numbers: BTreeMap::new(),
            last_way: BTreeMap::new(),
            lines: VecDeque::new(),
            folded: 0,
            folds: BTreeMap::new(),
            lines_kept: LINES_KEPT,
        }
    }
}

/// A time in nanoseconds: enough for 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Ledger {
    /// Enters the fate of a write.
    pub(crate) fn push(&mut self, way: &WayRef<'_>, fate: WriteFate) {
        let way = self.number_of(way);
        self.lines.push_back(Line {
            way,
            verdict: fate.verdict,
            issued: nanoseconds(fate.issued),
            decided: nanoseconds(fate.decided),
            offset: fate.offset,
            length: fate.length,
            label: fate.label.map(Box::new),
        });
        while self.lines.len() > self.lines_kept {
            self.fold_oldest();
        }
    }

    /// Number of a way, a new one when nobody took it before.
    fn number_of(&mut self, way: &WayRef<'_>) -> u32 {
        let last = self.last_way.get(&way.session).copied();
        if let Some(number) = last.filter(|n| self.ways.get(*n as usize).is_some_and(|held| way.is(held))) {
            return number;
        }
        let held = way.to_way();
        let ways = &mut self.ways;
        let number = *self.way_numbers.entry(held).or_insert_with_key(|held| {
            ways.push(held.clone());
            // As many ways as that would need more sessions than the array can number.
            u32::try_from(ways.len() - 1).unwrap_or(u32::MAX)
        });
        self.last_way.insert(way.session, number);
        number
    }

    fn fold_oldest(&mut self) {
        let Some(line) = self.lines.pop_front() else { return };
        self.folded += 1;
        let (seq, decided) = (self.folded, Duration::from_nanos(line.decided));
        let label = line.label.as_ref().map(|l| (l.node.clone(), l.boot, l.epoch));
        let Some(way) = self.ways.get(line.way as usize) else { return };
        let fold = self.folds.entry((line.way, line.verdict, label)).or_insert_with(|| FoldedWrites {
            way: way.clone(),
            verdict: line.verdict,
            label: None,
            count: 0,
            bytes: 0,
            first_seq: seq,
            last_seq: seq,
            first_decided: decided,
            last_decided: decided,
        });
        fold.count += 1;
        fold.bytes = fold.bytes.saturating_add(line.length);
        (fold.last_seq, fold.last_decided) = (seq, fold.last_decided.max(decided));
        fold.label = line.label.map(|label| *label);
    }

    /// Number of the last line, 0 when there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.folded + self.lines.len() as u64
    }

    /// Number of the last write that was folded, 0 when all are kept one by one.
    #[must_use]
    pub fn folded_seq(&self) -> u64 {
        self.folded
    }

    /// The writes that were folded.
    pub fn folded(&self) -> impl Iterator<Item = &FoldedWrites> {
        self.folds.values()
    }

    fn line(&self, place: usize) -> Option<LedgerEntry> {
        let line = self.lines.get(place)?;
        Some(LedgerEntry {
            seq: self.folded + place as u64 + 1,
            issued: Duration::from_nanos(line.issued),
            decided: Duration::from_nanos(line.decided),
            way: self.ways.get(line.way as usize)?.clone(),
            offset: line.offset,
            length: line.length,
            verdict: line.verdict,
            label: line.label.as_deref().cloned(),
        })
    }

    fn lines_after(&self, seq: u64) -> impl Iterator<Item = LedgerEntry> + '_ {
        let start = usize::try_from(seq.saturating_sub(self.folded)).unwrap_or(usize::MAX).min(self.lines.len());
        (start..self.lines.len()).filter_map(|place| self.line(place))
    }

    /// All lines that are kept one by one.
    #[must_use]
    pub fn all(&self) -> Vec<LedgerEntry> {
        self.since(0)
    }

    /// The lines after number `seq`, of those kept one by one.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<LedgerEntry> {
        self.lines_after(seq).collect()
    }

    /// The lines that meet a query, of those kept one by one.
    pub fn query<'a>(&'a self, query: &'a LedgerQuery) -> impl Iterator<Item = LedgerEntry> + 'a {
        let admitted = |entry: &LedgerEntry| query.admits(&entry.way, entry.verdict, entry.label.as_ref());
        self.lines_after(query.after_seq).filter(admitted)
    }

    /// The folded writes that meet a query and may have numbers after its first.
    pub fn query_folded<'a>(&'a self, query: &'a LedgerQuery) -> impl Iterator<Item = &'a FoldedWrites> + 'a {
        let admitted = |fold: &&FoldedWrites| query.admits(&fold.way, fold.verdict, fold.label.as_ref());
        self.folds.values().filter(|fold| fold.last_seq > query.after_seq).filter(admitted)
    }

    /// The accepted writes, of those kept one by one.
    pub fn accepted(&self) -> impl Iterator<Item = LedgerEntry> + '_ {
        self.lines_after(0).filter(|e| e.verdict == Verdict::Accepted)
    }
}

impl LedgerQuery {
    /// Whether writes of this way, fate and label meet every condition.
    fn admits(&self, way: &WriteWay, verdict: Verdict, label: Option<&WriteLabel>) -> bool {
        let same = |wish: &Option<String>, held: Option<&str>| wish.as_deref().is_none_or(|w| held == Some(w));
        same(&self.volume, way.volume.as_ref().map(VolumeName::as_str))
            && same(&self.host, way.host.as_ref().map(HostName::as_str))
            && same(&self.node, label.map(|l| l.node.as_str()))
            && self.generation.is_none_or(|g| way.generation == Some(g))
            && self.accepted.is_none_or(|a| (verdict == Verdict::Accepted) == a)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn way(session: u64, generation: u64) -> WriteWay {
        WriteWay {
            session: SessionId(session),
            lun: Lun::SES,
            generation: Some(VlunGeneration(generation)),
            volume: None,
            host: None,
            port: PortPos::fixed(0, 2, 1),
            initiator: Initiator::parse("iqn.a").unwrap(),
        }
    }

    fn enter(ledger: &mut Ledger, way: &WriteWay, decided: u64, accepted: bool) {
        let way = WayRef {
            session: way.session,
            initiator: &way.initiator,
            port: way.port,
            lun: way.lun,
            host: None,
            volume: None,
            generation: way.generation,
        };
        let verdict = if accepted { Verdict::Accepted } else { Verdict::Rejected(Sense::LUN_NOT_SUPPORTED) };
        let decided = Duration::from_secs(decided);
        ledger.push(&way, WriteFate { issued: decided, decided, offset: 0, length: 512, verdict, label: None });
    }

    proptest! {
        /// Whether anything was accepted through an export after a moment: the question of every fence.
        #[test]
        fn folding_keeps_the_answer_to_the_question_of_a_fence(
            writes in prop::collection::vec((0u64..3, 0u64..4, any::<bool>()), 0..60),
            kept in 0usize..10,
        ) {
            let (mut whole, mut small) = (Ledger::default(), Ledger { lines_kept: kept, ..Ledger::default() });
            for (time, (session, generation, accepted)) in writes.iter().enumerate() {
                for ledger in [&mut whole, &mut small] {
                    enter(ledger, &way(*session, *generation), time as u64, *accepted);
                }
            }
            prop_assert_eq!(small.last_seq(), whole.last_seq());
            prop_assert!(small.all().len() <= kept);
            for generation in (0..4).map(VlunGeneration) {
                let query = LedgerQuery { generation: Some(generation), accepted: Some(true), ..LedgerQuery::default() };
                let last = |ledger: &Ledger| {
                    let lines = ledger.query(&query).map(|e| e.decided).max();
                    lines.max(ledger.query_folded(&query).map(|f| f.last_decided).max())
                };
                prop_assert_eq!(last(&small), last(&whole));
            }
            let counted: u64 = small.folded().map(|f| f.count).sum();
            prop_assert_eq!(counted + small.all().len() as u64, writes.len() as u64);
        }
    }
}
