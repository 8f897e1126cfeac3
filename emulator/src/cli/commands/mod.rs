//! The commands of the command line, one file per family.
//!
//! [`catalogue`] is the one table of them all: the dispatcher, `help` and `clihelp` read it.

mod catalogue;
mod cpgs;
mod disks;
mod domains;
mod events;
mod file_persona;
mod hardware;
mod health;
mod help;
mod host_change;
mod host_show;
mod network;
mod ports;
mod qos;
mod quantities;
mod refusal;
mod remote_copy_change;
mod remote_copy_show;
mod schedules;
mod sets;
mod space;
mod statistics;
mod system;
mod tasks;
mod users;
mod vlun_change;
mod vlun_show;
mod vlun_summary;
mod volume_change;
mod volume_columns;
mod volume_copies;
mod volume_remove;
mod volume_show;
mod volume_tasks;

use std::time::Duration;

pub(crate) use self::catalogue::{find, without_secrets};
use super::{
    options::{Known, Options},
    table::{Style, Table},
    who::Who,
};
use crate::{
    Emulator,
    array::{Array, RemovalAnomaly},
};

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what was asked; the text may be empty.
    Done(String),
    /// It was refused with this text.
    Refused(String),
    /// It wants to be confirmed; these words run it without asking again.
    Ask {
        /// The question, without the choice of answers.
        question: String,
        /// The command to run when the answer is yes.
        confirmed: Vec<String>,
    },
    /// It wants lines of text, ended by an empty one; these words run it, the text joined being one more operand.
    Collect {
        /// What is said before.
        prompt: String,
        /// The command to run with the text.
        then: Vec<String>,
    },
}

impl Outcome {
    /// A refusal ended by a line end.
    fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into() + "\n")
    }
}

/// What a command returns: `?` ends it with a refusal.
type Answer = Result<Outcome, Outcome>;

/// How a command is run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// By this function.
    Array(fn(&Invocation<'_>) -> Answer),
    /// By the session itself: its settings, its history, its end.
    Session,
}

/// One command.
pub(crate) struct Command {
    /// Name.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) summary: &'static str,
    /// Its options.
    pub(crate) options: &'static str,
    /// Its operands, as the usage prints them.
    pub(crate) operands: &'static str,
    /// How it is run.
    pub(crate) run: Run,
}

impl Command {
    /// A command on the array.
    const fn new(
        name: &'static str,
        summary: &'static str,
        options: &'static str,
        operands: &'static str,
        run: fn(&Invocation<'_>) -> Answer,
    ) -> Self {
        Self { name, summary, options, operands, run: Run::Array(run) }
    }
}

/// A command about to run.
pub(crate) struct Invocation<'a> {
    emulator: &'a Emulator,
    /// The words of the command line, the command first.
    words: &'a [String],
    /// The same sorted.
    options: Options,
    style: Style,
    /// How removals of VLUNs deviate, when a fault wants it.
    anomaly: RemovalAnomaly,
    command: &'static Command,
    who: &'a Who,
}

impl Invocation<'_> {
    /// Looks at the array.
    fn read<T>(&self, look: impl FnOnce(&Array) -> T) -> T {
        self.emulator.with(|array, _| look(array))
    }

    /// Runs a command of the array at the current time.
    fn change<T>(&self, command: impl FnOnce(&mut Array, Duration) -> T) -> T {
        self.emulator.with(command)
    }

    /// The operands.
    fn operands(&self) -> &[String] {
        &self.options.operands
    }

    /// Whether the option was given.
    fn has(&self, option: &str) -> bool {
        self.options.has(option)
    }

    /// The value of an option.
    fn value(&self, option: &str) -> Option<&str> {
        self.options.value(option)
    }

    /// The value of an option as a whole number.
    fn number(&self, option: &str) -> Result<Option<i64>, Outcome> {
        self.options.number(option).map_err(Outcome::refused)
    }

    /// A refusal that says how the command is used.
    fn misused(&self, why: &str) -> Outcome {
        Outcome::refused(format!("{}: {why}\n{}", self.command.name, help::usage(self.command)))
    }

    /// The single operand.
    fn only_operand(&self) -> Result<&str, Outcome> {
        match self.operands() {
            [only] => Ok(only),
            [] => Err(self.misused("missing arguments")),
            [_, surplus, ..] => Err(self.misused(&format!("too many arguments: {surplus}"))),
        }
    }

    /// Refuses operands where there are none.
    fn no_operands(&self) -> Result<(), Outcome> {
        match self.operands() {
            [] => Ok(()),
            [surplus, ..] => Err(self.misused(&format!("too many arguments: {surplus}"))),
        }
    }

    /// A listing as this session wants it; `empty` when it has no row.
    fn print(&self, table: &Table, empty: &str) -> Answer {
        if table.is_empty() {
            return Ok(Outcome::Done(format!("{empty}\n")));
        }
        Ok(Outcome::Done(table.render(self.options.style(self.style))))
    }

    /// Asks before something is done that `-f` would do at once.
    fn ask(&self, question: impl Into<String>) -> Answer {
        let mut confirmed = self.words.to_vec();
        confirmed.insert(1, "-f".to_owned());
        Ok(Outcome::Ask { question: question.into(), confirmed })
    }
}

