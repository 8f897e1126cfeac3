//! Splitting a command line into words.
//!
//! The array's command line is a Tcl shell: words are separated by blanks, `"…"` and `{…}` group, a backslash takes
//! the next character literally, braces nest. Clients written for POSIX shells also send `'…'`, which is accepted as
//! grouping at the beginning of a word. Nothing is ever substituted or executed.

/// Longest line the shell accepts, in bytes. The longest known client command is below 4 KiB.
pub(crate) const LONGEST_LINE: usize = 16 * 1024;

/// Why a line has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitError {
    /// A `"` or `'` was opened and not closed.
    #[error("missing \"")]
    Quote,
    /// A `{` was opened and not closed.
    #[error("missing close-brace")]
    Brace,
    /// The line exceeds [`LONGEST_LINE`].
    #[error("command line too long")]
    TooLong,
}

/// Splits `line` into its words; an empty line has none.
///
/// # Errors
/// Unbalanced quotes or braces, in Tcl's wording, and over-long lines.
pub(crate) fn split(line: &str) -> Result<Vec<String>, SplitError> {
    if line.len() > LONGEST_LINE {
        return Err(SplitError::TooLong);
    }
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, tail) = match first {
            '"' | '\'' => quoted(&rest[1..], first)?,
            '{' => braced(&rest[1..])?,
            _ => bare(rest),
        };
        words.push(word);
        rest = tail.trim_start();
    }
    Ok(words)
}

/// A word up to the closing `quote`; inside double quotes a backslash takes the next character literally.
fn quoted(text: &str, quote: char) -> Result<(String, &str), SplitError> {
    let mut word = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => match characters.next() {
                Some((_, literal)) => word.push(literal),
                None => return Err(SplitError::Quote),
            },
            _ if character == quote => return Ok((word, &text[at + 1..])),
            _ => word.push(character),
        }
    }
    Err(SplitError::Quote)
}

/// A word up to the brace that balances the opening one; everything inside is literal.
fn braced(text: &str) -> Result<(String, &str), SplitError> {
    let mut depth = 1_u32;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((text[..at].to_owned(), &text[at + 1..]));
        }
    }
    Err(SplitError::Brace)
}

/// A word up to the next blank.
fn bare(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                if let Some((_, literal)) = characters.next() {
                    word.push(literal);
                }
            }
            _ if character.is_whitespace() => return (word, &text[at..]),
            _ => word.push(character),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    #[test]
    fn blanks_separate_words() {
        assert_eq!(words("  removevlun\t-f vv1  12 host-1 "), ["removevlun", "-f", "vv1", "12", "host-1"]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn quotes_and_braces_group() {
        assert_eq!(
            words(r#"setvv -comment "a \"b\" c" {x {y z}} 'p q'"#),
            ["setvv", "-comment", "a \"b\" c", "x {y z}", "p q"]
        );
        assert_eq!(words(r#""" {}"#), ["", ""]);
    }

    #[test]
    fn a_backslash_takes_the_next_character_literally() {
        assert_eq!(words(r"removevlun -pat \* a\ b"), ["removevlun", "-pat", "*", "a b"]);
    }

    #[test]
    fn unbalanced_grouping_is_told_in_the_words_of_tcl() {
        assert_eq!(split("a \"b").unwrap_err().to_string(), "missing \"");
        assert_eq!(split("a {b {c}").unwrap_err().to_string(), "missing close-brace");
        assert_eq!(split(&"x".repeat(LONGEST_LINE + 1)), Err(SplitError::TooLong));
    }

    proptest! {
        #[test]
        fn any_text_is_split_without_panic(line in any::<String>()) {
            let _ = split(&line);
        }

        #[test]
        fn a_braced_word_survives(inner in "[^{}]{0,40}") {
            prop_assert_eq!(words(&format!("a {{{inner}}} b")), vec!["a".to_owned(), inner, "b".to_owned()]);
        }
    }
}
