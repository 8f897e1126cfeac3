//! `hpe3par-lab report`: the page of a saved time line; and where the other commands put their pages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use hpe3par_harness::cluster::configuration::ARRAY_PASSWORD;
use hpe3par_harness::report::{Saved, Timeline, make_folder_of, page, read, save};

use super::print;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// A time line: the JSON file that test, demo or simulate wrote beside a page
    #[arg(value_name = "FILE.json")]
    file: PathBuf,
    /// Where the page goes [default: beside the file, ending in .html]
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
}

impl Report {
    pub(crate) fn run(self) -> Result<bool> {
        let timeline = read(&self.file)?;
        let out = self.html.unwrap_or_else(|| self.file.with_extension("html"));
        anyhow::ensure!(out != self.file, "--html {}: this is the time line itself", out.display());
        let text = page(&timeline).context("making the page")?;
        std::fs::write(&out, text).with_context(|| format!("writing {}", out.display()))?;
        print(&format!("page: {}", shown(&out)))?;
        Ok(true)
    }
}

/// The folder for pages when none is named: `target/report` of the source tree that this folder is in, else
/// `hpe3par-lab-report` here.
pub(crate) fn usual_folder() -> PathBuf {
    let is_source = |folder: &&Path| folder.join("Cargo.toml").is_file() && folder.join("features").is_dir();
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(is_source).map(|root| root.join("target/report"));
    root.unwrap_or_else(|| here.join("hpe3par-lab-report"))
}

/// Saves a time line with its page, without the lab's secrets, and says where.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn save_and_say(timeline: &Timeline, file: &Path) -> Result<Saved> {
    let saved = save(timeline, file, &[ARRAY_PASSWORD])?;
    print(&format!("page: {}  (time line: {})", shown(&saved.page), shown(&saved.json)))?;
    Ok(saved)
}

/// Makes the file, so that a path that cannot be written is told before the work and not after it. What is in it stays.
///
/// # Errors
/// When its folder or the file itself cannot be made.
pub(crate) fn can_be_made(file: &Path) -> Result<()> {
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    anyhow::ensure!(!is_json, "--report {}: that is where the time line goes; name the page .html", file.display());
    make_folder_of(file).context("--report")?;
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    opened.map(drop).with_context(|| format!("--report: making {}", file.display()))
}

/// A path that leads to the file from anywhere.
pub(crate) fn shown(file: &Path) -> String {
    std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf()).display().to_string()
}
