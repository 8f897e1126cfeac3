//! Tasks: what the array does in the background, in virtual time.
//!
//! A task has a time at which it is done; [`Array::advance`] does its work then. Its progress is the part of that time that is over.
//! Types, states and members follow the WSAPI 1.3.1 developer's guide (pp. 130-133) and captures of real arrays.

mod kind;
mod periodic;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::kind::{TaskKind, TaskPriority, TaskStatus};
pub(crate) use self::periodic::PeriodicTasks;
pub use self::rows::TaskRow;
use super::Array;
use super::copy::CopyWork;
use super::error::ArrayError;
use super::event::EventKind;

/// Largest task number; numbers start again at 1 after it.
pub const TASK_NUMBER_MAX: u32 = 65_535;
/// How long an ended task is listed (1.3.1 guide p. 130).
const LISTED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Number of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskNumber(u32);

impl TaskNumber {
    /// A number inside the range of the WSAPI.
    ///
    /// # Errors
    /// 115 below 1, 43 above 65535.
    pub fn new(number: i64) -> Result<Self, ArrayError> {
        if number < 1 {
            return Err(ArrayError::below_range().with_ref("id"));
        }
        let small = u32::try_from(number).ok().filter(|n| *n <= TASK_NUMBER_MAX);
        small.map(Self).ok_or_else(|| ArrayError::exceeds_range().with_ref("id"))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for TaskNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What is done when the time of a task has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskWork {
    /// Nothing.
    Nothing,
    /// A copy, promotion or conversion of volumes.
    Copy(CopyWork),
    /// A synchronisation of a remote copy group, by number, with a target.
    RemoteSync { group: u32, target: String },
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its number.
    pub number: TaskNumber,
    /// Type.
    pub kind: TaskKind,
    /// Name, mostly that of the object it works on.
    pub name: String,
    /// State.
    pub status: TaskStatus,
    /// Data to move, MiB.
    pub total_mib: u64,
    /// When it began, in time since the start of the array.
    pub started: Duration,
    /// When it is done if nobody stops it.
    pub due: Duration,
    /// When it ended.
    pub ended: Option<Duration>,
    /// Priority, where the type has one.
    pub priority: Option<TaskPriority>,
    /// Account that started it.
    pub user: String,
    pub(crate) work: TaskWork,
}

impl Task {
    /// Part that is done at a time, in percent.
    #[must_use]
    pub fn percent_at(&self, now: Duration) -> u64 {
        if self.status == TaskStatus::Done {
            return 100;
        }
        let until = self.ended.unwrap_or(now).saturating_sub(self.started).as_millis();
        let whole = self.due.saturating_sub(self.started).as_millis().max(1);
        u64::try_from(until * 100 / whole).unwrap_or(100).min(99)
    }
}

/// A task about to start.
#[derive(Debug, Clone)]
pub(crate) struct NewTask {
    pub(crate) kind: TaskKind,
    pub(crate) name: String,
    pub(crate) mib: u64,
    pub(crate) priority: Option<TaskPriority>,
    pub(crate) work: TaskWork,
}

/// All tasks that are listed.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    held: BTreeMap<TaskNumber, Task>,
    due: BTreeSet<(Duration, TaskNumber)>,
    ended: BTreeSet<(Duration, TaskNumber)>,
    next: u32,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { held: BTreeMap::new(), due: BTreeSet::new(), ended: BTreeSet::new(), next: 1 }
    }
}

impl Tasks {
    /// A number that no listed task has.
    fn free_number(&mut self) -> TaskNumber {
        loop {
            let number = TaskNumber(self.next);
            self.next = if self.next == TASK_NUMBER_MAX { 1 } else { self.next + 1 };
            if !self.held.contains_key(&number) {
                return number;
            }
        }
    }

    fn insert(&mut self, task: Task) {
        match task.ended {
            Some(at) => self.ended.insert((at, task.number)),
            None => self.due.insert((task.due, task.number)),
        };
        self.held.insert(task.number, task);
    }

    /// Ends a task; gives its work.
    fn end(&mut self, number: TaskNumber, at: Duration, status: TaskStatus) -> Option<TaskWork> {
        let task = self.held.get_mut(&number).filter(|task| task.status == TaskStatus::Active)?;
        self.due.remove(&(task.due, number));
        self.ended.insert((at, number));
        (task.ended, task.status) = (Some(at), status);
        Some(std::mem::replace(&mut task.work, TaskWork::Nothing))
    }

