//! A list of pages, for a run that leaves many.

use std::fmt::Write as _;

use super::html::{escaped, hash};

/// One page in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its title.
    pub title: String,
    /// What it shows passed.
    pub passed: bool,
    /// Name of its file, in the folder of the list. Made by [`super::file_name`].
    pub file: String,
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
li{margin:.15rem 0}.failed{color:light-dark(#c8102e,#ff5c6f);font-weight:700}.passed{color:light-dark(#11734b,#4cc38a)}\
span{display:inline-block;width:4.5rem}ul{list-style:none;padding:0}";

/// A page that leads to others; what failed comes first.
#[must_use]
pub fn index(title: &str, entries: &[IndexEntry]) -> String {
    let mut list = String::new();
    for passed in [false, true] {
        for entry in entries.iter().filter(|entry| entry.passed == passed) {
            let verdict = if passed { "passed" } else { "failed" };
            let (file, title) = (escaped(&entry.file), escaped(&entry.title));
            let _ =
                writeln!(list, "<li><span class=\"{verdict}\">{verdict}</span> <a href=\"{file}\">{title}</a></li>");
        }
    }
    let failed = entries.iter().filter(|entry| !entry.passed).count();
    let (title, style) = (escaped(title), hash(STYLE));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{style}'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>{} passed, {failed} failed</p>\n<ul>\n{list}</ul>\n</body>\n</html>\n",
        entries.len() - failed
    )
}
