//! The commands of `hpe3par-lab`, one file each: what it takes and how its result is shown.

pub(crate) mod bench;
pub(crate) mod by_hand;
pub(crate) mod cut_points;
pub(crate) mod demo;
pub(crate) mod liveness;
pub(crate) mod mutants;
pub(crate) mod part;
pub(crate) mod report;
pub(crate) mod seeds;
pub(crate) mod signals;
pub(crate) mod simulate;
pub(crate) mod soak;
pub(crate) mod test;
pub(crate) mod up;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// The folder with feature files: the one that was named, else `features` in the current folder or in one above it.
///
/// # Errors
/// When there is no such folder.
pub(crate) fn features(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(named) = named {
        anyhow::ensure!(named.is_dir(), "--features {}: there is no such folder", named.display());
        return Ok(named);
    }
    let here = std::env::current_dir().context("finding out the current folder")?;
    here.ancestors().map(|folder| folder.join("features")).find(|folder| folder.is_dir()).with_context(|| {
        format!("there is no folder 'features' in {} or above; name one with --features DIR", here.display())
    })
}

/// Prints a text and a line break on stdout.
///
/// # Errors
/// When stdout is closed or full; nobody would see the result.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("printing the result")
}

/// A spinner on stderr with a text; shows nothing when stderr is no terminal.
pub(crate) fn spinner(text: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(text.to_owned());
    bar.set_style(
        ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
