//! Counts the decisions of the fencing code, which it tells in its log, and passes the log on.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher};

use super::coverage::{Coverage, Topic};

/// The part of the log in which decisions are told.
const FENCING: &str = "hpe3par_docker_plugin::fencing::";
/// The field that names the step.
const STEP: &str = "step";

/// The decisions made on this thread since the last look.
#[derive(Clone, Default)]
pub struct Decisions(Arc<Mutex<Coverage>>);

impl Decisions {
    /// Runs `work` with its decisions counted.
    pub fn listen<T>(work: impl FnOnce(&Self) -> T) -> T {
        let decisions = Self::default();
        let listener = Listener { decisions: decisions.clone(), log: dispatcher::get_default(Clone::clone) };
        dispatcher::with_default(&Dispatch::new(listener), || work(&decisions))
    }

    /// What was counted since the last look.
    #[must_use]
    pub fn take(&self) -> Coverage {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Listens to the log of the fencing code on one thread.
struct Listener {
    decisions: Decisions,
    /// Where the log went before.
    log: Dispatch,
}

fn tells_a_decision(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target().starts_with(FENCING) && metadata.fields().field(STEP).is_some()
}

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let log = self.log.register_callsite(metadata);
        if tells_a_decision(metadata) { Interest::always() } else { log }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        tells_a_decision(metadata) || self.log.enabled(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.log.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.log.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.log.record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        if tells_a_decision(event.metadata()) {
            let mut name = StepName::default();
            event.record(&mut name);
            let way = match event.metadata().target().trim_start_matches(FENCING) {
                "mounting" => "mount",
                "releasing" => "unmount",
                other => other,
            };
            let name = format!("{way}: {}", name.0.trim_end());
            self.decisions.0.lock().unwrap_or_else(PoisonError::into_inner).count(Topic::Decision, &name);
        }
        if self.log.enabled(event.metadata()) {
            self.log.event(event);
        }
    }

    fn enter(&self, span: &Id) {
        self.log.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.log.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.log.clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.log.try_close(span)
    }
}

/// The name of a step out of its debug text: `Wait`, `Claim`, and with what is refused, `Refuse StillCreating`.
#[derive(Default)]
struct StepName(String);

impl Visit for StepName {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == STEP {
            // The writer ends the text where the names end.
            let _ = write!(Names(&mut self.0), "{value:?}");
        }
    }
}

/// Takes the name of a variant, and of the variant inside it if that is all it holds.
struct Names<'n>(&'n mut String);

impl fmt::Write for Names<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                character if character.is_alphanumeric() => self.0.push(character),
                '(' if !self.0.contains(' ') => self.0.push(' '),
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hpe3par_docker_plugin::fencing::Refusal;
    use hpe3par_docker_plugin::fencing::decision::MountStep;

    use super::*;

    #[test]
    fn a_step_is_named_without_what_it_carries() {
        let name = |step: &MountStep| {
            let mut name = String::new();
            let _ = write!(Names(&mut name), "{step:?}");
            name
        };
        assert_eq!(name(&MountStep::Wait), "Wait");
        assert_eq!(name(&MountStep::Claim { ended: Vec::new(), after_clock: true }), "Claim");
        assert_eq!(name(&MountStep::Refuse(Refusal::NotBlank)), "Refuse NotBlank");
        let found = "nothing".to_owned();
        assert_eq!(name(&MountStep::Refuse(Refusal::FilesystemGone { found })), "Refuse FilesystemGone");
    }
}
