//! `hpe3par-lab test`: the acceptance scenarios.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::scenarios::run::{Selection, run};

use super::usual_features;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Which scenarios, by their tags: '@seed-case-1', '@unmount and not @emulator', …
    #[arg(long, value_name = "EXPR")]
    tags: Option<String>,
    /// What the nodes are: 'cluster' are simulated machines with the production plugin, real etcd, and the array over TCP
    #[arg(long, value_enum, default_value_t)]
    tier: Tier,
    /// Put a known safety defect into every plugin, to see that a scenario finds it (needs a build with --features mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<Mutant>,
    /// Folder with feature files
    #[arg(long, value_name = "DIR", default_value_os_t = usual_features())]
    features: PathBuf,
    /// Scenarios at once
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
    /// JUnit report
    #[arg(long, value_name = "FILE", default_value = "target/junit/scenarios.xml")]
    junit: PathBuf,
    /// Print the table as JSON instead
    #[arg(long)]
    json: bool,
}

/// What a node is.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Tier {
    #[default]
    Cluster,
}

impl Test {
    pub(crate) async fn run(self) -> anyhow::Result<bool> {
        let Tier::Cluster = self.tier;
        let selection = Selection {
            features: self.features,
            tags: self.tags,
            mutant: self.mutant,
            at_once: self.concurrency,
            junit: Some(self.junit),
            quiet: self.json,
        };
        let report = run(&selection).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report.rows())?);
        } else {
            println!("{}", report.table());
            print!("{}", report.failures());
            println!("{} passed, {} failed", report.passed(), report.failed());
        }
        if report.passed() + report.failed() == 0 {
            anyhow::bail!("no scenario was chosen; look at the tags in features/*.feature");
        }
        Ok(report.failed() == 0)
    }
}
