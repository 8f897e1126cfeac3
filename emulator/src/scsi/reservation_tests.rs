//! Persistent reservations: the rules one by one, and what holds after any sequence.

use proptest::prelude::*;

use super::reservation::{Effects, Kind, Refusal, Registrant, Reservations};
use crate::array::{Initiator, PortPos};

const KINDS: [Kind; 6] = [
    Kind::WriteExclusive,
    Kind::ExclusiveAccess,
    Kind::WriteExclusiveRegistrants,
    Kind::ExclusiveAccessRegistrants,
    Kind::WriteExclusiveAll,
    Kind::ExclusiveAccessAll,
];

fn who(name: u8) -> Registrant {
    let initiator = Initiator::parse(&format!("iqn.host{name}")).unwrap();
    Registrant { initiator, isid: Some([name; 6]), port: PortPos::fixed(0, 2, 1) }
}

/// Hosts 1 and 2 registered with the keys 1 and 2.
fn registered() -> Reservations {
    let mut held = Reservations::default();
    for name in [1, 2] {
        held.register(&who(name), 0, name.into(), false).unwrap();
    }
    held
}

#[test]
fn every_type_admits_whom_it_should() {
    // Holder, other registrant, stranger; reads and writes.
    for (kind, registrant, stranger) in [
        (Kind::WriteExclusive, (true, false), (true, false)),
        (Kind::ExclusiveAccess, (false, false), (false, false)),
        (Kind::WriteExclusiveRegistrants, (true, true), (true, false)),
        (Kind::ExclusiveAccessRegistrants, (true, true), (false, false)),
        (Kind::WriteExclusiveAll, (true, true), (true, false)),
        (Kind::ExclusiveAccessAll, (true, true), (false, false)),
    ] {
        let mut held = registered();
        held.reserve(&who(1), 1, kind).unwrap();
        let admitted = |name| (held.admits(&who(name), false), held.admits(&who(name), true));
        assert_eq!((admitted(1), admitted(2), admitted(3)), ((true, true), registrant, stranger), "{kind:?}");
    }
}

#[test]
fn keys_have_to_be_right() {
    let mut held = registered();
    assert_eq!(held.register(&who(1), 9, 3, false), Err(Refusal::Conflict));
    assert_eq!(held.register(&who(3), 9, 3, false), Err(Refusal::Conflict));
    assert_eq!(held.reserve(&who(3), 3, Kind::WriteExclusive), Err(Refusal::Conflict), "not registered");
    held.register(&who(1), 9, 5, true).unwrap();
    held.reserve(&who(1), 5, Kind::WriteExclusive).unwrap();
    assert_eq!(held.reserve(&who(2), 2, Kind::WriteExclusive), Err(Refusal::Conflict));
    assert_eq!(held.reserve(&who(1), 5, Kind::ExclusiveAccess), Err(Refusal::Conflict), "another type");
    held.reserve(&who(1), 5, Kind::WriteExclusive).unwrap();
    assert_eq!(held.release(&who(1), 5, Kind::ExclusiveAccess), Err(Refusal::InvalidRelease));
    assert_eq!(held.release(&who(2), 2, Kind::WriteExclusive), Ok(Effects::default()), "not the holder");
    assert!(held.reservation().is_some());
    held.release(&who(1), 5, Kind::WriteExclusive).unwrap();
    assert!(held.reservation().is_none());
}

#[test]
fn the_holder_that_goes_takes_the_reservation_along() {
    let mut held = registered();
    held.reserve(&who(1), 1, Kind::WriteExclusiveRegistrants).unwrap();
    let effects = held.register(&who(1), 1, 0, false).unwrap();
    assert_eq!(effects.released, [who(2)]);
    assert!(held.reservation().is_none());
    let mut held = registered();
    held.reserve(&who(1), 1, Kind::WriteExclusiveAll).unwrap();
    held.register(&who(1), 1, 0, false).unwrap();
    assert!(held.is_holder(&who(2)), "all registrants hold it");
}

#[test]
fn preempting_fences() {
    let mut held = registered();
    held.reserve(&who(1), 1, Kind::WriteExclusiveRegistrants).unwrap();
    let effects = held.preempt(&who(2), 2, 1, Kind::WriteExclusiveRegistrants).unwrap();
    assert_eq!(effects.preempted, [who(1)]);
    assert!(held.is_holder(&who(2)) && !held.admits(&who(1), true));
    assert_eq!(held.preempt(&who(2), 2, 77, Kind::WriteExclusive), Err(Refusal::Conflict), "nobody has that key");
    assert_eq!(held.preempt(&who(2), 2, 0, Kind::WriteExclusive), Err(Refusal::InvalidParameter));
    let generation = held.generation();
    assert_eq!(held.clear(&who(2), 2).unwrap().cleared, []);
    assert!(held.is_free() && held.generation() == generation + 1);
}

proptest! {
    #[test]
    fn a_reservation_always_has_a_holder(steps in prop::collection::vec((0u8..7, 1u8..4, 0u64..4, 0u64..4, 0usize..6), 0..60)) {
        let mut held = Reservations::default();
        for (action, name, key, other, kind) in steps {
            let (who, kind) = (who(name), KINDS[kind]);
            let before = held.clone();
            let done = match action {
                0 => held.register(&who, key, other, false),
                1 => held.reserve(&who, key, kind),
                2 => held.release(&who, key, kind),
                3 => held.clear(&who, key),
                4 | 5 => held.preempt(&who, key, other, kind),
                _ => held.register(&who, key, other, true),
            };
            if done.is_err() {
                prop_assert_eq!(&held, &before, "a refusal changes nothing");
            }
            if held.reservation().is_some() {
                let holders = held.registrations().filter(|(who, _)| held.is_holder(who)).count();
                prop_assert!(holders > 0);
                prop_assert!(held.registrations().all(|(who, _)| !held.is_holder(who) || held.admits(who, true)));
            }
        }
    }
}
