//! Sorting the words of a command into options and operands.

use std::collections::BTreeMap;

use super::table::Style;

/// The options a command knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// Options that stand alone.
    pub(crate) flags: &'static [&'static str],
    /// Options followed by a value.
    pub(crate) valued: &'static [&'static str],
}

/// Options every listing knows: they override `setclienv` for one command.
const LISTING_FLAGS: [&str; 3] = ["-csvtable", "-nohdtot", "-hdtot"];

/// A command's words, sorted. A later value of an option replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    flags: Vec<String>,
    values: BTreeMap<&'static str, String>,
    /// The words that are no options, in their order.
    pub(crate) operands: Vec<String>,
}

impl Options {
    /// Sorts `words` (without the command itself). A lone `-` and negative numbers count as operands.
    ///
    /// # Errors
    /// A sentence for an unknown option or one whose value is missing.
    pub(crate) fn sort(words: &[String], known: Known) -> Result<Self, String> {
        let mut sorted = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let is_option =
                word.len() > 1 && word.starts_with('-') && !word[1..].starts_with(|first: char| first.is_ascii_digit());
            if !is_option {
                sorted.operands.push(word.clone());
            } else if let Some(option) = known.valued.iter().find(|option| *option == word) {
                let value = words.next().ok_or_else(|| format!("Option {option} requires a value"))?;
                sorted.values.insert(option, value.clone());
            } else if known.flags.contains(&word.as_str()) || LISTING_FLAGS.contains(&word.as_str()) {
                sorted.flags.push(word.clone());
            } else {
                return Err(format!("Invalid option: {word}"));
            }
        }
        Ok(sorted)
    }

    /// Whether the option was given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    /// The value of an option.
    pub(crate) fn value(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    /// The session's style, as changed by options of this command.
    pub(crate) fn style(&self, session: Style) -> Style {
        let no_header_and_total = if self.has("-nohdtot") {
            true
        } else if self.has("-hdtot") {
            false
        } else {
            session.no_header_and_total
        };
        Style { csv: session.csv || self.has("-csvtable"), no_header_and_total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { flags: &["-f", "-pat"], valued: &["-host", "-v"] };

    fn sort(line: &str) -> Result<Options, String> {
        Options::sort(&super::super::words::split(line).unwrap(), KNOWN)
    }

    #[test]
    fn options_may_stand_anywhere() {
        let options = sort("vv1 -f 12 -host h1 host1 -pat").unwrap();
        assert_eq!(options.operands, ["vv1", "12", "host1"]);
        assert!(options.has("-f") && options.has("-pat") && !options.has("-host"));
        assert_eq!(options.value("-host"), Some("h1"));
        assert_eq!(options.value("-v"), None);
    }

    #[test]
    fn unknown_options_and_missing_values_are_named() {
        assert_eq!(sort("-x").unwrap_err(), "Invalid option: -x");
        assert_eq!(sort("a -v").unwrap_err(), "Option -v requires a value");
        assert_eq!(sort("- -1").unwrap().operands, ["-", "-1"]);
    }

    #[test]
    fn a_command_can_override_the_session() {
        let session = Style { csv: false, no_header_and_total: true };
        assert_eq!(sort("-csvtable -hdtot").unwrap().style(session), Style { csv: true, no_header_and_total: false });
        assert_eq!(sort("").unwrap().style(session), session);
    }
}
