//! `$name` in values, as `oslo.config` fills it in (observed).
//!
//! `$name` and `${name}` stand for the value of another key of the same section, `$section.name` for one of another section;
//! `$$` and `\$` are a dollar sign. A dollar sign before anything else is itself. A key that is known but not set stands for its
//! default. A name that is no key is an error, because otherwise a password with a dollar sign would silently change.

use super::ini::{Ini, Section};
use super::keys;

/// How many references one value may lead to, counted through all values it refers to.
const MOST_REFERENCES: usize = 100;

/// Longest value that references may grow to, in bytes.
const LONGEST: usize = 64 * 1024;

/// Why a value could not be filled in. Names are shown by the caller, unless the value is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SubstitutionError {
    /// The name is no key.
    NoSuchKey(String),
    /// Values refer to each other in a circle, or too often, or grow too long.
    Endless,
}

/// The value of an entry of `section`, filled in.
pub(super) fn fill_in(value: &str, section: &Section, ini: &Ini) -> Result<String, SubstitutionError> {
    let mut left = MOST_REFERENCES;
    fill(value, section, ini, &mut left)
}

fn fill(value: &str, section: &Section, ini: &Ini, left: &mut usize) -> Result<String, SubstitutionError> {
    let mut filled = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        // `\$` is a dollar sign, and so is the first of `\$$`.
        if let Some(before) = before.strip_suffix('\\') {
            filled.push_str(before);
            filled.push('$');
            rest = from.get(1..).unwrap_or_default();
            continue;
        }
        filled.push_str(before);
        let (reference, after) = reference(from);
        match reference {
            Reference::Dollar => filled.push('$'),
            Reference::Key(name) if *left > 0 => {
                *left -= 1;
                filled.push_str(&look_up(name, section, ini, left)?);
            }
            Reference::Key(_) => return Err(SubstitutionError::Endless),
        }
        if filled.len() > LONGEST {
            return Err(SubstitutionError::Endless);
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

enum Reference<'v> {
    Dollar,
    Key(&'v str),
}

/// Splits what begins with a dollar sign into the reference and what follows it.
fn reference(from: &str) -> (Reference<'_>, &str) {
    let after = from.get(1..).unwrap_or_default();
    if let Some(after) = after.strip_prefix('$') {
        return (Reference::Dollar, after);
    }
    if let Some((name, after)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}'))
        && name_length(name) == name.len()
        && !name.is_empty()
    {
        return (Reference::Key(name), after);
    }
    match name_length(after) {
        0 => (Reference::Dollar, after),
        length => {
            let (name, after) = after.split_at(length);
            (Reference::Key(name), after)
        }
    }
}

/// Length of the name at the start of the text: a letter or `_`, then letters, digits, `_` and `.`.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(text.len())
}

fn look_up(name: &str, section: &Section, ini: &Ini, left: &mut usize) -> Result<String, SubstitutionError> {
    let (section, key) = match name.split_once('.') {
        Some((group, key)) => (ini.section(group), key),
        None => (Some(section), name),
    };
    let no_such_key = || SubstitutionError::NoSuchKey(name.to_owned());
    let section = section.ok_or_else(no_such_key)?;
    let known = keys::find(key).ok_or_else(no_such_key)?;
    match known.names().find_map(|name| section.last(&name)) {
        Some(entry) => fill(&entry.value, section, ini, left),
        None => Ok(known.default.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::finding::Findings;
    use super::super::ini;
    use super::*;

    /// The value of `logging` in a file with some other keys.
    fn filled(value: &str) -> Result<String, SubstitutionError> {
        let text =
            "[DEFAULT]\nsan_ip = 192.0.2.1\nsan_login = $logging\nhp3par_username = me\n[b]\nsan_ip = 192.0.2.2\n";
        let ini = ini::parse(&text.replace("\n[b]", &format!("\nlogging = {value}\n[b]")), &mut Findings::new("f"));
        let section = ini.section("DEFAULT").unwrap();
        fill_in(&section.last("logging").unwrap().value, section, &ini)
    }

    #[test]
    fn dollar_signs_are_what_oslo_makes_of_them() {
        for (written, read) in [
            ("pa$$w", "pa$w"),
            (r"pa\$w", "pa$w"),
            ("$", "$"),
            ("x$ y", "x$ y"),
            ("$5", "$5"),
            ("${san_ip", "${san_ip"),
            ("${}", "${}"),
            ("$$san_ip", "$san_ip"),
            ("https://$san_ip:8080/api/v1", "https://192.0.2.1:8080/api/v1"),
            ("${san_ip}x", "192.0.2.1x"),
            ("$san_ip-x", "192.0.2.1-x"),
            ("${b.san_ip}", "192.0.2.2"),
            ("$b.san_ip", "192.0.2.2"),
            ("$san_ssh_port", "22"),
            ("$hpe3par_username", "me"),
            ("$hpe3par_api_url", ""),
        ] {
            assert_eq!(filled(written).as_deref(), Ok(read), "{written}");
        }
    }

    #[test]
    fn names_that_are_no_key_are_errors() {
        for name in ["word", "SAN_IP", "san_ip.c", "c.san_ip", "b.word"] {
            assert_eq!(filled(&format!("pa${name}")), Err(SubstitutionError::NoSuchKey(name.to_owned())));
        }
    }

    #[test]
    fn circles_end() {
        assert!(matches!(filled("$logging"), Err(SubstitutionError::Endless)));
        assert!(matches!(filled("$san_login"), Err(SubstitutionError::Endless)));
        assert!(matches!(filled(&"$san_login".repeat(1000)), Err(SubstitutionError::Endless)));
    }

    proptest! {
        #[test]
        fn no_value_panics(value in "([$\\\\{}.a-b_]|san_ip|.){0,40}") {
            let _ = filled(&value);
        }

        #[test]
        fn an_escaped_value_is_itself(value in "[!-~]([ -~]{0,20}[!-~])?") {
            prop_assume!(!value.starts_with(['"', '\'']) && !value.contains("\\$"));
            prop_assert_eq!(filled(&value.replace('$', "$$")), Ok(value));
        }
    }
}
