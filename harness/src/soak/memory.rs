//! Memory of every process over time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::deployment::{Deployment, resident_bytes};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// A process is warm after this time: connections are open, buffers have their size.
const WARM: Duration = Duration::from_secs(30);
/// Growth that is judged needs a warm process that was watched for so long.
const ENOUGH: Duration = Duration::from_secs(240);
/// Growth between the first and the second half of a warm process's time that is no leak: an allocator's arenas, a longest queue.
const NOISE: u64 = 8 << 20;
/// Looks that the slope is taken from, spread over the time; every pair of them is looked at.
const POINTS: usize = 300;
const HOUR: f64 = 3_600.0;

/// How fast the memory of a process may grow, in bytes an hour; `None` where it is only looked at: a database keeps what is written
/// to it, and maps its file.
fn limit(name: &str) -> Option<u64> {
    if name.starts_with("worker") {
        Some(24 << 20)
    } else if name == "array" {
        Some(96 << 20)
    } else {
        None
    }
}

/// One look at one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    at: Duration,
    bytes: u64,
}

/// What is known of the memory of all processes.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Vec<Process>>>);

/// One process: a name may have had several.
#[derive(Debug)]
struct Process {
    pid: u32,
    looks: Vec<Look>,
}

/// The memory of the process that was watched longest under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resident {
    /// Name.
    pub name: String,
    /// How many processes had it, one after the other.
    pub processes: usize,
    /// How long this one was looked at.
    pub watched: Duration,
    /// When it was warm, or at the first look.
    pub first_bytes: u64,
    /// At the last look.
    pub last_bytes: u64,
    /// The most.
    pub most_bytes: u64,
    /// Bytes an hour by which it grew while it was warm: the median slope between all pairs of looks. `None` when it was not watched
    /// for long enough to say.
    pub slope: Option<i64>,
    /// Bytes an hour by which it may grow.
    pub limit: Option<u64>,
    /// It grew faster than that, and by more than noise.
    pub grows: bool,
}

impl Memory {
    /// Looks until dropped.
    pub async fn watch(self: Arc<Self>, deployment: Arc<Deployment>) {
        loop {
            for (name, pid) in deployment.processes().await {
                if let Some(bytes) = resident_bytes(pid) {
                    self.note(&name, pid, Look { at: deployment.clock.now(), bytes });
                }
            }
            sleep(LOOK).await;
        }
    }

    fn note(&self, name: &str, pid: u32, look: Look) {
        let mut all = self.lock();
        let processes = all.entry(name.to_owned()).or_default();
        match processes.last_mut().filter(|process| process.pid == pid) {
            Some(process) => process.looks.push(look),
            None => processes.push(Process { pid, looks: vec![look] }),
        }
    }

    /// One process of every name.
    #[must_use]
    pub fn residents(&self) -> Vec<Resident> {
        self.lock().iter().filter_map(|(name, processes)| resident(name, processes)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Process>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn resident(name: &str, processes: &[Process]) -> Option<Resident> {
    let watched = |process: &&Process| match (process.looks.first(), process.looks.last()) {
        (Some(first), Some(last)) => last.at.saturating_sub(first.at),
        _ => Duration::ZERO,
    };
    let looks = &processes.iter().max_by_key(watched)?.looks;
    let (first, last) = (looks.first()?, looks.last()?);
    let warm: Vec<Look> = looks.iter().copied().filter(|look| look.at >= first.at + WARM).collect();
    let long_enough = warm.first().is_some_and(|begin| last.at >= begin.at + ENOUGH);
    let (slope, limit) = (long_enough.then(|| slope(&warm)), limit(name));
    let fast = matches!((slope, limit), (Some(slope), Some(limit)) if slope > 0.0 && slope > limit as f64);
    Some(Resident {
        name: name.to_owned(),
        processes: processes.len(),
        watched: last.at.saturating_sub(first.at),
        first_bytes: warm.first().map_or(first.bytes, |look| look.bytes),
        last_bytes: last.bytes,
        most_bytes: looks.iter().map(|look| look.bytes).max().unwrap_or_default(),
        slope: slope.map(|slope| slope as i64),
        limit,
        grows: fast && growth(&warm) > NOISE,
    })
}

/// The median slope between all pairs of looks (Theil and Sen), in bytes an hour: a few high or low moments do not change it.
fn slope(looks: &[Look]) -> f64 {
    let step = looks.len().div_ceil(POINTS).max(1);
    let points: Vec<&Look> = looks.iter().step_by(step).collect();
    let mut slopes = Vec::new();
    for (place, earlier) in points.iter().enumerate() {
        for later in points.iter().skip(place + 1) {
            let hours = later.at.saturating_sub(earlier.at).as_secs_f64() / HOUR;
            if hours > 0.0 {
                slopes.push((later.bytes as f64 - earlier.bytes as f64) / hours);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or_default()
}

/// By how much the median of the second half is above that of the first.
fn growth(warm: &[Look]) -> u64 {
    let (early, late) = warm.split_at(warm.len() / 2);
    median(late).saturating_sub(median(early))
}

fn median(looks: &[Look]) -> u64 {
    let mut bytes: Vec<u64> = looks.iter().map(|look| look.bytes).collect();
    bytes.sort_unstable();
    bytes.get(bytes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(name: &str, seconds: u64, bytes: impl Fn(u64) -> u64) -> Resident {
        let memory = Memory::default();
        for second in (0..seconds).step_by(2) {
            memory.note(name, 7, Look { at: Duration::from_secs(second), bytes: bytes(second) });
        }
        memory.residents().remove(0)
    }

    #[test]
    fn a_leak_is_seen_and_a_warm_process_with_moments_is_none() {
        let leak = watched("worker1", 3_600, |second| (50 << 20) + second * (20 << 10));
        assert!(leak.grows && leak.slope.is_some_and(|slope| (70 << 20..75 << 20).contains(&slope)), "{leak:?}");
        let flat = |second: u64| (50 << 20) + second % 7 * (300 << 10);
        for calm in [
            watched("worker1", 3_600, flat),
            watched("worker1", 3_600, |second| if second < 20 { 10 << 20 } else { 50 << 20 }),
            watched("worker1", 3_600, |second| if second % 600 < 20 { 500 << 20 } else { 50 << 20 }),
            watched("worker1", 3_600, |second| (50 << 20) + second * (2 << 10)),
        ] {
            assert!(!calm.grows && calm.slope.is_some(), "{calm:?}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_short_time_and_a_database_is_only_looked_at() {
        let short = watched("worker1", 120, |second| (50 << 20) + second * (1 << 20));
        assert!(!short.grows && short.slope.is_none());
        let database = watched("etcd1", 3_600, |second| (50 << 20) + second * (1 << 20));
        assert!(!database.grows && database.slope.is_some() && database.limit.is_none());
        assert!(watched("array", 3_600, |second| (50 << 20) + second * (1 << 20)).grows);
    }

    #[test]
    fn the_process_that_was_watched_longest_counts() {
        let memory = Memory::default();
        for second in 0..3_000 {
            let pid = if second < 2_900 { 7 } else { 8 };
            memory.note("worker2", pid, Look { at: Duration::from_secs(second), bytes: second * (1 << 20) });
        }
        let resident = memory.residents().remove(0);
        assert_eq!(resident.processes, 2);
        assert!(resident.grows, "the leak of the first one is not hidden by the restart");
    }
}
