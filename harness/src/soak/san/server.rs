//! The array's side of the storage network.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _, poll};
use hpe3par_docker_plugin::array::{PortPosition, TargetPort};
use hpe3par_emulator::Emulator;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::codec::{Framed, LinesCodec};

use super::wire::{Answer, Command, Data, LONGEST, Reply, Request};
use crate::node::fabric::{BlockWrite, Nexus};
use crate::node::{EmulatedFabric, Fabric as _, FabricError};

/// Serves initiators until dropped.
#[derive(Debug)]
pub struct SanServer {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
}

impl SanServer {
    /// Listens on a free port of this address. A write that was received takes `settling` until it is on the medium.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(
        address: Ipv4Addr,
        array: Emulator,
        settling: RangeInclusive<Duration>,
        seed: u64,
    ) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).await.context("opening the array's data path")?;
        let address = listener.local_addr().context("reading the address of the array's data path")?;
        let fabric = Arc::new(EmulatedFabric::new(array, settling, seed));
        Ok(Self { address, acceptor: tokio::spawn(accept(listener, fabric)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SanServer {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, fabric: Arc<EmulatedFabric>) {
    while let Ok((stream, _)) = listener.accept().await {
        let fabric = Arc::clone(&fabric);
        tokio::spawn(async move {
            // Small messages that are waited for; without it they only take longer.
            let _ = stream.set_nodelay(true);
            serve(Framed::new(stream, LinesCodec::new_with_max_length(LONGEST)), &fabric).await;
        });
    }
}

/// One session, from its login to the end of its connection.
async fn serve(mut wire: Framed<TcpStream, LinesCodec>, fabric: &EmulatedFabric) {
    let Some(Request { tag, command: Command::Login { initiator, port } }) = next(&mut wire).await else { return };
    let login = fabric.login(&initiator, &port_at(port)).await;
    let answer = Answer { tag, result: login.clone().map(|_| Reply::Done) };
    if send(&mut wire, &answer).await.is_err() {
        return;
    }
    if let Ok(nexus) = login {
        carry_out(&mut wire, fabric, nexus).await;
        // Ending an ended session is no error.
        let _ = fabric.logout(nexus).await;
    }
}

/// Commands begin in the order they came in; a write that settles keeps no other command waiting.
async fn carry_out(wire: &mut Framed<TcpStream, LinesCodec>, fabric: &EmulatedFabric, nexus: Nexus) {
    let mut running: FuturesUnordered<BoxFuture<'_, Answer>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(answer) = running.next() => {
                if send(wire, &answer).await.is_err() {
                    return;
                }
            }
            request = next(wire) => {
                let Some(Request { tag, command }) = request else { return };
                let mut answer = async move { Answer { tag, result: run(fabric, nexus, command).await } }.boxed();
                match poll!(&mut answer) {
                    std::task::Poll::Ready(answer) => if send(wire, &answer).await.is_err() { return },
                    std::task::Poll::Pending => running.push(answer),
                }
            }
        }
    }
}

async fn run(fabric: &EmulatedFabric, nexus: Nexus, command: Command) -> Result<Reply, FabricError> {
    match command {
        Command::Login { .. } => Err(FabricError::LoginRefused("this session is logged in already".to_owned())),
        Command::ReportLuns => fabric.report_luns(nexus).await.map(Reply::Luns),
        Command::Identity { lun } => fabric.identity(nexus, lun).await.map(Reply::Identity),
        Command::Capacity { lun } => fabric.capacity(nexus, lun).await.map(Reply::Blocks),
        Command::Read { lun, block, count } => {
            fabric.read(nexus, lun, block, count).await.map(|data| Reply::Data(Data(data)))
        }
        Command::Write { lun, block, data, meant_for, life } => {
            let write = BlockWrite { block, data: data.0, meant_for, life };
            fabric.write(nexus, lun, write).await.map(|()| Reply::Done)
        }
        Command::AbortTasks { lun } => fabric.abort_tasks(nexus, lun).await.map(|()| Reply::Done),
    }
}

/// The next request; `None` at the end of the connection, and for whoever speaks something else.
async fn next(wire: &mut Framed<TcpStream, LinesCodec>) -> Option<Request> {
    serde_json::from_str(&wire.next().await?.ok()?).ok()
}

async fn send(wire: &mut Framed<TcpStream, LinesCodec>, answer: &Answer) -> Result<()> {
    Ok(wire.send(serde_json::to_string(answer)?).await?)
}

/// Sessions are told apart by position; name and portal are not looked at.
fn port_at(position: PortPosition) -> TargetPort {
    TargetPort::Iscsi { position, portal: String::new(), iqn: String::new() }
}
