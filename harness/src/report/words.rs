//! Names within texts, as whole words: `db` is not in `db-2`, nor `v1` in `/api/v1`.

/// Whether a name is in a text.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    places(text, name).next().is_some()
}

/// The text with one name in place of another.
pub(super) fn replaced(text: &str, name: &str, by: &str) -> String {
    let (mut replaced, mut done) = (String::with_capacity(text.len()), 0);
    for at in places(text, name) {
        replaced.push_str(text.get(done..at).unwrap_or_default());
        replaced.push_str(by);
        done = at + name.len();
    }
    replaced.push_str(text.get(done..).unwrap_or_default());
    replaced
}

/// Where a name begins as a whole word.
fn places<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
    let matches = (!name.is_empty()).then(|| text.match_indices(name)).into_iter().flatten();
    matches.map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(of_name) && !after.is_some_and(of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words() {
        assert!(mentions("removevlun -f db 4", "db") && !mentions("removevlun -f db-2 4", "db"));
        assert!(!mentions("anything", "") && mentions("db", "db"));
        assert_eq!(replaced("volume v1, v12 and /api/v1 of v1.", "v1", "db"), "volume db, v12 and /api/v1 of db.");
    }
}
