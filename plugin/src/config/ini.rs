//! The dialect of INI files that `hpe.conf` is written in, that of Python's `oslo.config`.
//!
//! Ready-made INI readers damage passwords: they cut at `#` or drop a backslash. The rules here are those of `oslo.config`
//! (observed): `key = value` or `key: value`, whichever sign comes first; comments with `#` or `;` only at the start of a line;
//! an indented line continues the value above; a blank line ends it; one pair of quotes around a value is taken off; a key may be
//! repeated. `$name` is filled in later, see [`super::substitution`].

use std::fmt;

use super::finding::{Findings, Place};

/// A file as sections and entries.
#[derive(Debug, Default)]
pub(super) struct Ini {
    pub(super) sections: Vec<Section>,
}

/// A section; repeated headers of one name are one section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: String,
    /// Line of the first header.
    pub(super) line: usize,
    pub(super) entries: Vec<Entry>,
}

/// One `key = value`.
pub(super) struct Entry {
    pub(super) key: String,
    /// Value as written, continuation lines joined by line feeds. May be a password.
    pub(super) value: String,
    pub(super) line: usize,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Ini {
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl Section {
    /// The entry that counts when a key is repeated: the last.
    pub(super) fn last(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }
}

/// Reads a file. Lines that make no sense become errors and are left out.
pub(super) fn parse(text: &str, findings: &mut Findings) -> Ini {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser { ini: Ini::default(), section: None, lost: false, open: Open::Nothing, findings };
    for (index, line) in text.split('\n').enumerate() {
        parser.line(index + 1, line.trim_end());
    }
    parser.finish_value();
    parser.ini
}

/// What an indented line would continue.
enum Open {
    Nothing,
    Value(Entry),
    /// A refused line: its continuation is passed over without a second error.
    Refused,
}

struct Parser<'f> {
    ini: Ini,
    /// Index of the section that assignments go to.
    section: Option<usize>,
    /// The last header was refused: what follows belongs nowhere, and is not worth an error of its own.
    lost: bool,
    open: Open,
    findings: &'f mut Findings,
}

impl Parser<'_> {
    fn line(&mut self, number: usize, line: &str) {
        if line.is_empty() {
            self.finish_value();
        } else if line.starts_with([' ', '\t']) {
            self.continuation(number, line.trim_start());
        } else {
            self.finish_value();
            if line.starts_with('[') {
                self.header(number, line);
            } else if !line.starts_with(['#', ';']) {
                self.assignment(number, line);
            }
        }
    }

    fn continuation(&mut self, number: usize, line: &str) {
        match &mut self.open {
            Open::Value(entry) => {
                entry.value.push('\n');
                entry.value.push_str(line);
            }
            Open::Refused => {}
            Open::Nothing => self.error(
                number,
                "the line is indented but there is no value above that it could continue. Begin it in the first column; a \
                 blank line ends a value.",
            ),
        }
    }

    fn header(&mut self, number: usize, line: &str) {
        let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) else {
            self.section = None;
            self.lost = true;
            self.open = Open::Refused;
            self.error(number, "a section header must end with ']' and have nothing after it.");
            return;
        };
        self.lost = name.trim().is_empty();
        if self.lost {
            self.section = None;
            self.error(number, "the section header has no name. Write [DEFAULT] or the name of a backend.");
            return;
        }
        if let Some(known) = self.ini.sections.iter().position(|section| section.name == name) {
            let first = self.ini.sections.get(known).map_or(0, |section| section.line);
            let place = Place::line(number).in_section(name);
            self.findings
                .warning(place, format!("the section began in line {first} already; both parts count as one."));
            self.section = Some(known);
        } else {
            self.section = Some(self.ini.sections.len());
            self.ini.sections.push(Section { name: name.to_owned(), line: number, entries: Vec::new() });
        }
    }

    /// Error texts never repeat the line: it may be a piece of a password.
    fn assignment(&mut self, number: usize, line: &str) {
        self.open = Open::Refused;
        let Some((key, value)) = line.split_once(['=', ':']) else {
            self.error(
                number,
                "the line is neither '[section]', 'key = value', nor a comment beginning with '#' or ';'.",
            );
            return;
        };
        let key = key.trim_end();
        if key.is_empty() {
            self.error(number, "there is no key before the '=' or ':'.");
        } else if !key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
            self.error(number, "the text before the '=' or ':' is not a key. Keys have letters, digits and '_' only.");
        } else if self.lost {
            // Named with its header.
        } else if self.section.is_none() {
            let text = "the key stands before any section. Put [DEFAULT] above it.";
            self.findings.error(Place::line(number).at_key(key), text);
        } else {
            let value = without_quotes(value.trim()).to_owned();
            self.open = Open::Value(Entry { key: key.to_owned(), value, line: number });
        }
    }

    fn finish_value(&mut self) {
        let open = std::mem::replace(&mut self.open, Open::Nothing);
        let section = self.section.and_then(|section| self.ini.sections.get_mut(section));
        if let (Open::Value(entry), Some(section)) = (open, section) {
            section.entries.push(entry);
        }
    }

    fn error(&mut self, number: usize, text: &str) {
        let section = self.section.and_then(|section| self.ini.sections.get(section));
        let place = Place { section: section.map(|section| section.name.as_str()), ..Place::line(number) };
        self.findings.error(place, text);
    }
}

/// Takes one pair of equal quotes off; a lone quote is taken off too, as `oslo.config` does.
fn without_quotes(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return if rest.is_empty() { "" } else { rest.strip_suffix(quote).unwrap_or(value) };
        }
    }
    value
}

#[cfg(test)]
mod tests;
