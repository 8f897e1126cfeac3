//! The report of a scenario run: a sign of life while it runs, then a table, and what failed.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cucumber::event::{Cucumber, Feature, Hook, Scenario, Step};
use cucumber::{Event, Writer, cli, gherkin, parser, writer};
use serde::Serialize;

use super::pages::WrittenPage;

/// Longest name that the columns of the table make room for.
const WIDEST: usize = 90;

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
    pages: Vec<WrittenPage>,
    pages_missing: Vec<String>,
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
    /// The pages that were written.
    #[must_use]
    pub fn pages(&self) -> Vec<WrittenPage> {
        self.state().pages.clone()
    }

    /// Why some pages could not be written.
    #[must_use]
    pub fn pages_missing(&self) -> Vec<String> {
        self.state().pages_missing.clone()
    }

    pub(super) fn add_pages(&self, written: Vec<WrittenPage>, missing: Vec<String>) {
        let mut state = self.state();
        state.pages.extend(written);
        state.pages_missing.extend(missing);
    }

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

    /// The table, feature by feature: verdict, seconds, name, tags.
    #[must_use]
    pub fn table(&self) -> String {
        let mut features: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for row in self.rows() {
            features.entry(row.feature.clone()).or_default().push(row);
        }
        let width =
            features.values().flatten().map(|row| row.name.chars().count()).max().unwrap_or_default().min(WIDEST);
        let mut text = String::new();
        for (feature, mut rows) in features {
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            let passed = rows.iter().filter(|row| row.failure.is_none()).count();
            let _ = writeln!(text, "\n{feature} ({passed} of {})", rows.len());
            for row in &rows {
                let verdict = if row.failure.is_none() { "ok" } else { "FAILED" };
                let tags = row.tags.iter().map(|tag| format!("@{tag}")).collect::<Vec<_>>().join(" ");
                let line = format!("  {verdict:<6} {:>5.1} s  {:<width$}  {tags}", row.seconds, row.name);
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
        if let Some(slowest) = self.slowest() {
            let _ = writeln!(text, "\nslowest: {:.1} s, {}", slowest.seconds, slowest.name);
        }
        text
    }

    /// The scenario that took longest.
    #[must_use]
    pub fn slowest(&self) -> Option<Row> {
        self.rows().into_iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }

    /// What went wrong, scenario by scenario; empty when nothing did.
    #[must_use]
    pub fn failures(&self) -> String {
        let state = self.state();
        let failed = state.rows.iter().filter_map(|row| {
            let why = row.failure.as_ref()?.replace('\n', "\n    ");
            Some(format!("\nFAILED: {}: {}\n    {why}\n", row.feature, row.name))
        });
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

/// Called as each scenario ends, with how it ended and how many have passed and failed so far.
pub type OnEnd = Arc<dyn Fn(&Row, usize, usize) + Send + Sync>;

/// Feeds a [`Report`] from the events of a run.
#[derive(Clone)]
pub struct Progress {
    report: Report,
    on_end: Option<OnEnd>,
}

impl Progress {
    /// A writer into `report`.
    #[must_use]
    pub fn new(report: Report, on_end: Option<OnEnd>) -> Self {
        Self { report, on_end }
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
                // The framework tells of every failed step that it panicked; nobody has to know.
                let why = error.to_string().replace("Step panicked. Captured output: ", "");
                self.report.fail(&place, format!("{} {}: {why}", step.keyword.trim(), step.value));
            }
            Scenario::Background(step, Step::Skipped) | Scenario::Step(step, Step::Skipped) => {
                self.report.fail(&place, format!("no step is defined for '{}'", step.value));
            }
            Scenario::Hook(_, Hook::Failed(_, what)) => {
                self.report.fail(&place, format!("the checks after it: {}", words(what.as_ref())));
            }
            Scenario::Finished => {
                let ended = self.report.end(&place, feature, scenario, at);
                if let (Some(row), Some(on_end)) = (ended, &self.on_end) {
                    on_end(&row, self.report.passed(), self.report.failed());
                }
            }
            Scenario::Hook(..) | Scenario::Background(..) | Scenario::Step(..) | Scenario::Log(_) => {}
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
pub(super) fn words(what: &(dyn std::any::Any + Send)) -> String {
    what.downcast_ref::<String>()
        .cloned()
        .or_else(|| what.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "it panicked without a word".to_owned())
}
