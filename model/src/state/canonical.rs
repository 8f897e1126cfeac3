//! One state for all that differ only by the names of epochs, LUN numbers and nodes.
//!
//! Epochs are only compared, so their rank says as much as the number. LUN numbers are only compared for
//! equality, so those of a host may be renamed. Nodes are alike, so they may change places. Two states that
//! become equal have the same future up to those names.

use super::{After, Epoch, Lun, LunSet, NodeId, NodeSet, Ownership, PerNode, Stage, State, Step};

/// Renames epochs and LUN numbers, and nodes as well if `exchange_nodes`.
#[must_use]
pub fn canonical(state: &State, nodes: usize, exchange_nodes: bool) -> State {
    let mut renamed = *state;
    forget(&mut renamed);
    rename_epochs(&mut renamed);
    if exchange_nodes {
        renamed = sort_nodes(&renamed, nodes);
    }
    for host in NodeId::first(nodes) {
        forget_luns(&mut renamed, host);
        rename_luns(&mut renamed, host);
    }
    renamed
}

/// Whether two states differ by names only. [`canonical`] may leave such states apart where nodes are hard to tell
/// from each other; that costs states, not truth.
#[must_use]
pub fn differ_by_names_only(one: &State, other: &State, nodes: usize, exchange_nodes: bool) -> bool {
    let wanted = canonical(other, nodes, false);
    let orders = ORDERS.iter().filter(|order| order[nodes..] == NodeId::ALL[nodes..]);
    orders
        .take(if exchange_nodes { ORDERS.len() } else { 1 })
        .any(|order| canonical(&exchange(one, *order), nodes, false) == wanted)
}

/// Every order of the nodes, the present one first.
const ORDERS: [[NodeId; 3]; 6] = {
    use NodeId::{A, B, C};
    [[A, B, C], [B, A, C], [A, C, B], [C, B, A], [B, C, A], [C, A, B]]
};

/// Forgets what nothing will ask for any more.
fn forget(state: &mut State) {
    let attempts = PerNode(NodeId::ALL.map(|node| state.attempts(node)));
    for node in &mut state.nodes.0 {
        let operation = &mut node.operation;
        let epoch_is_over =
            matches!(operation.step, Step::UndoExport | Step::RemoveLate) || operation.after == After::ClearQuarantine;
        if epoch_is_over {
            operation.epoch = state.record.epoch;
        }
        let exported = matches!(operation.step, Step::Attach | Step::Commit);
        for host in NodeId::ALL {
            let asked = state.record.burned[host] | attempts[host];
            operation.seen[host] = if exported { LunSet::default() } else { operation.seen[host] & asked };
        }
        if !node.kernel.holds_data() {
            node.kernel.mounted_in = Epoch::default();
        }
    }
    let older = |epoch: Epoch| {
        state.nodes.0.iter().any(|node| {
            (node.operation.step != Step::Idle && node.operation.epoch < epoch)
                || (node.kernel.holds_data() && node.kernel.mounted_in < epoch)
        })
    };
    let (mounted, served) = (older(state.seen.mounted), older(state.seen.served));
    if !mounted {
        state.seen.mounted = Epoch::default();
    }
    if !served {
        (state.seen.served, state.seen.served_by) = (Epoch::default(), None);
    }
}

/// Replaces every epoch by its rank.
fn rename_epochs(state: &mut State) {
    let mut present = 0u64;
    each_epoch(state, |epoch| present |= 1 << epoch.0.min(63));
    each_epoch(state, |epoch| {
        let below = present & ((1u64 << epoch.0.min(63)) - 1);
        epoch.0 = u8::try_from(below.count_ones()).unwrap_or(u8::MAX);
    });
}

fn each_epoch(state: &mut State, mut visit: impl FnMut(&mut Epoch)) {
    visit(&mut state.record.epoch);
    visit(&mut state.seen.mounted);
    visit(&mut state.seen.served);
    for node in &mut state.nodes.0 {
        if node.operation.step != Step::Idle {
            visit(&mut node.operation.epoch);
        }
        if node.kernel.holds_data() {
            visit(&mut node.kernel.mounted_in);
        }
    }
}

