//! Tasks as the WSAPI shows them.

use serde::Serialize;

use super::{Array, Task, TaskKind, TaskNumber, TaskStatus};
use crate::array::error::ArrayError;

/// A row of `GET /tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRow {
    /// Number.
    pub id: TaskNumber,
    /// Type.
    #[serde(rename = "type")]
    pub kind: TaskKind,
    /// Name.
    pub name: String,
    /// State.
    pub status: TaskStatus,
    /// Phase of those there are, for tasks that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// MiB moved of those to move, for tasks that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// When it began.
    pub start_time: String,
    /// When it ended; `-` while it runs.
    pub finish_time: String,
    /// Priority, -1 where the type has none.
    pub priority: i8,
    /// Account that started it.
    pub user: String,
    /// What happened, a line per message.
    pub detailed_status: String,
}

impl Array {
    /// All tasks of the last day and those that run, as the WSAPI shows them.
    #[must_use]
    pub fn task_rows(&self) -> Vec<TaskRow> {
        self.tasks().map(|task| self.task_row_of(task)).collect()
    }

    /// One task as the WSAPI shows it.
    ///
    /// # Errors
    /// 145 when there is none with this number.
    pub fn task_row(&self, number: TaskNumber) -> Result<TaskRow, ArrayError> {
        self.task(number).map(|task| self.task_row_of(task))
    }

    fn task_row_of(&self, task: &Task) -> TaskRow {
        let stamp = |at| self.timestamp(at).with_zone_name();
        let percent = task.percent_at(self.now);
        let runs = task.status == TaskStatus::Active;
        let total = task.total_mib.max(1);
        let mut lines = vec![format!("{} Created     task.", stamp(task.started))];
        if runs {
            lines.push(format!("{} Updated     {percent}% complete.", stamp(self.now)));
        }
        if let Some(ended) = task.ended {
            let word = match task.status {
                TaskStatus::Done => "Completed   scheduled task.",
                TaskStatus::Cancelled => "Cancelled   task.",
                TaskStatus::Active | TaskStatus::Failed => "Failed      task.",
            };
            lines.push(format!("{} {word}", stamp(ended)));
        }
        TaskRow {
            id: task.number,
            kind: task.kind,
            name: task.name.clone(),
            status: task.status,
            phase: runs.then(|| "1/1".to_owned()),
            step: runs.then(|| format!("{}/{total}", total * percent / 100)),
            start_time: stamp(task.started),
            finish_time: task.ended.map_or_else(|| "-".to_owned(), stamp),
            priority: task.priority.map_or(-1, |priority| priority as i8 + 1),
            user: task.user.clone(),
            detailed_status: lines.join("\n"),
        }
    }
}
