//! Command line of the protocol check.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hpe3par_fencing_model::checker::{Exploration, Limits, Outcome, explore};
use hpe3par_fencing_model::recovery::stuck;
use hpe3par_fencing_model::settings::{Guard, Settings};
use hpe3par_fencing_model::state::NodeId;
use hpe3par_fencing_model::story::retell;

/// Visits every state of the fencing protocol within a bound.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks every property in every state, and that a Mount can always succeed again.
    Check(Check),
    /// Takes each guard of the protocol away in turn and tells how long the way to the damage is.
    Guards {
        /// Print the counterexamples too.
        #[arg(long)]
        stories: bool,
    },
}

#[derive(Debug, Args)]
struct Check {
    /// Nodes, 1 to 3.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: u8,
    /// Faults in one run, in any mixture.
    #[arg(long, default_value_t = 2)]
    faults: u8,
    /// Take a guard away; may be repeated.
    #[arg(long = "guard-off", value_name = "NAME")]
    guard_off: Vec<Guard>,
    /// The array refuses exports to a second host.
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    one_host: Switch,
    /// Kernels scan new LUNs by themselves.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    autoscan: Switch,
    /// The array answers a removal before writes in flight have settled.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    early_removal: Switch,
    /// Give up beyond this many states (about 100 bytes each).
    #[arg(long, default_value_t = 60_000_000)]
    max_states: usize,
    /// Skip the check that a Mount can always succeed again; saves memory.
    #[arg(long)]
    safety_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(check) => run_check(&check),
        Command::Guards { stories } => run_guards(stories),
    }
}

fn run_check(check: &Check) -> ExitCode {
    let settings = Settings {
        nodes: usize::from(check.nodes),
        faults: check.faults,
        one_host: check.one_host == Switch::On,
        autoscan: check.autoscan == Switch::On,
        early_removal: check.early_removal == Switch::On,
        removed: check.guard_off.clone(),
    };
    // Who is stuck is asked by name only where that is affordable.
    let by_name = !check.safety_only && settings.nodes < 3;
    let limits = Limits { states: check.max_states, keep_steps: !check.safety_only, exchange_nodes: !by_name };
    println!("{settings}");
    let found = explore(&settings, limits);
    println!("{}", figures(&found));
    match &found.outcome {
        Outcome::TooMany => {
            println!("NOT EXHAUSTIVE: more than {} states; nothing was broken so far", check.max_states);
            ExitCode::from(2)
        }
        Outcome::Broken { path, violation } => {
            match retell(&settings, path, limits.exchange_nodes) {
                Some(story) => println!("BROKEN in {} steps:\n{story}", story.events.len()),
                None => println!("BROKEN: {violation}\nThe way there cannot be retold: the model itself is at fault"),
            }
            ExitCode::FAILURE
        }
        Outcome::Exhausted if found.cut > 0 => {
            println!("NOT EXHAUSTIVE: {} steps were left out for want of LUN numbers; nothing is broken", found.cut);
            ExitCode::from(2)
        }
        Outcome::Exhausted if check.safety_only => {
            println!("every property holds in every state");
            ExitCode::SUCCESS
        }
        Outcome::Exhausted => report_recovery(&found, &settings, by_name),
    }
}

fn report_recovery(found: &Exploration, settings: &Settings, by_name: bool) -> ExitCode {
    let asked: Vec<Option<NodeId>> =
        if by_name { NodeId::first(settings.nodes).map(Some).collect() } else { vec![None] };
    let mut code = ExitCode::SUCCESS;
    for node in asked {
        let name = node.map_or_else(|| "some node".to_owned(), |node| format!("node {node}"));
        let left = stuck(found, node);
        match left.first().and_then(|first| found.states.get_index(*first)) {
            None => println!("from every state {name} can mount again once faults stop"),
            Some(state) => {
                println!("STUCK: {name} can never mount again from {} states, first {state:#?}", left.len());
                code = ExitCode::FAILURE;
            }
        }
    }
    println!("every property holds in every state");
    code
}

fn figures(found: &Exploration) -> String {
    format!(
        "{} states, {} steps, depth {}, {:.1} s",
        found.states.len(),
        found.steps,
        found.depth,
        found.took.as_secs_f64()
    )
}

/// One row a guard, each on an array without and with `one-host`.
fn run_guards(stories: bool) -> ExitCode {
    println!(
        "{:28} {:9} {:8} {:>5}  {:>9}  {:>7}",
        "without the guard against", "one-host", "breaks", "steps", "states", "seconds"
    );
    let mut unfound = 0;
    for guard in Guard::ALL {
        let mut broken = false;
        for one_host in [false, true] {
            let settings = Settings { one_host, removed: vec![guard], ..Settings::default() };
            let found = explore(&settings, Limits::default());
            let (property, steps, story) = match &found.outcome {
                Outcome::Broken { path, violation } => {
                    broken = true;
                    (violation.property(), path.len().to_string(), retell(&settings, path, true))
                }
                Outcome::Exhausted => ("nothing", "-".to_owned(), None),
                Outcome::TooMany => ("unknown", "-".to_owned(), None),
            };
            let switch = if one_host { "on" } else { "off" };
            println!(
                "{guard:28} {switch:9} {property:8} {steps:>5}  {:>9}  {:>7.1}",
                found.states.len(),
                found.took.as_secs_f64()
            );
            if let Some(story) = story.filter(|_| stories) {
                println!("{story}\n");
            }
        }
        unfound += u8::from(!broken);
    }
    if unfound == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
