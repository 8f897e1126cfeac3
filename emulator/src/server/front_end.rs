//! One listening port of the array, which can be taken away and given back.
//!
//! While a front end is paused, new connections are refused by the kernel and the existing ones are reset, as when
//! the management network of an array is cut. The address stays reserved, so that resuming cannot fail because
//! somebody else took the port meanwhile.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::cut::{Cut, CuttableStream};

/// Connections the kernel may queue before the accept loop takes them.
const BACKLOG: u32 = 1024;

/// Pause after a failed accept, which happens when the process has run out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// One accepted connection, as handed to the protocol that serves it.
pub(crate) struct Connection {
    /// The byte stream.
    pub(crate) stream: CuttableStream,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// Breaks this connection.
    pub(crate) cut: Cut,
}

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;
type Protocol = Arc<dyn Fn(Connection) -> Serving + Send + Sync>;

enum State {
    Open { stop: CancellationToken, accepting: JoinHandle<()> },
    Paused { reserved: TcpSocket },
    Closed,
}

/// A listening port and the protocol spoken on it.
pub(crate) struct FrontEnd {
    name: &'static str,
    address: SocketAddr,
    protocol: Protocol,
    state: Mutex<State>,
}

/// A port that listens already; connections wait until it is served.
pub(crate) struct Listening {
    name: &'static str,
    address: SocketAddr,
    listener: TcpListener,
}

impl Listening {
    /// Listens on `address` (port 0: any free port).
    ///
    /// # Errors
    /// The bind error, when the address is taken or not local.
    pub(crate) fn on(name: &'static str, address: SocketAddr) -> io::Result<Self> {
        let listener = reserve(address)?.listen(BACKLOG)?;
        Ok(Self { name, address: listener.local_addr()?, listener })
    }

    /// The address in use, with the real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves every connection with `protocol`.
    pub(crate) fn serve<F, S>(self, protocol: F) -> FrontEnd
    where
        F: Fn(Connection) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let Self { name, address, listener } = self;
        let protocol: Protocol = Arc::new(move |connection| Box::pin(protocol(connection)));
        let state = Mutex::new(start(name, listener, Arc::clone(&protocol)));
        FrontEnd { name, address, protocol, state }
    }
}

impl FrontEnd {
    /// The address in use, with the real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new connections and resets the existing ones. Pausing twice is the same as once.
    ///
    /// # Errors
    /// When the address could not be kept reserved; the front end is then closed and [`FrontEnd::resume`] tries a
    /// fresh bind.
    pub(crate) async fn pause(&self) -> io::Result<()> {
        let mut state = self.state.lock().await;
        if let State::Open { stop, accepting } = &mut *state {
            stop.cancel();
            wait_for_end(self.name, accepting).await;
            *state = State::Closed;
            let reserved = reserve(self.address)?;
            // Without address re-use nobody else can bind to it either.
            reserved.set_reuseaddr(false)?;
            *state = State::Paused { reserved };
            tracing::info!(front_end = self.name, address = %self.address, "paused");
        }
        Ok(())
    }

    /// Listens again on the same address. Resuming an open front end changes nothing.
    ///
    /// # Errors
    /// The bind or listen error.
    pub(crate) async fn resume(&self) -> io::Result<()> {
        let mut state = self.state.lock().await;
        let reserved = match std::mem::replace(&mut *state, State::Closed) {
            open @ State::Open { .. } => {
                *state = open;
                return Ok(());
            }
            State::Paused { reserved } => {
                // Otherwise connections of the last minute that linger in TIME_WAIT would forbid to listen.
                reserved.set_reuseaddr(true)?;
                reserved
            }
            State::Closed => reserve(self.address)?,
        };
        *state = start(self.name, reserved.listen(BACKLOG)?, Arc::clone(&self.protocol));
        tracing::info!(front_end = self.name, address = %self.address, "resumed");
        Ok(())
    }

    /// Stops listening, resets the connections and gives the address back.
    pub(crate) async fn close(&self) {
        let mut state = self.state.lock().await;
        if let State::Open { stop, accepting } = &mut *state {
            stop.cancel();
            wait_for_end(self.name, accepting).await;
        }
        *state = State::Closed;
    }
}

/// Binds without listening: such a port refuses connections and cannot be taken by anybody else.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn start(name: &'static str, listener: TcpListener, protocol: Protocol) -> State {
    let stop = CancellationToken::new();
    let accepting = tokio::spawn(accept(name, listener, protocol, stop.clone()));
    State::Open { stop, accepting }
}

async fn accept(name: &'static str, listener: TcpListener, protocol: Protocol, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let cut = Cut::under(&stop);
                    let stream = CuttableStream::new(stream, &cut);
                    connections.spawn(protocol(Connection { stream, peer, cut }));
                }
                Err(error) => {
                    tracing::warn!(front_end = name, %error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    // Every connection's stream now fails; give the protocols the moment they need to notice.
    let ended =
        tokio::time::timeout(Duration::from_secs(1), async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        connections.shutdown().await;
    }
}

async fn wait_for_end(name: &'static str, accepting: &mut JoinHandle<()>) {
    if let Err(error) = accepting.await {
        tracing::error!(front_end = name, %error, "the accept loop ended abnormally");
    }
}

#[cfg(test)]
#[path = "front_end_tests.rs"]
mod tests;
