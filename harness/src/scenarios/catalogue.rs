//! What scenarios there are: names and tags, read from the feature files before anything is started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cucumber::gherkin::tagexpr::TagOperation;
use cucumber::gherkin::{Feature, GherkinEnv};
use cucumber::tag::Ext as _;

/// The scenarios of a folder.
#[derive(Debug, Clone)]
pub struct Catalogue {
    folder: PathBuf,
    /// Tags of each scenario, those of its feature and rule included.
    scenarios: Vec<BTreeSet<String>>,
}

/// Reads a tag expression such as `@M16 and not @emulator`.
///
/// # Errors
/// Shows how one is written.
pub fn expression(text: &str) -> Result<TagOperation> {
    text.parse().map_err(|_| {
        anyhow::anyhow!(
            "'{text}' is no expression of tags; write for example '@M16', '@U2 or @U4', '@cluster and not @emulator'"
        )
    })
}

impl Catalogue {
    /// Reads all feature files of a folder and of the folders in it.
    ///
    /// # Errors
    /// When there is none, or one of them cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        collect(folder, &mut files)?;
        ensure!(!files.is_empty(), "there is no .feature file in {}", folder.display());
        let mut scenarios = Vec::new();
        for file in files {
            let feature = Feature::parse_path(&file, GherkinEnv::default())
                .with_context(|| format!("reading the feature file {}", file.display()))?;
            let rules = feature
                .rules
                .iter()
                .flat_map(|rule| rule.scenarios.iter().map(move |scenario| (&rule.tags[..], scenario)));
            let plain = feature.scenarios.iter().map(|scenario| (&[][..], scenario));
            for (of_rule, scenario) in plain.chain(rules) {
                let tags = feature.tags.iter().chain(of_rule).chain(&scenario.tags);
                scenarios.push(tags.cloned().collect());
            }
        }
        Ok(Self { folder: folder.to_path_buf(), scenarios })
    }

    /// Every tag with the number of scenarios that have it. A scenario outline counts once.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for tag in self.scenarios.iter().flatten() {
            *counts.entry(tag.as_str()).or_default() += 1;
        }
        counts
    }

    /// Makes sure that an expression chooses something and names no tag that does not exist.
    ///
    /// # Errors
    /// Lists the tags there are.
    pub fn has_some(&self, chosen: &TagOperation) -> Result<()> {
        let known = self.tags();
        let mut named = BTreeSet::new();
        name_tags(chosen, &mut named);
        let unknown: Vec<String> =
            named.into_iter().filter(|tag| !known.contains_key(tag)).map(|tag| format!("@{tag}")).collect();
        if !unknown.is_empty() {
            bail!(
                "no scenario in {} has the tag {}. There are:\n{}",
                self.folder.display(),
                unknown.join(" or "),
                list(&known)
            );
        }
        let some = self.scenarios.iter().any(|tags| chosen.eval(tags.iter().map(String::as_str).collect::<Vec<_>>()));
        ensure!(some, "no scenario in {} fits the expression. There are:\n{}", self.folder.display(), list(&known));
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("looking for feature files in {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("reading the folder {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "feature") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn name_tags<'e>(expression: &'e TagOperation, named: &mut BTreeSet<&'e str>) {
    match expression {
        TagOperation::And(one, other) | TagOperation::Or(one, other) => {
            name_tags(one, named);
            name_tags(other, named);
        }
        TagOperation::Not(one) => name_tags(one, named),
        TagOperation::Tag(tag) => {
            named.insert(tag);
        }
    }
}

/// Tags with their counts, as many on a line as fit.
fn list(tags: &BTreeMap<&str, usize>) -> String {
    const WIDTH: usize = 100;
    let mut text = String::from(" ");
    let mut column = 1;
    for (tag, count) in tags {
        let word = if *count == 1 { format!(" @{tag}") } else { format!(" @{tag} ({count})") };
        if column + word.len() > WIDTH {
            text.push_str("\n ");
            column = 1;
        }
        column += word.len();
        text.push_str(&word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> (tempfile::TempDir, Catalogue) {
        let folder = tempfile::tempdir().unwrap();
        let text = "@cluster\nFeature: F\n\n  @M1 @slow\n  Scenario: one\n    Given x\n\n  @M2\n  Scenario: two\n    Given x\n";
        std::fs::write(folder.path().join("f.feature"), text).unwrap();
        let catalogue = Catalogue::of(folder.path()).unwrap();
        (folder, catalogue)
    }

    #[test]
    fn tags_are_counted_with_those_of_the_feature() {
        let (_folder, catalogue) = catalogue();
        let tags: Vec<_> = catalogue.tags().into_iter().collect();
        assert_eq!(tags, [("M1", 1), ("M2", 1), ("cluster", 2), ("slow", 1)]);
    }

    #[test]
    fn unknown_tags_and_empty_choices_are_refused_with_a_list() {
        let (_folder, catalogue) = catalogue();
        let check = |text| catalogue.has_some(&expression(text).unwrap());
        assert!(check("@M1 and not @M2").is_ok());
        let unknown = check("@M1 or @nosuch").unwrap_err().to_string();
        assert!(
            unknown.contains("@nosuch") && unknown.contains("@slow") && unknown.contains("@cluster (2)"),
            "{unknown}"
        );
        assert!(check("@M1 and @M2").is_err());
        assert!(expression("M1 ((").is_err());
    }

    #[test]
    fn every_case_is_explained_beside_the_scenarios() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../features");
        let explained = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let words: BTreeSet<&str> = explained.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let is_case = |tag: &&str| tag.len() > 1 && tag.bytes().skip(1).all(|byte| byte.is_ascii_digit());
        let catalogue = Catalogue::of(&folder).unwrap();
        let missing: Vec<&str> =
            catalogue.tags().into_keys().filter(is_case).filter(|tag| !words.contains(tag)).collect();
        assert!(missing.is_empty(), "features/README.md does not tell what {missing:?} are");
    }

    #[test]
    fn a_folder_without_feature_files_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Catalogue::of(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
        assert!(Catalogue::of(Path::new("/nonexistent")).is_err());
    }
}
