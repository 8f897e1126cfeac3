//! Bounds of real latency, on real processes: three etcd members, the array, three workers.

mod away;
mod hand_over;
mod restart;
mod site;
mod takeover;

use anyhow::Result;

use self::site::ProcessSite;
use super::bound::{Bound, Goal, Measured, Row, Tier};
use crate::soak::figures::Measure;

/// What to measure.
#[derive(Debug, Clone)]
pub struct ProcessPlan {
    /// Only these bounds; all if there are none.
    pub bounds: Vec<Bound>,
    /// How often each thing is done.
    pub rounds: usize,
}

impl ProcessPlan {
    fn wants(&self, bounds: &[Bound]) -> bool {
        self.bounds.is_empty() || bounds.iter().any(|bound| self.bounds.contains(bound))
    }
}

/// Measures everything that is measured on real processes; each step is told before it begins.
///
/// # Errors
/// When a process does not start, or something fails that has to succeed.
pub async fn measure_processes(plan: &ProcessPlan, on_step: &dyn Fn(&str)) -> Result<Vec<Row>> {
    let mine = [Bound::L1, Bound::L2, Bound::L5, Bound::L6, Bound::L7, Bound::L8, Bound::L10];
    if !plan.wants(&mine) {
        return Ok(Vec::new());
    }
    on_step("three etcd members, the array and three workers start");
    let site = ProcessSite::start().await?;
    let mut rows = Vec::new();
    if plan.wants(&[Bound::L1]) {
        on_step("planned moves");
        rows.extend(hand_over::rows(&site, plan.rounds).await?);
    }
    if plan.wants(&[Bound::L2, Bound::L10]) {
        on_step("takeovers");
        rows.extend(takeover::rows(&site, plan.rounds).await?);
    }
    if plan.wants(&[Bound::L5, Bound::L6]) {
        on_step("etcd away, the array's management away");
        rows.extend(away::rows(&site, plan.rounds).await?);
    }
    if plan.wants(&[Bound::L7]) {
        on_step("plugins that are killed");
        rows.extend(restart::rows(&site, plan.rounds).await?);
    }
    if plan.wants(&[Bound::L8]) {
        rows.extend([Measure::AnyMount, Measure::AnyUnmount].map(|measure| any_answer(&site, measure)));
    }
    let broken = site.judge().await?;
    if let Some(row) = rows.first_mut() {
        row.failures.extend(broken);
    }
    rows.retain(|row| plan.wants(&[row.bound]));
    Ok(rows)
}

/// All answers of everything above.
fn any_answer(site: &ProcessSite, measure: Measure) -> Row {
    let (what, bound) = (measure.words(), measure.goal().1.unwrap_or_default());
    let mut times = site.figures().times(measure, true);
    times.extend(site.figures().times(measure, false));
    Row::of(Bound::L8, Tier::Processes, what, Goal::Longest(bound), Measured::times(times))
}
