//! Command line of the protocol check.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hpe3par_fencing_model::bounds::{self, Bound, Recovery};
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
    /// Visits every bound of docs/model.md and prints its table.
    Table {
        /// Give up a bound beyond this many states.
        #[arg(long, default_value_t = 60_000_000)]
        max_states: usize,
    },
    /// Takes each guard of the protocol away in turn and prints what breaks as a table.
    Guards {
        /// Print the counterexamples too.
        #[arg(long)]
        stories: bool,
        /// Give up one beyond this many states.
        #[arg(long, default_value_t = 2_000_000)]
        max_states: usize,
        /// Only these.
        guards: Vec<Guard>,
    },
}

#[derive(Debug, Args)]
struct Check {
    /// Nodes, 1 to 3.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: u8,
    /// Volumes, 1 or 2.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    volumes: u8,
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
    /// Containers and processes may hold the filesystem on their own.
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    holders: Switch,
    /// The array answers a removal before writes in flight have settled.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    early_removal: Switch,
    /// Give up beyond this many states (about 110 bytes each).
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

impl Check {
    fn bound(&self) -> Bound {
        let settings = Settings {
            nodes: usize::from(self.nodes),
            volumes: usize::from(self.volumes),
            faults: self.faults,
            one_host: self.one_host == Switch::On,
            autoscan: self.autoscan == Switch::On,
            holders: self.holders == Switch::On,
            early_removal: self.early_removal == Switch::On,
            removed: self.guard_off.clone(),
        };
        // Who is stuck is asked by name only where that is affordable.
        let recovery = match self.nodes {
            _ if self.safety_only => Recovery::NotAsked,
            1 | 2 => Recovery::EachNode,
            _ => Recovery::SomeNode,
        };
        Bound { settings, recovery }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(check) => run_check(&check.bound(), check.max_states),
        Command::Table { max_states } => run_table(max_states),
        Command::Guards { stories, max_states, guards } => run_guards(stories, max_states, &guards),
    }
}

fn run_check(bound: &Bound, max_states: usize) -> ExitCode {
    println!("{}", bound.settings);
    let found = bound.explore(max_states);
    println!("{}", figures(&found));
    match &found.outcome {
        Outcome::TooMany => {
            println!("NOT EXHAUSTIVE: more than {max_states} states; nothing was broken so far");
            ExitCode::from(2)
        }
        Outcome::Broken { path, violation } => {
            match retell(&bound.settings, path, bound.limits(max_states).exchange_nodes) {
                Some(story) => println!("BROKEN in {} steps:\n{story}", story.events.len()),
                None => println!("BROKEN: {violation}\nThe way there cannot be retold: the model itself is at fault"),
            }
            ExitCode::FAILURE
        }
        Outcome::Exhausted if found.cut > 0 => {
            println!("NOT EXHAUSTIVE: {} steps were left out for want of LUN numbers; nothing is broken", found.cut);
            ExitCode::from(2)
        }
        Outcome::Exhausted => report_recovery(&found, bound),
    }
}

fn report_recovery(found: &Exploration, bound: &Bound) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for node in asked(bound) {
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

/// Who is asked whether it can mount again.
fn asked(bound: &Bound) -> Vec<Option<NodeId>> {
    match bound.recovery {
        Recovery::EachNode => NodeId::first(bound.settings.nodes).map(Some).collect(),
        Recovery::SomeNode => vec![None],
        Recovery::NotAsked => Vec::new(),
    }
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

/// One row a bound, ready for the documentation.
fn run_table(max_states: usize) -> ExitCode {
    println!(
        "| Nodes | Volumes | Faults | one-host | autoscan | early removal | holders | States | Steps | Depth | Seconds | Outcome |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    for bound in bounds::all() {
        let found = bound.explore(max_states);
        let outcome = match &found.outcome {
            Outcome::TooMany => "not in full".to_owned(),
            Outcome::Broken { violation, .. } => format!("BROKEN: {violation}"),
            Outcome::Exhausted if found.cut > 0 => "not in full: LUN numbers ran out".to_owned(),
            Outcome::Exhausted => match asked(&bound).into_iter().map(|node| stuck(&found, node).len()).sum() {
                0usize => match bound.recovery {
                    Recovery::EachNode => "holds, each node recovers".to_owned(),
                    Recovery::SomeNode => "holds, some node recovers".to_owned(),
                    Recovery::NotAsked => "holds".to_owned(),
                },
                left => format!("STUCK in {left} states"),
            },
        };
        if !outcome.starts_with("holds") {
            code = ExitCode::FAILURE;
        }
        let settings = &bound.settings;
        let switch = |on| if on { "on" } else { "off" };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} | {outcome} |",
            settings.nodes,
            settings.volumes,
            settings.faults,
            switch(settings.one_host),
            switch(settings.autoscan),
            switch(settings.early_removal),
            switch(settings.holders),
            found.states.len(),
            found.steps,
            found.depth,
            found.took.as_secs_f64()
        );
    }
    code
}

/// One row a guard and environment, ready for the documentation: on an array without and with `one-host`.
fn run_guards(stories: bool, max_states: usize, only: &[Guard]) -> ExitCode {
    println!("| `--guard-off` | Volumes | Faults | Breaks | Steps to it, one-host off / on | States until then |");
    println!("|---|---|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    let chosen = Guard::ALL.into_iter().filter(|guard| only.is_empty() || only.contains(guard));
    for guard in chosen {
        let cases = [false, true].map(|one_host| {
            let settings = bounds::without(guard, one_host);
            let found = explore(&settings, Limits { states: max_states, ..Limits::default() });
            (settings, found)
        });
        let told = cases.each_ref().map(|(_, found)| match &found.outcome {
            Outcome::Broken { path, violation } => (violation.property(), path.len().to_string()),
            Outcome::Exhausted => ("nothing", "-".to_owned()),
            Outcome::TooMany => ("nothing so far", "-".to_owned()),
        });
        let [(off, off_steps), (on, on_steps)] = &told;
        let breaks = if off == on { (*off).to_owned() } else { format!("{off} / {on}") };
        let states = cases.each_ref().map(|(_, found)| found.states.len());
        let settings = &cases[0].0;
        println!(
            "| `{guard}` | {} | {} | {breaks} | {off_steps} / {on_steps} | {} / {} |",
            settings.volumes, settings.faults, states[0], states[1]
        );
        if told.iter().all(|(property, _)| ["nothing", "nothing so far"].contains(property)) {
            code = ExitCode::FAILURE;
        }
        for (settings, found) in cases.iter().filter(|_| stories) {
            if let Outcome::Broken { path, .. } = &found.outcome
                && let Some(story) = retell(settings, path, true)
            {
                println!("\nWithout the guard against {guard}, {settings}:\n{story}\n");
            }
        }
    }
    code
}
