//! The commands of `hpe3par-lab`, one file each: what it takes and how its result is shown.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod mutants;
pub(crate) mod simulate;
pub(crate) mod test;
pub(crate) mod up;

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The folder with feature files: `features` here, else the one this program was built with.
pub(crate) fn usual_features() -> PathBuf {
    let here = PathBuf::from("features");
    if here.is_dir() { here } else { PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../features")) }
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

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// When the signals cannot be listened for.
pub(crate) async fn asked_to_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
