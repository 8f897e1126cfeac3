//! The report of a scenario run: one line as each scenario ends, then a table and the plain line of totals.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cucumber::event::{Cucumber, Feature, Hook, Scenario, Step};
use cucumber::{Event, Writer, cli, gherkin, parser, writer};
use serde::Serialize;

/// What became of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Feature it belongs to.
    pub feature: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// What failed, if anything did.
    pub failure: Option<String>,
}

/// All scenarios of a run so far; clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Report(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rows: Vec<Row>,
    unreadable: Vec<String>,
    running: HashMap<Place, Running>,
}

#[derive(Debug)]
struct Running {
    begun: SystemTime,
    failure: Option<String>,
}

/// A scenario is known by its place: examples of one outline differ in line.
type Place = (String, usize, usize);

impl Report {
    /// All scenarios that ended.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.state().rows.clone()
    }

    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.state().rows.iter().filter(|row| row.failure.is_none()).count()
    }

    /// How many failed; a feature file that cannot be read is a failure as well.
    #[must_use]
    pub fn failed(&self) -> usize {
        let state = self.state();
        state.rows.iter().filter(|row| row.failure.is_some()).count() + state.unreadable.len()
    }

    /// The table: name, tags, seconds, verdict.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = self.rows();
        rows.sort_by(|a, b| (&a.feature, &a.name).cmp(&(&b.feature, &b.name)));
        let mut text = String::new();
        let mut feature = String::new();
        for row in &rows {
            if row.feature != feature {
                feature.clone_from(&row.feature);
                let _ = writeln!(text, "\n{feature}");
            }
            let verdict = if row.failure.is_none() { "ok    " } else { "FAILED" };
            let _ = writeln!(
                text,
                "  {verdict} {:>5.1} s  {}  [{}]",
                row.seconds,
                row.name,
                row.tags.iter().map(|tag| format!("@{tag}")).collect::<Vec<_>>().join(" ")
            );
        }
        text
    }

    /// What went wrong, scenario by scenario.
    #[must_use]
    pub fn failures(&self) -> String {
        let state = self.state();
        let failed = state
            .rows
            .iter()
            .filter_map(|row| row.failure.as_ref().map(|why| format!("{}: {}\n    {why}\n", row.feature, row.name)));
        failed.chain(state.unreadable.iter().cloned()).collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, place: Place, at: SystemTime) {
        self.state().running.insert(place, Running { begun: at, failure: None });
    }

    fn fail(&self, place: &Place, why: String) {
        if let Some(running) = self.state().running.get_mut(place) {
            running.failure.get_or_insert(why);
        }
    }

    fn end(
        &self,
        place: &Place,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        at: SystemTime,
    ) -> Option<Row> {
        let mut state = self.state();
        let running = state.running.remove(place)?;
        let row = Row {
            feature: feature.name.clone(),
            name: scenario.name.clone(),
            tags: scenario.tags.clone(),
            seconds: at.duration_since(running.begun).unwrap_or_default().as_secs_f64(),
            failure: running.failure,
        };
        state.rows.push(row.clone());
        Some(row)
    }
}

/// Feeds a [`Report`] from the events of a run and prints a line per scenario.
#[derive(Debug, Clone)]
pub struct Progress {
    report: Report,
    quiet: bool,
}

impl Progress {
    /// A writer into `report`; a quiet one prints nothing.
    #[must_use]
    pub fn new(report: Report, quiet: bool) -> Self {
        Self { report, quiet }
    }

    fn scenario<W>(
        &self,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        event: Scenario<W>,
        at: SystemTime,
    ) {
        let place = (feature.name.clone(), scenario.position.line, scenario.position.col);
        match event {
            Scenario::Started => self.report.begin(place, at),
            Scenario::Background(step, Step::Failed(_, _, _, error))
            | Scenario::Step(step, Step::Failed(_, _, _, error)) => {
                self.report.fail(&place, format!("{} {}: {error}", step.keyword.trim(), step.value));
            }
            Scenario::Background(step, Step::Skipped) | Scenario::Step(step, Step::Skipped) => {
                self.report.fail(&place, format!("no step is defined for '{}'", step.value));
            }
            Scenario::Hook(_, Hook::Failed(_, what)) => {
                self.report.fail(&place, format!("the checks after it: {}", words(what.as_ref())));
            }
            Scenario::Finished => {
                if let Some(row) = self.report.end(&place, feature, scenario, at) {
                    self.print(&row);
                }
            }
            Scenario::Hook(..) | Scenario::Background(..) | Scenario::Step(..) | Scenario::Log(_) => {}
        }
    }

    fn print(&self, row: &Row) {
        if self.quiet {
            return;
        }
        match &row.failure {
            None => println!("ok     {:>5.1} s  {}", row.seconds, row.name),
            Some(why) => println!("FAILED {:>5.1} s  {}\n    {why}", row.seconds, row.name),
        }
    }
}

impl<W: 'static> Writer<W> for Progress {
    type Cli = cli::Empty;

    async fn handle_event(&mut self, event: parser::Result<Event<Cucumber<W>>>, _: &Self::Cli) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.report.state().unreadable.push(format!("a feature file cannot be read: {error}\n"));
                return;
            }
        };
        let at = event.at;
        if let Cucumber::Feature(feature, Feature::Scenario(scenario, event)) = event.value {
            self.scenario(&feature, &scenario, event.event, at);
        }
    }
}

impl writer::Normalized for Progress {}
impl writer::NonTransforming for Progress {}

/// The words of a panic.
fn words(what: &(dyn std::any::Any + Send)) -> String {
    what.downcast_ref::<String>()
        .cloned()
        .or_else(|| what.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "it panicked without a word".to_owned())
}
