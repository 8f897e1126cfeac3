//! The page: one file with its style, its script and its data, and nothing from anywhere else.
//!
//! Names and texts of a run are not to be trusted: a volume may be called `<script>`. In markup they are escaped, in the
//! data every `<`, `>` and `&` is written as a JSON escape, the script puts texts on the page as text nodes only, and a
//! content security policy lets nothing run but the one script whose hash it names.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::timeline::{Finding, Outcome, Timeline};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = concat!(
    include_str!("page/data.js"),
    include_str!("page/rows.js"),
    include_str!("page/drawing.js"),
    include_str!("page/ruler.js"),
    include_str!("page/moving.js"),
    include_str!("page/panel.js"),
    include_str!("page/start.js"),
);

/// The page of a time line.
///
/// # Errors
/// When the time line cannot be written as JSON.
pub fn page(timeline: &Timeline) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(timeline)?;
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len());
    let mut rest = PAGE;
    // One pass from left to right: what is filled in is never looked at again.
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, from)| Some((before, from.split_once("}}")?)))
    {
        page.push_str(before);
        match name {
            "TITLE" => page.push_str(&escaped(&timeline.title)),
            "OUTCOME" => page.push_str(&timeline.outcome.to_string()),
            "VERDICT" => page.push_str(verdict(timeline.outcome)),
            "FINDINGS" => timeline.findings.iter().for_each(|finding| page.push_str(&line_of(finding))),
            "STYLE" => page.push_str(STYLE),
            "STYLE_HASH" => page.push_str(&hash(STYLE)),
            "SCRIPT" => page.push_str(SCRIPT),
            "SCRIPT_HASH" => page.push_str(&hash(SCRIPT)),
            "TIMELINE" => push_json(&mut page, &data),
            _ => {}
        }
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "FAILED",
    }
}

fn line_of(finding: &Finding) -> String {
    let (code, told, rule) = (escaped(&finding.code), escaped(&finding.explanation), escaped(&finding.rule));
    format!("<li><b>{code}</b> <span class=\"told\">{told}<span class=\"rule\">{rule}</span></span></li>")
}

/// A text for the inside of an element or of a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// JSON for the inside of a script element. These characters stand only within its strings, where they may be escaped.
fn push_json(page: &mut String, json: &str) {
    for character in json.chars() {
        if matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
            let _ = write!(page, "\\u{:04x}", u32::from(character));
        } else {
            page.push(character);
        }
    }
}

/// The hash that a content security policy names a script or style by.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
