//! The program's `soak`, from outside: one that is cut short leaves nothing behind. That one which runs to its end is well, ci/test sees.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn soak(arguments: &[&str], temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hpe3par-lab"));
    command
        .arg("soak")
        .args(["--workers", "2", "--volumes", "2", "--seed", "5"])
        .args(arguments)
        .env("TMPDIR", temporary);
    command
}

/// Numbers of the processes that a process started.
fn started_by(parent: &Child) -> Vec<u32> {
    let of_parent = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|p| p.trim() == parent.id().to_string()))
    };
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(of_parent).collect()
}

#[test]
fn a_soak_that_is_cut_short_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut running =
        soak(&["--minutes", "5"], directory.path()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("0 of 300 s"), "{line}");
    let parts = started_by(&running);
    assert_eq!(parts.len(), 6, "three members of etcd, the array, two workers");
    kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let begun = Instant::now();
    while parts.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        assert!(begun.elapsed() < Duration::from_secs(10), "a process is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
