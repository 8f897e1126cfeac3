//! `help` and `clihelp`: the commands by family, and how each is used.

use super::{
    Answer, Command, Invocation, Outcome, Run,
    catalogue::{FAMILIES, all, find},
    run,
};
use crate::cli::options::Known;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("clihelp", "list the commands, or explain one", "-a -u -col", "[<command>]", show),
    Command::new("help", "list the commands, or explain one", "-a -u -col", "[<command>]", show),
];

/// The line that says how a command is used.
pub(super) fn usage(command: &Command) -> String {
    let mut text = format!("Usage: {}", command.name);
    if !command.options.is_empty() {
        text.push_str(" [options]");
    }
    if !command.operands.is_empty() {
        text.push(' ');
        text.push_str(command.operands);
    }
    text
}

/// Everything about a command.
pub(super) fn page(command: &Command) -> String {
    let mut text = format!("{} - {}\n\n{}\n", command.name, command.summary, usage(command));
    if !command.options.is_empty() {
        text.push_str("\nOptions:\n");
    }
    for (option, value) in Known(command.options).each() {
        match value {
            Some(value) => text.push_str(&format!("    {option} {value}\n")),
            None => text.push_str(&format!("    {option}\n")),
        }
    }
    text
}

/// Runs `help` and `clihelp`: all commands by family, the names alone with `-a`, or one command, its usage alone with `-u`, its
/// columns with `-col`.
fn show(invocation: &Invocation<'_>) -> Answer {
    let Some(name) = invocation.operands().first() else {
        return Ok(Outcome::Done(if invocation.has("-a") { names() } else { families() }));
    };
    let Some(command) = find(name) else {
        return Err(Outcome::refused(format!("No help for {name}: there is no such command; help lists the commands")));
    };
    if invocation.has("-col") {
        return columns(invocation, command);
    }
    Ok(Outcome::Done(if invocation.has("-u") { usage(command) + "\n" } else { page(command) }))
}

fn columns(invocation: &Invocation<'_>, command: &'static Command) -> Answer {
    let has_columns = Known(command.options).each().any(|(option, _)| option == "-listcols");
    if !has_columns || !matches!(command.run, Run::Array(_)) {
        return Err(Outcome::refused(format!("No column help for {}", command.name)));
    }
    let words = [command.name.to_owned(), "-listcols".to_owned()];
    let &Invocation { style, anomaly, who, .. } = invocation;
    Ok(run(invocation.emulator, &words, &super::Circumstances { style, anomaly, who }))
}

fn names() -> String {
    let mut names: Vec<_> = all().map(|command| command.name).collect();
    names.sort_unstable();
    names.iter().map(|name| format!("{name}\n")).collect()
}

fn families() -> String {
    let width = all().map(|command| command.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (title, tables) in FAMILIES {
        text.push_str(&format!("{title}:\n"));
        for command in tables.iter().flat_map(|table| table.iter()) {
            text.push_str(&format!("  {:<width$} - {}\n", command.name, command.summary));
        }
        text.push('\n');
    }
    text + "clihelp <command> explains one of them.\n"
}
