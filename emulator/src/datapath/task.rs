//! Writes in flight: on the wire, received by the array, or left over after their VLUN went away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ledger::{WayRef, WriteFate};
use super::{BlockStore, IoError, Ledger, Nexus, Sense, SessionId, Verdict, WriteLabel};
use crate::array::{Array, Initiator, IoCounters, Lun, PortPos, VlunGeneration};

/// Number of a write in flight; never used twice in the life of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Sent, but not yet at the array: what it reaches is decided when it is finished.
    OnTheWire,
    /// Received through this template, which still stands.
    Received(VlunGeneration),
    /// Received through this template, which is gone; accepted until this time.
    Lingering(VlunGeneration, Duration),
    /// Decided before its issuer asked; the answer waits.
    Decided(Verdict),
}

/// A write in flight.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    issued: Duration,
    session: SessionId,
    initiator: Initiator,
    port: PortPos,
    lun: Lun,
    offset: u64,
    data: Vec<u8>,
    length: u64,
    /// Whether the data is still to come from the initiator.
    awaits_data: bool,
    label: Option<WriteLabel>,
    stage: Stage,
    /// Volume number at the time it was received, for writes that linger.
    volume: Option<u32>,
}

impl Task {
    /// Whether it belongs to a session.
    pub(crate) fn is_of(&self, session: SessionId) -> bool {
        self.session == session
    }

    /// Whether it was received for a volume.
    pub(crate) fn is_for(&self, volume: u32) -> bool {
        self.volume == Some(volume)
    }

    fn path(&self) -> (Initiator, PortPos) {
        (self.initiator.clone(), self.port)
    }

    fn is_undecided(&self) -> bool {
        !matches!(self.stage, Stage::Decided(_))
    }
}

/// Tasks and ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataPath {
    tasks: BTreeMap<TaskId, Task>,
    made: u64,
    pub(crate) ledger: Ledger,
}

impl DataPath {
    /// Goes on numbering where another one stopped, so that a number held by a live connection never means another write.
    pub(crate) fn number_after(&mut self, other: &Self) {
        self.made = self.made.max(other.made);
    }
}

impl Array {
    /// Starts a write that the array has received: it belongs to the VLUN in force now, and the removal of that VLUN deals with it
    /// as the configuration says ([`InflightPolicy`](crate::array::InflightPolicy)). Its fate is told by
    /// [`finish_write`](Array::finish_write).
    ///
    /// # Errors
    /// [`IoError::NexusLost`] without such a session. A write to a LUN without a VLUN is taken and rejected when finished.
    pub fn begin_write(
        &mut self,
        now: Duration,
        session: SessionId,
        lun: Lun,
        offset: u64,
        data: Vec<u8>,
        label: Option<WriteLabel>,
    ) -> Result<TaskId, IoError> {
        let id = self.send_write(now, session, lun, offset, data, label)?;
        let path = self.data.tasks.get(&id).map(Task::path);
        let reached = path.and_then(|p| self.resolve(&p, lun)).map(|t| (t.generation, t.volume));
        if let (Some((generation, volume)), Some(task)) = (reached, self.data.tasks.get_mut(&id)) {
            (task.stage, task.volume) = (Stage::Received(generation), Some(volume));
        }
        Ok(id)
    }

    /// Sends a write that is still on the wire: the array knows nothing of it until it is finished, so no removal of a VLUN deals
    /// with it, and it reaches whatever volume the LUN leads to *then*. Only the loss of its session or an abort ends it. This is
    /// how a host is hit by a write of its own former life.
    ///
    /// # Errors
    /// [`IoError::NexusLost`] without such a session.
    pub fn send_write(
        &mut self,
        now: Duration,
        session: SessionId,
        lun: Lun,
        offset: u64,
        data: Vec<u8>,
        label: Option<WriteLabel>,
    ) -> Result<TaskId, IoError> {
        self.advance(now);
        let Nexus { initiator, port, .. } = self.nexuses.get(session).ok_or(IoError::NexusLost)?.clone();
        let (stage, length) = (Stage::OnTheWire, data.len() as u64);
        let (issued, awaits_data, volume) = (now, false, None);
        Ok(self.add_task(Task {
            issued,
            session,
            initiator,
            port,
            lun,
            offset,
            data,
            length,
            awaits_data,
            label,
            stage,
            volume,
        }))
    }

