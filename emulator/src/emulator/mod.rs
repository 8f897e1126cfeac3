//! The handle on an array that front ends and callers in the same process share.

mod partners;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::array::{Array, ArrayConfig, Port};
use crate::faults::{Call, FaultPlan, Verdict};

/// Longest time between two looks at what is due by itself, such as the expiry of sessions.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Gives the time since the start of the array.
type Clock = dyn Fn() -> Duration + Send + Sync;

/// What all clones of a handle share.
struct Shared {
    array: Mutex<Array>,
    faults: Mutex<FaultPlan>,
    clock: Box<Clock>,
    last_event: watch::Sender<u64>,
    /// Arrays behind remote copy targets.
    partners: Mutex<Vec<partners::Partner>>,
    /// Place in the order in which several arrays are locked.
    serial: u64,
}

impl Shared {
    /// Tells those who wait about events up to number `last`.
    fn tell(&self, last: u64) {
        self.last_event.send_if_modified(|held| std::mem::replace(held, last) != last);
    }
}

/// A handle on an array; clones are handles on the same array.
///
/// It works without a runtime. The lock inside is held only while a closure runs, never over an `await`.
#[derive(Clone)]
pub struct Emulator {
    shared: Arc<Shared>,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Locks; a caller that panicked inside leaves a state that is still whole enough to look at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Emulator {
    /// A new array whose time runs with the system's monotonic clock.
    #[must_use]
    pub fn new(config: ArrayConfig) -> Self {
        let start = Instant::now();
        Self::with_clock(config, move || start.elapsed())
    }

    /// A new array whose time is what `clock` says: time since the start, never going back. For simulations.
    #[must_use]
    pub fn with_clock(config: ArrayConfig, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let faults = FaultPlan::new(config.seed);
        let shared = Shared {
            array: Mutex::new(Array::new(config)),
            faults: Mutex::new(faults),
            clock: Box::new(clock),
            last_event: watch::Sender::new(0),
            partners: Mutex::default(),
            serial: partners::next_serial(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        (self.shared.clock)()
    }

    /// Runs a closure on the array at the current time, and tells those who wait when it made events. Everything that was due by
    /// then has happened before the closure looks.
    ///
    /// Do not call another method of the handle inside the closure: the lock is held.
    pub fn with<T>(&self, run: impl FnOnce(&mut Array, Duration) -> T) -> T {
        let mut array = lock(&self.shared.array);
        let now = self.now();
        array.advance(now);
        let result = run(&mut array, now);
        let (last, waiting) = (array.events().last_seq(), array.has_replication_waiting());
        drop(array);
        self.shared.tell(last);
        if waiting {
            // What was written is on the other array before the caller goes on.
            self.replicate();
        }
        result
    }

    /// Number of the last event; the receiver wakes when there is a newer one.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.last_event.subscribe()
    }

    /// Waits until there is an event with a number above `seq`; gives the number of the last one.
    pub async fn event_after(&self, seq: u64) -> u64 {
        let mut receiver = self.subscribe();
        // The sender lives as long as this handle, so waiting cannot fail.
        receiver.wait_for(|last| *last > seq).await.map_or(seq, |last| *last)
    }

    /// Asks the fault plan about a call.
    #[must_use]
    pub fn judge(&self, call: &Call) -> Verdict {
        lock(&self.shared.faults).judge(call)
    }

    /// Runs a closure on the fault plan.
    pub fn with_faults<T>(&self, run: impl FnOnce(&mut FaultPlan) -> T) -> T {
        run(&mut lock(&self.shared.faults))
    }

    /// A copy of everything: objects, data, sessions, events, ledger.
    #[must_use]
    pub fn snapshot(&self) -> Array {
        self.with(|array, _| array.clone())
    }

    /// Puts the array back to a snapshot. Its time goes on from now; sessions of initiators are those of the snapshot.
    pub fn restore(&self, snapshot: Array) {
        self.with(|array, _| *array = snapshot.in_place_of(array));
    }

    /// Puts the array back to its birth and empties the fault plan.
    pub fn reset(&self) {
        self.with(|array, _| *array = Array::new(array.config().clone()).in_place_of(array));
        self.with_faults(FaultPlan::clear);
    }

    /// Portals of the iSCSI ports, in the order of the ports.
    #[must_use]
    pub fn iscsi_portals(&self) -> Vec<SocketAddr> {
        self.with(|array, _| array.ports().iter().filter_map(Port::iscsi).map(|(_, portal)| portal).collect())
    }

    /// Lets things that are due happen at their time although nobody calls; never returns. Run it beside the front ends.
    pub async fn keep_time(&self) {
        loop {
            let due = self.with(|array, now| array.next_due().map(|due| due.saturating_sub(now)));
            tokio::time::sleep(due.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)).await;
            crate::cli::run_due_schedules(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::array::{CreateHost, CreateVlun, CreateVolume, RemovalAnomaly, VlunFilter};
    use crate::faults::{FaultKind, FaultRule};

    /// An array whose seconds the test counts.
    fn with_hand_clock() -> (Emulator, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(0));
        let hand = Arc::clone(&seconds);
        (
            Emulator::with_clock(ArrayConfig::default(), move || Duration::from_secs(hand.load(Ordering::Relaxed))),
            seconds,
        )
    }

    fn make_volume(emulator: &Emulator, name: &str) {
        emulator.with(|array, now| array.create_volume(now, &CreateVolume::thin(name, "FC_r6", 256))).unwrap();
    }

    #[test]
    fn what_is_due_has_happened_before_anyone_looks() {
        let (emulator, seconds) = with_hand_clock();
        make_volume(&emulator, "v1");
        emulator
            .with(|array, now| {
                array.create_host(now, &CreateHost::iscsi("h1", &[]))?;
                let made = array.create_vlun(now, &CreateVlun::host_sees("v1", 1, "h1"))?;
                array.remove_vlun_as(now, &made.address, RemovalAnomaly::Slow(Duration::from_secs(5)))
            })
            .unwrap();
        let rows = || emulator.with(|array, _| array.vlun_rows(&VlunFilter::default()).len());
        assert_eq!(rows(), 1);
        seconds.store(5, Ordering::Relaxed);
        assert_eq!(rows(), 0);
    }

    #[tokio::test]
    async fn those_who_wait_hear_of_events() {
        let (emulator, _) = with_hand_clock();
        let waiting = tokio::spawn({
            let emulator = emulator.clone();
            async move { emulator.event_after(0).await }
        });
        make_volume(&emulator, "v1");
        assert_eq!(waiting.await.unwrap(), 1);
        assert_eq!(emulator.event_after(0).await, 1, "an event in the past is not waited for");
    }

    #[test]
    fn a_snapshot_brings_everything_back() {
        let (emulator, _) = with_hand_clock();
        make_volume(&emulator, "v1");
        let snapshot = emulator.snapshot();
        make_volume(&emulator, "v2");
        emulator.restore(snapshot);
        let names =
            |emulator: &Emulator| emulator.with(|a, _| a.volumes().map(|v| v.name.to_string()).collect::<Vec<_>>());
        assert_eq!(names(&emulator), ["v1"]);
        emulator.with_faults(|plan| plan.add(FaultRule::new(None, "", FaultKind::Hang)));
        emulator.reset();
        assert!(names(&emulator).is_empty());
        assert_eq!(emulator.judge(&Call::cli("showvv")), Verdict::Pass);
    }
}
