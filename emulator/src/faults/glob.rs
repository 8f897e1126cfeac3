//! Glob patterns as the command line of the array knows them: `*` any text, `?` one character.

/// Whether `text` as a whole fits `pattern`. Takes time in proportion to the product of both lengths at worst.
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star: the pattern behind it, and the text it has not swallowed yet.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((behind, swallowed)) => {
                    retry = Some((behind, swallowed + 1));
                    (p, t) = (behind, swallowed + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks() {
        assert!(glob_matches("DELETE /vluns/*", "DELETE /vluns/v1,3,h1"));
        assert!(glob_matches("*vluns*", "GET /vluns?query"));
        assert!(glob_matches("v?l*x", "vol-x-x"));
        assert!(!glob_matches("POST /vluns", "POST /volumes"));
        assert!(glob_matches("", "") && glob_matches("*", "") && !glob_matches("?", ""));
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_every_star_around_it(text in "[a-z]{0,12}", cut in 0usize..12) {
            prop_assert!(glob_matches(&text, &text));
            let cut = cut.min(text.len());
            let starred = format!("{}*", &text[..cut]);
            prop_assert!(glob_matches(&starred, &text));
        }
    }
}