    fn add_task(&mut self, task: Task) -> TaskId {
        self.data.made += 1;
        let id = TaskId(self.data.made);
        self.data.tasks.insert(id, task);
        id
    }

    /// Takes note of a write that the array has received without its data: it belongs to the VLUN in force now, and the removal of
    /// that VLUN deals with it. Where writes are settled first this one is not, as there is nothing to put on the medium yet: it
    /// will be rejected.
    ///
    /// # Errors
    /// [`IoError::NexusLost`] without such a session; LOGICAL UNIT NOT SUPPORTED when nothing is there.
    pub(crate) fn receive_command(
        &mut self,
        session: SessionId,
        lun: Lun,
        offset: u64,
        length: u64,
    ) -> Result<TaskId, IoError> {
        let Nexus { initiator, port, .. } = self.nexuses.get(session).ok_or(IoError::NexusLost)?;
        let reached = self.resolve_for(initiator, *port, lun).map(|t| (t.generation, t.volume));
        let (generation, volume) = reached.ok_or(IoError::Sense(Sense::LUN_NOT_SUPPORTED))?;
        let task = Task {
            issued: self.now,
            session,
            initiator: initiator.clone(),
            port: *port,
            lun,
            offset,
            data: Vec::new(),
            length,
            awaits_data: true,
            label: None,
            stage: Stage::Received(generation),
            volume: Some(volume),
        };
        Ok(self.add_task(task))
    }

    /// Ends the waiting of [`Array::receive_command`]: tells when it was issued, and template and volume it may still reach.
    ///
    /// # Errors
    /// [`IoError::Aborted`] when it was aborted meanwhile.
    pub(crate) fn resume_command(
        &mut self,
        task: TaskId,
    ) -> Result<(Duration, Option<(VlunGeneration, u32)>), IoError> {
        let reached = self.data.tasks.get(&task).map(|t| (t.issued, self.reached_by(t, false)));
        self.data.tasks.remove(&task);
        reached.ok_or(IoError::Aborted)
    }

    /// Changes the medium of a volume if it lets itself be changed, and enters that into the ledger. `reached` is what the LUN
    /// leads to; nothing when it leads nowhere.
    pub(crate) fn change_medium(
        &mut self,
        issued: Duration,
        (session, lun): (SessionId, Lun),
        reached: Option<(VlunGeneration, u32)>,
        (offset, length): (u64, u64),
        change: impl FnOnce(&mut BlockStore),
    ) -> Result<(), IoError> {
        let verdict = match reached {
            Some((_, volume)) => self.put_on_medium(volume, offset, length, change),
            None => Verdict::Rejected(Sense::LUN_NOT_SUPPORTED),
        };
        let nexus = self.nexuses.get(session).ok_or(IoError::NexusLost)?;
        let host = self.host_of_initiator.get(&nexus.initiator).and_then(|id| self.hosts.get(*id));
        let way = WayRef {
            host: host.map(|h| &h.name),
            volume: reached.and_then(|(_, id)| self.volumes.get(id)).map(|v| &v.name),
            generation: reached.map(|(generation, _)| generation),
            ..WayRef::of(nexus, lun)
        };
        let fate = WriteFate { issued, decided: self.now, offset, length, verdict, label: None };
        self.data.ledger.push(&way, fate);
        if let (Verdict::Accepted, Some((_, id))) = (verdict, reached) {
            let (initiator, port) = (nexus.initiator.clone(), nexus.port);
            self.count_io(&initiator, port, lun, id, IoCounters::of(true, length));
        }
        match verdict {
            Verdict::Accepted => Ok(()),
            Verdict::Rejected(sense) => Err(IoError::Sense(sense)),
            Verdict::Aborted => Err(IoError::Aborted),
        }
    }

