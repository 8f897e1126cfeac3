//! A process that a soak started: it is known by its handle, never by name, and does not outlive the soak.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::wall_clock;
use crate::cluster::etcd::dying_with_its_parent;

/// How long a process may take until it says that it is ready.
const READY: Duration = Duration::from_secs(40);

/// A running process. Dropping it kills it and waits until it is gone, also when it was frozen.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: Process,
    pid: Pid,
}

/// How a part is started.
#[derive(Debug, Clone, Default)]
pub struct How<'a> {
    /// The program; this very one if it is `None`.
    pub program: Option<&'a Path>,
    /// Further environment.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Child {
    /// Starts a program; what it writes to stderr is appended to a file. Its stdin stays open for as long as it is held.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, stderr: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(stderr);
        let log = log.with_context(|| format!("opening {}", stderr.display()))?;
        let process = command.stdin(Stdio::piped()).stderr(log).spawn().with_context(|| format!("starting {name}"))?;
        let number = i32::try_from(process.id()).context("process id out of range")?;
        let pid = Pid::from_raw(number).context("process id 0")?;
        Ok(Self { name: name.to_owned(), process, pid })
    }

    /// Starts a part of the soak with a plan; gives the line with which it says that it is ready.
    ///
    /// # Errors
    /// When it does not start, or says nothing within 40 s.
    pub async fn part(name: &str, part: &str, plan: &Path, stderr: &Path, how: &How<'_>) -> Result<(Self, String)> {
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = dying_with_its_parent(how.program.unwrap_or(&own));
        command.args(["part", part]).arg(plan).stdout(Stdio::piped());
        command.envs(how.environment.iter().map(|(name, value)| (name, value)));
        let mut child = Self::start(name, &mut command, stderr)?;
        let stdout = child.process.stdout.take().context("no stdout")?;
        let mut line = String::new();
        let mut reader = BufReader::new(ChildStdout::from_std(stdout).context("reading from a part")?);
        match timeout(READY, reader.read_line(&mut line)).await {
            Ok(Ok(length)) if length > 0 => Ok((child, line)),
            Ok(_) => bail!("{name} ended at once; it said: {}", said(stderr)),
            Err(_) => bail!("{name} was not ready within {READY:?}; it said: {}", said(stderr)),
        }
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Freezes it (SIGSTOP).
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// When it is gone.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Errors
    /// When it is gone.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// It has not ended. A process that ended keeps its number until it is waited for, so no signal reaches another one.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Ends it at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        wall_clock::tidy_up_after(self.pid());
    }

    /// Waits until it has ended by itself; tells whether it did in time.
    pub async fn ended(&mut self, within: Duration) -> bool {
        let begun = tokio::time::Instant::now();
        while self.is_running() {
            if begun.elapsed() > within {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("sending {signal:?} to {}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of what a process wrote to stderr.
pub(crate) fn said(stderr: &Path) -> String {
    let text = std::fs::read_to_string(stderr).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// Memory of a process that is in RAM, in bytes; `None` when it is gone.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// A process with this number exists, running or not.
#[must_use]
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Copies a directory with everything in it.
///
/// # Errors
/// When something cannot be read or written.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_process_is_gone_once_its_handle_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let stderr = directory.path().join("stderr");
        let mut child = Child::start("cat", &mut Command::new("cat"), &stderr).unwrap();
        let pid = child.pid();
        assert!(child.is_running() && exists(pid) && resident_bytes(pid).is_some());
        child.freeze().unwrap();
        drop(child);
        assert!(!exists(pid));
    }

    #[tokio::test]
    async fn a_process_ends_when_its_stdin_does() {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Child::start("cat", &mut Command::new("cat"), &directory.path().join("stderr")).unwrap();
        assert!(!child.ended(Duration::from_millis(50)).await);
        child.process.stdin.take();
        assert!(child.ended(Duration::from_secs(5)).await);
    }
}
