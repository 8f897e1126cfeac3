//! `hpe3par-lab demo`: one takeover, told.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use hpe3par_harness::cluster::configuration::ARRAY_PASSWORD;
use hpe3par_harness::demo::{Demonstration, Narrator};

use super::by_hand::ByHand;
use super::print;
use super::report::{can_be_made, save_and_say};
use super::signals::Signals;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave everything running afterwards, with sockets and curl lines to try, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Seconds worker2 gives the owner before it takes the volume, 0 to 60
    #[arg(long, value_name = "S", default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(0..=60))]
    delay: u64,
    /// Write a page with the time line of everything that happened, and its JSON beside it
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

impl Demo {
    pub(crate) async fn run(self, signals: &Signals) -> Result<bool> {
        if let Some(file) = &self.report {
            can_be_made(file)?;
        }
        let mut demonstration = Demonstration::new(Narrator::to_stdout(), self.delay);
        let played = demonstration.play().await;
        let keep = self.keep && played.is_ok();
        if keep {
            print(&format!("\nEverything is left running.\n\n{}", ByHand::at(demonstration.lab()?, ARRAY_PASSWORD)?))?;
            signals.good_end().await;
        }
        let judged = demonstration.end(played.is_ok() && !keep).await;
        if let Some(file) = self.report {
            let failure = played.as_ref().err().or(judged.as_ref().err()).map(|error| format!("{error:#}"));
            if let Some(timeline) = demonstration.timeline(failure.as_deref()) {
                save_and_say(&timeline, &file)?;
            }
        }
        played?;
        judged?;
        if let Some(reason) = demonstration.unwritten() {
            anyhow::bail!("the demonstration went well, but telling it failed: {reason}");
        }
        Ok(true)
    }
}