    /// Counts a command for the statistics.
    pub(crate) fn count_io(&mut self, initiator: &Initiator, port: PortPos, lun: Lun, volume: u32, io: IoCounters) {
        let host = self.host_of_initiator.get(initiator).copied();
        self.statistics.count(volume, port, lun.get(), host, io);
    }

    /// Counts a read of a session.
    pub(crate) fn count_read(&mut self, session: SessionId, lun: Lun, volume: u32, length: u64) {
        if let Some(nexus) = self.nexuses.get(session) {
            let (initiator, port) = (nexus.initiator.clone(), nexus.port);
            self.count_io(&initiator, port, lun, volume, IoCounters::of(false, length));
        }
    }

    /// Decides a write in flight against the VLUN in force now, and tells its fate.
    ///
    /// # Errors
    /// [`IoError::Sense`] when it is rejected, [`IoError::Aborted`] when it was aborted or is unknown.
    pub fn finish_write(&mut self, now: Duration, task: TaskId) -> Result<(), IoError> {
        self.advance(now);
        self.decide(task, false);
        let decided = self.data.tasks.remove(&task).map(|t| t.stage);
        match decided {
            Some(Stage::Decided(Verdict::Accepted)) => Ok(()),
            Some(Stage::Decided(Verdict::Rejected(sense))) => Err(IoError::Sense(sense)),
            _ => Err(IoError::Aborted),
        }
    }

    /// Writes and waits for the fate: begin and finish in one.
    ///
    /// # Errors
    /// Those of [`Array::begin_write`] and [`Array::finish_write`].
    pub fn write(
        &mut self,
        now: Duration,
        session: SessionId,
        lun: Lun,
        offset: u64,
        data: &[u8],
        label: Option<WriteLabel>,
    ) -> Result<(), IoError> {
        let task = self.begin_write(now, session, lun, offset, data.to_vec(), label)?;
        self.finish_write(now, task)
    }

    /// Aborts the writes in flight of a session on one LUN (ABORT TASK SET), also those on the wire; gives how many.
    pub fn abort_tasks_of(&mut self, now: Duration, session: SessionId, lun: Lun) -> usize {
        self.advance(now);
        self.abort_tasks(|task| task.is_of(session) && task.lun == lun)
    }

    /// How many writes are in flight.
    #[must_use]
    pub fn writes_in_flight(&self) -> usize {
        self.data.tasks.values().filter(|t| t.is_undecided()).count()
    }

