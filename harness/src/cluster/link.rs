//! A management link of one worker: a TCP proxy on loopback that can be cut, made to swallow, slowed, or made to
//! lose an answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a link does with traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Everything passes.
    Up,
    /// Connections are dropped and new ones are closed at once.
    Cut,
    /// Connections are accepted, bytes are swallowed, nothing ever answers.
    BlackHole,
    /// Everything passes, each piece this much later.
    Slow(Duration),
    /// Requests pass; the next answer is thrown away and its connection is dropped. Then the link is up again.
    LoseAnswer,
}

/// A proxy in front of one server, for one worker.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    condition: watch::Sender<Condition>,
    acceptor: JoinHandle<()>,
}

impl Link {
    /// Opens a link to `server` on a free loopback port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn to(server: SocketAddr) -> Result<Self> {
        Self::at(Ipv4Addr::LOCALHOST, server).await
    }

    /// Opens a link to `server` on a free port of this address.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn at(address: Ipv4Addr, server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).await.context("opening a link")?;
        let address = listener.local_addr().context("reading the link's address")?;
        let (condition, _) = watch::channel(Condition::Up);
        let acceptor = tokio::spawn(accept(listener, server, condition.clone()));
        Ok(Self { address, condition, acceptor })
    }

    /// Where the worker connects to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what the link does, for open connections as well.
    pub fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.condition.send_replace(Condition::Cut);
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, condition: watch::Sender<Condition>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        if *condition.borrow() == Condition::Cut {
            continue;
        }
        let condition = condition.clone();
        tokio::spawn(async move {
            let cut = condition.subscribe();
            tokio::select! {
                biased;
                () = until_cut(cut) => {}
                _ = relay(client, server, condition) => {}
            }
        });
    }
}

async fn until_cut(mut condition: watch::Receiver<Condition>) {
    // An error means that the link is gone, which is the same as cut.
    let _ = condition.wait_for(|now| *now == Condition::Cut).await;
}

async fn relay(client: TcpStream, server: SocketAddr, condition: watch::Sender<Condition>) -> std::io::Result<()> {
    until_not_swallowed(&condition).await;
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    tokio::select! {
        biased;
        done = pass(client_in, server_out, &condition, Direction::Request) => done,
        done = pass(server_in, client_out, &condition, Direction::Answer) => done,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    condition: &watch::Sender<Condition>,
    direction: Direction,
) -> std::io::Result<()> {
    let mut buffer = vec![0_u8; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let now = *condition.borrow();
        match now {
            Condition::Up | Condition::Cut => {}
            Condition::Slow(delay) => tokio::time::sleep(delay).await,
            Condition::BlackHole => until_not_swallowed(condition).await,
            Condition::LoseAnswer if direction == Direction::Answer => {
                condition.send_replace(Condition::Up);
                return Ok(());
            }
            Condition::LoseAnswer => {}
        }
        let Some(piece) = buffer.get(..length) else { return Ok(()) };
        to.write_all(piece).await?;
    }
}

/// Holds the traffic of a black hole back until the link is something else.
async fn until_not_swallowed(condition: &watch::Sender<Condition>) {
    let _ = condition.subscribe().wait_for(|now| *now != Condition::BlackHole).await;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server that sends back what it gets.
    pub(crate) async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    async fn ask(link: &Link) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(link.address()).await?;
        stream.write_all(b"ping").await?;
        let mut answer = vec![0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn passes_cuts_and_heals() {
        let link = Link::to(echo().await).await.unwrap();
        assert_eq!(ask(&link).await.unwrap(), b"ping");
        link.set(Condition::Cut);
        assert!(ask(&link).await.is_err());
        link.set(Condition::Up);
        assert_eq!(ask(&link).await.unwrap(), b"ping");
    }

    #[tokio::test]
    async fn a_cut_ends_open_connections() {
        let link = Link::to(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        let mut one = [0; 1];
        stream.read_exact(&mut one).await.unwrap();
        link.set(Condition::Cut);
        assert!(matches!(stream.read(&mut one).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn a_black_hole_swallows_until_it_is_lifted() {
        let link = Link::to(echo().await).await.unwrap();
        link.set(Condition::BlackHole);
        let silent = tokio::time::timeout(Duration::from_millis(50), ask(&link)).await;
        assert!(silent.is_err());
        link.set(Condition::Up);
        assert_eq!(ask(&link).await.unwrap(), b"ping");
    }

    #[tokio::test]
    async fn loses_exactly_one_answer() {
        let link = Link::to(echo().await).await.unwrap();
        link.set(Condition::LoseAnswer);
        assert!(ask(&link).await.is_err());
        assert_eq!(ask(&link).await.unwrap(), b"ping");
    }
}
