//! Which LUN number of a host comes next.
//!
//! A number that means nothing any more is as good as a new one. With two volumes a number may also come round again
//! while it still means something to the other volume; what is known to be in use is left out.

use super::{Steps, next};
use crate::event::What;
use crate::settings::Guard;
use crate::state::{Lun, LunSet, NodeId, Step};

impl Steps<'_> {
    /// Numbers the volume may be exported by.
    pub(super) fn numbers_for_the_volume(&mut self, node: NodeId) -> Vec<(Lun, What)> {
        let mine = self.from.numbers_in_play(node);
        let theirs = self.from.others[node].numbers();
        let avoid =
            if self.without(Guard::LookEarly) { self.operation(node).avoid } else { self.used_by_the_other(node) };
        self.fresh_and_returning(mine, theirs, avoid, [What::WritesAttempt, What::WritesReturnedAttempt])
    }

    /// Numbers the other volume may be exported by, by the same rule.
    pub(super) fn numbers_for_the_other(&mut self, node: NodeId) -> Vec<(Lun, What)> {
        let mine = self.from.others[node].numbers();
        let theirs = self.from.numbers_in_play(node);
        let avoid = self.used_by_the_volume(node);
        self.fresh_and_returning(mine, theirs, avoid, [What::OtherAllots, What::OtherAllotsReturned])
    }

    fn fresh_and_returning(
        &mut self,
        mine: LunSet,
        theirs: LunSet,
        avoid: LunSet,
        [fresh, returning]: [What; 2],
    ) -> Vec<(Lun, What)> {
        let new = (mine | theirs).first_absent();
        self.cut |= new.is_none();
        let mut numbers: Vec<(Lun, What)> = new.into_iter().map(|lun| (lun, fresh)).collect();
        if self.settings.volumes > 1 {
            numbers.extend((theirs - mine - avoid).iter().map(|lun| (lun, returning)));
        }
        numbers
    }

    /// What is known to be in use by the other volume: named by its record, listed by the array, bound to a device here;
    /// looked at in this order, for a number goes from the first to the second and on to the third.
    fn used_by_the_other(&self, node: NodeId) -> LunSet {
        let other = &self.from.others[node];
        self.looked_at(other.allotted | other.late_creates, other.vluns, other.scanned)
    }

    fn used_by_the_volume(&self, node: NodeId) -> LunSet {
        let from = &self.from;
        let named = from.recorded_attempt(node) | from.record.burned[node];
        self.looked_at(named, from.array.vluns[node], from.nodes[node].kernel.scanned)
    }

    fn looked_at(&self, named: LunSet, listed: LunSet, devices: LunSet) -> LunSet {
        let look = |guard, luns| if self.without(guard) { LunSet::default() } else { luns };
        look(Guard::IgnoreOtherRecords, named) | look(Guard::IgnoreListed, listed) | look(Guard::IgnoreDevices, devices)
    }

    /// Looks before it has the counter.
    pub(super) fn look_for_number(&mut self, node: NodeId) {
        let avoid = self.used_by_the_other(node);
        self.step(node, What::LooksForNumber, |state| {
            state.nodes[node].operation.avoid = avoid;
            next(state, node, Step::StartAttempt);
        });
    }
}
