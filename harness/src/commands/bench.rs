//! `hpe3par-lab bench`: how long mounts, takeovers and hand-overs take here.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use hpe3par_harness::bench::{Figures, measure};
use serde_json::json;

use super::spinner;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Mounts without conflict to measure
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    mounts: u16,
    /// Takeovers and hand-overs to measure, each
    #[arg(long, value_name = "N", default_value_t = 30, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    takeovers: u16,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(crate) async fn run(self) -> Result<bool> {
        let bar = spinner("measuring");
        let figures = measure(self.mounts.into(), self.takeovers.into()).await?;
        bar.finish_and_clear();
        if self.json {
            let figures: Vec<_> = figures.iter().map(|figure| json!({"what": figure.what, "count": figure.times.len(), "median_ms": ms(figure.median()), "p99_ms": ms(figure.p99()), "longest_ms": ms(figure.longest())})).collect();
            println!("{:#}", json!(figures));
        } else {
            figures.iter().for_each(show);
        }
        Ok(true)
    }
}

fn show(figure: &Figures) {
    println!(
        "{:<58} {:>4} times   median {:>7.1} ms   p99 {:>7.1} ms   longest {:>7.1} ms",
        figure.what,
        figure.times.len(),
        ms(figure.median()),
        ms(figure.p99()),
        ms(figure.longest())
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
