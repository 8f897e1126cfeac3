//! What is wrong or odd in `hpe.conf`, with the place it was found at.

use std::collections::HashSet;
use std::fmt;

/// One line about one place of the file. Never holds the value of a password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The file as it was named to [`super::PluginConfig::load`] or [`super::PluginConfig::parse`].
    pub file: String,
    /// Line, from 1; `None` when the whole file is meant.
    pub line: Option<usize>,
    /// Section, without brackets.
    pub section: Option<String>,
    /// Key.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Finding {
    /// `hpe.conf:12: [DEFAULT] hpe3par_cpg: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(":")?;
        if let Some(section) = &self.section {
            write!(f, " [{section}]")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.text)
    }
}

/// Something odd that does not keep the plugin from starting: an unknown key, a key without effect, an unsafe setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning(pub Finding);

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything that is wrong in a file, in the order of its lines: at least one problem. Its text is the problems; what is
/// merely odd in the same file is kept beside them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    problems: Vec<Finding>,
    warnings: Vec<ConfigWarning>,
}

impl ConfigErrors {
    pub(crate) fn new(problems: Vec<Finding>, warnings: Vec<ConfigWarning>) -> Self {
        Self { problems: in_order(problems), warnings }
    }

    /// The problems, one per line of the message.
    #[must_use]
    pub fn problems(&self) -> &[Finding] {
        &self.problems
    }

    /// What is odd besides. Often it explains a problem: a misspelt key is one that is missing.
    #[must_use]
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Collects findings while a file is read, so that all are reported together.
#[derive(Debug)]
pub(super) struct Findings {
    file: String,
    errors: Vec<Finding>,
    warnings: Vec<ConfigWarning>,
}

/// Where a finding belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'p> {
    pub(super) line: Option<usize>,
    pub(super) section: Option<&'p str>,
    pub(super) key: Option<&'p str>,
}

impl<'p> Place<'p> {
    pub(super) fn line(line: usize) -> Self {
        Self { line: Some(line), ..Self::default() }
    }

    pub(super) fn in_section(self, section: &'p str) -> Self {
        Self { section: Some(section), ..self }
    }

    pub(super) fn at_key(self, key: &'p str) -> Self {
        Self { key: Some(key), ..self }
    }
}

impl Findings {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), errors: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn error(&mut self, place: Place<'_>, text: impl Into<String>) {
        let finding = self.finding(place, &text.into());
        self.errors.push(finding);
    }

    pub(super) fn warning(&mut self, place: Place<'_>, text: impl Into<String>) {
        let finding = self.finding(place, &text.into());
        self.warnings.push(ConfigWarning(finding));
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The warnings in the order of lines, each once.
    pub(super) fn into_warnings(self) -> Vec<ConfigWarning> {
        in_order(self.warnings.into_iter().map(|warning| warning.0)).into_iter().map(ConfigWarning).collect()
    }

    /// The errors in the order of lines, each once: a value that several sections inherit is read several times.
    pub(super) fn into_errors(self) -> ConfigErrors {
        let Self { errors, warnings, .. } = self;
        ConfigErrors::new(errors, in_order(warnings.into_iter().map(|w| w.0)).into_iter().map(ConfigWarning).collect())
    }

    fn finding(&self, place: Place<'_>, text: &str) -> Finding {
        Finding {
            file: self.file.clone(),
            line: place.line,
            section: place.section.map(printable),
            key: place.key.map(printable),
            text: printable(text),
        }
    }
}

fn in_order(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let mut ordered: Vec<Finding> = findings.into_iter().filter(|finding| seen.insert(finding.clone())).collect();
    ordered.sort_by_key(|finding| finding.line);
    ordered
}

/// The text on one line: control characters are escaped.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
