//! Tasks: `showtask`, `canceltask`, `waittask`, `removetask`.

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::{TaskNumber, TaskRow, TaskStatus},
    cli::{
        pattern::fits,
        table::{Column, Table},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("canceltask", "cancel a task", "-f", "<task_ID>", cancel),
    Command::new(
        "showtask",
        "list tasks",
        "-d -all -done -failed -active -t=<hours> -type=<type>[,...]",
        "[<task_ID>]... | [<name pattern>]",
        show,
    ),
    Command::new("waittask", "tell whether a task is over, and how it ended", "-v -q", "<task_ID>...", wait),
];

/// A task that an operand names.
fn task(invocation: &Invocation<'_>, operand: &str) -> Result<TaskRow, Outcome> {
    let unknown = || Outcome::refused(format!("Task {operand} does not exist"));
    let number = operand.parse::<i64>().ok().and_then(|number| TaskNumber::new(number).ok()).ok_or_else(unknown)?;
    invocation.read(|array| array.task_row(number)).map_err(|_| unknown())
}

/// Runs `showtask`. Operands are numbers of tasks, or patterns over their names.
fn show(invocation: &Invocation<'_>) -> Answer {
    let hours = invocation.number("-t")?;
    if hours.is_some_and(|hours| hours < 1) {
        return Err(Outcome::refused("Invalid value for -t: must be at least 1"));
    }
    let (numbers, patterns): (Vec<&String>, Vec<&String>) =
        invocation.operands().iter().partition(|operand| operand.bytes().all(|byte| byte.is_ascii_digit()));
    let mut rows = Vec::new();
    for number in &numbers {
        rows.push(task(invocation, number)?);
    }
    if numbers.is_empty() {
        rows = invocation.read(|array| array.task_rows());
    }
    let states = [("-done", TaskStatus::Done), ("-failed", TaskStatus::Failed), ("-active", TaskStatus::Active)];
    let wanted: Vec<_> = states.iter().filter(|(option, _)| invocation.has(option)).map(|(_, state)| *state).collect();
    rows.retain(|row| {
        (wanted.is_empty() || wanted.contains(&row.status))
            && (patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, &row.name)))
            && invocation.value("-type").is_none_or(|types| types.split(',').any(|word| word == row.kind.cli_word()))
            && hours.is_none_or(|hours| is_recent(invocation, row, hours.unsigned_abs()))
    });
    if rows.is_empty() {
        return Ok(Outcome::Done("No tasks.\n".to_owned()));
    }
    let mut text = listing(&rows).render(invocation.options.style(invocation.style));
    if invocation.has("-d") {
        for row in &rows {
            text.push_str(&format!("\nDetailed status of task {}:\n{}\n", row.id, row.detailed_status));
        }
    }
    Ok(Outcome::Done(text))
}

/// Whether a task runs, or ended within some hours.
fn is_recent(invocation: &Invocation<'_>, row: &TaskRow, hours: u64) -> bool {
    invocation.read(|array| {
        let ended = array.task(row.id).ok().and_then(|task| task.ended);
        ended.is_none_or(|ended| array.now().saturating_sub(ended).as_secs() <= hours.saturating_mul(3600))
    })
}

/// The listing; order of the columns as python-3parclient reads it.
fn listing(rows: &[TaskRow]) -> Table {
    let mut columns = vec![Column::right("Id"), Column::left("Type"), Column::left("Name"), Column::left("Status")];
    columns.extend(["Phase", "Step"].map(Column::right));
    columns.extend(["------StartTime-------", "------FinishTime------", "-Priority-", "-User--"].map(Column::left));
    let mut table = Table::new(columns);
    for row in rows {
        let priority = match row.priority {
            1 => "high",
            2 => "med",
            3 => "low",
            _ => "n/a",
        };
        let or_dashes = |text: &Option<String>| text.clone().unwrap_or_else(|| "---".to_owned());
        table.push(vec![
            row.id.to_string(),
            row.kind.cli_word().to_owned(),
            row.name.clone(),
            row.status.cli_word().to_owned(),
            or_dashes(&row.phase),
            or_dashes(&row.step),
            row.start_time.clone(),
            row.finish_time.clone(),
            priority.to_owned(),
            row.user.clone(),
        ]);
    }
    table
}

/// Runs `canceltask`.
fn cancel(invocation: &Invocation<'_>) -> Answer {
    let operand = invocation.only_operand()?;
    let row = task(invocation, operand)?;
    if row.status != TaskStatus::Active {
        return Err(Outcome::refused(format!("Error: task {operand} is not active")));
    }
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to cancel task {operand}?"));
    }
    let done = invocation.change(|array, now| array.cancel_task(now, row.id));
    done.map_err(|error| Outcome::refused(format!("Error: {}", error.desc)))?;
    Ok(Outcome::Done(format!("Task {operand} has been cancelled.\n")))
}

/// Runs `waittask`: it answers at once, and fails while a task runs or when one has not ended well.
fn wait(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let mut text = String::new();
    let mut bad = false;
    for operand in invocation.operands() {
        let row = task(invocation, operand)?;
        bad |= row.status != TaskStatus::Done;
        if invocation.has("-v") {
            text.push_str(&row.detailed_status);
            text.push('\n');
        }
        if !invocation.has("-q") {
            text.push_str(&format!("Task {operand} {}\n", row.status.cli_word()));
        }
    }
    if bad { Err(Outcome::Refused(text)) } else { Ok(Outcome::Done(text)) }
}