/// Renames the LUN numbers of a host so that numbers with the same meaning get the same names in every state.
fn rename_luns(state: &mut State, host: NodeId) {
    let in_play = state.numbers_in_play(host) | state.others[host].numbers();
    if in_play.is_empty() {
        return;
    }
    let mut meanings: [(u32, u8); Lun::IN_PLAY] = [(0, 0); Lun::IN_PLAY];
    for (index, lun) in Lun::all().enumerate() {
        meanings[index] = (meaning(state, host, lun), u8::try_from(index).unwrap_or_default());
    }
    meanings.sort_unstable_by(|a, b| b.cmp(a));
    let mut names = [0usize; Lun::IN_PLAY];
    for (name, (_, index)) in meanings.iter().enumerate() {
        names[usize::from(*index)] = name;
    }
    if names.iter().enumerate().all(|(index, name)| index == *name) {
        return;
    }
    let rename = |lun: Lun| Lun::at(names[lun.index()]).unwrap_or(lun);
    each_lun_set(state, host, |set| {
        let mut renamed = LunSet::default();
        set.iter().for_each(|lun| renamed.insert(rename(lun)));
        *set = renamed;
    });
    each_lun(state, host, |lun| *lun = rename(*lun));
}

/// What a number means, one bit for each place it can be in.
fn meaning(state: &State, host: NodeId, lun: Lun) -> u32 {
    let array = &state.array;
    let other = &state.others[host];
    let here = &state.nodes[host];
    let mut bits = 0;
    let mut say = |is: bool| bits = (bits << 1) | u32::from(is);
    let sets = [
        array.vluns[host],
        array.late_creates[host],
        array.late_removals[host],
        array.stale_removals[host],
        state.record.burned[host],
        here.kernel.scanned,
        here.operation.avoid,
        other.allotted,
        other.vluns,
        other.late_creates,
        other.late_removals,
        other.scanned,
    ];
    sets.into_iter().for_each(|set| say(set.contains(lun)));
    say(here.operation.attempt == Some(lun));
    say(state.record.ownership.owner() == Some(host) && state.record.ownership.attempt() == Some(lun));
    for node in &state.nodes.0 {
        say(node.operation.rows[host].contains(lun));
        say(node.operation.seen[host].contains(lun));
    }
    bits
}

/// Forgets all but one of the numbers that are nothing but burned or scanned: those are only asked whether there are any.
fn forget_luns(state: &mut State, host: NodeId) {
    let array = &state.array;
    let mut elsewhere = array.vluns[host]
        | array.late_creates[host]
        | array.late_removals[host]
        | array.stale_removals[host]
        | state.attempts(host)
        | state.nodes[host].operation.avoid
        | state.others[host].numbers();
    for node in &state.nodes.0 {
        elsewhere = elsewhere | node.operation.rows[host] | node.operation.seen[host];
    }
    let (burned, scanned) = (state.record.burned[host], state.nodes[host].kernel.scanned);
    for alike in [burned - scanned, scanned - burned, burned & scanned] {
        for lun in (alike - elsewhere).iter().skip(1) {
            state.record.burned[host].remove(lun);
            state.nodes[host].kernel.scanned.remove(lun);
        }
    }
}

fn each_lun_set(state: &mut State, host: NodeId, mut visit: impl FnMut(&mut LunSet)) {
    let array = &mut state.array;
    visit(&mut array.vluns[host]);
    visit(&mut array.late_creates[host]);
    visit(&mut array.late_removals[host]);
    visit(&mut array.stale_removals[host]);
    visit(&mut state.record.burned[host]);
    visit(&mut state.nodes[host].kernel.scanned);
    visit(&mut state.nodes[host].operation.avoid);
    state.others[host].sets().into_iter().for_each(&mut visit);
    for node in &mut state.nodes.0 {
        visit(&mut node.operation.rows[host]);
        visit(&mut node.operation.seen[host]);
    }
}

fn each_lun(state: &mut State, host: NodeId, mut visit: impl FnMut(&mut Lun)) {
    if let Some(lun) = &mut state.nodes[host].operation.attempt {
        visit(lun);
    }
    if let Ownership::Owned {
        owner, stage: Stage::Attaching(lun) | Stage::Mounted(lun) | Stage::Releasing(lun), ..
    } = &mut state.record.ownership
        && *owner == host
    {
        visit(lun);
    }
}

/// Puts the nodes into an order that depends only on what they are.
fn sort_nodes(state: &State, nodes: usize) -> State {
    let mut order = NodeId::ALL;
    order[..nodes].sort_by_cached_key(|node| likeness(state, *node));
    if order == NodeId::ALL {
        return *state;
    }
    exchange(state, order)
}