    /// The ledger of writes.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.data.ledger
    }

    /// Aborts the undecided writes that `which` picks; gives how many. Answers of decided writes that nobody has asked for go too.
    pub(crate) fn abort_tasks(&mut self, which: impl Fn(&Task) -> bool) -> usize {
        let picked: Vec<TaskId> = self.data.tasks.iter().filter(|(_, t)| which(t)).map(|(id, _)| *id).collect();
        picked.into_iter().filter(|id| self.abort_task(*id)).count()
    }

    /// Aborts one write, so that its issuer gets no answer other than that; tells whether its fate was still open.
    pub(crate) fn abort_task(&mut self, id: TaskId) -> bool {
        let Some(task) = self.data.tasks.remove(&id) else { return false };
        let open = task.is_undecided();
        if open {
            let (generation, volume) = (task.generation(), task.volume);
            self.enter(&task, generation, volume, Verdict::Aborted);
        }
        open
    }

    /// The received writes on a template, apart from those on paths that are kept.
    pub(crate) fn tasks_on(&self, generation: VlunGeneration, kept: &BTreeSet<(Initiator, PortPos)>) -> Vec<TaskId> {
        let on = |t: &Task| t.stage == Stage::Received(generation) && !kept.contains(&t.path());
        self.data.tasks.iter().filter(|(_, t)| on(t)).map(|(id, _)| *id).collect()
    }

    /// Puts a received write on the medium now; its issuer hears of it when it asks.
    pub(crate) fn settle(&mut self, id: TaskId) {
        if self.data.tasks.get(&id).is_some_and(|t| !t.awaits_data) {
            self.decide(id, true);
        }
    }

    /// Lets a received write be accepted until a time although its template goes.
    pub(crate) fn let_linger(&mut self, id: TaskId, until: Duration) {
        if let Some(task) = self.data.tasks.get_mut(&id)
            && let Stage::Received(generation) = task.stage
        {
            task.stage = Stage::Lingering(generation, until);
        }
    }

    /// Decides an undecided write. With `settling` its template is still in force by definition.
    fn decide(&mut self, id: TaskId, settling: bool) {
        let Some(mut task) = self.data.tasks.remove(&id) else { return };
        if task.is_undecided() {
            let reached = self.reached_by(&task, settling);
            let verdict = match reached {
                None => Verdict::Rejected(Sense::LUN_NOT_SUPPORTED),
                Some((_, volume)) => {
                    let (offset, data) = (task.offset, std::mem::take(&mut task.data));
                    self.put_on_medium(volume, offset, task.length, |blocks| blocks.write(offset, &data))
                }
            };
            self.enter(&task, reached.map(|r| r.0), reached.map(|r| r.1), verdict);
            if let (Verdict::Accepted, Some((_, volume))) = (verdict, reached) {
                self.count_io(&task.initiator, task.port, task.lun, volume, IoCounters::of(true, task.length));
            }
            task.stage = Stage::Decided(verdict);
        }
        self.data.tasks.insert(id, task);
    }

    /// Template and volume that an undecided write reaches at the current time.
    fn reached_by(&self, task: &Task, settling: bool) -> Option<(VlunGeneration, u32)> {
        let in_force = || self.resolve(&task.path(), task.lun).map(|t| (t.generation, t.volume));
        match task.stage {
            Stage::Received(generation) if settling => task.volume.map(|v| (generation, v)),
            Stage::Received(generation) => in_force().filter(|(g, _)| *g == generation),
            Stage::Lingering(generation, until) if self.now <= until => task.volume.map(|v| (generation, v)),
            Stage::Lingering(..) | Stage::Decided(_) => None,
            Stage::OnTheWire => in_force(),
        }
    }

    /// Writes to a volume if it lets itself be written.
    fn put_on_medium(&mut self, id: u32, offset: u64, length: u64, change: impl FnOnce(&mut BlockStore)) -> Verdict {
        let Some(volume) = self.volumes.get(id) else { return Verdict::Rejected(Sense::LUN_NOT_SUPPORTED) };
        if volume.read_only {
            return Verdict::Rejected(Sense::WRITE_PROTECTED);
        }
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > volume.size_bytes()) {
            return Verdict::Rejected(Sense::OUT_OF_RANGE);
        }
        let keeps = volume.is_snapshot() || self.volume_index.has_children(id);
        self.change_data(id, |volume| {
            change(&mut volume.blocks);
            if keeps {
                volume.copied_on_write += length;
            }
        });
        self.note_write_for_mirrors(id);
        Verdict::Accepted
    }

    /// Enters the fate of a write into the ledger.
    fn enter(&mut self, task: &Task, generation: Option<VlunGeneration>, volume: Option<u32>, verdict: Verdict) {
        let fate = WriteFate {
            issued: task.issued,
            decided: self.now,
            offset: task.offset,
            length: task.length,
            verdict,
            label: task.label.clone(),
        };
        let host = self.host_of_initiator.get(&task.initiator).and_then(|id| self.hosts.get(*id));
        let way = WayRef {
            session: task.session,
            initiator: &task.initiator,
            port: task.port,
            lun: task.lun,
            host: host.map(|h| &h.name),
            volume: volume.and_then(|id| self.volumes.get(id)).map(|v| &v.name),
            generation,
        };
        self.data.ledger.push(&way, fate);
    }
}

impl Task {
    /// The template it was received through.
    fn generation(&self) -> Option<VlunGeneration> {
        match self.stage {
            Stage::Received(generation) | Stage::Lingering(generation, _) => Some(generation),
            Stage::OnTheWire | Stage::Decided(_) => None,
        }
    }
}
