//! The ways between the members of etcd: a proxy in front of each member's peer port, which can be closed to any other member.
//!
//! All members connect from the same loopback address. Who it is, the kernel's table of sockets and the open files of the members'
//! processes tell.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// From a member to a member.
pub(super) type Way = (usize, usize);

/// All ways.
#[derive(Debug)]
pub(super) struct PeerLinks {
    closed: watch::Sender<BTreeSet<Way>>,
    /// Processes of the members.
    processes: Arc<Mutex<BTreeMap<usize, u32>>>,
    acceptors: Vec<JoinHandle<()>>,
}

impl PeerLinks {
    /// No way yet.
    pub(super) fn new() -> Self {
        Self { closed: watch::channel(BTreeSet::new()).0, processes: Arc::default(), acceptors: Vec::new() }
    }

    /// Opens the ways to a member, whose peer port is `server`; gives the address the others have to know.
    ///
    /// # Errors
    /// When no port can be bound.
    pub(super) async fn open(&mut self, to: usize, address: Ipv4Addr, server: SocketAddr) -> Result<SocketAddr> {
        let listener = TcpListener::bind((address, 0)).await.context("opening a way between members of etcd")?;
        let address = listener.local_addr().context("reading the address of a way between members of etcd")?;
        let (closed, processes) = (self.closed.subscribe(), Arc::clone(&self.processes));
        self.acceptors.push(tokio::spawn(accept(listener, server, to, closed, processes)));
        Ok(address)
    }

    /// A member's process is this one now.
    pub(super) fn belongs_to(&self, member: usize, process: u32) {
        lock(&self.processes).insert(member, process);
    }

    /// Closes exactly these ways; all others are open.
    pub(super) fn close(&self, ways: impl IntoIterator<Item = Way>) {
        self.closed.send_replace(ways.into_iter().collect());
    }
}

impl Drop for PeerLinks {
    fn drop(&mut self) {
        self.acceptors.iter().for_each(JoinHandle::abort);
    }
}

fn lock(processes: &Mutex<BTreeMap<usize, u32>>) -> MutexGuard<'_, BTreeMap<usize, u32>> {
    processes.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    to: usize,
    closed: watch::Receiver<BTreeSet<Way>>,
    processes: Arc<Mutex<BTreeMap<usize, u32>>>,
) {
    while let Ok((client, from)) = listener.accept().await {
        let from = {
            let processes = lock(&processes).clone();
            // Small files of /proc; it is done once for a connection.
            tokio::task::spawn_blocking(move || owner_of(from, &processes)).await.ok().flatten()
        };
        let way = from.map(|from| (from, to));
        let mut closed = closed.clone();
        tokio::spawn(async move {
            let is_closed = |closed: &BTreeSet<Way>| way.is_some_and(|way| closed.contains(&way));
            tokio::select! {
                biased;
                // An error means that the deployment ends.
                _ = closed.wait_for(is_closed) => {}
                _ = relay(client, server) => {}
            }
        });
    }
}

async fn relay(mut client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The member whose process holds the socket with this local address.
fn owner_of(socket: SocketAddr, processes: &BTreeMap<usize, u32>) -> Option<usize> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode_of(socket, &table)?;
    let holds = |pid: u32| {
        let files = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")).into_iter().flatten();
        let name = format!("socket:[{inode}]");
        files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy() == name))
    };
    processes.iter().find(|(_, pid)| holds(**pid)).map(|(member, _)| *member)
}

/// The inode of a socket in the kernel's table: addresses are hexadecimal words in the machine's order, the inode is the tenth column.
fn inode_of(socket: SocketAddr, table: &str) -> Option<u64> {
    let SocketAddr::V4(address) = socket else { return None };
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&local))?;
    line.split_whitespace().nth(9)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::cluster::link::tests::echo;

    async fn ask(address: SocketAddr) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0; 1]).await.map(drop)
    }

    #[tokio::test]
    async fn a_way_is_closed_to_one_member_only() {
        let mut links = PeerLinks::new();
        let server = echo().await;
        let address = links.open(2, Ipv4Addr::LOCALHOST, server).await.unwrap();
        // This very process is taken for member 0.
        links.belongs_to(0, std::process::id());
        links.close([(1, 2)]);
        ask(address).await.unwrap();
        links.close([(0, 2)]);
        assert!(ask(address).await.is_err());
        links.close([]);
        ask(address).await.unwrap();
    }

    #[tokio::test]
    async fn closing_ends_connections_that_are_open() {
        let mut links = PeerLinks::new();
        let address = links.open(1, Ipv4Addr::LOCALHOST, echo().await).await.unwrap();
        links.belongs_to(0, std::process::id());
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        links.close([(0, 1)]);
        assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    }
}
