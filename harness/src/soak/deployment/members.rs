//! Three etcd members, each a process of its own with its own data.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::addresses::{Part, address_of};
use super::child::{Child, copy_directory, said};
use super::peer_links::PeerLinks;
use super::slow_disk;
use crate::cluster::etcd::{dying_with_its_parent, find_program, free_port, health};
use crate::cluster::wait::wait_for_condition;

/// How many members there are.
pub const MEMBERS: usize = 3;
/// How long members may take until they answer.
const READY: Duration = Duration::from_secs(40);
/// How long an answer about itself may take.
const ANSWER: Duration = Duration::from_secs(2);

/// The members.
#[derive(Debug)]
pub struct Members {
    program: PathBuf,
    directory: PathBuf,
    members: Vec<Member>,
    ways: PeerLinks,
    http: reqwest::Client,
}

#[derive(Debug)]
struct Member {
    name: String,
    client: SocketAddr,
    peer: SocketAddr,
    /// Where the other members reach it.
    for_peers: SocketAddr,
    child: Mutex<Option<Child>>,
    standing: AtomicU8,
}

/// Whether a member works.
const WORKS: u8 = 0;
const FROZEN: u8 = 1;
const DEAD: u8 = 2;

impl Members {
    /// Starts all members on empty data below `directory` and waits until they answer.
    ///
    /// # Errors
    /// When there is no etcd or a member does not answer; the error holds the end of its log.
    pub async fn start(directory: &Path) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER).build().context("building an HTTP client for etcd")?;
        let (mut members, mut ways) = (Vec::new(), PeerLinks::new());
        for number in 0..MEMBERS {
            let own = address_of(Part::Member(number));
            let (client, peer) = (free_port(own)?, free_port(own)?);
            let for_peers = ways.open(number, address_of(Part::MemberForPeers(number)), peer).await?;
            let name = format!("etcd{}", number + 1);
            let (child, standing) = (Mutex::default(), AtomicU8::new(DEAD));
            members.push(Member { name, client, peer, for_peers, child, standing });
        }
        let members = Self { program: find_program()?, directory: directory.to_owned(), members, ways, http };
        members.start_all().await?;
        Ok(members)
    }

    /// Addresses of the client interfaces.
    pub fn clients(&self) -> impl Iterator<Item = SocketAddr> {
        self.members.iter().map(|member| member.client)
    }

    /// Name of a member.
    #[must_use]
    pub fn name(&self, number: usize) -> &str {
        self.members.get(number).map_or("etcd", |member| &member.name)
    }

    /// Members that neither are dead nor stand still.
    #[must_use]
    pub fn working(&self) -> usize {
        self.members.iter().filter(|member| member.standing.load(Ordering::SeqCst) == WORKS).count()
    }

    /// Process ids of the members that run, with their names.
    pub async fn pids(&self) -> Vec<(String, u32)> {
        let mut pids = Vec::new();
        for member in &self.members {
            if let Some(child) = &*member.child.lock().await {
                pids.push((member.name.clone(), child.pid()));
            }
        }
        pids
    }

    /// The member that leads; `None` when nobody who answers knows.
    pub async fn leader(&self) -> Option<usize> {
        for (number, member) in self.members.iter().enumerate() {
            if member.standing.load(Ordering::SeqCst) != WORKS {
                continue;
            }
            let Ok(status) = self.post(member, "maintenance/status", &json!({})).await else { continue };
            if status.get("leader") == status.pointer("/header/member_id") && status.get("leader").is_some() {
                return Some(number);
            }
        }
        None
    }

    /// Forgets all revisions before the current one.
    ///
    /// # Errors
    /// When no member answers.
    pub async fn compact(&self) -> Result<()> {
        for member in &self.members {
            let Ok(status) = self.post(member, "maintenance/status", &json!({})).await else { continue };
            let revision = status.pointer("/header/revision").context("etcd told no revision")?;
            if self.post(member, "kv/compaction", &json!({"revision": revision, "physical": true})).await.is_ok() {
                return Ok(());
            }
        }
        anyhow::bail!("no member compacted")
    }

    async fn post(&self, member: &Member, what: &str, body: &Value) -> Result<Value> {
        let answer = self.http.post(format!("http://{}/v3/{what}", member.client)).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Ends a member at once; its data stay.
    pub async fn kill(&self, number: usize) {
        if let Some(member) = self.members.get(number) {
            member.standing.store(DEAD, Ordering::SeqCst);
            drop(member.child.lock().await.take());
        }
    }

    /// Stops a member where it stands.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn freeze(&self, number: usize) -> Result<()> {
        let member = self.members.get(number).context("no such member")?;
        member.standing.store(FROZEN, Ordering::SeqCst);
        member.child.lock().await.as_ref().context("the member does not run")?.freeze()
    }

    /// Lets a member go on.
    pub async fn thaw(&self, number: usize) {
        if let Some(member) = self.members.get(number)
            && let Some(child) = &*member.child.lock().await
            && child.thaw().is_ok()
        {
            member.standing.store(WORKS, Ordering::SeqCst);
        }
    }

    /// The other members do not reach a member any more; it reaches them.
    pub fn close_to_a_member(&self, number: usize) {
        self.ways.close((0..MEMBERS).map(|from| (from, number)));
    }

    /// Two members do not reach each other any more; the third reaches both.
    pub fn close_between(&self, one: usize, other: usize) {
        self.ways.close([(one, other), (other, one)]);
    }

    /// Opens all ways between members.
    pub fn open_all_ways(&self) {
        self.ways.close([]);
    }

    /// Starts a member that is dead, on its data; does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn restart(&self, number: usize) -> Result<()> {
        let member = self.members.get(number).context("no such member")?;
        self.start_with(number, &mut self.command(member)).await
    }

    /// Starts a member that is dead on a slow disk: each of its syncs takes longer. Tells whether that is possible here.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn restart_on_a_slow_disk(&self, number: usize) -> Result<bool> {
        let member = self.members.get(number).context("no such member")?;
        match slow_disk::slowed(&self.command(member)) {
            Some(mut command) => self.start_with(number, &mut command).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn start_with(&self, number: usize, command: &mut Command) -> Result<()> {
        let member = self.members.get(number).context("no such member")?;
        let mut place = member.child.lock().await;
        if place.is_none() {
            let child = Child::start(&member.name, command, &self.log(member))?;
            self.ways.belongs_to(number, child.pid());
            *place = Some(child);
            member.standing.store(WORKS, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Waits until nobody answers any more where a member that was killed did.
    pub async fn until_gone(&self, number: usize) {
        let Some(member) = self.members.get(number) else { return };
        let gone = async {
            while tokio::net::TcpStream::connect(member.client).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // The next start says what is wrong.
        let _ = tokio::time::timeout(ANSWER, gone).await;
    }

    /// Opens every way, and lets every member run and answer.
    ///
    /// # Errors
    /// When one does not.
    pub async fn heal(&self) -> Result<()> {
        for number in 0..self.members.len() {
            self.thaw(number).await;
        }
        self.open_all_ways();
        self.start_all().await
    }

    async fn start_all(&self) -> Result<()> {
        for number in 0..self.members.len() {
            self.restart(number).await?;
        }
        for member in &self.members {
            let what = format!("{} to answer", member.name);
            let answered = wait_for_condition(&what, READY, || health(member.client)).await;
            answered.with_context(|| format!("it said: {}", said(&self.log(member))))?;
        }
        Ok(())
    }

    /// Keeps a copy of the data of all members: what an administrator's backup is. They stand still meanwhile.
    ///
    /// # Errors
    /// When the data cannot be copied or a member does not come back.
    pub async fn back_up(&self, to: &Path) -> Result<()> {
        self.kill_all().await;
        for member in &self.members {
            copy_directory(&self.data(member), &to.join(&member.name)).context("copying the data of etcd")?;
        }
        self.start_all().await
    }

    /// Puts all members back to a copy.
    ///
    /// # Errors
    /// When the copy is not there or a member does not come back.
    pub async fn put_back(&self, from: &Path) -> Result<()> {
        self.kill_all().await;
        for member in &self.members {
            let (data, copy) = (self.data(member), from.join(&member.name));
            ensure!(copy.is_dir(), "there is no copy of {}", member.name);
            std::fs::remove_dir_all(&data).context("removing the data of etcd")?;
            copy_directory(&copy, &data).context("copying the data of etcd back")?;
        }
        self.start_all().await
    }

    /// Ends all members.
    pub async fn kill_all(&self) {
        for number in 0..self.members.len() {
            self.kill(number).await;
        }
    }

    fn data(&self, member: &Member) -> PathBuf {
        self.directory.join(&member.name)
    }

    fn log(&self, member: &Member) -> PathBuf {
        self.directory.join(format!("{}.log", member.name))
    }

    /// The shortest lease of a member is one and a half election times, rounded up to seconds.
    fn command(&self, member: &Member) -> Command {
        let (client, listen) = (format!("http://{}", member.client), format!("http://{}", member.peer));
        let known_as = |member: &Member| format!("http://{}", member.for_peers);
        let all: Vec<String> =
            self.members.iter().map(|member| format!("{}={}", member.name, known_as(member))).collect();
        let mut command = dying_with_its_parent(&self.program);
        command
            .arg("--data-dir")
            .arg(self.data(member))
            .args(["--name", &member.name, "--initial-cluster", &all.join(",")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &listen, "--initial-advertise-peer-urls", &known_as(member)])
            .args(["--heartbeat-interval", "50", "--election-timeout", "600", "--log-level", "warn"])
            .stdout(Stdio::null());
        command
    }
}
