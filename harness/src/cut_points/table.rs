//! The result of a sweep for people and for machines.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::cell::Cell;
use super::fault::Fault;
use super::operation::Operation;
use super::pairs::Pairs;
use super::sweep::{Options, Row, Sweep, Verdict};
use crate::simulation::{NODES, Origin};

/// Width of a column of cells.
const CELL: usize = 6;
/// Failing cells whose time line is shown.
const TIME_LINES_AT_MOST: usize = 3;

/// Short name of a fault, for the head of a column.
fn head(fault: Fault) -> &'static str {
    match fault {
        Fault::CrashBefore => "crash<",
        Fault::CrashAfter => "crash>",
        Fault::AnswerLost => "lost",
        Fault::Delay => "delay",
        Fault::Busy => "busy",
        Fault::Error => "error",
        Fault::Hang => "hang",
        Fault::PauseBefore => "pause<",
        Fault::PauseAfter => "pause>",
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}

fn shown(verdict: Option<&Verdict>) -> String {
    match verdict {
        None => "-".to_owned(),
        Some(verdict) if verdict.is_healed() => seconds(verdict.slowest.0),
        Some(_) => "FAIL".to_owned(),
    }
}

/// The numbers of some rows.
struct Totals {
    calls: usize,
    cells: usize,
    healed: usize,
    succeeded: usize,
    slowest: Duration,
}

impl Totals {
    fn of<'r>(rows: impl Iterator<Item = &'r Row>) -> Self {
        let mut totals = Self { calls: 0, cells: 0, healed: 0, succeeded: 0, slowest: Duration::ZERO };
        for row in rows {
            totals.calls += 1;
            for verdict in row.cells.values() {
                totals.cells += 1;
                totals.healed += usize::from(verdict.is_healed());
                totals.succeeded += usize::from(verdict.succeeded);
                totals.slowest = totals.slowest.max(verdict.slowest.0);
            }
        }
        totals
    }
}

impl Sweep {
    fn operations(&self) -> Vec<Operation> {
        let mut operations: Vec<Operation> = self.rows.iter().map(|row| row.operation).collect();
        operations.dedup();
        operations
    }

    fn of(&self, operation: Operation) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.operation == operation)
    }

    /// The table: a line for each call, a column for each fault.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "A cell is the longest time in seconds that anything took after the fault was over; '-' cannot happen; '~' is a call\nthat the plugin makes by itself, in registration or reconciliation.\n\n",
        );
        for fault in Fault::ALL {
            let _ = writeln!(text, "  {:<CELL$}  {:<13} {}", head(fault), fault.name(), fault.does());
        }
        for operation in self.operations() {
            let _ = write!(text, "\n{operation}: {}\n{:<47}", operation.is(), "");
            for fault in Fault::ALL {
                let _ = write!(text, " {:>CELL$}", head(fault));
            }
            text.push('\n');
            for row in self.of(operation) {
                text += &line(row);
            }
        }
        text
    }

    /// A line for each operation, and the total.
    #[must_use]
    pub fn totals(&self) -> String {
        let mut text = format!(
            "{:<20} {:>6} {:>6} {:>7} {:>10} {:>9}\n",
            "operation", "calls", "cells", "healed", "succeeded", "slowest"
        );
        let row = |name: &str, totals: &Totals| {
            let Totals { calls, cells, healed, succeeded, slowest } = totals;
            format!("{name:<20} {calls:>6} {cells:>6} {healed:>7} {succeeded:>10} {:>7} s\n", seconds(*slowest))
        };
        for operation in self.operations() {
            text += &row(operation.name(), &Totals::of(self.of(operation)));
        }
        text += &row("total", &Totals::of(self.rows.iter()));
        text
    }

    /// The total in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Totals { calls, cells, healed, .. } = Totals::of(self.rows.iter());
        let slowest = self.slowest().map(|(cell, verdict)| slowest_words(&cell, verdict)).unwrap_or_default();
        let faults = Fault::ALL.len();
        format!(
            "{calls} calls x {faults} faults: {cells} cells, {healed} healed{slowest}; {:.1} s",
            self.elapsed.as_secs_f64()
        )
    }

    /// The tables in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("| Operation | Calls | Cells | Healed | Slowest heal |\n|---|--:|--:|--:|--:|\n");
        let row = |name: String, totals: &Totals| {
            let Totals { calls, cells, healed, slowest, .. } = totals;
            format!("| {name} | {calls} | {cells} | {healed} | {} s |\n", seconds(*slowest))
        };
        for operation in self.operations() {
            text += &row(format!("`{operation}`: {}", operation.is()), &Totals::of(self.of(operation)));
        }
        text += &row("**total**".to_owned(), &Totals::of(self.rows.iter()));
        for operation in self.operations() {
            let _ = write!(text, "\n## `{operation}`: {}\n\n| # | Node | Port | Call |", operation.is());
            Fault::ALL.iter().for_each(|fault| text += &format!(" {fault} |"));
            text += "\n|--:|---|---|---|";
            Fault::ALL.iter().for_each(|_| text += "--:|");
            text.push('\n');
            for row in self.of(operation) {
                let (number, port, what) = (row.number, row.call.port, call_words(row));
                let _ = write!(text, "| {number} | {} | {port} | {what} |", NODES[row.call.node]);
                Fault::ALL.iter().for_each(|fault| text += &format!(" {} |", shown(row.cells.get(fault))));
                text.push('\n');
            }
        }
        text
    }

    /// The sweep as JSON.
    #[must_use]
    pub fn json(&self, options: &Options) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let cells: serde_json::Map<String, Value> = row
                    .cells
                    .iter()
                    .map(|(fault, verdict)| (fault.name().to_owned(), cell_json(&row.cell(*fault), verdict, options)))
                    .collect();
                json!({
                    "operation": row.operation.name(),
                    "number": row.number,
                    "node": NODES[row.call.node],
                    "port": row.call.port.name(),
                    "call": row.call.what,
                    "background": row.call.origin == Origin::Background,
                    "cells": cells,
                })
            })
            .collect();
        let totals = Totals::of(self.rows.iter());
        json!({
            "calls": totals.calls,
            "faults": Fault::ALL.map(Fault::name),
            "cells": totals.cells,
            "healed": totals.healed,
            "slowest_seconds": totals.slowest.as_secs_f64(),
            "seconds": self.elapsed.as_secs_f64(),
            "rows": rows,
        })
    }
}

