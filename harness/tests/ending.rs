//! However `hpe3par-lab` ends, it leaves neither a process nor a directory behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A loaded machine is slow; nothing here takes longer than a second otherwise.
const SOON: Duration = Duration::from_secs(30);

/// The lab with a folder of its own for everything temporary.
struct Lab {
    child: Child,
    temporary: TempDir,
}

impl Lab {
    fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::Builder::new().prefix("lab-ending-").tempdir().unwrap();
        let child = command(temporary.path()).args(arguments).spawn().unwrap();
        Self { child, temporary }
    }

    /// Waits until etcd of this lab runs.
    fn has_etcd(&mut self) {
        wait("etcd to run", || {
            assert!(self.child.try_wait().unwrap().is_none(), "the lab ended before it was told to");
            !processes_of(self.temporary.path()).is_empty()
        });
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        wait("the lab to end", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    /// No process names the folder, and the folder is empty.
    fn nothing_is_left(&self) {
        wait("its processes to end", || processes_of(self.temporary.path()).is_empty());
        let left: Vec<_> = fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hpe3par-lab"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command
        .current_dir(root)
        .env("TMPDIR", temporary)
        .env_remove("ETCD")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Processes whose command line names a folder: etcd is told where its data are.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let processes = fs::read_dir("/proc").unwrap();
    let command_lines = processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let command_lines = command_lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    command_lines.filter(|line| line.contains(&folder)).collect()
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < SOON, "waited {SOON:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the lab says when it cannot do what it is asked.
fn refused(arguments: &[&str], etcd: Option<&str>) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = command(temporary.path());
    if let Some(etcd) = etcd {
        command.env("ETCD", etcd);
    }
    let begun = Instant::now();
    let output = command.args(arguments).output().unwrap();
    assert!(!output.status.success());
    assert!(begun.elapsed() < SOON / 2, "it took {:?} to say so", begun.elapsed());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_signal_cuts_any_command_short_and_everything_is_gone() {
    let junit = tempfile::tempdir().unwrap();
    let junit = junit.path().join("scenarios.xml").display().to_string();
    let cases: [(&[&str], Signal, i32); 5] = [
        (&["demo", "--delay", "60"], Signal::INT, 130),
        (&["test", "--junit", &junit], Signal::TERM, 143),
        (&["bench"], Signal::HUP, 129),
        (&["up", "--workers", "5"], Signal::TERM, 143),
        (&["demo", "--keep"], Signal::INT, 130),
    ];
    for (arguments, signal, code) in cases {
        let mut lab = Lab::start(arguments);
        lab.has_etcd();
        lab.signal(signal);
        assert_eq!(lab.ended().code(), Some(code), "{arguments:?}");
        lab.nothing_is_left();
    }
}

#[test]
fn a_signal_in_the_middle_of_a_takeover_leaves_nothing_either() {
    let mut lab = Lab::start(&["demo", "--delay", "60"]);
    let mut story = BufReader::new(lab.child.stdout.take().unwrap()).lines();
    assert!(story.any(|line| line.unwrap().contains("waits")), "worker2 never waited");
    lab.signal(Signal::TERM);
    assert_eq!(lab.ended().code(), Some(143));
    lab.nothing_is_left();
}

#[test]
fn a_site_to_play_with_ends_well_when_it_is_told_to() {
    let mut lab = Lab::start(&["up", "--workers", "2"]);
    let mut line = String::new();
    BufReader::new(lab.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(r#""event":"ready""#), "{line}");
    lab.signal(Signal::TERM);
    assert_eq!(lab.ended().code(), Some(0));
    lab.nothing_is_left();
}

#[test]
fn a_lab_that_is_killed_takes_its_etcd_along() {
    let mut lab = Lab::start(&["up", "--workers", "1"]);
    lab.has_etcd();
    lab.signal(Signal::KILL);
    lab.ended();
    wait("etcd to end", || processes_of(lab.temporary.path()).is_empty());
}

#[test]
fn an_etcd_that_does_not_run_is_told_at_once() {
    let text = refused(&["up"], Some("/bin/true"));
    assert!(text.contains("/bin/true") && text.contains("ended by itself"), "{text}");
    let text = refused(&["up"], Some("/nonexistent/etcd"));
    assert!(text.contains("/nonexistent/etcd"), "{text}");
}

#[test]
fn impossible_numbers_and_settings_are_refused_with_a_reason() {
    for (arguments, words) in [
        (&["test", "--concurrency", "0"][..], "1..=64"),
        (&["up", "--workers", "-5"], "1..=64"),
        (&["up", "--set", "nonsense"], "KEY=VALUE"),
        (&["up", "--set", "mount_conflict_delay=-3"], "mount_conflict_delay"),
        (&["test", "--tags", "@nosuch"], "@ghost-write"),
        (&["test", "--features", "/nonexistent"], "/nonexistent"),
    ] {
        let text = refused(arguments, None);
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let mut lab = Lab::start(&["demo", "--delay", "0"]);
    drop(lab.child.stdout.take());
    let mut said = String::new();
    lab.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    lab.ended();
    assert!(!said.contains("panicked"), "{said}");
    lab.nothing_is_left();
}
