//! A way through the model, told step by step with the same names from beginning to end.

use std::collections::BTreeMap;
use std::fmt;

use crate::event::{Event, What};
use crate::properties::Violation;
use crate::settings::Settings;
use crate::state::canonical::differ_by_names_only;
use crate::state::{Lun, NodeId, State};
use crate::steps::{Transition, steps_from};

/// LUN numbers for people, by host and the model's number.
pub type LunNumbers = BTreeMap<(NodeId, Lun), usize>;

/// A counterexample in words.
#[derive(Debug)]
pub struct Story {
    /// What happened, in order, with the numbers LUNs have in the story.
    pub events: Vec<(Event, LunNumbers)>,
    /// What it led to.
    pub violation: Violation,
}

/// Replays a path of renamed states from the beginning and adds the step that breaks a property.
///
/// `None` only if the path is not one of these settings.
#[must_use]
pub fn retell(settings: &Settings, path: &[State], exchange_nodes: bool) -> Option<Story> {
    let mut at = State::initial(settings.faults);
    let mut numbers = Numbers::default();
    let mut events = Vec::new();
    let mut out = Vec::new();
    for wanted in path.iter().skip(1) {
        out.clear();
        steps_from(&at, settings, &mut out);
        let leads_there =
            |step: &&Transition| differ_by_names_only(&step.state, wanted, settings.nodes, exchange_nodes);
        let taken = out.iter().find(leads_there)?;
        events.push((taken.event, numbers.after(taken)));
        at = taken.state;
    }
    out.clear();
    steps_from(&at, settings, &mut out);
    let last = out.iter().find(|transition| transition.violation.is_some())?;
    events.push((last.event, numbers.after(last)));
    last.violation.map(|violation| Story { events, violation })
}

/// LUN numbers for people: counted up by host, never used twice.
#[derive(Debug, Default)]
struct Numbers {
    last: BTreeMap<NodeId, usize>,
    current: LunNumbers,
}

impl Numbers {
    fn after(&mut self, transition: &Transition) -> LunNumbers {
        let fresh = matches!(transition.event.what, What::WritesAttempt | What::OtherAllots);
        if let Some((host, lun)) = transition.event.lun.filter(|_| fresh) {
            let last = self.last.entry(host).or_default();
            *last += 1;
            self.current.insert((host, lun), *last);
        }
        self.current.clone()
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (event, numbers)) in self.events.iter().enumerate() {
            write!(f, "{:3}. ", index + 1)?;
            event.tell(f, |host, lun| numbers.get(&(host, lun)).copied().unwrap_or_default())?;
            writeln!(f, "{}", if event.fault { "   [fault]" } else { "" })?;
        }
        write!(f, "  => {}", self.violation)
    }
}
