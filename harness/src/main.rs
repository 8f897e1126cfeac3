//! `hpe3par-lab`: starts a small site on this machine and does things to it.

mod commands;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use commands::signals::{Asked, Signals};
use tracing_subscriber::EnvFilter;

/// The simulation makes and drops millions of small things in a second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A whole 3PAR site on this machine: etcd, an emulated array, and worker nodes that run the production volume plugin.
#[derive(Debug, Parser)]
#[command(name = "hpe3par-lab", version, after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Begin with:
  hpe3par-lab demo                      a takeover, told as a time line
  hpe3par-lab up                        a site to play with; prints sockets and curl lines
  hpe3par-lab test                      all acceptance scenarios (features/*.feature)
  hpe3par-lab test --tags @ghost-write  only those with a tag
  hpe3par-lab simulate --seeds 1..1000  the fencing code under a thousand seeded schedules
  hpe3par-lab simulate --seed 7 --trace one of them, line by line
  hpe3par-lab cut-points                every call of every operation, cut in every way, and how soon all is well again
  hpe3par-lab mutants                   shows that scenarios and simulation find known safety defects
  hpe3par-lab demo --report demo.html   the same, and a page to look at it; test and simulate write one of what fails
  hpe3par-lab bench                     how long mounts and takeovers take here
  hpe3par-lab liveness                  every liveness bound, measured
  hpe3par-lab soak --minutes 10         all of it as processes of their own, under load and faults

What runs: etcd is a real process (/usr/bin/etcd, or the program named by the variable ETCD). The array is emulated in
this process and reached over HTTPS and SSH. Every worker is the production plugin on a thread of its own, with its own
hpe.conf, socket and network links, on a simulated machine. Everything listens on loopback addresses and is gone at the end.

Logs go to stderr; set RUST_LOG (for example RUST_LOG=info) to see them.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays one takeover and tells it as a time line; exits with 1 if a check failed
    Demo(commands::demo::Demo),
    /// Starts a site, prints one JSON line with all addresses, and runs until Ctrl-C
    Up(commands::up::Up),
    /// Plays the acceptance scenarios and prints a table of them
    Test(commands::test::Test),
    /// Runs the fencing code of simulated nodes under seeded schedules in virtual time
    Simulate(commands::simulate::Simulate),
    /// Cuts every call of every operation in every way: crash, lost answer, delay, error, hang, pause; everything has to heal
    CutPoints(commands::cut_points::CutPoints),
    /// Puts known safety defects into the plugin, one by one, and shows which scenario and which seed finds each
    Mutants(commands::mutants::Mutants),
    /// Makes the page of a run from its saved time line
    Report(commands::report::Report),
    /// Measures mounts, takeovers and hand-overs on this machine
    Bench(commands::bench::Bench),
    /// Measures every liveness bound, L1 to L11, and says which are met
    Liveness(commands::liveness::Liveness),
    /// Runs etcd, the array and the workers as processes of their own, under load and faults drawn from a seed, and judges them
    Soak(commands::soak::Soak),
    /// One process of a soak
    #[command(hide = true)]
    Part(commands::part::Part),
}

/// How a command came to its end.
enum End {
    /// By itself; everything it looked at was right, or not.
    Done(bool),
    /// A signal cut it short.
    CutShort(Asked),
}

fn main() -> ExitCode {
    let command = CommandLine::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A line that cannot be written is lost: told of on the same stderr, that would be a panic.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    let ended = tokio::runtime::Runtime::new().context("cannot start the worker threads").and_then(|runtime| {
        let ended = runtime.block_on(unless_cut_short(command));
        runtime.shutdown_timeout(Duration::from_secs(1));
        ended
    });
    match ended {
        Ok(End::Done(true)) => ExitCode::SUCCESS,
        Ok(End::Done(false)) => ExitCode::FAILURE,
        Ok(End::CutShort(asked)) => {
            complain(&format!("cut short by {asked}; what it had started is gone"));
            asked.exit_code()
        }
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// To stderr; a closed stderr is no reason to panic.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "hpe3par-lab: {text}");
}

/// Carries a command out until a signal comes. Then the command is dropped where it stands, and everything it had started
/// with it.
async fn unless_cut_short(command: Command) -> anyhow::Result<End> {
    let signals = Signals::listen()?;
    tokio::select! {
        biased;
        asked = signals.cut_short() => Ok(End::CutShort(asked)),
        done = Box::pin(carry_out(command, &signals)) => done.map(End::Done),
    }
}

/// Carries a command out; tells whether everything it looked at was right.
async fn carry_out(command: Command, signals: &Signals) -> anyhow::Result<bool> {
    match command {
        Command::Demo(demo) => demo.run(signals).await,
        Command::Up(up) => up.run(signals).await,
        Command::Test(test) => test.run().await,
        Command::Simulate(simulate) => simulate.run().await,
        Command::CutPoints(cut_points) => cut_points.run().await,
        Command::Mutants(mutants) => mutants.run().await,
        Command::Report(report) => report.run(),
        Command::Bench(bench) => bench.run().await,
        Command::Liveness(liveness) => liveness.run().await,
        Command::Soak(soak) => soak.run().await,
        Command::Part(part) => part.run(signals).await,
    }
}
