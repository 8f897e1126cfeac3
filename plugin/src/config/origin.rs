//! Where a setting stands in the file, for findings that come up after it was read.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::ini::Ini;
use super::{BackendName, keys};

/// The file, and the line of each setting.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    file: String,
    lines: BTreeMap<(String, &'static str), usize>,
}

impl Origin {
    pub(super) fn of(ini: &Ini, file: &str) -> Self {
        let mut lines = BTreeMap::new();
        for section in &ini.sections {
            for entry in &section.entries {
                if let Some(key) = keys::find(&entry.key) {
                    lines.insert((section.name.clone(), key.name), entry.line);
                }
            }
        }
        Self { file: file.to_owned(), lines }
    }

    /// A finding about a setting of a section, which may come from `[DEFAULT]` or not be in the file at all.
    pub(super) fn finding(&self, section: &str, key: &'static str, text: String) -> Finding {
        let at = |section: &str| self.lines.get(&(section.to_owned(), key)).copied();
        let (section, line) = match (at(section), at(BackendName::DEFAULT)) {
            (Some(line), _) => (section, Some(line)),
            (None, Some(line)) => (BackendName::DEFAULT, Some(line)),
            (None, None) => (section, None),
        };
        Finding { file: self.file.clone(), line, section: Some(section.to_owned()), key: Some(key.to_owned()), text }
    }
}
