//! `hpe3par-lab test`: the acceptance scenarios.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use hpe3par_docker_plugin::fencing::mutants::Mutant;
use hpe3par_harness::report::{IndexEntry, index};
use hpe3par_harness::scenarios::catalogue::{Catalogue, expression};
use hpe3par_harness::scenarios::pages::PageSelection;
use hpe3par_harness::scenarios::report::{OnEnd, Report};
use hpe3par_harness::scenarios::run::{Selection, run};
use indicatif::ProgressBar;

use super::report::{shown, usual_folder};
use super::{features, print, spinner};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Which scenarios, by their tags: '@M16', '@U2 or @U4', '@cluster and not @emulator'; an unknown tag lists all
    #[arg(long, value_name = "EXPR")]
    tags: Option<String>,
    /// What the nodes are. There is one tier so far, 'cluster': simulated machines with the production plugin, real etcd,
    /// and the emulated array over TCP. Real kernels and a real array cannot be chosen yet
    #[arg(long, value_enum, default_value_t)]
    tier: Tier,
    /// Put a known safety defect into every plugin, to see that a scenario finds it (needs a build with --features mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<Mutant>,
    /// Folder with feature files [default: 'features' here or above]
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,
    /// Scenarios at once, 1 to 64 [default: 8]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..=64))]
    concurrency: Option<u8>,
    /// Where the JUnit report goes [default: junit.xml beside the pages of --report, else target/junit/scenarios.xml of the
    /// source tree the features are in, else hpe3par-lab-scenarios.xml here]
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Folder for a page of every scenario, with an index and JSON beside them, and JUnit if the folder is named [default:
    /// target/report of the source tree, or hpe3par-lab-report here]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print the table as JSON instead
    #[arg(long)]
    json: bool,
}

/// What a node is.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Tier {
    #[default]
    Cluster,
}

impl Test {
    pub(crate) async fn run(self) -> Result<bool> {
        let Tier::Cluster = self.tier;
        let features = features(self.features)?;
        let tags = self.tags.as_deref().map(expression).transpose()?;
        let catalogue = Catalogue::of(&features)?;
        if let Some(tags) = &tags {
            catalogue.has_some(tags)?;
        }
        let beside = self.report.as_ref().map(|folder| folder.join("junit.xml"));
        let junit = self.junit.or(beside).unwrap_or_else(|| usual_junit(&features));
        let pages = PageSelection { all: true, folder: self.report.unwrap_or_else(usual_folder) };
        let bar = spinner("playing the scenarios");
        let selection = Selection {
            features,
            tags,
            mutant: self.mutant,
            at_once: self.concurrency.map(usize::from),
            junit: Some(junit.clone()),
            pages: Some(pages.clone()),
            on_end: Some(telling(bar.clone())),
        };
        let report = run(&selection).await?;
        bar.finish_and_clear();
        write_index(&pages.folder, &report)?;
        show(&report, self.json, &junit)?;
        Ok(report.failed() == 0)
    }
}

fn show(report: &Report, json: bool, junit: &Path) -> Result<()> {
    if json {
        return print(&serde_json::to_string_pretty(&report.rows())?);
    }
    print(&report.table())?;
    let failures = report.failures();
    if !failures.is_empty() {
        print(&failures)?;
    }
    for page in report.pages().iter().filter(|page| !page.passed) {
        print(&format!("page of '{}': {}", page.title, shown(&page.file)))?;
    }
    for missing in report.pages_missing() {
        print(&missing)?;
    }
    let junit = std::path::absolute(junit).unwrap_or_else(|_| junit.to_path_buf());
    print(&format!("JUnit report: {}", junit.display()))?;
    print(&format!("{} passed, {} failed", report.passed(), report.failed()))
}

fn write_index(folder: &Path, report: &Report) -> Result<()> {
    let entry = |page: &hpe3par_harness::scenarios::pages::WrittenPage| IndexEntry {
        title: page.title.clone(),
        passed: page.passed,
        file: page.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    let file = folder.join("index.html");
    let page = index("Acceptance scenarios", &report.pages().iter().map(entry).collect::<Vec<_>>());
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    std::fs::write(&file, page).with_context(|| format!("writing {}", file.display()))?;
    let rows = folder.join("scenarios.json");
    std::fs::write(&rows, serde_json::to_string_pretty(&report.rows())?)
        .with_context(|| format!("writing {}", rows.display()))?;
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("pages: {}\n", shown(&file)));
    Ok(())
}

/// On a terminal a running count; elsewhere, where nothing can be written over, a line now and then. What failed is told
/// at the end.
fn telling(bar: ProgressBar) -> OnEnd {
    const NOW_AND_THEN: usize = 10;
    Arc::new(move |_, passed, failed| {
        let count = format!("{passed} scenarios passed, {failed} failed so far");
        if bar.is_hidden() && (passed + failed).is_multiple_of(NOW_AND_THEN) {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{count}\n"));
        }
        bar.set_message(count);
    })
}

fn usual_junit(features: &Path) -> PathBuf {
    let root = features.parent().filter(|root| root.join("Cargo.toml").is_file());
    root.map_or_else(|| PathBuf::from("hpe3par-lab-scenarios.xml"), |root| root.join("target/junit/scenarios.xml"))
}
