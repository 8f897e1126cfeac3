//! Sorting the words of a command into options and operands.

use std::collections::BTreeMap;

use super::table::Style;

/// Options every listing knows: they override `setclienv` for one command.
const LISTING: &str = "-csvtable -nohdtot -hdtot";

/// The options a command knows, as its help prints them: `-f` stands alone, `-host=<name>` takes the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known(pub(crate) &'static str);

impl Known {
    /// Each option with the name of its value, if it takes one.
    pub(crate) fn each(self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        self.0.split_whitespace().map(|word| match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word, None),
        })
    }
}

/// A command's words, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    flags: Vec<String>,
    values: BTreeMap<&'static str, String>,
    /// The words that are no options, in their order.
    pub(crate) operands: Vec<String>,
}

impl Options {
    /// Sorts `words` (without the command itself). A later value of an option replaces an earlier one. A lone `-` and negative
    /// numbers count as operands, as does everything after `--`.
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
                continue;
            }
            if word == "--" {
                sorted.operands.extend(words.by_ref().cloned());
                break;
            }
            match known.each().chain(Known(LISTING).each()).find(|(option, _)| option == word) {
                Some((option, Some(_))) => {
                    let value = words.next().ok_or_else(|| format!("Option {option} requires a value"))?;
                    sorted.values.insert(option, value.clone());
                }
                Some((_, None)) => sorted.flags.push(word.clone()),
                None => return Err(format!("Invalid option: {word}")),
            }
        }
        Ok(sorted)
    }

    /// Whether the option was given.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.flags.iter().any(|given| given == option) || self.values.contains_key(option)
    }

    /// The value of an option.
    pub(crate) fn value(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    /// The value of an option, to keep.
    pub(crate) fn owned(&self, option: &str) -> Option<String> {
        self.value(option).map(str::to_owned)
    }

    /// The value of an option as a whole number.
    ///
    /// # Errors
    /// A sentence when the value is no whole number.
    pub(crate) fn number(&self, option: &str) -> Result<Option<i64>, String> {
        let read = |text: &str| text.parse().map_err(|_| format!("Invalid value for {option}: {text}"));
        self.value(option).map(read).transpose()
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

    const KNOWN: Known = Known("-f -pat -host=<host> -v=<VV_name>");

    fn sort(line: &str) -> Result<Options, String> {
        Options::sort(&super::super::words::split(line).unwrap(), KNOWN)
    }

    #[test]
    fn options_may_stand_anywhere() {
        let options = sort("vv1 -f 12 -host h1 host1 -pat").unwrap();
        assert_eq!(options.operands, ["vv1", "12", "host1"]);
        assert!(options.has("-f") && options.has("-pat") && !options.has("-v"));
        assert_eq!(options.value("-host"), Some("h1"));
        assert_eq!(options.value("-v"), None);
    }

    #[test]
    fn unknown_options_and_missing_values_are_named() {
        assert_eq!(sort("-x").unwrap_err(), "Invalid option: -x");
        assert_eq!(sort("a -v").unwrap_err(), "Option -v requires a value");
        assert_eq!(sort("- -1 -- -x").unwrap().operands, ["-", "-1", "-x"]);
        assert_eq!(sort("-v x").unwrap().number("-v").unwrap_err(), "Invalid value for -v: x");
        assert_eq!(sort("-v 12").unwrap().number("-v"), Ok(Some(12)));
    }

    #[test]
    fn a_command_can_override_the_session() {
        let session = Style { csv: false, no_header_and_total: true };
        assert_eq!(sort("-csvtable -hdtot").unwrap().style(session), Style { csv: true, no_header_and_total: false });
        assert_eq!(sort("").unwrap().style(session), session);
    }
}
