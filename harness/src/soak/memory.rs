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
/// Growth that is judged needs this many looks at a warm process.
const ENOUGH: usize = 60;
/// Growth that is no leak, in bytes and in parts of 100.
const NOISE: (u64, u64) = (12 << 20, 25);

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

/// The memory of whoever had a name last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resident {
    /// Name.
    pub name: String,
    /// How many processes had it, one after the other.
    pub processes: usize,
    /// How long the last one has been looked at.
    pub watched: Duration,
    /// When it was warm, or at the first look.
    pub first_bytes: u64,
    /// At the last look.
    pub last_bytes: u64,
    /// The most.
    pub most_bytes: u64,
    /// It is a worker's, and grew by more than noise, half of its warm time against the other half. etcd and the array keep
    /// everything that ever happened and are only looked at.
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

    /// The last process of every name.
    #[must_use]
    pub fn residents(&self) -> Vec<Resident> {
        self.lock().iter().filter_map(|(name, processes)| resident(name, processes)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Process>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn resident(name: &str, processes: &[Process]) -> Option<Resident> {
    let looks = &processes.last()?.looks;
    let (first, last) = (looks.first()?, looks.last()?);
    let warm: Vec<&Look> = looks.iter().filter(|look| look.at >= first.at + WARM).collect();
    Some(Resident {
        name: name.to_owned(),
        processes: processes.len(),
        watched: last.at.saturating_sub(first.at),
        first_bytes: warm.first().map_or(first.bytes, |look| look.bytes),
        last_bytes: last.bytes,
        most_bytes: looks.iter().map(|look| look.bytes).max().unwrap_or_default(),
        grows: name.starts_with("worker") && grows(&warm),
    })
}

/// The medians of both halves are compared, so that one high moment is no growth.
fn grows(warm: &[&Look]) -> bool {
    if warm.len() < ENOUGH {
        return false;
    }
    let (early, late) = warm.split_at(warm.len() / 2);
    let (early, late) = (median(early), median(late));
    late > early + NOISE.0.max(early * NOISE.1 / 100)
}

fn median(looks: &[&Look]) -> u64 {
    let mut bytes: Vec<u64> = looks.iter().map(|look| look.bytes).collect();
    bytes.sort_unstable();
    bytes.get(bytes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(bytes: impl Fn(u64) -> u64) -> Resident {
        let memory = Memory::default();
        for second in 0..300 {
            memory.note("worker1", 7, Look { at: Duration::from_secs(second), bytes: bytes(second) });
        }
        memory.residents().remove(0)
    }

    #[test]
    fn a_leak_is_seen_and_a_warm_process_with_moments_is_none() {
        assert!(watched(|second| (50 << 20) + second * (200 << 10)).grows);
        assert!(!watched(|second| if second < 20 { 10 << 20 } else { 50 << 20 }).grows);
        assert!(!watched(|second| if second == 200 { 500 << 20 } else { 50 << 20 }).grows);
    }

    #[test]
    fn a_new_process_of_a_name_begins_anew() {
        let memory = Memory::default();
        for pid in [7, 8] {
            memory.note("worker2", pid, Look { at: Duration::from_secs(u64::from(pid)), bytes: 1 << pid });
        }
        let resident = memory.residents().remove(0);
        assert_eq!((resident.processes, resident.first_bytes), (2, 1 << 8));
    }
}
