//! A page for every scenario that failed, or for every scenario: what its lab saw, with its steps as chapters.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use cucumber::event::{Cucumber, Feature, Hook, HookType, Scenario, Step};
use cucumber::{Event, Writer, cli, gherkin, parser, writer};

use super::report::words;
use crate::checks::Violation;
use crate::cluster::configuration::ARRAY_PASSWORD;
use crate::report::{Finding, Moment, Outcome, Recording, Scene, Story, file_name, save};

/// Which scenarios get a page, and where.
#[derive(Debug, Clone)]
pub struct PageSelection {
    /// Folder of the pages.
    pub folder: PathBuf,
    /// Every scenario, not only those that failed.
    pub all: bool,
}

/// A page that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPage {
    /// Feature and scenario.
    pub title: String,
    /// The scenario passed.
    pub passed: bool,
    /// The file.
    pub file: PathBuf,
}

/// A scenario is known by its place: examples of one outline differ in line.
type Place = (String, usize, usize);

/// What ended scenarios have left for their pages, and the pages; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Left(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    told: HashMap<Place, Told>,
    recordings: HashMap<Place, (Recording, Vec<Violation>)>,
    written: Vec<WrittenPage>,
    unwritten: Vec<String>,
}

/// What the events of a scenario have told so far.
#[derive(Debug, Default)]
struct Told {
    scenes: Vec<(SystemTime, String)>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    at: SystemTime,
    step: String,
    why: String,
}

impl Left {
    /// Keeps what a scenario's lab has seen until the scenario has ended.
    pub fn keep(&self, feature: &gherkin::Feature, scenario: &gherkin::Scenario, seen: (Recording, Vec<Violation>)) {
        self.state().recordings.insert(place(feature, scenario), seen);
    }

    /// The pages that were written, in the order of their titles.
    #[must_use]
    pub fn written(&self) -> Vec<WrittenPage> {
        let mut written = self.state().written.clone();
        written.sort_by(|a, b| (&a.title, &a.file).cmp(&(&b.title, &b.file)));
        written
    }

