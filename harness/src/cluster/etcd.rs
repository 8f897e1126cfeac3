//! A real etcd as a child process, one member, on loopback, gone when dropped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wait::wait_for_condition;

/// How often a start is tried when somebody else took the port in between.
const STARTS: u32 = 5;
/// What etcd says then.
const PORT_TAKEN: &str = "address already in use";
/// Part of util-linux; it has the kernel kill the program when the lab dies, however the lab dies.
const SETPRIV: &str = "/usr/bin/setpriv";
/// How long a member may take until it answers.
const READY: Duration = Duration::from_secs(20);
/// How often a starting member is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// A running etcd member. Dropping it ends the process, also when it was paused.
#[derive(Debug)]
pub struct Etcd {
    program: PathBuf,
    directory: TempDir,
    client: SocketAddr,
    peer: SocketAddr,
    child: Option<Child>,
}

impl Etcd {
    /// Starts etcd on an empty directory and waits until it answers.
    ///
    /// # Errors
    /// When no etcd is installed, or it does not answer within 20 s; the error holds the end of its log.
    pub async fn start() -> Result<Self> {
        let program = find_program()?;
        let mut tried = 0;
        loop {
            tried += 1;
            let directory = tempfile::Builder::new()
                .prefix("hpe3par-lab-etcd-")
                .tempdir()
                .context("making a directory for etcd")?;
            let address = own_loopback_address();
            let mut etcd = Self {
                program: program.clone(),
                directory,
                client: free_port(address)?,
                peer: free_port(address)?,
                child: None,
            };
            match etcd.spawn().await {
                Ok(()) => return Ok(etcd),
                Err(error) if tried < STARTS && error.to_string().contains(PORT_TAKEN) => {}
                Err(error) => return Err(error.context(format!("etcd ({}) did not start", program.display()))),
            }
        }
    }

    /// Address of the client interface.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.client
    }

    /// URL of the client interface.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.client)
    }

    /// Freezes the process (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// When etcd does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on (SIGCONT).
    ///
    /// # Errors
    /// When etcd does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// The process was started and not killed; it may be frozen.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Ends the process at once (SIGKILL); its data stay.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }

    /// Starts a killed member again on the same data and addresses.
    ///
    /// # Errors
    /// When it still runs or does not answer in time.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "etcd still runs; kill it before it is restarted");
        self.spawn().await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("etcd does not run")?;
        kill_process(pid_of(child)?, signal).with_context(|| format!("sending {signal:?} to etcd"))
    }

    async fn spawn(&mut self) -> Result<()> {
        let log = self.directory.path().join("etcd.log");
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let child =
            self.command().stderr(stderr).spawn().with_context(|| format!("running {}", self.program.display()))?;
        self.child = Some(child);
        let client = self.client;
        let ready = tokio::select! {
            biased;
            ended = until_ended(self.child.as_mut()) => Err(ended),
            ready = wait_for_condition("etcd to answer", READY, || health(client)) => ready.map_err(|error| error.to_string()),
        };
        let Err(why) = ready else { return Ok(()) };
        self.kill();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        bail!("{why}; {}", last_words(&said))
    }

    /// Short heartbeats: the shortest lease of a member is one and a half election times, rounded up to seconds.
    fn command(&self) -> Command {
        let (client, peer) = (format!("http://{}", self.client), format!("http://{}", self.peer));
        let mut command = dying_with_its_parent(&self.program);
        command
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args(["--name", "lab", "--initial-cluster", &format!("lab={peer}")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--heartbeat-interval", "20", "--election-timeout", "200", "--log-level", "error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) async fn health(server: SocketAddr) -> Result<(), String> {
    let asked = tokio::time::timeout(Duration::from_secs(1), ask_health(server)).await;
    let answer = asked.map_err(|_| "no answer within 1 s".to_owned())?.map_err(|error| error.to_string())?;
    if answer.contains(r#""health":"true""#) { Ok(()) } else { Err(answer) }
}

/// Waits until the process has ended by itself; says how.
async fn until_ended(child: Option<&mut Child>) -> String {
    let Some(child) = child else { return "it was not started".to_owned() };
    loop {
        match child.try_wait() {
            Ok(None) => tokio::time::sleep(LOOK).await,
            Ok(Some(status)) => return format!("it ended by itself ({status})"),
            Err(error) => return format!("the system does not know the process any more: {error}"),
        }
    }
}

/// A command that the kernel kills when the thread that started it ends, so that not even `kill -9` of the lab leaves it
/// running. Without setpriv it lives until it is killed or dropped.
pub(crate) fn dying_with_its_parent(program: &Path) -> Command {
    if !Path::new(SETPRIV).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

async fn ask_health(server: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(b"GET /health HTTP/1.0\r\nHost: etcd\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// SIGKILL reaches a stopped process as well, but it is woken first so that its port is closed at once.
fn end(child: &mut Child) {
    if let Ok(pid) = pid_of(child) {
        let _ = kill_process(pid, Signal::CONT);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn pid_of(child: &Child) -> Result<Pid> {
    let number = i32::try_from(child.id()).context("process id out of range")?;
    Pid::from_raw(number).context("process id 0")
}

pub(crate) fn find_program() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ETCD").map(PathBuf::from) {
        ensure!(is_program(&given), "ETCD={}: there is no such program", given.display());
        return Ok(given);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("etcd")).find(|file| is_program(file)).context(
        "no etcd on the PATH; install it (Debian, Ubuntu: apt-get install etcd-server), or name the program in the variable ETCD",
    )
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Each member gets a loopback address of its own, so that a port freed by a kill is still free at the restart.
fn own_loopback_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    let [_, _, high, low] = process.to_be_bytes();
    let [_, _, _, number] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 1 + (high & 0x7f), low, 1 + (number % 250))
}

pub(crate) fn free_port(address: Ipv4Addr) -> Result<SocketAddr> {
    let listener = TcpListener::bind(SocketAddrV4::new(address, 0))
        .with_context(|| format!("looking for a free port at {address}"))?;
    listener.local_addr().context("reading the free port")
}

fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    if lines.is_empty() {
        return "it wrote nothing to stderr".to_owned();
    }
    format!("it said: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_its_data_across_a_kill_and_leaves_nothing_behind() {
        let mut etcd = Etcd::start().await.unwrap();
        let (address, directory) = (etcd.address(), etcd.directory.path().to_path_buf());
        etcd.kill();
        assert!(health(address).await.is_err());
        etcd.restart().await.unwrap();
        assert_eq!(etcd.address(), address);
        etcd.pause().unwrap();
        drop(etcd);
        assert!(!directory.exists());
    }
}
