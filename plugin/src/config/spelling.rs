//! Suggests what a misspelt key or option may have meant.

/// Longest word worth comparing; the cost of a comparison grows with the product of both lengths.
const LONGEST: usize = 64;

/// The known word nearest to `word`, if one is near enough to be what was meant: at most one slip in three letters, letter case
/// and the difference between `-` and `_` not counted.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.chars().count() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted = plain(word);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(slips, candidate)| slips * 3 <= candidate.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["size", "provisioning", "mountConflictDelay"];
        assert_eq!(nearest("siez", known), Some("size"));
        assert_eq!(nearest("mount-conflict-delay", known), Some("mountConflictDelay"));
        assert_eq!(nearest("Provisoning", known), Some("provisioning"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"size".repeat(10_000), known), None);
    }
}