impl Pairs {
    /// The total in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (played, healed) = (self.played.len(), self.played.len() - self.broken().count());
        let slowest = self.slowest().map(|(cell, verdict)| slowest_words(cell, verdict)).unwrap_or_default();
        format!("{played} of {} pairs, {healed} healed{slowest}; {:.1} s", self.possible, self.elapsed.as_secs_f64())
    }

    /// The pairs as JSON: the numbers, and those that are broken.
    #[must_use]
    pub fn json(&self, options: &Options) -> Value {
        let broken: Vec<Value> = self.broken().map(|(cell, verdict)| cell_json(cell, verdict, options)).collect();
        json!({
            "possible": self.possible,
            "played": self.played.len(),
            "healed": self.played.len() - broken.len(),
            "slowest_seconds": self.slowest().map(|(_, verdict)| verdict.slowest.0.as_secs_f64()),
            "seconds": self.elapsed.as_secs_f64(),
            "broken": broken,
        })
    }
}

/// What broke in some cells: the first ones with their time lines, and for each the command that plays it again.
#[must_use]
pub fn failures<'v>(broken: impl Iterator<Item = (Cell, &'v Verdict)>, options: &Options) -> String {
    let mut text = String::new();
    for (place, (cell, verdict)) in broken.enumerate() {
        let strikes: Vec<String> = cell.strikes.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "\n{} struck at {}", cell.operation, strikes.join(", then at "));
        for violation in &verdict.violations {
            if place < TIME_LINES_AT_MOST {
                let _ = writeln!(text, "{}", violation.around.join("\n"));
            }
            let _ = writeln!(text, "  {violation}");
        }
        let _ = writeln!(text, "  play it again: {}", cell.command(options));
    }
    text
}

fn slowest_words(cell: &Cell, verdict: &Verdict) -> String {
    let strikes: Vec<String> = cell.strikes.iter().map(ToString::to_string).collect();
    let (time, wait) = verdict.slowest;
    format!(", slowest heal {} s ({} at {}: {})", seconds(time), cell.operation, strikes.join("+"), wait.words())
}

fn cell_json(cell: &Cell, verdict: &Verdict, options: &Options) -> Value {
    json!({
        "healed": verdict.is_healed(),
        "slowest_seconds": verdict.slowest.0.as_secs_f64(),
        "slowest": verdict.slowest.1,
        "succeeded": verdict.succeeded,
        "violations": verdict.violations,
        "command": cell.command(options),
    })
}

fn call_words(row: &Row) -> String {
    let mark = if row.call.origin == Origin::Background { "~ " } else { "" };
    format!("{mark}{}", row.call.what)
}

fn line(row: &Row) -> String {
    let what: String = call_words(row).chars().take(28).collect();
    let mut text = format!("{:>4} {} {:<7} {what:<28}", row.number, node_letter(row), row.call.port);
    for fault in Fault::ALL {
        let _ = write!(text, " {:>CELL$}", shown(row.cells.get(&fault)));
    }
    text.push('\n');
    text
}

/// The last letter of the node's name is enough in a narrow table.
fn node_letter(row: &Row) -> &'static str {
    NODES.get(row.call.node).and_then(|name| name.get(name.len() - 1..)).unwrap_or("?")
}