/// What a node is, without the names of LUN numbers and of other nodes.
fn likeness(state: &State, node: NodeId) -> impl Ord + use<> {
    let record = &state.record;
    let array = &state.array;
    let here = &state.nodes[node];
    let other = &state.others[node];
    let sets = [
        array.vluns[node],
        array.late_creates[node],
        array.late_removals[node],
        array.stale_removals[node],
        record.burned[node],
        here.kernel.scanned,
        here.operation.rows[node],
        here.operation.seen[node],
        other.allotted,
        other.vluns,
        other.late_creates,
        other.scanned,
    ];
    let operation = &here.operation;
    (
        record.ownership.owner() == Some(node),
        record.quarantine.contains(node),
        record.unverified.contains(node),
        (operation.step, operation.after, operation.epoch),
        (here.kernel.filesystem, here.kernel.mounted_in, here.kernel.in_flight, here.kernel.held, other.holds_data),
        state.seen.served_by == Some(node),
        sets.map(LunSet::len),
    )
}

/// The same state with the nodes at other places: `order[i]` moves to place `i`.
fn exchange(state: &State, order: [NodeId; 3]) -> State {
    let place = |node: NodeId| NodeId::ALL[order.iter().position(|moved| *moved == node).unwrap_or(node as usize)];
    let set = |nodes: NodeSet| nodes.iter().map(place).collect::<NodeSet>();
    let mut moved = *state;
    let sets = |from: &PerNode<LunSet>| PerNode(order.map(|node| from[node]));
    moved.array.vluns = sets(&state.array.vluns);
    moved.array.late_creates = sets(&state.array.late_creates);
    moved.array.late_removals = sets(&state.array.late_removals);
    moved.array.stale_removals = sets(&state.array.stale_removals);
    moved.record.burned = sets(&state.record.burned);
    moved.record.quarantine = set(state.record.quarantine);
    moved.record.unverified = set(state.record.unverified);
    if let Ownership::Owned { owner, .. } = &mut moved.record.ownership {
        *owner = place(*owner);
    }
    moved.others = PerNode(order.map(|node| state.others[node]));
    moved.seen.served_by = state.seen.served_by.map(place);
    moved.nodes = PerNode(order.map(|node| {
        let mut node = state.nodes[node];
        node.operation.rows = sets(&node.operation.rows);
        node.operation.seen = sets(&node.operation.seen);
        node
    }));
    moved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Event;
    use crate::settings::Settings;
    use crate::steps::{Transition, steps_from};

    /// What can follow a state.
    fn future(state: &State, settings: &Settings) -> Vec<Transition> {
        let mut out: Vec<Transition> = Vec::new();
        steps_from(state, settings, &mut out);
        out
    }

    /// Steps of the one that have no like among the steps of the other. Steps that change nothing but names or what is
    /// forgotten count for nothing.
    fn missing(one: &State, other: &State, settings: &Settings, exchange_nodes: bool) -> Vec<Event> {
        let alike = |a: &State, b: &State| differ_by_names_only(a, b, settings.nodes, exchange_nodes);
        let others = future(other, settings);
        let has_its_like = |step: &Transition| {
            let same = |like: &Transition| {
                like.event.fault == step.event.fault
                    && like.violation.is_some() == step.violation.is_some()
                    && alike(&like.state, &step.state)
            };
            (step.violation.is_none() && alike(&step.state, one)) || others.iter().any(same)
        };
        future(one, settings).into_iter().filter(|step| !has_its_like(step)).map(|step| step.event).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn renaming_changes_no_future(
            choices in proptest::collection::vec(any::<u16>(), 1..120),
            nodes in 2usize..=3,
            switches in any::<[bool; 5]>(),
        ) {
            let [one_host, autoscan, holders, early_removal, two_volumes] = switches;
            // Of the protocol as it is. Without a guard a burned number may mean more than that there is one.
            let removed = Vec::new();
            let volumes = 1 + usize::from(two_volumes);
            let settings = Settings { nodes, volumes, faults: 4, one_host, autoscan, holders, early_removal, removed };
            let mut state = State::initial(settings.faults);
            let mut out: Vec<Transition> = Vec::new();
            for choice in choices {
                for exchange_nodes in [false, true] {
                    let renamed = canonical(&state, nodes, exchange_nodes);
                    prop_assert!(differ_by_names_only(&state, &renamed, nodes, exchange_nodes));
                    prop_assert_eq!(missing(&state, &renamed, &settings, exchange_nodes), [], "{:#?}", state);
                    prop_assert_eq!(missing(&renamed, &state, &settings, exchange_nodes), [], "{:#?}", state);
                }
                out.clear();
                steps_from(&state, &settings, &mut out);
                // An exploration goes no further where a property broke.
                out.retain(|step| step.violation.is_none());
                if out.is_empty() {
                    break;
                }
                state = out[usize::from(choice) % out.len()].state;
            }
        }
    }
}
