//! Runs the system's tools: an argument vector, never a shell; a deadline; a bounded output.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::step::Step;
use crate::node::NodeError;

/// Where tools are that a service's PATH often lacks.
const SYSTEM_DIRECTORIES: [&str; 6] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/lib/udev", "/lib/udev"];
/// How much of each output is kept, in bytes.
const LARGEST_OUTPUT: u64 = 1 << 20;

/// Finds and runs tools.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    directories: Vec<PathBuf>,
}

/// How a tool ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Exit code; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    /// Standard output.
    pub(super) output: String,
    /// Standard error.
    pub(super) errors: String,
}

impl Ended {
    pub(super) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// What the tool said, for an error: its standard error, else its output.
    pub(super) fn reason(&self, tool: &str) -> String {
        let said = if self.errors.trim().is_empty() { self.output.trim() } else { self.errors.trim() };
        let ending = self.code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("exit code {code}"));
        if said.is_empty() { format!("{tool}: {ending}") } else { format!("{tool}: {ending}: {said}") }
    }
}

impl Default for Commands {
    /// Tools from PATH, then from the usual directories.
    fn default() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = std::env::split_paths(&path)
            .filter(|directory| directory.is_absolute())
            .chain(SYSTEM_DIRECTORIES.iter().map(PathBuf::from))
            .collect();
        Self { directories }
    }
}

impl Commands {
    /// Tools from one directory only.
    #[cfg(test)]
    pub(super) fn only_from(directory: &Path) -> Self {
        Self { directories: vec![directory.to_owned()] }
    }

    /// The tool is installed.
    pub(super) fn has(&self, tool: &str) -> bool {
        self.find(tool).is_some()
    }

    fn find(&self, tool: &str) -> Option<PathBuf> {
        self.directories.iter().map(|directory| directory.join(tool)).find(|file| is_program(file))
    }

    /// Runs a tool to its end, whatever its exit code. When the deadline passes it is killed.
    ///
    /// # Errors
    /// The tool is not installed, cannot be started, or did not end in time.
    pub(super) async fn run(
        &self,
        step: &Step,
        deadline: Duration,
        tool: &str,
        arguments: &[&str],
    ) -> Result<Ended, NodeError> {
        self.run_to_its_end(step, deadline, tool, arguments, ()).await
    }

    /// The same; `until_ended` is dropped only when the process is gone, which for one that hangs in the kernel may be long
    /// after it was killed.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) async fn run_to_its_end(
        &self,
        step: &Step,
        deadline: Duration,
        tool: &str,
        arguments: &[&str],
        until_ended: impl Send + 'static,
    ) -> Result<Ended, NodeError> {
        let program = self
            .find(tool)
            .ok_or_else(|| step.unsupported(format_args!("{tool} is not installed; install it on this host")))?;
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let failed = |error: io::Error| step.failed(format_args!("{}: {error}", program.display()));
        let mut child = start(&program, &arguments).map_err(failed)?;
        match timeout(deadline, wait_for(&mut child)).await {
            Ok(ended) => ended.map_err(failed),
            Err(_) => {
                // An error means that it has ended by now.
                let _ = child.start_kill();
                tokio::spawn(async move {
                    let _ = child.wait().await;
                    drop(until_ended);
                });
                Err(step.timed_out(deadline))
            }
        }
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn start(program: &Path, arguments: &[OsString]) -> io::Result<Child> {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn wait_for(child: &mut Child) -> io::Result<Ended> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (status, output, errors) = tokio::try_join!(child.wait(), text_of(stdout), text_of(stderr))?;
    Ok(Ended { code: status.code(), output, errors })
}

/// Reads to the end, keeping the beginning: a tool that fills its pipe must not hang on it.
async fn text_of(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        (&mut stream).take(LARGEST_OUTPUT).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn step() -> Step {
        Step::new("trying", "a tool")
    }

    #[tokio::test]
    async fn output_and_exit_code_are_told_and_arguments_are_not_interpreted() {
        let commands = Commands::default();
        let ended = commands.run(&step(), LONG, "echo", &["$HOME", "; reboot"]).await.unwrap();
        assert_eq!((ended.code, ended.output.as_str()), (Some(0), "$HOME ; reboot\n"));
        let ended = commands.run(&step(), LONG, "ls", &["/nonexistent"]).await.unwrap();
        assert!(!ended.succeeded() && ended.reason("ls").contains("/nonexistent"));
    }

    #[tokio::test]
    async fn a_tool_that_hangs_is_killed() {
        let hung = Commands::default().run(&step(), Duration::from_millis(50), "sleep", &["1000"]).await;
        assert!(matches!(hung, Err(NodeError::TimedOut { .. })));
    }

    #[tokio::test]
    async fn a_tool_that_talks_without_end_does_not_hang() {
        let ended = Commands::default().run(&step(), LONG, "head", &["-c", "3000000", "/dev/zero"]).await.unwrap();
        assert_eq!(ended.output.len(), 1 << 20);
    }

    #[tokio::test]
    async fn a_missing_tool_is_named() {
        let error = Commands::default().run(&step(), LONG, "no-such-tool-here", &[]).await.unwrap_err();
        assert!(error.to_string().contains("no-such-tool-here is not installed"), "{error}");
    }
}
