//! What of a real array is here, how far, and how we know: one table for the REST interface and one for the command line.
//!
//! `hpe3par-emulator fidelity` prints it, and `FIDELITY.md` is what it prints. Tests hold it against the router and the list of commands.

mod cli;
mod rest;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

pub(crate) use self::cli::COMMANDS;
pub(crate) use self::rest::ENDPOINTS;

/// How far something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything that the evidence tells of.
    Complete,
    /// What clients are known to use; the note says what is missing or unsure.
    Partial,
    /// Nothing: 404 or 501, or an unknown command.
    Absent,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Absent => "absent",
        }
    }
}

/// A line of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Method and path without `/api/v1`, or the command.
    pub(crate) what: &'static str,
    pub(crate) state: State,
    /// Guide and page, capture, or client that it was built after.
    pub(crate) evidence: &'static str,
    /// What is missing or not certain.
    pub(crate) note: &'static str,
}

/// A line that says everything.
pub(crate) const fn complete(what: &'static str, evidence: &'static str) -> Entry {
    Entry { what, state: State::Complete, evidence, note: "" }
}

/// A line with a reservation.
pub(crate) const fn partial(what: &'static str, evidence: &'static str, note: &'static str) -> Entry {
    Entry { what, state: State::Partial, evidence, note }
}

/// A line about something that is not there.
pub(crate) const fn absent(what: &'static str, evidence: &'static str) -> Entry {
    Entry { what, state: State::Absent, evidence, note: "" }
}

const HEAD: &str = "\
# What the emulator plays

Printed by `hpe3par-emulator fidelity`; do not edit by hand. After a change of the tables in `emulator/src/fidelity/`:

    cargo run -p hpe3par-emulator --bin hpe3par-emulator -- fidelity > emulator/FIDELITY.md

*complete*: everything that the evidence tells of; *partial*: what clients are known to use, with what is missing or unsure;
*absent*: answered with 404 or 501, or an unknown command. Evidence: `1.2:n` and `1.3.1:n` are pages of HP's WSAPI developer's guides;
*capture* is the answer of a real array as published with HPE's Ruby SDK; *python* is python-3parclient, *pstoolkit* the PowerShell
toolkit, *cinder* OpenStack's driver, *ruby* the Ruby SDK. Error codes above 90000 are provisional: the guides name the symbol and the
HTTP status but no number.
";

/// The whole document.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(HEAD);
    section(&mut text, "REST interface (WSAPI)", "Method and path", ENDPOINTS);
    section(&mut text, "Command line (SSH)", "Command", COMMANDS);
    text
}

fn section(text: &mut String, title: &str, first: &str, entries: &[Entry]) {
    let count = |state: State| entries.iter().filter(|entry| entry.state == state).count();
    let (complete, partial, absent) = (count(State::Complete), count(State::Partial), count(State::Absent));
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n## {title}\n\n{complete} complete, {partial} partial, {absent} absent.\n\n| {first} | state | evidence | note |\n|---|---|---|---|\n"
    );
    for entry in entries {
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", entry.what, entry.state.word(), entry.evidence, entry.note);
    }
}