    /// Forgets the tasks that ended a day ago.
    fn forget_old(&mut self, now: Duration) {
        while let Some((at, number)) = self.ended.first().copied().filter(|(at, _)| *at + LISTED_FOR < now) {
            self.ended.remove(&(at, number));
            self.held.remove(&number);
        }
    }

    /// When the next task is done.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Goes on numbering where another array stopped.
    pub(crate) fn number_after(&mut self, other: &Self) {
        self.next = self.next.max(other.next);
    }
}

impl Array {
    /// Starts a task; its work is done when the time for its data has passed.
    pub(crate) fn start_task(&mut self, new: NewTask) -> TaskNumber {
        let number = self.tasks.free_number();
        let time = new.priority.unwrap_or_default().stretch(self.config.task_pace.time_for(new.mib));
        let task = Task {
            number,
            kind: new.kind,
            name: new.name,
            status: TaskStatus::Active,
            total_mib: new.mib,
            started: self.now,
            due: self.now + time,
            ended: None,
            priority: new.priority,
            user: self.config.user.clone(),
            work: new.work,
        };
        self.note(EventKind::TaskStarted { task: number, name: task.name.clone(), kind: task.kind.cli_word() });
        self.tasks.insert(task);
        number
    }

    /// Does the work of the tasks whose time has come.
    pub(crate) fn do_due_tasks(&mut self) {
        while let Some((due, number)) = self.tasks.due.first().copied().filter(|(due, _)| *due <= self.now) {
            let Some(work) = self.tasks.end(number, due, TaskStatus::Done) else { continue };
            let status = if self.do_task_work(work) { TaskStatus::Done } else { TaskStatus::Failed };
            if let Some(task) = self.tasks.held.get_mut(&number) {
                task.status = status;
            }
            self.note(EventKind::TaskEnded { task: number, status: status.cli_word() });
        }
        self.tasks.forget_old(self.now);
    }

    /// Does the work of a task; gives whether it could be done.
    fn do_task_work(&mut self, work: TaskWork) -> bool {
        match work {
            TaskWork::Nothing => true,
            TaskWork::Copy(work) => self.finish_copy(&work),
            TaskWork::RemoteSync { group, target } => self.finish_remote_sync(group, &target),
        }
    }

    /// Cancels a task; what it was working on is left as the kind of work leaves it.
    ///
    /// # Errors
    /// 145 unknown task; a provisional code (400) when it has ended.
    pub fn cancel_task(&mut self, now: Duration, number: TaskNumber) -> Result<(), ArrayError> {
        self.advance(now);
        if !self.tasks.held.contains_key(&number) {
            return Err(ArrayError::non_existent_task());
        }
        let now = self.now;
        let work = self.tasks.end(number, now, TaskStatus::Cancelled).ok_or_else(ArrayError::task_not_active)?;
        if let TaskWork::Copy(work) = work {
            self.abandon_copy(&work);
        }
        self.note(EventKind::TaskEnded { task: number, status: TaskStatus::Cancelled.cli_word() });
        Ok(())
    }

    /// Gives a task that runs other work to do at its end.
    pub(crate) fn replace_task_work(&mut self, number: TaskNumber, work: TaskWork) {
        if let Some(task) = self.tasks.held.get_mut(&number).filter(|task| task.status == TaskStatus::Active) {
            task.work = work;
        }
    }

    /// Enters a task that is over already.
    pub(crate) fn enter_ended_task(&mut self, kind: TaskKind, name: &str, user: &str, at: Duration) -> TaskNumber {
        let number = self.tasks.free_number();
        self.tasks.insert(Task {
            number,
            kind,
            name: name.to_owned(),
            status: TaskStatus::Done,
            total_mib: 0,
            started: at,
            due: at,
            ended: Some(at),
            priority: None,
            user: user.to_owned(),
            work: TaskWork::Nothing,
        });
        number
    }

    /// A task.
    ///
    /// # Errors
    /// 145 when there is none with this number, or it ended more than a day ago.
    pub fn task(&self, number: TaskNumber) -> Result<&Task, ArrayError> {
        self.tasks.held.get(&number).ok_or_else(ArrayError::non_existent_task)
    }

    /// All tasks of the last day and those that run, by number.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.held.values()
    }
}
