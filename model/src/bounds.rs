//! The bounds that are visited in full, and which guard is taken away within which.

use crate::checker::{Exploration, Limits, explore};
use crate::settings::{Guard, Settings};

/// Who is asked whether it can always mount again once faults stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Every node by its name.
    EachNode,
    /// Some node: nodes that changed places are one state, which saves states.
    SomeNode,
    /// Nobody, which saves memory.
    NotAsked,
}

/// A bound.
#[derive(Debug, Clone)]
pub struct Bound {
    /// What is explored.
    pub settings: Settings,
    /// Recovery.
    pub recovery: Recovery,
}

impl Bound {
    /// Visits it.
    #[must_use]
    pub fn explore(&self, max_states: usize) -> Exploration {
        explore(&self.settings, self.limits(max_states))
    }

    /// How it is visited.
    #[must_use]
    pub fn limits(&self, max_states: usize) -> Limits {
        Limits {
            states: max_states,
            keep_steps: self.recovery != Recovery::NotAsked,
            exchange_nodes: self.recovery != Recovery::EachNode,
        }
    }
}

/// Every bound of the table in `docs/model.md`.
#[must_use]
pub fn all() -> Vec<Bound> {
    use Recovery::{EachNode, NotAsked, SomeNode};
    let usual = Settings::default();
    let bound = |nodes, volumes, faults, recovery| Bound {
        settings: Settings { nodes, volumes, faults, ..usual.clone() },
        recovery,
    };
    let mut bounds = vec![
        bound(2, 1, 1, EachNode),
        bound(2, 1, 2, EachNode),
        bound(3, 1, 0, SomeNode),
        bound(1, 2, 2, EachNode),
        bound(2, 2, 1, NotAsked),
    ];
    // With `autoscan` on it is beyond 40 million states.
    let three = Settings { nodes: 3, faults: 1, autoscan: false, ..usual.clone() };
    bounds.push(Bound { settings: three, recovery: NotAsked });
    let held = Settings { holders: true, faults: 1, ..usual.clone() };
    bounds.push(Bound { settings: held, recovery: EachNode });
    for switches in 0..8u8 {
        let [one_host, autoscan, early_removal] = [1, 2, 4].map(|bit| switches & bit != 0);
        let settings = Settings { one_host, autoscan, early_removal, ..usual.clone() };
        if settings != usual {
            bounds.push(Bound { settings, recovery: NotAsked });
        }
    }
    bounds
}

/// Within what a guard is taken away: as little as shows the damage.
#[must_use]
pub fn without(guard: Guard, one_host: bool) -> Settings {
    let two = guard.needs_two_volumes();
    Settings {
        volumes: if two { 2 } else { 1 },
        faults: if guard == Guard::OwnerForgetsBurned { 2 } else { 1 },
        early_removal: matches!(guard, Guard::SkipRevoke | Guard::SkipSettle | Guard::SettleOwnRemovalsOnly),
        holders: guard == Guard::DetachHeld,
        one_host,
        removed: vec![guard],
        ..Settings::default()
    }
}
