//! A run of the feature files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use cucumber::gherkin::tagexpr::TagOperation;
use cucumber::tag::Ext as _;
use cucumber::{World as _, WriterExt as _, event::ScenarioFinished, writer};
use futures::FutureExt as _;
use hpe3par_docker_plugin::fencing::mutants::Mutant;

use super::pages::{Left, PageSelection, Pages};
use super::report::{OnEnd, Progress, Report};
use super::stage::Stage;
use crate::report::make_folder_of;

/// How many scenarios run at once. Most of them wait for a lease or a delay most of the time.
const AT_ONCE: usize = 8;

/// What to run.
#[derive(Clone, Default)]
pub struct Selection {
    /// Folder with feature files.
    pub features: PathBuf,
    /// Which scenarios; all when absent.
    pub tags: Option<TagOperation>,
    /// Safety defect put into every plugin.
    pub mutant: Option<Mutant>,
    /// How many at once; `None` for the usual number.
    pub at_once: Option<usize>,
    /// Where the JUnit report goes, if anywhere.
    pub junit: Option<PathBuf>,
    /// Which scenarios get a page; none when absent.
    pub pages: Option<PageSelection>,
    /// Told of every scenario that ends.
    pub on_end: Option<OnEnd>,
}

/// Runs the scenarios and gives the report.
///
/// # Errors
/// When the JUnit file cannot be written. Failed scenarios are in the report.
pub async fn run(selection: &Selection) -> Result<Report> {
    let tags = selection.tags.clone();
    let wanted = move |feature: &cucumber::gherkin::Feature, scenario: &cucumber::gherkin::Scenario| {
        let all = || feature.tags.iter().chain(&scenario.tags);
        tags.as_ref().is_none_or(|tags| tags.eval(all().map(String::as_str).collect::<Vec<_>>()))
    };
    let report = Report::default();
    let progress = Progress::new(report.clone(), selection.on_end.clone());
    let mut file = selection.junit.as_deref().map(JUnitFile::make).transpose()?;
    let text = Text::default();
    let junit = writer::JUnit::new(text.clone(), 0);
    let mutant = selection.mutant;
    let left = Left::default();
    let pages = Pages::new(selection.pages.clone(), left.clone());
    let leaving = left.clone();
    Stage::cucumber()
        .max_concurrent_scenarios(selection.at_once.unwrap_or(AT_ONCE))
        .before(move |_, _, _, stage| {
            stage.mutant = mutant;
            futures::future::ready(()).boxed_local()
        })
        .after(move |feature, _, scenario, finished, stage| {
            let leaving = leaving.clone();
            async move {
                let Some(stage) = stage else { return };
                let judged = end(finished, stage).await;
                if let Some(seen) = stage.take_recording() {
                    leaving.keep(feature, scenario, seen);
                }
                // A broken check has to be a panic: nothing else fails a hook.
                assert!(judged.is_ok(), "{}", judged.err().map(|error| format!("{error:#}")).unwrap_or_default());
            }
            .boxed_local()
        })
        .with_writer(progress.tee::<Stage, _>(pages).tee::<Stage, _>(junit))
        .fail_on_skipped()
        .with_default_cli()
        .filter_run(selection.features.clone(), move |feature, _, scenario| wanted(feature, scenario))
        .await;
    report.add_pages(left.written(), left.unwritten());
    if let Some(file) = &mut file {
        file.write(&text.take())?;
    }
    Ok(report)
}

/// Ends a scenario with the checks that all have in common.
async fn end(finished: &ScenarioFinished, stage: &mut Stage) -> Result<()> {
    stage.end(matches!(finished, ScenarioFinished::StepPassed)).await
}

/// The report's text until the end of the run. The writer of the reports panics when its target refuses a write.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where the JUnit report goes: made before the run, so that a wrong path is told at once.
struct JUnitFile {
    path: PathBuf,
    file: File,
}

impl JUnitFile {
    fn make(path: &Path) -> Result<Self> {
        make_folder_of(path)?;
        let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        let written = self.file.write_all(text).and_then(|()| self.file.flush());
        written.with_context(|| format!("the scenarios have run, but writing {} failed", self.path.display()))
    }
}
