//! Every step the world can take from a state.
//!
//! One external call of the plugin that changes something is one step; so is everything the array and the kernels do by
//! themselves. A call that only looks is one step with the call that follows it, where every step of anybody else in
//! between could as well come before or after both; `docs/model.md` says where and why.

mod cleaning;
mod environment;
mod exporting;
mod fencing;
mod mounting;
mod neighbouring;
mod numbers;
mod reconciling;
mod releasing;

use crate::event::{Event, What};
use crate::properties::{Violation, check_state, check_step};
use crate::settings::{Guard, Settings};
use crate::state::{Lun, NodeId, Operation, State, Step};

/// One step and where it leads.
#[derive(Debug, Clone, Copy)]
pub struct Transition {
    /// What happened.
    pub event: Event,
    /// The state after it, not renamed.
    pub state: State,
    /// A property it breaks.
    pub violation: Option<Violation>,
}

/// Collects the steps out of one state.
pub struct Steps<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) from: State,
    out: &'a mut Vec<Transition>,
    /// A step was left out because no LUN number of the model was left.
    pub cut: bool,
}

/// All steps out of a state, appended to `out`. Returns whether a step had to be left out because the model ran
/// out of LUN numbers; then the exploration is not exhaustive.
pub fn steps_from(from: &State, settings: &Settings, out: &mut Vec<Transition>) -> bool {
    let mut steps = Steps { settings, from: *from, out, cut: false };
    for node in NodeId::first(settings.nodes) {
        steps.of_operation(node);
        steps.of_environment(node);
        if settings.volumes > 1 && steps.may_be_at(node) {
            steps.of_the_other_volume(node);
        }
    }
    steps.cut
}

impl Steps<'_> {
    fn of_operation(&mut self, node: NodeId) {
        match self.from.nodes[node].operation.step {
            Step::Idle => {
                self.mount_begins(node);
                self.unmount_begins(node);
                self.reconcile_begins(node);
            }
            Step::Claim => self.claim_uncompared(node),
            Step::Remount => self.remount(node),
            Step::ListRows => self.list_rows(node),
            Step::RemoveRows => self.remove_row(node, self.after_removal()),
            Step::ReadBack => self.read_back(node),
            Step::Settle => self.settle(node),
            Step::LookForNumber => self.look_for_number(node),
            Step::StartAttempt => self.start_attempt(node),
            Step::Export => self.export(node),
            Step::Burn => self.burn(node),
            Step::Attach => self.attach(node),
            Step::Commit => self.commit(node),
            Step::UndoExport => self.remove_row(node, Step::Idle),
            Step::RemoveOwn => self.remove_row(node, Step::ReadBackOwn),
            Step::ReadBackOwn => self.read_back_own(node),
            Step::RemoveLate => self.remove_row(node, Step::Idle),
        }
    }

    /// The guard was taken away.
    fn without(&self, guard: Guard) -> bool {
        self.settings.without(guard)
    }

    fn operation(&self, node: NodeId) -> &Operation {
        &self.from.nodes[node].operation
    }

    /// The operation of this node still owns the volume in its epoch.
    fn still_owner(&self, node: NodeId) -> bool {
        self.from.record.is_owned_by(node, self.operation(node).epoch)
    }

    /// Adds a step that changes the state.
    fn step(&mut self, node: NodeId, what: What, change: impl FnOnce(&mut State)) {
        self.push(node, what, None, false, None, change);
    }

    /// Adds a step about a LUN number of a host.
    fn step_on(&mut self, node: NodeId, what: What, lun: (NodeId, Lun), change: impl FnOnce(&mut State)) {
        self.push(node, what, Some(lun), false, None, change);
    }

    /// Adds a fault, if the budget allows one.
    fn fault(&mut self, node: NodeId, what: What, lun: Option<(NodeId, Lun)>, change: impl FnOnce(&mut State)) {
        if self.from.faults_left == 0 {
            return;
        }
        self.push(node, what, lun, true, None, |state| {
            state.faults_left -= 1;
            change(state);
        });
    }

    fn push(
        &mut self,
        node: NodeId,
        what: What,
        lun: Option<(NodeId, Lun)>,
        fault: bool,
        violation: Option<Violation>,
        change: impl FnOnce(&mut State),
    ) {
        let mut state = self.from;
        change(&mut state);
        if !self.without(Guard::RemoveByNumber) {
            forget_removals(&mut state);
        }
        let violation =
            violation.or_else(|| check_step(&self.from, &state)).or_else(|| check_state(&state, self.settings));
        self.out.push(Transition { event: Event { node, what, lun, fault }, state, violation });
    }

    /// The operation of a node ends.
    fn idle(state: &mut State, node: NodeId) {
        state.nodes[node].operation = Operation::default();
    }
}

/// Forgets removals that can hit nothing any more, for they name the volume.
fn forget_removals(state: &mut State) {
    for host in NodeId::ALL {
        let can_be_hit = state.array.vluns[host] | state.array.late_creates[host] | state.attempts(host);
        let array = &mut state.array;
        array.late_removals[host] = array.late_removals[host] & can_be_hit;
        array.stale_removals[host] = array.stale_removals[host] & can_be_hit;
        let other = &mut state.others[host];
        other.late_removals = other.late_removals & (other.vluns | other.late_creates | other.allotted);
    }
}

/// The next step of a node's operation; an idle one remembers nothing.
fn next(state: &mut State, node: NodeId, step: Step) {
    let operation = &mut state.nodes[node].operation;
    operation.step = step;
    if step == Step::Idle {
        *operation = Operation::default();
    }
}
