//! `hpe3par-lab`: starts a small site on this machine and does things to it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::scenarios::run::{Selection, run};

/// A whole 3PAR site on this machine: etcd, an emulated array, and worker nodes that run the production volume plugin.
#[derive(Debug, Parser)]
#[command(name = "hpe3par-lab", version, after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Begin with:
  hpe3par-lab demo                     a takeover, told as a time line
  hpe3par-lab test                     all acceptance scenarios (features/*.feature)
  hpe3par-lab test --tags @ghost-write only those with a tag
  hpe3par-lab up                       a site to play with; prints sockets and curl lines

Logs go to stderr; set RUST_LOG (for example RUST_LOG=info) to see them.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the acceptance scenarios and prints a table of them
    Test(Test),
}

#[derive(Debug, Args)]
struct Test {
    /// Which scenarios, by their tags: '@seed-case-1', '@unmount and not @emulator', …
    #[arg(long, value_name = "EXPR")]
    tags: Option<String>,
    /// What the nodes are: 'cluster' are simulated machines with the production plugin, real etcd, and the array over TCP
    #[arg(long, value_enum, default_value_t)]
    tier: Tier,
    /// Puts a known safety defect into every plugin, to see that a scenario finds it (needs a build with --features mutants)
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
    /// Prints the table as JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Tier {
    #[default]
    Cluster,
}

fn usual_features() -> PathBuf {
    let here = PathBuf::from("features");
    if here.is_dir() { here } else { PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../features")) }
}

fn main() -> ExitCode {
    let command = CommandLine::parse().command;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = tokio::runtime::Runtime::new().context("cannot start the worker threads").and_then(|runtime| {
        let done = runtime.block_on(carry_out(command));
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        done
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hpe3par-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(command: Command) -> Result<ExitCode> {
    match command {
        Command::Test(test) => play(test).await,
    }
}

async fn play(test: Test) -> Result<ExitCode> {
    let Tier::Cluster = test.tier;
    let selection = Selection {
        features: test.features,
        tags: test.tags,
        mutant: test.mutant,
        at_once: test.concurrency,
        junit: Some(test.junit),
        quiet: test.json,
    };
    let report = run(&selection).await?;
    if test.json {
        println!("{}", serde_json::to_string_pretty(&report.rows())?);
    } else {
        println!("{}", report.table());
        print!("{}", report.failures());
        println!("{} passed, {} failed", report.passed(), report.failed());
    }
    Ok(if report.failed() == 0 && report.passed() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
