//! Command lines for the array. Nothing is quoted: a word that would need it is refused.

use std::fmt;

use crate::array::operation::Operation;
use crate::array::vlun_names::host_set_name;
use crate::array::{ArrayError, Export, ExportTarget};
use crate::volume::names::ArrayVolumeName;

/// Longest word, that of an iSCSI name.
const LONGEST_WORD: usize = 223;

/// One command with its words. The array's command line is a Tcl shell, so only letters, digits and `._:-` may be in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command(String);

impl Command {
    /// A command with its options, which are part of this program.
    fn new(verb: &'static str) -> Self {
        Self(verb.to_owned())
    }

    /// Adds a word that came from elsewhere.
    fn word(mut self, operation: &Operation, word: &str) -> Result<Self, ArrayError> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if word.is_empty() || word.len() > LONGEST_WORD || word.starts_with('-') || !word.chars().all(safe) {
            let shown: String = word.chars().take(64).collect();
            return Err(operation.not_tried(format!("'{shown}' is no word for a command of the array")));
        }
        self.0.push(' ');
        self.0.push_str(word);
        Ok(self)
    }

    /// The line.
    pub(super) fn line(&self) -> &str {
        &self.0
    }

    /// `showvlun`: templates and active VLUNs of a volume. The option for comma-separated values keeps columns apart that
    /// the table form lets run into each other.
    pub(super) fn showvlun(operation: &Operation, volume: &ArrayVolumeName) -> Result<Self, ArrayError> {
        Self::new("showvlun -csvtable -v").word(operation, volume.as_str())
    }

    /// `removevlun`: one template, by the very parameters it was made with (CLI reference). `-f` asks no question.
    pub(super) fn removevlun(operation: &Operation, export: &Export) -> Result<Self, ArrayError> {
        let command = Self::new("removevlun -f")
            .word(operation, export.volume.as_str())?
            .word(operation, &export.lun.to_string())?;
        match &export.to {
            ExportTarget::Host(host) => command.word(operation, host.as_str()),
            ExportTarget::MatchedSet(host, port) => {
                command.word(operation, &port.to_string())?.word(operation, host.as_str())
            }
            ExportTarget::Port(port) => command.word(operation, &port.to_string()),
            ExportTarget::HostSet(set) => command.word(operation, &format!("set:{}", host_set_name(operation, set)?)),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Lun;

    #[test]
    fn every_kind_of_export_has_its_line() {
        let operation = Operation::change("removing", "VLUN");
        let line = |to| {
            let export = Export { volume: "dcv-a.b".parse().unwrap(), lun: Lun::try_from(7).unwrap(), to };
            Command::removevlun(&operation, &export).map(|c| c.to_string())
        };
        let port = "0:2:1".parse().unwrap();
        let host = || "worker1".parse().unwrap();
        assert_eq!(line(ExportTarget::Host(host())), Ok("removevlun -f dcv-a.b 7 worker1".into()));
        assert_eq!(line(ExportTarget::MatchedSet(host(), port)), Ok("removevlun -f dcv-a.b 7 0:2:1 worker1".into()));
        assert_eq!(line(ExportTarget::Port(port)), Ok("removevlun -f dcv-a.b 7 0:2:1".into()));
        assert_eq!(line(ExportTarget::HostSet("hosts".into())), Ok("removevlun -f dcv-a.b 7 set:hosts".into()));
    }

    #[test]
    fn a_word_with_syntax_is_refused() {
        let operation = Operation::change("removing", "VLUN");
        for word in ["", "-pat", "a b", "a;b", "a|b", "$a", "[exec]", "a\nb", "*", "a{b", "\u{e9}", &"a".repeat(224)] {
            assert!(Command::new("x").word(&operation, word).is_err(), "{word:?}");
        }
        let set = ExportTarget::HostSet("hosts; removevv".into());
        let export = Export { volume: "v".parse().unwrap(), lun: Lun::try_from(7).unwrap(), to: set };
        assert!(Command::removevlun(&operation, &export).is_err());
    }
}
