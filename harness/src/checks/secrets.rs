//! C10: no secret in anything a run leaves behind.

use std::time::Duration;

use super::violation::{Invariant, Violation};

/// Shortest secret that is looked for; shorter ones are found everywhere by chance.
const SHORTEST: usize = 4;

/// Looks for secrets in texts (records, logs, answers), each given with its name. The secret itself is not repeated.
#[must_use]
pub fn scan_for_secrets(texts: &[(&str, &str)], secrets: &[&str]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, text) in texts {
        for (index, secret) in secrets.iter().enumerate().filter(|(_, secret)| secret.len() >= SHORTEST) {
            if text.contains(secret) {
                let line = text.lines().position(|line| line.contains(secret)).map_or(0, |line| line + 1);
                let explanation = format!("secret number {} is written in {name}, line {line}.", index + 1);
                found.push(Violation::new(Invariant::C10NoSecret, Duration::ZERO, explanation));
            }
        }
    }
    found
}
