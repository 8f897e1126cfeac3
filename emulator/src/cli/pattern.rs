//! Glob patterns of operands: `*`, `?`, `[a-z]` and a backslash that takes the next character literally.

/// Whether `text` as a whole fits `pattern`. Takes time in proportion to the product of both lengths at worst.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star: the pattern behind it, and the text it has not swallowed yet.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, t));
            p += 1;
            continue;
        }
        if let Some(next) = one(&pattern, p, text[t]) {
            (p, t) = (next, t + 1);
            continue;
        }
        let Some((behind, swallowed)) = retry else { return false };
        retry = Some((behind, swallowed + 1));
        (p, t) = (behind, swallowed + 1);
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The place in the pattern after the element at `at`, if that element fits the character.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' if at + 1 < pattern.len() => (pattern[at + 1] == character).then_some(at + 2),
        '[' => match pattern[at..].iter().position(|c| *c == ']').filter(|end| *end > 1) {
            Some(end) => in_class(&pattern[at + 1..at + end], character).then_some(at + end + 1),
            None => (character == '[').then_some(at + 1),
        },
        c => (*c == character).then_some(at + 1),
    }
}

/// Whether a character is in a class such as `a-z_`.
fn in_class(class: &[char], character: char) -> bool {
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            if (class[at]..=class[at + 2]).contains(&character) {
                return true;
            }
            at += 3;
        } else {
            if class[at] == character {
                return true;
            }
            at += 1;
        }
    }
    false
}

/// Whether an operand is a pattern and so may fit nothing.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', ','])
}

/// Whether a name is wanted: no wish, or one of the comma-separated patterns fits.
pub(crate) fn wanted(patterns: Option<&str>, name: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.split(',').any(|pattern| fits(pattern, name)))
}

/// Whether a name is wanted by operands: there are none, or one fits.
pub(crate) fn wanted_by(operands: &[String], name: &str) -> bool {
    operands.is_empty() || operands.iter().any(|operand| wanted(Some(operand), name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_marks_and_classes() {
        assert!(fits("v*", "v1") && fits("v?", "v1") && fits("v[0-3]x*", "v1xyz") && fits("[abc]", "b"));
        assert!(!fits("v[2-3]", "v1") && !fits("v", "v1") && !fits("v1?", "v1"));
        assert!(fits("a\\*", "a*") && !fits("a\\*", "ab"));
        assert!(fits("[", "[") && fits("[]", "[]"), "an open class is a bracket");
        assert!(wanted_by(&["a*,b".to_owned()], "b") && wanted_by(&[], "x") && !wanted_by(&["c".to_owned()], "b"));
    }

    proptest! {
        #[test]
        fn any_pattern_is_taken(pattern in "[\\[\\]*?a-c\\\\-]{0,10}", text in "[a-c\\[-]{0,10}") {
            let _ = fits(&pattern, &text);
        }

        #[test]
        fn a_text_fits_itself_and_a_star_after_its_beginning(text in "[a-z]{0,12}", cut in 0usize..12) {
            prop_assert!(fits(&text, &text));
            let starred = format!("{}*", &text[..cut.min(text.len())]);
            prop_assert!(fits(&starred, &text));
        }
    }
}
