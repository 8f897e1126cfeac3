//! Panics of a plugin, which a runtime swallows with the task they happen in, are written to the plugin's log.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread::ThreadId;

use super::log_buffer::LogBuffer;

/// Stands before a panic in a log.
pub const MARK: &str = "PANIC:";

static LOGS: LazyLock<Mutex<HashMap<ThreadId, LogBuffer>>> = LazyLock::new(Mutex::default);

/// While this lives, panics of the thread that made it go to a log.
#[derive(Debug)]
pub struct Heard(ThreadId);

/// Writes panics of this thread to `log` until the answer is dropped.
#[must_use]
pub fn written_to(log: LogBuffer) -> Heard {
    static HOOK: Once = Once::new();
    HOOK.call_once(install);
    let thread = std::thread::current().id();
    logs().insert(thread, log);
    Heard(thread)
}

impl Drop for Heard {
    fn drop(&mut self) {
        logs().remove(&self.0);
    }
}

fn logs() -> MutexGuard<'static, HashMap<ThreadId, LogBuffer>> {
    LOGS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn install() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let log = logs().get(&std::thread::current().id()).cloned();
        match log {
            // A log in memory takes every write.
            Some(mut log) => drop(writeln!(log, "{MARK} {panic}")),
            None => before(panic),
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_in_the_log_of_its_thread_only() {
        let (mine, theirs) = (LogBuffer::default(), LogBuffer::default());
        let _heard = written_to(mine.clone());
        let log = theirs.clone();
        let thread = std::thread::spawn(move || {
            let _heard = written_to(log);
            panic!("out of luck");
        });
        assert!(thread.join().is_err());
        assert!(theirs.text().contains(MARK) && theirs.text().contains("out of luck"));
        assert!(mine.text().is_empty());
    }
}