/// Who runs a command, and how its answer is to look.
pub(crate) struct Circumstances<'a> {
    /// The session's settings.
    pub(crate) style: Style,
    /// How removals of VLUNs deviate.
    pub(crate) anomaly: RemovalAnomaly,
    /// The session.
    pub(crate) who: &'a Who,
}

/// Names of all commands.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    catalogue::all().map(|command| command.name)
}

/// Runs a command. Words without a command, and commands of the session itself, do nothing here.
pub(crate) fn run(emulator: &Emulator, words: &[String], circumstances: &Circumstances<'_>) -> Outcome {
    let name = words.first().map(String::as_str).unwrap_or_default();
    // How python-3parclient asks for answers of File Persona commands.
    if let [wrapper, inner] = words
        && wrapper == "Tpd::rtpd"
    {
        return match super::words::split(inner) {
            Ok(words) if words.first().is_some_and(|first| first != "Tpd::rtpd") => {
                run(emulator, &words, circumstances)
            }
            _ => Outcome::refused("invalid command name \"\""),
        };
    }
    let Some(command) = find(name) else {
        // The words of the Tcl shell that the command line is.
        return Outcome::refused(format!("invalid command name \"{name}\""));
    };
    let Run::Array(function) = command.run else { return Outcome::Done(String::new()) };
    let arguments = words.get(1..).unwrap_or_default();
    if arguments.iter().any(|word| word == "-h") && !Known(command.options).each().any(|(option, _)| option == "-h") {
        return Outcome::Done(help::page(command));
    }
    let options = match Options::sort(arguments, Known(command.options)) {
        Ok(options) => options,
        Err(why) => return Outcome::refused(why),
    };
    let &Circumstances { style, anomaly, who } = circumstances;
    if !is_for_readers(name) && !emulator.with(|array, _| array.role_of(&who.user)).may_change() {
        return Outcome::refused("Error: permission denied");
    }
    let invocation = Invocation { emulator, words, options, style, anomaly, command, who };
    function(&invocation).unwrap_or_else(|refused| refused)
}

/// Whether a role that only reads may run a command: what looks, and what changes nothing but the keys of the own account.
fn is_for_readers(name: &str) -> bool {
    let starts =
        ["show", "stat", "get", "help", "clihelp", "check", "waittask", "setsshkey", "removesshkey", "history"];
    starts.iter().any(|start| name.starts_with(start))
}

/// `text` where it is not empty, else the array's way of saying "nothing".
fn dash(text: &str) -> String {
    if text.is_empty() { "---".to_owned() } else { text.to_owned() }
}

/// A text that may be absent; two dashes when it is.
fn or_dashes<T: ToString>(text: Option<T>) -> String {
    text.map_or_else(|| "--".to_owned(), |text| text.to_string())
}

#[cfg(test)]
mod tests;
