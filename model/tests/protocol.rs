//! The protocol holds within a quick bound, and every guard is needed.

use hpe3par_fencing_model::bounds;
use hpe3par_fencing_model::checker::{Limits, Outcome, explore};
use hpe3par_fencing_model::recovery::stuck;
use hpe3par_fencing_model::settings::{Guard, Settings};
use hpe3par_fencing_model::state::NodeId;
use hpe3par_fencing_model::story::retell;

fn holds(settings: &Settings) -> usize {
    let found = explore(settings, Limits::default());
    assert_eq!((&found.outcome, found.cut), (&Outcome::Exhausted, 0), "{settings}");
    found.states.len()
}

#[test]
fn two_nodes_with_any_fault_never_break_a_property_and_can_always_mount_again() {
    let settings = Settings { faults: 1, ..Settings::default() };
    let found = explore(&settings, Limits { keep_steps: true, exchange_nodes: false, ..Limits::default() });
    assert_eq!((&found.outcome, found.cut), (&Outcome::Exhausted, 0));
    assert!(found.states.len() > 50_000, "only {} states", found.states.len());
    for node in NodeId::first(settings.nodes) {
        assert_eq!(stuck(&found, Some(node)), []);
    }
}

#[test]
fn an_array_that_answers_removals_early_breaks_nothing() {
    holds(&Settings { faults: 1, autoscan: false, one_host: true, ..Settings::default() });
}

#[test]
fn a_holder_of_the_mount_keeps_its_device() {
    let settings = Settings { faults: 1, holders: true, early_removal: false, ..Settings::default() };
    let found = explore(&settings, Limits { keep_steps: true, exchange_nodes: false, ..Limits::default() });
    assert_eq!((&found.outcome, found.cut), (&Outcome::Exhausted, 0));
    for node in NodeId::first(settings.nodes) {
        assert_eq!(stuck(&found, Some(node)), []);
    }
}

#[test]
fn two_volumes_at_the_same_numbers_never_touch_each_other() {
    let one = |nodes, faults| Settings { nodes, volumes: 2, faults, early_removal: false, ..Settings::default() };
    assert!(holds(&one(1, 2)) > 5_000);
    assert!(holds(&one(2, 0)) > 50_000);
}

#[test]
fn every_guard_that_is_taken_away_leads_to_a_story_that_ends_badly() {
    for guard in Guard::ALL {
        let settings = bounds::without(guard, false);
        let found = explore(&settings, Limits { states: 2_000_000, ..Limits::default() });
        let Outcome::Broken { path, violation } = &found.outcome else {
            panic!("without the guard against {guard}: {:?} after {} states", found.outcome, found.states.len());
        };
        let story = retell(&settings, path, true).unwrap();
        assert_eq!(story.events.len(), path.len(), "{guard}");
        assert_eq!(story.violation.property(), violation.property(), "{guard}");
        let expected = match guard {
            Guard::FreeBeforeDeviceDown => "Q",
            Guard::AlreadyMountedIsSuccess => "S7",
            Guard::RemoveUnchecked => "S10",
            Guard::ClaimUncompared => "S6",
            Guard::RemoveByNumber => "S11",
            Guard::DetachHeld
            | Guard::SkipIdentity
            | Guard::IgnoreDevices
            | Guard::IgnoreOtherRecords
            | Guard::IgnoreListed
            | Guard::LookEarly => "S9",
            _ => "S5",
        };
        assert_eq!(violation.property(), expected, "{guard}:\n{story}");
    }
}

/// The array's own policy does not replace the wait for late exports; kernels that scan nothing by themselves do.
#[test]
fn only_a_kernel_that_scans_by_itself_makes_a_late_export_dangerous() {
    let late = |one_host, autoscan| {
        let removed = vec![Guard::MountBesideLateExport];
        let settings = Settings { faults: 1, one_host, autoscan, early_removal: false, removed, ..Settings::default() };
        explore(&settings, Limits::default()).outcome
    };
    for one_host in [false, true] {
        assert_eq!(late(one_host, false), Outcome::Exhausted);
        assert!(matches!(late(one_host, true), Outcome::Broken { .. }));
    }
}

/// As long as no number comes round again, what keeps two volumes apart has nothing to do.
#[test]
fn the_same_number_is_what_two_volumes_have_in_common() {
    let removed: Vec<Guard> = Guard::ALL.into_iter().filter(|guard| guard.needs_two_volumes()).collect();
    holds(&Settings { volumes: 1, faults: 1, early_removal: false, removed, ..Settings::default() });
}
