use std::collections::BTreeSet;

use super::*;

#[test]
fn the_file_is_what_the_command_prints() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("FIDELITY.md");
    let held = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        held == document(),
        "{} is out of date: cargo run -p hpe3par-emulator --bin hpe3par-emulator -- fidelity > emulator/FIDELITY.md",
        file.display()
    );
}

#[test]
fn nothing_is_listed_twice_and_reservations_are_spelled_out() {
    for entries in [ENDPOINTS, COMMANDS] {
        let names: BTreeSet<&str> = entries.iter().map(|entry| entry.what).collect();
        assert_eq!(names.len(), entries.len());
        for entry in entries {
            assert!(!entry.evidence.is_empty(), "{}", entry.what);
            assert_eq!(entry.note.is_empty(), entry.state != State::Partial, "{}", entry.what);
            assert!(!entry.what.contains('|') && !entry.note.contains('|'), "{}", entry.what);
        }
    }
}

#[test]
fn every_command_is_listed() {
    let listed: BTreeSet<&str> =
        COMMANDS.iter().filter(|entry| entry.state != State::Absent).map(|entry| entry.what).collect();
    let there: BTreeSet<&str> = crate::cli::command_names().collect();
    assert_eq!(listed, there);
}
