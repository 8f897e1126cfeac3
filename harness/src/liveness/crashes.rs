//! L3: a crash before or after every call of every operation, from the sweep over cut points.

use std::time::Duration;

use super::bound::{Bound, Goal, Row, Tier};
use crate::cut_points::{Fault, HEALED_WITHIN, Operation, Options, sweep};

/// The line.
pub(super) fn row() -> Row {
    let what = "a crash before or after any call: until all is well again, without a person";
    let results = match sweep(&Operation::ALL, &Options::default()) {
        Err(error) => vec![Err(error.to_string())],
        Ok(swept) => swept.rows.iter().flat_map(of_crashes).collect(),
    };
    Row::of_results(Bound::L3, Tier::Virtual, what, Goal::Longest(HEALED_WITHIN), results)
}

fn of_crashes(row: &crate::cut_points::Row) -> Vec<Result<Duration, String>> {
    let crashes = row.cells.iter().filter(|(fault, _)| matches!(fault, Fault::CrashBefore | Fault::CrashAfter));
    let time = crashes.map(|(fault, verdict)| match verdict.violations.first() {
        None => Ok(verdict.slowest.0),
        Some(violation) => Err(format!("{} call {}, {fault:?}: {violation}", row.operation, row.number)),
    });
    time.collect()
}
