//! The wall clock of one process, set by libfaketime (Debian: faketime), where it is installed. The monotonic clock stays as it is: it
//! cannot jump on a real machine either. It works for a worker, which asks the C library for the time; not for etcd, which asks
//! the kernel.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where Debian has it, for each architecture.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// Where Linux has shared memory by name.
const SHARED_MEMORY: &str = "/dev/shm";

/// The wall clock of a worker.
#[derive(Debug)]
pub(super) struct WallClock {
    library: PathBuf,
    /// Holds by how much the clock is ahead.
    file: PathBuf,
}

impl WallClock {
    /// A clock that is right; `None` where it cannot be set.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub(super) fn of(directory: &Path) -> Result<Option<Self>> {
        let Some(library) = library() else { return Ok(None) };
        let clock = Self { library, file: directory.join("wall-clock") };
        clock.set(0)?;
        Ok(Some(clock))
    }

    /// Sets it ahead by so many seconds, or behind. The process sees it within a second.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub(super) fn set(&self, seconds: i64) -> Result<()> {
        // Replaced as a whole: the process may be reading it.
        let new = self.file.with_extension("new");
        let written = std::fs::write(&new, format!("{seconds:+}s\n")).and_then(|()| std::fs::rename(&new, &self.file));
        written.with_context(|| format!("setting the wall clock in {}", self.file.display()))
    }

    /// What the process has to find in its environment.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
    }
}

/// Removes what libfaketime keeps for a process in shared memory: one that was killed could not.
pub(super) fn tidy_up_after(pid: u32) {
    for name in [format!("faketime_shm_{pid}"), format!("sem.faketime_sem_{pid}")] {
        // Mostly there is none.
        let _ = std::fs::remove_file(Path::new(SHARED_MEMORY).join(name));
    }
}

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir(LIBRARIES).ok()?;
    folders.flatten().map(|folder| folder.path().join(LIBRARY)).find(|library| library.exists())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn now(clock: &WallClock) -> i64 {
        let said = Command::new("date").arg("+%s").envs(clock.environment()).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn a_process_sees_the_time_that_is_set() {
        let directory = tempfile::tempdir().unwrap();
        // Where it is not installed no clock jumps.
        let Some(clock) = WallClock::of(directory.path()).unwrap() else { return };
        let right = now(&clock);
        clock.set(86_400).unwrap();
        assert!((86_390..86_500).contains(&(now(&clock) - right)));
        clock.set(-3_600).unwrap();
        assert!((-3_610..-3_500).contains(&(now(&clock) - right)));
    }
}
