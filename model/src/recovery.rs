//! Whether a Mount can always succeed again once faults stop.
//!
//! From every state that was found there must be a way without a further fault to a state in which the node asked
//! for has the volume. The set of states with such a way is computed backwards from those states.

use crate::checker::Exploration;
use crate::state::{Filesystem, NodeId, Ownership, Stage, State};

/// Indices of states from which no fault-free way leads to a Mount of `node` (of any node, if `None`).
#[must_use]
pub fn stuck(exploration: &Exploration, node: Option<NodeId>) -> Vec<usize> {
    let count = exploration.states.len();
    let (starts, sources) = sources_by_target(count, &exploration.fault_free);
    let mut recovers = vec![false; count];
    let mut open: Vec<usize> = Vec::new();
    for (index, state) in exploration.states.iter().enumerate() {
        if NodeId::ALL.into_iter().any(|served| node.is_none_or(|asked| asked == served) && is_served(state, served)) {
            recovers[index] = true;
            open.push(index);
        }
    }
    while let Some(target) = open.pop() {
        for source in &sources[starts[target]..starts[target + 1]] {
            let source = *source as usize;
            if !recovers[source] {
                recovers[source] = true;
                open.push(source);
            }
        }
    }
    recovers.iter().enumerate().filter(|(_, recovers)| !**recovers).map(|(index, _)| index).collect()
}

/// The node has the volume mounted in the epoch of the record, and the array serves it.
fn is_served(state: &State, node: NodeId) -> bool {
    let kernel = &state.nodes[node].kernel;
    matches!(state.record.ownership, Ownership::Owned { owner, this_boot: true, stage: Stage::Mounted(_) } if owner == node)
        && kernel.filesystem == Filesystem::Mounted
        && kernel.mounted_in == state.record.epoch
        && state.is_live(node)
}

/// The sources of every target, as one array and the places where each target's part begins.
fn sources_by_target(count: usize, steps: &[(u32, u32)]) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0usize; count + 1];
    for (_, target) in steps {
        starts[*target as usize + 1] += 1;
    }
    for index in 0..count {
        starts[index + 1] += starts[index];
    }
    let mut next = starts.clone();
    let mut sources = vec![0u32; steps.len()];
    for (source, target) in steps {
        let place = &mut next[*target as usize];
        sources[*place] = *source;
        *place += 1;
    }
    (starts, sources)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checker::{Outcome, States};
    use crate::state::{Epoch, Lun, LunSet};

    fn served_by_a() -> State {
        let mut state = State::initial(0);
        let lun = Lun::at(0).unwrap();
        state.record.epoch = Epoch(1);
        state.record.ownership = Ownership::Owned { owner: NodeId::A, this_boot: true, stage: Stage::Mounted(lun) };
        state.array.vluns[NodeId::A] = LunSet::of(lun);
        state.nodes[NodeId::A].kernel.scanned = LunSet::of(lun);
        state.nodes[NodeId::A].kernel.filesystem = Filesystem::Mounted;
        state.nodes[NodeId::A].kernel.mounted_in = Epoch(1);
        state
    }

    #[test]
    fn a_state_without_a_way_back_is_named() {
        let states: States = [State::initial(0), State::initial(1), served_by_a()].into_iter().collect();
        // 0 leads to the mount, 1 leads only to itself, and the mount leads to both.
        let exploration = Exploration {
            outcome: Outcome::Exhausted,
            states,
            steps: 4,
            depth: 1,
            cut: 0,
            fault_free: vec![(0, 2), (1, 1), (2, 0), (2, 1)],
            took: Duration::ZERO,
        };
        assert_eq!(stuck(&exploration, Some(NodeId::A)), [1]);
        assert_eq!(stuck(&exploration, None), [1]);
        assert_eq!(stuck(&exploration, Some(NodeId::B)), [0, 1, 2]);
    }
}