    /// Why pages could not be written.
    #[must_use]
    pub fn unwritten(&self) -> Vec<String> {
        self.state().unwritten.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes pages as scenarios end.
#[derive(Debug, Clone)]
pub struct Pages {
    wanted: Option<PageSelection>,
    left: Left,
}

impl Pages {
    /// Writes what is wanted of what is left.
    #[must_use]
    pub fn new(wanted: Option<PageSelection>, left: Left) -> Self {
        Self { wanted, left }
    }

    fn scenario<W>(
        &self,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        event: Scenario<W>,
        at: SystemTime,
    ) {
        let place = place(feature, scenario);
        match event {
            Scenario::Background(step, told) | Scenario::Step(step, told) => self.step(place, &step, told, at),
            Scenario::Hook(HookType::After, Hook::Started) => {
                self.told(place, |told| told.scenes.push((at, ENDING.to_owned())));
            }
            Scenario::Hook(_, Hook::Failed(_, what)) => {
                let failure = Failure { at, step: ENDING.to_owned(), why: words(what.as_ref()) };
                self.told(place, |told| told.fail(failure));
            }
            Scenario::Finished => self.finished(&place, feature, scenario),
            Scenario::Started | Scenario::Hook(..) | Scenario::Log(_) => {}
        }
    }

    fn step<W>(&self, place: Place, step: &gherkin::Step, event: Step<W>, at: SystemTime) {
        let words = format!("{} {}", step.keyword.trim(), step.value);
        match event {
            Step::Started => self.told(place, |told| told.scenes.push((at, words))),
            Step::Failed(_, _, _, error) => {
                self.told(place, |told| told.fail(Failure { at, step: words, why: error.to_string() }));
            }
            Step::Skipped => {
                let why = "no step is defined for it".to_owned();
                self.told(place, |told| told.fail(Failure { at, step: words, why }));
            }
            Step::Passed(..) => {}
        }
    }

    fn told(&self, place: Place, tell: impl FnOnce(&mut Told)) {
        tell(self.left.state().told.entry(place).or_default());
    }

    fn finished(&self, place: &Place, feature: &gherkin::Feature, scenario: &gherkin::Scenario) {
        let (told, seen) = {
            let mut state = self.left.state();
            (state.told.remove(place).unwrap_or_default(), state.recordings.remove(place))
        };
        let (Some(wanted), Some((recording, broken))) = (&self.wanted, seen) else { return };
        let passed = told.failure.is_none();
        if passed && !wanted.all {
            return;
        }
        let title = format!("{}: {}", feature.name, scenario.name);
        let book = feature.path.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
        let book = book.unwrap_or_else(|| feature.name.clone());
        // The line comes before the name, which may be cut: examples of an outline share their name.
        let file = wanted.folder.join(file_name(&format!("{book} {} {}", place.1, scenario.name)));
        let about = about(feature, scenario);
        match write(recording, told, &broken, title.clone(), about, &file) {
            Ok(()) => self.left.state().written.push(WrittenPage { title, passed, file }),
            Err(error) => self.left.state().unwritten.push(format!("no page of '{title}': {error:#}")),
        }
    }
}

/// What a page calls the checks that all scenarios end with.
const ENDING: &str = "everything is healed, stopped, read on another node, and judged";

fn about(feature: &gherkin::Feature, scenario: &gherkin::Scenario) -> Vec<(String, String)> {
    let tags: Vec<String> = scenario.tags.iter().map(|tag| format!("@{tag}")).collect();
    let mut about = Vec::new();
    let file = feature.path.as_deref().and_then(Path::file_name);
    if let Some(file) = file {
        about.push(("file".to_owned(), format!("{}:{}", file.to_string_lossy(), scenario.position.line)));
    }
    if let Some(tag) = tags.first() {
        about.push(("tags".to_owned(), tags.join(" ")));
        about.push(("repeat with".to_owned(), format!("hpe3par-lab test --tags {tag}")));
    }
    about
}

fn write(
    mut recording: Recording,
    told: Told,
    broken: &[Violation],
    title: String,
    about: Vec<(String, String)>,
    file: &Path,
) -> Result<()> {
    let begun = recording.begun;
    let since = |at: SystemTime| begun.and_then(|begun| at.duration_since(begun).ok()).unwrap_or(Duration::ZERO);
    recording.scenes = told.scenes(since);
    let outcome = if told.failure.is_none() { Outcome::Passed } else { Outcome::Failed };
    let mut findings: Vec<Finding> = broken.iter().map(Finding::from).collect();
    if let (Some(failure), true) = (told.failure, findings.is_empty()) {
        findings.push(failure.finding(since));
    }
    save(&recording.timeline(Story { title, outcome, about, findings }), file, &[ARRAY_PASSWORD]).map(drop)
}

impl Told {
    /// The first failure is the one that counts.
    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    fn scenes(&self, since: impl Fn(SystemTime) -> Duration) -> Vec<Scene> {
        let failed = |text: &str| self.failure.as_ref().is_some_and(|failure| failure.step == text);
        self.scenes
            .iter()
            .map(|(at, text)| Scene { at: since(*at), text: text.clone(), failed: failed(text) })
            .collect()
    }
}

impl Failure {
    fn finding(self, since: impl Fn(SystemTime) -> Duration) -> Finding {
        Finding {
            at: Moment::from(since(self.at)),
            code: "failed".to_owned(),
            rule: self.step,
            explanation: self.why,
            before: Vec::new(),
        }
    }
}

fn place(feature: &gherkin::Feature, scenario: &gherkin::Scenario) -> Place {
    (feature.name.clone(), scenario.position.line, scenario.position.col)
}

impl<W: 'static> Writer<W> for Pages {
    type Cli = cli::Empty;

    async fn handle_event(&mut self, event: parser::Result<Event<Cucumber<W>>>, _: &Self::Cli) {
        let Ok(event) = event else { return };
        let at = event.at;
        if let Cucumber::Feature(feature, Feature::Scenario(scenario, event)) = event.value {
            self.scenario(&feature, &scenario, event.event, at);
        }
    }
}

impl writer::Normalized for Pages {}
impl writer::NonTransforming for Pages {}
