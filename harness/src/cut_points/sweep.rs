//! The sweep: every call of every operation, struck in every way, on all cores.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hpe3par_docker_plugin::fencing::mutants::{Defects, Mutant};

use super::cell::{Cell, Outcome, Strike, Wait, replay};
use super::fault::Fault;
use super::operation::Operation;
use crate::checks::Violation;
use crate::simulation::{Call, WorldError};

/// How to sweep.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A defect of the plugin to put in, to see it found.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
    /// Threads; as many as there are cores if it is `None`.
    pub threads: Option<NonZero<usize>>,
}

impl Options {
    /// The defect that is put in.
    #[must_use]
    pub fn mutant(&self) -> Option<Mutant> {
        #[cfg(feature = "mutants")]
        {
            self.mutant
        }
        #[cfg(not(feature = "mutants"))]
        {
            None
        }
    }

    pub(super) fn defects(&self) -> Defects {
        #[cfg(feature = "mutants")]
        {
            Defects::with(self.mutant)
        }
        #[cfg(not(feature = "mutants"))]
        {
            Defects::default()
        }
    }
}

/// What came of one cell.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The longest time anything took after the fault was over, and what it was.
    pub slowest: (Duration, Wait),
    /// The operation's caller heard of success.
    pub succeeded: bool,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// All strikes found their call.
    pub struck: bool,
    /// The calls after the last strike.
    pub calls_after: Vec<Call>,
}

impl Verdict {
    pub(super) fn of(cell: &Cell, mut outcome: Outcome) -> Self {
        let struck = outcome.struck == cell.strikes.len();
        let before: usize = cell.strikes.iter().map(|strike| strike.call).sum();
        Self {
            slowest: outcome.slowest(),
            succeeded: outcome.answer.is_ok(),
            struck,
            calls_after: if struck { outcome.calls.split_off(before.min(outcome.calls.len())) } else { Vec::new() },
            violations: outcome.violations,
        }
    }

    /// Nothing was broken.
    #[must_use]
    pub fn is_healed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// One call of an operation, and what came of each fault at it.
#[derive(Debug, Clone)]
pub struct Row {
    /// The operation.
    pub operation: Operation,
    /// Number of the call, from 1.
    pub number: usize,
    /// The call.
    pub call: Call,
    /// What came of each fault that can happen to it.
    pub cells: BTreeMap<Fault, Verdict>,
}

impl Row {
    /// The cell of a fault.
    #[must_use]
    pub fn cell(&self, fault: Fault) -> Cell {
        Cell { operation: self.operation, strikes: vec![Strike { call: self.number, fault }] }
    }
}

/// What a sweep came to.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// Every call of every operation.
    pub rows: Vec<Row>,
    /// Real time it took.
    pub elapsed: Duration,
}

impl Sweep {
    /// Every cell with its verdict.
    pub fn cells(&self) -> impl Iterator<Item = (Cell, &Verdict)> {
        self.rows.iter().flat_map(|row| row.cells.iter().map(|(fault, verdict)| (row.cell(*fault), verdict)))
    }

    /// The cells in which something was broken.
    #[must_use]
    pub fn broken(&self) -> Vec<(Cell, &Verdict)> {
        self.cells().filter(|(_, verdict)| !verdict.is_healed()).collect()
    }

    /// The cell that took longest to heal.
    #[must_use]
    pub fn slowest(&self) -> Option<(Cell, &Verdict)> {
        self.cells().max_by_key(|(_, verdict)| verdict.slowest)
    }
}

/// Records the undisturbed run of each operation, then strikes every call of it in every way.
///
/// # Errors
/// [`WorldError`] when an undisturbed run is not clean, or a struck one differs from it before the strike: a defect of the sweep.
pub fn sweep(operations: &[Operation], options: &Options) -> Result<Sweep, WorldError> {
    let begin = std::time::Instant::now();
    let recorded = on_threads(operations, options, |operation| record(*operation, options))?;
    let mut rows = Vec::new();
    for (operation, calls) in operations.iter().zip(recorded) {
        let numbered = (1..).zip(calls);
        rows.extend(numbered.map(|(number, call)| Row { operation: *operation, number, call, cells: BTreeMap::new() }));
    }
    let cells: Vec<(usize, Fault)> = rows
        .iter()
        .enumerate()
        .flat_map(|(place, row)| {
            let possible = Fault::ALL.into_iter().filter(|fault| fault.applies_to(row.call.port, &row.call.what));
            possible.map(move |fault| (place, fault))
        })
        .collect();
    let verdicts = on_threads(&cells, options, |(place, fault)| {
        let row = &rows[*place];
        let cell = row.cell(*fault);
        let outcome = replay(&cell, options, false)?;
        let found = outcome.calls.get(row.number - 1);
        if outcome.struck != 1 || found != Some(&row.call) {
            let command = cell.command(options);
            return Err(WorldError::of(&format!("the run is not the recorded one: {command} found {found:?}")));
        }
        Ok(Verdict::of(&cell, outcome))
    })?;
    for ((place, fault), verdict) in cells.into_iter().zip(verdicts) {
        rows[place].cells.insert(fault, verdict);
    }
    Ok(Sweep { rows, elapsed: begin.elapsed() })
}

/// The calls of an operation that nothing disturbs. With a defect put in, it may break already.
fn record(operation: Operation, options: &Options) -> Result<Vec<Call>, WorldError> {
    let outcome = replay(&Cell { operation, strikes: Vec::new() }, options, false)?;
    if options.mutant().is_none() {
        if let Err(reason) = &outcome.answer {
            return Err(WorldError::of(&format!("undisturbed, {operation} failed: {reason}")));
        }
        if let Some(violation) = outcome.violations.first() {
            return Err(WorldError::of(&format!("undisturbed, {operation} broke an invariant: {violation}")));
        }
    }
    Ok(outcome.calls)
}

/// Does `work` for each item, on all cores; results in the order of the items.
pub(super) fn on_threads<I: Sync, T: Send>(
    items: &[I],
    options: &Options,
    work: impl Fn(&I) -> Result<T, WorldError> + Sync,
) -> Result<Vec<T>, WorldError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<T, WorldError>>> = Mutex::default();
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { return };
                    let result = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(place, result);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}
