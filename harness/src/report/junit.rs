//! What was looked at in a run and how it came out, as the JUnit XML that build servers read.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use junit_report::{ReportBuilder, TestCase, TestSuiteBuilder};

use super::files::make_folder_of;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Group it belongs to.
    pub group: String,
    /// What was looked at.
    pub name: String,
    /// How long it took, where that says something.
    pub took: Duration,
    /// What was wrong; `None` when nothing was.
    pub failure: Option<String>,
}

/// Writes a file with one suite.
///
/// # Errors
/// When the file cannot be written.
pub fn write_junit(file: &Path, suite: &str, results: &[TestResult]) -> Result<()> {
    let cases = results.iter().map(|result| {
        let took = junit_report::Duration::try_from(result.took).unwrap_or(junit_report::Duration::MAX);
        let mut case = match &result.failure {
            None => TestCase::success(&result.name, took),
            Some(words) => TestCase::failure(&result.name, took, "violation", words),
        };
        case.set_classname(&result.group);
        case
    });
    let suite = TestSuiteBuilder::new(suite).add_testcases(cases).build();
    let report = ReportBuilder::new().add_testsuite(suite).build();
    let mut text = Vec::new();
    report.write_xml(&mut text).context("writing the JUnit report")?;
    make_folder_of(file)?;
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_and_markup_is_escaped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/junit.xml");
        let result = |name: &str, failure: Option<&str>| TestResult {
            group: "soak".to_owned(),
            name: name.to_owned(),
            took: Duration::from_secs(2),
            failure: failure.map(str::to_owned),
        };
        write_junit(&file, "soak", &[result("good", None), result("<bad>", Some("a & b"))]).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(r#"tests="2""#) && text.contains(r#"failures="1""#), "{text}");
        assert!(text.contains("&lt;bad&gt;") && text.contains("a &amp; b") && !text.contains("<bad>"), "{text}");
    }
}
