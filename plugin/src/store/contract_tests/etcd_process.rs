//! A real etcd on loopback ports of its own, ended with the test.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::store::MetadataStore as _;
use crate::store::etcd::{EtcdSettings, EtcdStore};

/// How often another pair of ports is tried when the first was taken meanwhile.
const ATTEMPTS: usize = 5;
/// How long etcd may take to answer after its start; a loaded machine is slow.
const START: Duration = Duration::from_secs(30);

/// A deadline of calls that does not fail a test because the machine is busy.
pub(super) const GENEROUS: Duration = Duration::from_secs(10);

/// Addresses of a member.
#[derive(Clone)]
struct Ports {
    client: u16,
    peer: u16,
}

impl Ports {
    fn free() -> Self {
        let [client, peer] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        Self { client: client.local_addr().unwrap().port(), peer: peer.local_addr().unwrap().port() }
    }
}

/// One etcd member and its data directory.
pub(super) struct EtcdProcess {
    child: Child,
    arguments: Vec<String>,
    directory: PathBuf,
    pub(super) endpoint: String,
}

/// A running etcd with its directory, removed at the end.
pub(super) struct EtcdServer {
    member: EtcdProcess,
    _directory: TempDir,
}

impl EtcdProcess {
    /// Starts a cluster of one and waits until it answers.
    pub(super) async fn start() -> EtcdServer {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::tempdir().unwrap();
            let ports = Ports::free();
            let mut member = Self::spawn(directory.path(), 0, &[ports], "http", &[]);
            if member.answers().await {
                return EtcdServer { member, _directory: directory };
            }
        }
        panic!("etcd does not start; is it installed and on the PATH?");
    }

    /// Starts a cluster of three and waits until each answers.
    pub(super) async fn start_three() -> (Vec<Self>, TempDir) {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::tempdir().unwrap();
            let ports = [(); 3].map(|()| Ports::free());
            let mut members: Vec<Self> =
                (0..3).map(|index| Self::spawn(directory.path(), index, &ports, "http", &[])).collect();
            let mut answering = 0;
            for member in &mut members {
                answering += usize::from(member.answers().await);
            }
            if answering == members.len() {
                return (members, directory);
            }
        }
        panic!("a cluster of three etcds does not start");
    }

    /// Starts a cluster of one that is reached by https, with further arguments. Not waited for.
    pub(super) fn spawn_https(directory: &Path, arguments: &[&str]) -> Self {
        Self::spawn(directory, 0, &[Ports::free()], "https", arguments)
    }

    fn spawn(directory: &Path, index: usize, cluster: &[Ports], scheme: &str, further: &[&str]) -> Self {
        let Ports { client, peer } = cluster[index];
        let endpoint = format!("{scheme}://127.0.0.1:{client}");
        let peer = format!("http://127.0.0.1:{peer}");
        let members: Vec<String> = cluster
            .iter()
            .enumerate()
            .map(|(number, Ports { peer, .. })| format!("m{number}=http://127.0.0.1:{peer}"))
            .collect();
        let directory = directory.join(format!("m{index}"));
        let arguments: Vec<String> = [
            ["--name", &format!("m{index}")],
            ["--data-dir", &directory.display().to_string()],
            ["--listen-client-urls", &endpoint],
            ["--advertise-client-urls", &endpoint],
            ["--listen-peer-urls", &peer],
            ["--initial-advertise-peer-urls", &peer],
            ["--initial-cluster", &members.join(",")],
            ["--log-level", "warn"],
            ["--heartbeat-interval", "100"],
            // Long in a cluster, so that a busy machine does not change the leader; the shortest lease follows from it.
            ["--election-timeout", if cluster.len() > 1 { "4000" } else { "1000" }],
        ]
        .concat()
        .iter()
        .chain(further)
        .map(|argument| (*argument).to_owned())
        .collect();
        let child = run(&arguments, &directory);
        Self { child, arguments, directory, endpoint }
    }

    /// Waits until the member answers; false if it has ended or takes too long.
    async fn answers(&mut self) -> bool {
        let settings = EtcdSettings::plain(vec![self.endpoint.clone()]);
        let store = EtcdStore::open(&settings).await.unwrap();
        let deadline = Instant::now() + START;
        while Instant::now() < deadline && self.child.try_wait().unwrap().is_none() {
            if store.get("/").await.is_ok() {
                return true;
            }
            sleep(Duration::from_millis(50)).await;
        }
        false
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Stops it without ending it: connections stay, nothing is answered.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it at once, as a power failure would.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again with the same data and ports, and waits until it answers.
    pub(super) async fn restart(&mut self) {
        self.child = run(&self.arguments, &self.directory);
        assert!(self.answers().await, "etcd does not start again");
    }
}

impl Drop for EtcdProcess {
    fn drop(&mut self) {
        // It may have ended already; SIGKILL also ends a frozen process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl EtcdServer {
    /// A store on this etcd that is patient with a busy machine.
    pub(super) async fn store(&self) -> EtcdStore {
        let settings = EtcdSettings::plain(vec![self.member.endpoint.clone()]);
        EtcdStore::open(&EtcdSettings { timeout: GENEROUS, ..settings }).await.unwrap()
    }

    /// A store as in production.
    pub(super) async fn store_with_the_usual_deadline(&self) -> EtcdStore {
        EtcdStore::open(&EtcdSettings::plain(vec![self.member.endpoint.clone()])).await.unwrap()
    }
}

impl std::ops::Deref for EtcdServer {
    type Target = EtcdProcess;
    fn deref(&self) -> &EtcdProcess {
        &self.member
    }
}

impl std::ops::DerefMut for EtcdServer {
    fn deref_mut(&mut self) -> &mut EtcdProcess {
        &mut self.member
    }
}

fn run(arguments: &[String], directory: &Path) -> Child {
    let log = directory.with_extension("log");
    let log: File = OpenOptions::new().create(true).append(true).open(log).unwrap();
    let log_too = log.try_clone().unwrap();
    Command::new("etcd").args(arguments).stdin(Stdio::null()).stdout(log).stderr(log_too).spawn().unwrap()
}
