//! Schedules: `createsched`, `setsched`, `removesched`, `showsched`.

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::{ScheduleChange, Times},
    cli::{
        pattern::wanted_by,
        table::{Column, Table},
        words::split,
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "createsched",
        "let a command run at times of day",
        "-run_once -no_alert -svc",
        "<taskscript> \"<minute> <hour> <dom> <month> <dow>\"|@hourly|@daily|... <schedname>",
        create,
    ),
    Command::new("removesched", "remove a schedule", "-f -pat", "<schedname>|<pattern>", remove),
    Command::new(
        "setsched",
        "change, suspend or resume a schedule",
        "-s=<times> -name=<new_name> -suspend -resume -suspend_all -resume_all -alert -no_alert",
        "[<schedname>]",
        set,
    ),
    Command::new("showsched", "list schedules", "-all -d", "[<schedname>|<pattern>]...", show),
];

/// Commands that a schedule may run: those that ask nobody and change what snapshots and copies are about.
const MAY_RUN: [&str; 10] = [
    "createsv",
    "creategroupsv",
    "createvvcopy",
    "promotesv",
    "removevv",
    "updatevv",
    "compactcpg",
    "tunevv",
    "checkhealth",
    "showvv",
];

/// Runs `createsched`: silent when it worked.
fn create(invocation: &Invocation<'_>) -> Answer {
    let [task, times, name] = invocation.operands() else {
        return Err(invocation.misused("a command, its times and a name are required"));
    };
    let times = Times::read(times).map_err(|error| Outcome::refused(error.to_string()))?;
    let words = split(task).map_err(|error| Outcome::refused(format!("Invalid task: {error}")))?;
    let command = words.first().map(String::as_str).unwrap_or_default();
    if !MAY_RUN.contains(&command) {
        return Err(Outcome::refused(format!("Invalid task: {command} cannot be scheduled")));
    }
    let user = &invocation.who.user;
    let made = invocation.change(|array, now| array.create_schedule(now, user, name, task, times));
    made.map_err(|error| Outcome::refused(error.to_string()))?;
    Ok(Outcome::Done(String::new()))
}

/// The names of the schedules that operands fit.
fn named(invocation: &Invocation<'_>, operands: &[String]) -> Vec<String> {
    invocation.read(|array| {
        array.schedules().map(|schedule| schedule.name.clone()).filter(|name| wanted_by(operands, name)).collect()
    })
}

/// Runs `setsched`.
fn set(invocation: &Invocation<'_>) -> Answer {
    let all = invocation.has("-suspend_all") || invocation.has("-resume_all");
    let times = invocation.value("-s").map(Times::read).transpose();
    let change = ScheduleChange {
        new_name: invocation.options.owned("-name"),
        times: times.map_err(|error| Outcome::refused(error.to_string()))?,
        active: match (
            invocation.has("-suspend") || invocation.has("-suspend_all"),
            invocation.has("-resume") || invocation.has("-resume_all"),
        ) {
            (true, true) => return Err(invocation.misused("suspend and resume exclude each other")),
            (true, false) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        },
    };
    let names = if all { named(invocation, &[]) } else { vec![invocation.only_operand()?.to_owned()] };
    if change == ScheduleChange::default() && !invocation.has("-alert") && !invocation.has("-no_alert") {
        return Err(invocation.misused("nothing to change"));
    }
    for name in &names {
        let done = invocation.change(|array, now| array.modify_schedule(now, name, &change));
        done.map_err(|error| Outcome::refused(error.to_string()))?;
    }
    Ok(Outcome::Done(String::new()))
}

/// Runs `removesched`.
fn remove(invocation: &Invocation<'_>) -> Answer {
    let name = invocation.only_operand()?;
    let names = if invocation.has("-pat") { named(invocation, invocation.operands()) } else { vec![name.to_owned()] };
    let known = named(invocation, &[]);
    if names.is_empty() || names.iter().any(|name| !known.contains(name)) {
        return Err(Outcome::refused(format!("Error: schedule {name} does not exist")));
    }
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to remove schedule {}?", names.join(" ")));
    }
    for name in &names {
        let done = invocation.change(|array, now| array.remove_schedule(now, name));
        done.map_err(|error| Outcome::refused(error.to_string()))?;
    }
    Ok(Outcome::Done(String::new()))
}

/// Runs `showsched`.
fn show(invocation: &Invocation<'_>) -> Answer {
    let mut columns = vec![Column::left("SchedName"), Column::left("File/Command")];
    columns.extend(["Min", "Hour", "DOM", "Month", "DOW"].map(Column::right));
    columns.extend(["CreatedBy", "Status", "Alert", "NextRunTime"].map(Column::left));
    let mut table = Table::new(columns);
    let schedules: Vec<_> = invocation.read(|array| array.schedules().cloned().collect());
    for schedule in schedules.iter().filter(|schedule| wanted_by(invocation.operands(), &schedule.name)) {
        let times = schedule.times.to_string();
        let mut fields: Vec<String> = times.split_whitespace().map(str::to_owned).collect();
        // A word such as @daily stands in the first of the five columns.
        fields.resize(5, "-".to_owned());
        let mut row = vec![schedule.name.clone(), schedule.task.clone()];
        row.extend(fields);
        row.extend([
            schedule.user.clone(),
            if schedule.active { "active" } else { "suspended" }.to_owned(),
            "Y".to_owned(),
            schedule.next.map_or_else(|| "--".to_owned(), |next| next.with_zone_name()),
        ]);
        table.push(row);
    }
    invocation.print(&table, "No scheduled tasks listed")
}
