//! `hpe3par-lab demo`: one takeover, told.

use anyhow::Result;
use clap::Args;
use hpe3par_harness::demo::{Demonstration, Narrator};

use super::{asked_to_end, up};

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave everything running afterwards, with sockets and curl lines to try, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Seconds worker2 gives the owner before it takes the volume
    #[arg(long, value_name = "S", default_value_t = 3)]
    delay: u64,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<bool> {
        let mut demonstration = Demonstration::new(Narrator::to_stdout(), self.delay);
        let played = demonstration.play().await;
        if self.keep && played.is_ok() {
            println!("\n{}", up::by_hand(demonstration.lab()?));
            asked_to_end().await?;
        }
        let judged = demonstration.end(played.is_ok() && !self.keep).await;
        played?;
        judged?;
        Ok(true)
    }
}
