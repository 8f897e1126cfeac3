//! The commands of the command line, one file per family.

mod hosts;
mod ports;
mod system;
mod vlun_change;
mod vlun_show;
mod volumes;

use std::time::Duration;

use super::{
    options::{Known, Options},
    table::Style,
};
use crate::{
    Emulator,
    array::{Array, ArrayError, RemovalAnomaly},
    faults::glob_matches,
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
}

impl Outcome {
    /// A refusal ended by a line end.
    fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into() + "\n")
    }

    /// A refusal of the array in its own words, where the command line has none for it.
    fn refused_by(error: &ArrayError) -> Self {
        Self::refused(format!("Error: {}", error.desc))
    }
}

/// A command about to run.
pub(crate) struct Invocation<'a> {
    emulator: &'a Emulator,
    /// The words of the command line, the command first.
    words: &'a [String],
    style: Style,
    /// How removals of VLUNs deviate, when a fault wants it.
    anomaly: RemovalAnomaly,
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

    /// Sorts the words into options and operands.
    fn options(&self, known: Known) -> Result<Options, Outcome> {
        Options::sort(self.words.get(1..).unwrap_or_default(), known).map_err(Outcome::refused)
    }
}

/// One command.
struct Command {
    name: &'static str,
    summary: &'static str,
    run: fn(&Invocation<'_>) -> Result<Outcome, Outcome>,
}

const COMMANDS: [Command; 12] = [
    Command { name: "createvlun", summary: "export a volume: make a VLUN template", run: vlun_change::create },
    Command { name: "help", summary: "list the commands", run: help },
    Command { name: "removevlun", summary: "remove VLUN templates and their active VLUNs", run: vlun_change::remove },
    Command { name: "showcpg", summary: "list CPGs", run: system::show_cpgs },
    Command { name: "showhost", summary: "list hosts and their paths", run: hosts::show },
    Command { name: "showhostset", summary: "list host sets", run: hosts::show_sets },
    Command { name: "showport", summary: "list ports", run: ports::show },
    Command { name: "showsys", summary: "show the system", run: system::show },
    Command { name: "showversion", summary: "show the software versions", run: system::show_version },
    Command { name: "showvlun", summary: "list VLUNs", run: vlun_show::show },
    Command { name: "showvv", summary: "list volumes", run: volumes::show },
    Command { name: "showwsapi", summary: "show the REST service", run: system::show_wsapi },
];

/// Runs a command. `words` is not empty.
pub(crate) fn run(emulator: &Emulator, style: Style, words: &[String], anomaly: RemovalAnomaly) -> Outcome {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        // The words of the Tcl shell that the command line is.
        return Outcome::refused(format!("invalid command name \"{name}\""));
    };
    let invocation = Invocation { emulator, words, style, anomaly };
    (command.run)(&invocation).unwrap_or_else(|refused| refused)
}

fn help(_invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let mut text = String::new();
    for command in &COMMANDS {
        text.push_str(&format!("{:<12} - {}\n", command.name, command.summary));
    }
    for (name, summary) in [("setclienv", "set csvtable or nohdtot to 0 or 1 for this session"), ("exit", "leave")] {
        text.push_str(&format!("{name:<12} - {summary}\n"));
    }
    Ok(Outcome::Done(text))
}

/// `text` where it is not empty, else the array's way of saying "nothing".
fn dash(text: &str) -> String {
    if text.is_empty() { "---".to_owned() } else { text.to_owned() }
}

/// Whether a name is wanted: no wish, or one of the comma-separated patterns fits.
fn wanted(patterns: Option<&str>, name: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.split(',').any(|pattern| glob_matches(pattern, name)))
}

/// Whether an operand is a pattern and so may fit nothing.
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', ','])
}

#[cfg(test)]
mod tests;
