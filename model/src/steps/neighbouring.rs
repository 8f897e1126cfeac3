//! What the other volume may do at a host, at any time.

use super::Steps;
use super::environment::removes_by_number;
use crate::event::What;
use crate::state::{Lun, LunSet, Neighbour, NodeId, State};

impl Steps<'_> {
    /// It is at one host at a time: at another host the volume sees of it no more than a number that is refused.
    pub(super) fn may_be_at(&self, host: NodeId) -> bool {
        NodeId::ALL.into_iter().all(|other| other == host || self.from.others[other] == Neighbour::default())
    }

    pub(super) fn of_the_other_volume(&mut self, host: NodeId) {
        let other = self.from.others[host];
        if other.allotted.is_empty() && other.numbers().len() < Neighbour::NUMBERS {
            for (lun, what) in self.numbers_for_the_other(host) {
                self.step_on(host, what, (host, lun), |state| state.others[host].allotted.insert(lun));
            }
        }
        for lun in other.allotted.iter() {
            self.other_exports(host, lun);
        }
        for lun in (other.late_creates - self.from.taken(host)).iter() {
            self.step_on(host, What::OtherLateCreate, (host, lun), |state| {
                state.others[host].late_creates.remove(lun);
                state.others[host].vluns.insert(lun);
            });
        }
        for lun in other.vluns.iter() {
            self.other_is_removed(host, lun);
        }
        for lun in other.late_removals.iter() {
            self.other_late_removal(host, lun);
        }
        self.other_in_kernel(host);
    }

    fn other_exports(&mut self, host: NodeId, lun: Lun) {
        let taken = self.from.taken(host).contains(lun);
        let what = if taken { What::OtherExportRefused } else { What::OtherExports };
        self.step_on(host, what, (host, lun), |state| {
            let other = &mut state.others[host];
            other.allotted.remove(lun);
            if !taken {
                other.vluns.insert(lun);
            }
        });
        self.fault(host, What::OtherExportUnknown, Some((host, lun)), |state| {
            state.others[host].allotted.remove(lun);
            state.others[host].late_creates.insert(lun);
        });
    }

    fn other_is_removed(&mut self, host: NodeId, lun: Lun) {
        self.step_on(host, What::OtherRemoved, (host, lun), |state| state.others[host].vluns.remove(lun));
        self.fault(host, What::OtherRemovedLate, Some((host, lun)), |state| {
            state.others[host].late_removals.insert(lun);
        });
    }

    fn other_late_removal(&mut self, host: NodeId, lun: Lun) {
        let forget = |state: &mut State| state.others[host].late_removals.remove(lun);
        if self.from.others[host].vluns.contains(lun) {
            self.step_on(host, What::OtherLateRemoval, (host, lun), |state| {
                forget(state);
                state.others[host].vluns.remove(lun);
            });
        } else if let Some(wrong) = removes_by_number(self, host, lun) {
            self.push(host, What::OtherLateRemoval, Some((host, lun)), false, Some(wrong), forget);
        }
    }

    /// A scan, by itself or for an attach, a mount through what was scanned, and a cleaning.
    fn other_in_kernel(&mut self, host: NodeId) {
        let other = self.from.others[host];
        let here = self.from.nodes[host].kernel;
        for lun in (other.vluns - other.scanned).iter() {
            if here.scanned.contains(lun) && here.holds_data() {
                // The device is the volume's and in use: it is not deleted, and nothing is found beside it.
                continue;
            }
            self.step_on(host, What::OtherAttaches, (host, lun), |state| {
                state.nodes[host].kernel.scanned.remove(lun);
                state.others[host].scanned.insert(lun);
            });
        }
        if !other.holds_data && !(other.scanned & other.vluns).is_empty() {
            self.step(host, What::OtherMounts, |state| state.others[host].holds_data = true);
        }
        if other.holds_data {
            self.step(host, What::OtherUnmounts, |state| state.others[host].holds_data = false);
        }
        if !other.scanned.is_empty() {
            self.step(host, What::OtherCleans, |state| {
                state.others[host].scanned = LunSet::default();
                state.others[host].holds_data = false;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::settings::Settings;
    use crate::state::{LunSet, Neighbour, NodeId, State, Step};
    use crate::steps::{Transition, steps_from};

    /// The side that the modelled volume shows to another one at a host.
    fn side(state: &State, host: NodeId) -> Neighbour {
        let node = &state.nodes[host];
        let sending = node.operation.attempt.filter(|_| node.operation.step == Step::Export);
        Neighbour {
            allotted: sending.map_or_else(LunSet::default, LunSet::of),
            vluns: state.array.vluns[host],
            late_creates: state.array.late_creates[host],
            late_removals: state.array.late_removals[host] | state.array.stale_removals[host],
            scanned: node.kernel.scanned,
            holds_data: node.kernel.filesystem.holds_data(),
        }
    }

    /// What the step from one side to the other does that the other volume of the model may not do. A request that
    /// is given up for good is one that waits for ever.
    fn more_than_it_may(before: &Neighbour, after: &Neighbour) -> Vec<&'static str> {
        let requested = before.allotted | before.late_creates;
        let rules = [
            ("allots a number it has a use for", !((after.allotted - before.allotted) & before.numbers()).is_empty()),
            ("is exported without a request", !((after.vluns - before.vluns) - requested).is_empty()),
            ("gives a request up unsent", !((after.late_creates - before.late_creates) - before.allotted).is_empty()),
            ("removes what is not exported", !((after.late_removals - before.late_removals) - before.vluns).is_empty()),
            ("finds a device without an export", !((after.scanned - before.scanned) - before.vluns).is_empty()),
            (
                "drops some devices",
                after.scanned != before.scanned
                    && !(before.scanned - after.scanned).is_empty()
                    && !after.scanned.is_empty(),
            ),
            (
                "mounts without a path",
                after.holds_data && !before.holds_data && (after.scanned & before.vluns).is_empty(),
            ),
            ("keeps data without devices", after.holds_data && after.scanned.is_empty()),
        ];
        rules.into_iter().filter_map(|(what, broken)| broken.then_some(what)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn the_volume_does_to_a_neighbour_no_more_than_the_neighbour_may_do(
            choices in proptest::collection::vec(any::<u16>(), 1..150),
            nodes in 1usize..=3,
            switches in any::<[bool; 4]>(),
        ) {
            let [one_host, autoscan, holders, early_removal] = switches;
            let settings = Settings { nodes, faults: 6, one_host, autoscan, holders, early_removal, ..Settings::default() };
            let mut state = State::initial(settings.faults);
            let mut out: Vec<Transition> = Vec::new();
            for choice in choices {
                out.clear();
                steps_from(&state, &settings, &mut out);
                for step in &out {
                    for host in NodeId::first(nodes) {
                        let more = more_than_it_may(&side(&state, host), &side(&step.state, host));
                        prop_assert_eq!(more, Vec::<&str>::new(), "{:?} at {}", step.event, host);
                    }
                }
                let Some(step) = out.get(usize::from(choice) % out.len().max(1)) else { break };
                state = step.state;
            }
        }
    }
}
