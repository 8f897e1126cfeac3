//! Measuring in virtual time: a world of its own for every seed, on all cores.

use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bound::{Bound, Row};
use super::rack::{RackPlan, lose_a_rack};
use super::{cleaning, crashes, deadlines, fight, takeover};

/// Seeds of a measurement.
pub(super) type Seeds = RangeInclusive<u64>;

/// What to measure.
#[derive(Debug, Clone)]
pub struct VirtualPlan {
    /// A run for each.
    pub seeds: RangeInclusive<u64>,
    /// Only these bounds; all if there are none.
    pub bounds: Vec<Bound>,
    /// The loss of a rack.
    pub rack: RackPlan,
}

impl VirtualPlan {
    fn wants(&self, bounds: &[Bound]) -> bool {
        self.bounds.is_empty() || bounds.iter().any(|bound| self.bounds.contains(bound))
    }
}

/// Measures everything that is measured in virtual time. Blocks; each step is told before it begins.
#[must_use]
pub fn measure_virtual(plan: &VirtualPlan, on_step: &dyn Fn(&str)) -> Vec<Row> {
    let (mut rows, seeds) = (Vec::new(), &plan.seeds);
    if plan.wants(&[Bound::L1, Bound::L2, Bound::L4, Bound::L7]) {
        on_step("takeovers");
        rows.extend(takeover::rows(seeds));
    }
    if plan.wants(&[Bound::L3]) {
        on_step("a crash at every call");
        rows.push(crashes::row());
    }
    if plan.wants(&[Bound::L5, Bound::L6, Bound::L8]) {
        on_step("deadlines");
        rows.extend(deadlines::rows(seeds));
    }
    if plan.wants(&[Bound::L9]) {
        on_step("two nodes that fight");
        rows.extend(fight::rows(seeds));
    }
    if plan.wants(&[Bound::L10]) {
        on_step("fenced nodes that come back");
        rows.extend(cleaning::rows(seeds));
    }
    if plan.wants(&[Bound::L11]) {
        on_step("the loss of a rack");
        rows.extend(lose_a_rack(&plan.rack).rows());
    }
    rows.retain(|row| plan.wants(&[row.bound]));
    rows.sort_by_key(|row| row.bound);
    rows
}

/// Runs once for every seed, each in a runtime with a clock of its own; results in no order.
pub(super) fn measured<T, F>(seeds: &Seeds, run: impl Fn(u64) -> F + Sync) -> Vec<Result<T, String>>
where
    T: Send,
    F: Future<Output = Result<T, String>>,
{
    let (next, results) = (AtomicU64::new(*seeds.start()), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() {
                        return;
                    }
                    let result = in_virtual_time(run(seed)).map_err(|words| format!("seed {seed}: {words}"));
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something with a clock that is set forward whenever everybody waits.
pub(super) fn in_virtual_time<T>(run: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(run)
}
