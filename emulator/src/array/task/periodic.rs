//! What every array does by itself: checks of disks, and the removal of expired volumes.

use std::time::Duration;

use super::{Array, TaskKind};

/// Account of the array's own tasks (observed).
const SERVICE_USER: &str = "3parsvc";
/// How often expired volumes are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(3600);
/// How often disks are checked.
const CHECK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// When the array's own tasks run next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PeriodicTasks {
    expiry: Duration,
    check: Duration,
}

impl Array {
    /// Runs the array's own tasks whose time has come. When much time went by at once, each runs once, at its last time.
    pub(crate) fn do_periodic_tasks(&mut self) {
        let now = self.now;
        if self.periodic.check <= now {
            let at = last_run(now, CHECK_EVERY);
            self.enter_ended_task(TaskKind::System, "check_slow_disk", SERVICE_USER, at);
            self.periodic.check = at + CHECK_EVERY;
        }
        if self.periodic.expiry <= now {
            let at = last_run(now, EXPIRY_EVERY);
            self.enter_ended_task(TaskKind::System, "remove_expired_vvs", SERVICE_USER, at);
            self.periodic.expiry = at + EXPIRY_EVERY;
            self.remove_expired_volumes(at);
        }
    }

    /// Deletes the volumes that expired by `at`, as far as they can be deleted: those that are exported, in a set, retained or have
    /// copies stay until a later run. Copies go before their parents.
    fn remove_expired_volumes(&mut self, at: Duration) {
        let expired = self.volume_index.expired(self.timestamp(at));
        // A copy has mostly a higher number than its parent; what is missed goes with the next run.
        for id in expired.into_iter().rev() {
            let Some(name) = self.volume_by_id(id).map(|v| v.name.clone()) else { continue };
            if self.refuse_removal(name.as_str()).is_ok() {
                self.take_volume(name.as_str());
            }
        }
    }

    /// Deletes the volumes that have expired now, without waiting for the hourly run; gives their names.
    pub fn remove_expired(&mut self, now: Duration) -> Vec<String> {
        self.advance(now);
        let before: Vec<u32> = self.volume_index.expired(self.timestamp(now));
        let names: Vec<String> =
            before.iter().filter_map(|id| self.volume_by_id(*id)).map(|v| v.name.to_string()).collect();
        self.remove_expired_volumes(now);
        names.into_iter().filter(|name| self.volumes.named(name.as_str()).is_none()).collect()
    }
}

/// The last whole period up to `now`.
fn last_run(now: Duration, every: Duration) -> Duration {
    Duration::from_secs(now.as_secs() / every.as_secs() * every.as_secs())
}
