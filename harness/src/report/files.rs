//! Time lines on disk: the page and, beside it, its JSON.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use thiserror::Error;

use super::html::page;
use super::timeline::{FORMAT, Timeline};

/// What stands where a secret was.
const HIDDEN: &str = "•••";
/// Items on a page: with more it would have more than some megabytes.
const MOST_ITEMS: usize = 25_000;
/// Longest name of a file, without its ending.
const NAME_AT_MOST: usize = 100;

/// Why a file is no time line.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not the JSON of a time line.
    #[error(
        "{} is no time line of hpe3par-lab; name a JSON file that test, demo or simulate wrote beside a page",
        file.display()
    )]
    NoTimeline {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error("{} has format {found}, this program reads format {FORMAT}; use the version that wrote it", file.display())]
    OtherFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// Where a time line was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The page.
    pub page: PathBuf,
    /// The JSON.
    pub json: PathBuf,
}

/// Reads a saved time line.
///
/// # Errors
/// See [`ReadError`].
pub fn read(file: &Path) -> Result<Timeline, ReadError> {
    let text = fs::read_to_string(file).map_err(|source| ReadError::Unreadable { file: file.to_path_buf(), source })?;
    let timeline: Timeline =
        serde_json::from_str(&text).map_err(|source| ReadError::NoTimeline { file: file.to_path_buf(), source })?;
    if timeline.format == FORMAT {
        Ok(timeline)
    } else {
        Err(ReadError::OtherFormat { file: file.to_path_buf(), found: timeline.format })
    }
}

/// Saves the page as `page_file` and the JSON beside it, with the same name ending in `.json`. A long run is thinned where
/// nothing went wrong, and says so. Secrets that somehow came into a text are taken out.
///
/// # Errors
/// When a file cannot be written.
pub fn save(timeline: &Timeline, page_file: &Path, secrets: &[&str]) -> Result<Saved> {
    let timeline = without(&timeline.thinned(MOST_ITEMS), secrets)?;
    let saved = Saved { page: page_file.to_path_buf(), json: page_file.with_extension("json") };
    make_folder_of(page_file)?;
    let written =
        |file: &Path, text: String| fs::write(file, text).with_context(|| format!("writing {}", file.display()));
    if saved.json != saved.page {
        written(&saved.json, serde_json::to_string(&timeline).context("writing the time line as JSON")?)?;
    }
    written(&saved.page, page(&timeline).context("writing the time line as a page")?)?;
    Ok(saved)
}

/// Makes the folder a file goes into.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display())))
}

/// A name for the page of something with this title: readable, and harmless in every file system.
#[must_use]
pub fn file_name(title: &str) -> String {
    let mut name = String::new();
    for character in title.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(NAME_AT_MOST);
    let name = name.trim_end_matches('-');
    format!("{}.html", if name.is_empty() { "run" } else { name })
}

fn without(timeline: &Timeline, secrets: &[&str]) -> Result<Timeline> {
    let mut value = serde_json::to_value(timeline).context("looking for secrets")?;
    hide(&mut value, secrets);
    serde_json::from_value(value).context("looking for secrets")
}

fn hide(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => {
            for secret in secrets.iter().filter(|secret| text.contains(**secret)).copied().collect::<Vec<_>>() {
                *text = text.replace(secret, HIDDEN);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, secrets)),
        Value::Object(members) => members.values_mut().for_each(|value| hide(value, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
