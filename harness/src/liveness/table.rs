//! The measured bounds for people and for machines.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::bound::{Goal, Measured, Row};

/// Failures of one line that are shown.
const FAILURES: usize = 3;

/// The columns of a line that hold numbers: goal, count, median, p99, greatest, verdict.
fn columns(row: &Row) -> [String; 6] {
    let goal = match row.goal {
        Goal::Longest(bound) => format!("≤ {}", seconds(bound)),
        Goal::P99(bound) => format!("p99 ≤ {}", seconds(bound)),
        Goal::Most(bound) => format!("≤ {bound}"),
        Goal::None => String::new(),
    };
    let [count, median, p99, most] = match &row.measured {
        Measured::Times(spread) if spread.count == 0 => ["0", "-", "-", "-"].map(str::to_owned),
        Measured::Times(spread) => {
            [spread.count.to_string(), seconds(spread.median), seconds(spread.p99), seconds(spread.longest)]
        }
        Measured::Numbers { count, median, p99, most } => {
            [count.to_string(), median.to_string(), p99.to_string(), most.to_string()]
        }
    };
    let verdict = match (row.goal, row.is_met()) {
        (Goal::None, true) => "",
        (_, true) => "met",
        (_, false) => "MISSED",
    };
    [goal, count, median, p99, most, verdict.to_owned()]
}

fn seconds(time: Duration) -> String {
    if time.is_zero() { "0 s".to_owned() } else { format!("{:.3} s", time.as_secs_f64()) }
}

/// The lines, and under each that was missed why.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    let line = |bound: &str, what: &str, tier: &str, [goal, count, median, p99, most, verdict]: [String; 6]| {
        let text = format!(
            "{bound:<4} {what:<width$}  {tier:<9} {goal:>15} {count:>6} {median:>10} {p99:>10} {most:>10}  {verdict}"
        );
        format!("{}\n", text.trim_end())
    };
    let head = ["goal", "count", "median", "p99", "max", ""].map(str::to_owned);
    let mut text = line("", "", "tier", head);
    for row in rows {
        text += &line(&row.bound.to_string(), &row.what, &row.tier.to_string(), columns(row));
        for failure in row.failures.iter().take(FAILURES) {
            let _ = writeln!(text, "       {failure}");
        }
        if row.failures.len() > FAILURES {
            let _ = writeln!(text, "       and {} more", row.failures.len() - FAILURES);
        }
    }
    text
}

/// The lines as a table of Markdown.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| bound | what | tier | goal | count | median | p99 | max | |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(text, "| {} | {} | {} | {} |", row.bound, row.what, row.tier, columns(row).join(" | "));
    }
    text
}

/// The lines as JSON, with the verdict.
///
/// # Errors
/// When a line cannot be written as JSON.
pub fn json(rows: &[Row]) -> Result<Value, serde_json::Error> {
    let mut lines = Vec::new();
    for row in rows {
        let mut line = serde_json::to_value(row)?;
        if let Some(members) = line.as_object_mut() {
            members.insert("met".to_owned(), json!(row.is_met()));
        }
        lines.push(line);
    }
    let missed = rows.iter().filter(|row| !row.is_met()).count();
    Ok(json!({"rows": lines, "met": rows.len() - missed, "missed": missed}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::liveness::{Bound, Tier};

    fn rows() -> Vec<Row> {
        let second = Duration::from_secs(1);
        let measured = Measured::times(vec![second, second * 2]);
        let met = Row::of(Bound::L1, Tier::Processes, "a move", Goal::Longest(second * 2), measured.clone());
        let missed = Row::of(Bound::L2, Tier::Virtual, "a takeover", Goal::Longest(second), measured);
        vec![met, Row { failures: vec!["seed 3: never".to_owned()], ..missed }]
    }

    #[test]
    fn a_table_says_what_was_met_and_why_not() {
        let text = table(&rows());
        assert!(text.contains("2.000 s  met") && text.contains("MISSED") && text.contains("seed 3: never"), "{text}");
        assert!(
            markdown(&rows())
                .contains("| L1 | a move | processes | ≤ 2.000 s | 2 | 1.000 s | 2.000 s | 2.000 s | met |")
        );
        let json = json(&rows()).unwrap();
        assert_eq!((&json["met"], &json["missed"]), (&json!(1), &json!(1)));
        assert_eq!(json["rows"][0]["met"], json!(true));
    }
}
