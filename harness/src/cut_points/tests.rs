//! The sweep itself: it strikes what it recorded, everything heals, and a known defect makes it red.

use super::*;

fn calls_of(operation: Operation) -> Vec<Call> {
    replay(&Cell { operation, strikes: Vec::new() }, &Options::default(), false).unwrap().calls
}

/// The number of the last call of an operation that is this one.
fn last(operation: Operation, what: &str) -> usize {
    let calls = calls_of(operation);
    1 + calls.iter().rposition(|call| call.what == what).unwrap_or_else(|| panic!("{operation} never asks to {what}"))
}

fn struck(operation: Operation, call: usize, fault: Fault, options: &Options) -> Outcome {
    let outcome = replay(&Cell { operation, strikes: vec![Strike { call, fault }] }, options, false).unwrap();
    assert_eq!(outcome.struck, 1);
    outcome
}

#[test]
fn the_calls_of_a_takeover_go_through_every_port() {
    let calls = calls_of(Operation::TakeoverByForce);
    for port in [Port::Store, Port::Watch, Port::Wsapi, Port::Ssh, Port::Node, Port::Journal] {
        assert!(calls.iter().any(|call| call.port == port), "no call through {port}");
    }
    assert!(calls.iter().any(|call| call.origin == Origin::Background), "the loser cleans up by itself");
}

#[test]
fn an_undisturbed_run_is_the_same_every_time() {
    for operation in [Operation::FirstMount, Operation::TakeoverReleased, Operation::Remove] {
        assert_eq!(calls_of(operation), calls_of(operation), "{operation}");
    }
}

#[test]
fn every_fault_at_every_call_of_a_second_mount_heals() {
    let swept = sweep(&[Operation::SecondMount], &Options::default()).unwrap();
    assert!(swept.cells().count() > 40);
    let broken: Vec<Cell> = swept.broken().into_iter().map(|(cell, _)| cell).collect();
    assert_eq!(broken, [], "{}", failures(swept.broken().into_iter(), &Options::default()));
    let pairs = sweep_pairs(&swept, PairsWanted::Sample(20), &Options::default()).unwrap();
    assert_eq!((pairs.played.len(), pairs.broken().count()), (20, 0));
    assert!(pairs.possible > 1_000, "{}", pairs.possible);
}

#[test]
fn a_crash_is_heard_of_and_the_effect_is_there_only_after_it() {
    let operation = Operation::Create;
    let call = last(operation, "create volume");
    for (fault, made) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let cell = Cell { operation, strikes: vec![Strike { call, fault }] };
        let outcome = replay(&cell, &Options::default(), true).unwrap();
        assert!(outcome.is_healed(), "{:?}", outcome.violations);
        assert!(outcome.answer.is_err(), "{fault}");
        let lines: Vec<String> = outcome.facts.iter().map(ToString::to_string).collect();
        let made_by_first = lines.iter().any(|line| line.contains("does for node-a over wsapi: create volume"));
        assert_eq!(made_by_first, made, "{fault}:\n{}", lines.join("\n"));
    }
}

/// The array has the volume by then: a record that went would leave a volume that nobody knows.
#[test]
fn a_refused_look_after_the_creation_leaves_no_volume_without_a_record() {
    let call = last(Operation::Create, "read volume");
    let outcome = struck(Operation::Create, call, Fault::Error, &Options::default());
    assert!(outcome.is_healed(), "{:?}", outcome.violations);
}

#[test]
fn a_pause_is_longer_than_every_lease_and_another_node_takes_the_volume_meanwhile() {
    let call = last(Operation::Mount, "attach");
    let outcome = struck(Operation::Mount, call, Fault::PauseBefore, &Options::default());
    assert!(outcome.is_healed(), "{:?}", outcome.violations);
    let owners: Vec<String> =
        outcome.facts.iter().map(ToString::to_string).filter(|line| line.contains("Mounted owner")).collect();
    assert!(owners.iter().any(|line| line.contains("owner node-c")), "{owners:?}");
}

#[cfg(feature = "mutants")]
mod with_a_defect {
    use hpe3par_docker_plugin::fencing::mutants::Mutant;

    use super::*;

    fn with(mutant: Mutant) -> Options {
        Options { mutant: Some(mutant), ..Options::default() }
    }

    #[test]
    fn a_cell_turns_red() {
        let call = last(Operation::Mount, "export");
        let green = struck(Operation::Mount, call, Fault::PauseBefore, &Options::default());
        assert!(green.is_healed(), "{:?}", green.violations);
        let red = struck(Operation::Mount, call, Fault::PauseBefore, &with(Mutant::SkipValidation));
        assert!(!red.is_healed());
    }
}
