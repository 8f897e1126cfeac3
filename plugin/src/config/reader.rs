//! Reads typed values from a section. A bad value becomes an error at its line and reads as absent, so that reading goes on and
//! all errors of a file are reported together.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::BackendName;
use super::finding::{Findings, Place};
use super::ini::{Entry, Ini, Section};
use super::keys::{self, Scope};
use super::substitution::{SubstitutionError, fill_in};

/// Why a text is not a value; a sentence that continues "key: …".
pub(super) type Refusal = String;

/// What stands for a password in `hpe.conf.example`.
const PLACEHOLDER: &str = "change me";

/// Reader of one section.
pub(super) struct SectionReader<'f> {
    ini: &'f Ini,
    section: &'f Section,
    findings: &'f mut Findings,
}

impl<'f> SectionReader<'f> {
    pub(super) fn new(ini: &'f Ini, section: &'f Section, findings: &'f mut Findings) -> Self {
        Self { ini, section, findings }
    }

    /// Text of a key that is set and not empty, `$name` filled in.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let (section, entry) = self.entry(key)?;
        let secret = keys::find(key).is_some_and(|key| key.secret);
        match fill_in(&entry.value, section, self.ini) {
            Ok(text) => (!text.trim().is_empty()).then_some(text),
            Err(error) => {
                self.error(key, refused_reference(&error, secret));
                None
            }
        }
    }

    /// As [`Self::text`]; absence is an error that ends with `hint`.
    pub(super) fn required(&mut self, key: &'static str, hint: &str) -> Option<String> {
        if self.entry(key).is_none_or(|(_, entry)| entry.value.trim().is_empty()) {
            self.error(key, format!("is not set. {hint}"));
            return None;
        }
        self.text(key)
    }

    /// A value of some type.
    pub(super) fn parsed<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        let text = self.text(key)?;
        self.accept(key, parse(text.trim()))
    }

    /// A value of some type; absence is an error that ends with `hint`.
    pub(super) fn required_parsed<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let text = self.required(key, hint)?;
        self.accept(key, parse(text.trim()))
    }

    /// A password. Blanks around it were taken off unless it is quoted.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<SecretString> {
        let password = self.text(key)?;
        self.warn_of_placeholder(key, &password);
        Some(SecretString::from(password))
    }

    /// As [`Self::secret`]; absence is an error that ends with `hint`.
    pub(super) fn required_secret(&mut self, key: &'static str, hint: &str) -> Option<SecretString> {
        let password = self.required(key, hint)?;
        self.warn_of_placeholder(key, &password);
        Some(SecretString::from(password))
    }

    fn warn_of_placeholder(&mut self, key: &'static str, password: &str) {
        if password.trim().eq_ignore_ascii_case(PLACEHOLDER) {
            self.warning(key, "is still the placeholder of the example. Write the account's password here.");
        }
    }

    pub(super) fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        self.parsed(key, boolean).unwrap_or(default)
    }

    pub(super) fn integer(&mut self, key: &'static str, range: RangeInclusive<u32>, default: u32) -> u32 {
        self.parsed(key, |text| integer(text, &range)).unwrap_or(default)
    }

    pub(super) fn port(&mut self, key: &'static str, default: u16) -> u16 {
        self.parsed(key, port).unwrap_or(default)
    }

    /// Whole seconds.
    pub(super) fn seconds(&mut self, key: &'static str, range: RangeInclusive<u32>, default: u32) -> Duration {
        let seconds = self.parsed(key, |text| {
            integer(text, &range).map_err(|_| {
                format!("{} is not a whole number of seconds from {} to {}.", shown(text), range.start(), range.end())
            })
        });
        Duration::from_secs(u64::from(seconds.unwrap_or(default)))
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.parsed(key, |text| {
            let path = PathBuf::from(text);
            if path.is_absolute() {
                Ok(path)
            } else {
                Err(format!("{} is not an absolute path. Begin it with '/'.", shown(text)))
            }
        })
    }

    /// Records an error at the line of the key, or of the section if the key is not set.
    pub(super) fn error(&mut self, key: &'static str, text: impl Into<String>) {
        let (place, name) = self.place(key);
        self.findings.error(place.at_key(&name), text);
    }

    /// Records a warning, placed as by [`Self::error`].
    pub(super) fn warning(&mut self, key: &'static str, text: impl Into<String>) {
        let (place, name) = self.place(key);
        self.findings.warning(place.at_key(&name), text);
    }

    /// Whether the key is set to something in the section itself.
    pub(super) fn has(&self, key: &str) -> bool {
        entry_of(self.section, key).is_some_and(|entry| !entry.value.trim().is_empty())
    }

    fn accept<T>(&mut self, key: &'static str, value: Result<T, Refusal>) -> Option<T> {
        value.map_err(|refusal| self.error(key, refusal)).ok()
    }

    fn place(&self, key: &'static str) -> (Place<'f>, String) {
        match self.entry(key) {
            Some((section, entry)) => (Place::line(entry.line).in_section(&section.name), entry.key.clone()),
            None => (Place::line(self.section.line).in_section(&self.section.name), key.to_owned()),
        }
    }

    /// The entry that counts, and its section: for inherited keys perhaps `[DEFAULT]`.
    fn entry(&self, key: &str) -> Option<(&'f Section, &'f Entry)> {
        let own = entry_of(self.section, key).map(|entry| (self.section, entry));
        let inherited = keys::find(key).is_some_and(|key| key.scope == Scope::Inherited);
        if own.is_some() || !inherited {
            return own;
        }
        let default = self.ini.section(BackendName::DEFAULT)?;
        entry_of(default, key).map(|entry| (default, entry))
    }
}

fn entry_of<'s>(section: &'s Section, key: &str) -> Option<&'s Entry> {
    keys::find(key)?.names().find_map(|name| section.last(&name))
}

fn refused_reference(error: &SubstitutionError, secret: bool) -> Refusal {
    let remedy = "Write a dollar sign that is meant as such as '$$'.";
    match error {
        SubstitutionError::NoSuchKey(name) if !secret => format!("${name} refers to no key. {remedy}"),
        SubstitutionError::NoSuchKey(_) => format!("a '$' in the value refers to no key. {remedy}"),
        SubstitutionError::Endless => format!("its value refers to itself, or to too many others. {remedy}"),
    }
}

/// A value as it may stand in an error: in quotes, at most 64 characters.
pub(super) fn shown(value: impl Display) -> String {
    let value = value.to_string();
    let dots = if value.chars().count() > 64 { "..." } else { "" };
    format!("'{}{dots}'", value.chars().take(64).collect::<String>())
}

/// `true`, `1`, `on`, `yes` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err(format!("{} is neither true nor false.", shown(text))),
    }
}

pub(super) fn integer(text: &str, range: &RangeInclusive<u32>) -> Result<u32, Refusal> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{} is not a whole number from {} to {}.", shown(text), range.start(), range.end()))
}

pub(super) fn port(text: &str) -> Result<u16, Refusal> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("{} is not a port, 1 to 65535.", shown(text)))
}

/// Items separated by commas; empty items are left out.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
