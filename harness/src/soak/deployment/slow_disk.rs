//! A slow disk for one process: strace holds each of its syncs back. It needs no privilege, no device and no other filesystem, and
//! with its filter in the kernel the process's other system calls run at full speed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian has it.
const STRACE: &str = "/usr/bin/strace";
/// How much longer each sync takes, in microseconds: etcd itself warns of more than 100 ms.
const LONGER: u32 = 250_000;

/// The same command on a slow disk; `None` where there is no strace.
pub(super) fn slowed(command: &Command) -> Option<Command> {
    slowed_by(Path::new(STRACE), command)
}

fn slowed_by(strace: &Path, command: &Command) -> Option<Command> {
    if !strace.exists() {
        return None;
    }
    // The outer command dies with its parent, and what strace runs dies with strace: both are what `command` is.
    let mut slow = crate::cluster::etcd::dying_with_its_parent(strace);
    slow.args(["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"])
        .args(["-e", "trace=fsync,fdatasync"])
        .args(["-e", &format!("inject=fsync,fdatasync:delay_exit={LONGER}"), "--"])
        .arg(PathBuf::from(command.get_program()))
        .args(command.get_args())
        .stdout(std::process::Stdio::null());
    Some(slow)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_sync_takes_longer() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("dd");
        let file = directory.path().join("file");
        command.args(["if=/dev/zero", "bs=512", "count=1", "conv=fdatasync", "status=none"]);
        command.arg(format!("of={}", file.display()));
        // Where there is no strace the soak stutters instead.
        let Some(mut slow) = slowed(&command) else { return };
        let begun = Instant::now();
        assert!(slow.status().unwrap().success());
        assert!(begun.elapsed() >= Duration::from_micros(u64::from(LONGER)));
        assert_eq!(std::fs::metadata(file).unwrap().len(), 512);
    }

    #[test]
    fn without_the_tool_there_is_none() {
        assert!(slowed_by(Path::new("/nowhere/strace"), &Command::new("true")).is_none());
    }
}
