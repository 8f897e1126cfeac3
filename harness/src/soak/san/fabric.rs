//! A node's side of the storage network.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use hpe3par_docker_plugin::array::{Lun, PortPosition, TargetPort, Wwn};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LinesCodec};

use super::wire::{Answer, Command, Data, LONGEST, Reply, Request};
use crate::node::fabric::{BlockWrite, Nexus};
use crate::node::{Fabric, FabricError};

type Wire = Framed<TcpStream, LinesCodec>;

/// The network to an array's [`SanServer`](super::SanServer).
///
/// Its connections live on the runtime it was made on: they are the kernel's, not the plugin's.
#[derive(Debug)]
pub struct TcpFabric {
    server: SocketAddr,
    patience: Duration,
    runtime: Handle,
    sessions: Mutex<BTreeMap<Nexus, Arc<Session>>>,
    made: AtomicU64,
}

/// One logged-in connection.
#[derive(Debug)]
struct Session {
    out: mpsc::UnboundedSender<Request>,
    waiting: Arc<Waiting>,
    tags: AtomicU64,
    tasks: [JoinHandle<()>; 2],
}

/// Who waits for which answer.
#[derive(Debug, Default)]
struct Waiting(Mutex<BTreeMap<u64, oneshot::Sender<Result<Reply, FabricError>>>>);

impl TcpFabric {
    /// A network to this server. A session that leaves a command unanswered for `patience` is given up.
    #[must_use]
    pub fn to(server: SocketAddr, patience: Duration, runtime: Handle) -> Self {
        Self { server, patience, runtime, sessions: Mutex::default(), made: AtomicU64::new(0) }
    }

    /// The server it reaches.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<Nexus, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Option<Wire> {
        let stream = timeout(self.patience, TcpStream::connect(self.server)).await.ok()?.ok()?;
        // Small messages that are waited for; without it they only take longer.
        let _ = stream.set_nodelay(true);
        Some(Framed::new(stream, LinesCodec::new_with_max_length(LONGEST)))
    }

    async fn ask(&self, nexus: Nexus, command: Command) -> Result<Reply, FabricError> {
        let session = self.sessions().get(&nexus).cloned().ok_or(FabricError::NexusLost)?;
        let answer = self.ask_on(&session, command).await;
        if matches!(answer, Err(FabricError::NexusLost | FabricError::NoPath)) {
            self.sessions().remove(&nexus);
        }
        answer
    }

    async fn ask_on(&self, session: &Session, command: Command) -> Result<Reply, FabricError> {
        let tag = session.tags.fetch_add(1, Ordering::Relaxed);
        let (answer, heard) = oneshot::channel();
        session.waiting.add(tag, answer);
        session.out.send(Request { tag, command }).map_err(|_| FabricError::NexusLost)?;
        match timeout(self.patience, heard).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(FabricError::NexusLost),
            Err(_) => Err(FabricError::NoPath),
        }
    }
}

impl Session {
    fn open(wire: Wire, runtime: &Handle) -> Self {
        let (to_array, from_array) = wire.split();
        let (out, requests) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let tasks =
            [runtime.spawn(send_out(requests, to_array)), runtime.spawn(hand_in(from_array, Arc::clone(&waiting)))];
        Self { out, waiting, tags: AtomicU64::new(0), tasks }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Result<Reply, FabricError>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, tag: u64, answer: oneshot::Sender<Result<Reply, FabricError>>) {
        self.lock().insert(tag, answer);
    }
}

async fn send_out(mut requests: mpsc::UnboundedReceiver<Request>, mut to_array: SplitSink<Wire, String>) {
    while let Some(request) = requests.recv().await {
        let Ok(line) = serde_json::to_string(&request) else { return };
        if to_array.send(line).await.is_err() {
            return;
        }
    }
}

/// Hands answers to whoever waits for them; at the end of the connection everybody hears that the session is lost.
async fn hand_in(mut from_array: SplitStream<Wire>, waiting: Arc<Waiting>) {
    while let Some(Ok(line)) = from_array.next().await {
        let Ok(Answer { tag, result }) = serde_json::from_str(&line) else { break };
        if let Some(waiter) = waiting.lock().remove(&tag) {
            // A waiter that gave up does not hear it.
            let _ = waiter.send(result);
        }
    }
    waiting.lock().clear();
}

fn position_of(port: &TargetPort) -> PortPosition {
    match port {
        TargetPort::Iscsi { position, .. } | TargetPort::Fc { position, .. } => *position,
    }
}

fn unexpected<T>(reply: &Reply) -> Result<T, FabricError> {
    Err(FabricError::Refused(format!("the array answered another question: {reply:?}")))
}

#[async_trait]
impl Fabric for TcpFabric {
    async fn login(&self, initiator: &str, port: &TargetPort) -> Result<Nexus, FabricError> {
        let wire = self.connect().await.ok_or(FabricError::NoPath)?;
        let session = Arc::new(Session::open(wire, &self.runtime));
        let command = Command::Login { initiator: initiator.to_owned(), port: position_of(port) };
        match self.ask_on(&session, command).await {
            Ok(_) => {
                let nexus = Nexus(self.made.fetch_add(1, Ordering::Relaxed) + 1);
                self.sessions().insert(nexus, session);
                Ok(nexus)
            }
            Err(FabricError::NexusLost) => Err(FabricError::NoPath),
            Err(refusal) => Err(refusal),
        }
    }

    async fn logout(&self, nexus: Nexus) -> Result<(), FabricError> {
        self.sessions().remove(&nexus);
        Ok(())
    }

    async fn report_luns(&self, nexus: Nexus) -> Result<Vec<Lun>, FabricError> {
        match self.ask(nexus, Command::ReportLuns).await? {
            Reply::Luns(luns) => Ok(luns),
            other => unexpected(&other),
        }
    }

    async fn identity(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError> {
        match self.ask(nexus, Command::Identity { lun }).await? {
            Reply::Identity(wwn) => Ok(wwn),
            other => unexpected(&other),
        }
    }

    async fn capacity(&self, nexus: Nexus, lun: Lun) -> Result<u64, FabricError> {
        match self.ask(nexus, Command::Capacity { lun }).await? {
            Reply::Blocks(blocks) => Ok(blocks),
            other => unexpected(&other),
        }
    }

    async fn read(&self, nexus: Nexus, lun: Lun, block: u64, count: u64) -> Result<Vec<u8>, FabricError> {
        match self.ask(nexus, Command::Read { lun, block, count }).await? {
            Reply::Data(Data(bytes)) => Ok(bytes),
            other => unexpected(&other),
        }
    }

    async fn write(&self, nexus: Nexus, lun: Lun, write: BlockWrite) -> Result<(), FabricError> {
        let BlockWrite { block, data, meant_for, life } = write;
        self.ask(nexus, Command::Write { lun, block, data: Data(data), meant_for, life }).await.map(drop)
    }

    async fn abort_tasks(&self, nexus: Nexus, lun: Lun) -> Result<(), FabricError> {
        self.ask(nexus, Command::AbortTasks { lun }).await.map(drop)
    }
}
