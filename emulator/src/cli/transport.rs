//! The SSH side of the command line: login, channels, and handing bytes to the sessions.
//!
//! Handlers of the SSH library run inside its own event loop. They only queue: all work happens in spawned tasks,
//! and input goes to them through bounded queues without waiting, because a handler that waits for the loop that
//! runs it stops the connection for good.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Disconnect, MethodKind, MethodSet, Pty, SshId,
    keys::PrivateKey,
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey},
};
use tokio::sync::mpsc;

use super::{
    Shared,
    shell::{Screen, run_one, run_shell},
    who::{Registration, Who},
};
use crate::server::{Connection, Cut};

/// Most channels on one connection. python-3parclient opens one per command and closes it.
const MOST_CHANNELS: usize = 64;

/// Input messages (of at most 32 KiB each) kept for a session that is busy.
const MOST_WAITING_INPUT: usize = 64;

/// What the server calls itself; HPE's clients do not look at it.
const SERVER_ID: &str = "SSH-2.0-mpSSH_0.2.1";

/// The protocol settings: logins with password or key, modern algorithms with a Diffie-Hellman group for older clients.
pub(crate) fn protocol(host_key: PrivateKey) -> Config {
    Config {
        server_id: SshId::Standard(SERVER_ID.into()),
        methods: methods(),
        keys: vec![host_key],
        auth_rejection_time: Duration::from_millis(100),
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: 4,
        nodelay: true,
        ..Config::default()
    }
}

fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..])
}

/// Serves one connection until either side ends it.
pub(crate) async fn serve(shared: Arc<Shared>, protocol: Arc<Config>, connection: Connection) {
    let Connection { stream, peer, cut } = connection;
    let client = Client { shared, cut: cut.clone(), peer, login: None, channels: HashMap::new() };
    let session = match russh::server::run_stream(protocol, stream, client).await {
        Ok(session) => session,
        Err(error) => {
            tracing::debug!(%peer, %error, "SSH connection ended during its greeting");
            return;
        }
    };
    let handle = session.handle();
    tokio::select! {
        () = cut.severed() => {
            // Wakes the session loop, which then finds its stream broken.
            if handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await.is_err() {
                tracing::trace!(%peer, "SSH session was gone already");
            }
        }
        ended = session => {
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "SSH connection ended");
            }
        }
    }
    // Commands that hang wait for this.
    cut.sever();
}

/// One connection's handler.
struct Client {
    shared: Arc<Shared>,
    cut: Cut,
    peer: SocketAddr,
    /// The account that logged in, and its place in the list of connections.
    login: Option<(String, Arc<Registration>)>,
    channels: HashMap<ChannelId, ChannelInput>,
}

/// What is known of an open channel.
#[derive(Default)]
struct ChannelInput {
    /// The client asked for a terminal.
    pty: bool,
    /// A shell or a command was started.
    started: bool,
    /// Where typed bytes go while the session runs and the client may type.
    to_session: Option<mpsc::Sender<Bytes>>,
    /// Lives as long as the shell or command.
    running: Weak<()>,
}

impl ChannelInput {
    /// What ran on it has ended and closed it. The client's own close is not always heard of: the library handles it alone once
    /// the channel is closed from this side.
    fn is_over(&self) -> bool {
        self.started && self.running.strong_count() == 0
    }
}

/// What a shell or command runs with.
struct Started {
    screen: Screen,
    input: mpsc::Receiver<Bytes>,
    pty: bool,
    /// The session's account and connection.
    who: Who,
    /// Held until it has ended.
    running: Arc<()>,
}

impl Client {
    /// Prepares a channel for a shell or command; `None` when one runs on it already.
    fn start(&mut self, id: ChannelId, session: &Session) -> Option<Started> {
        let channel = self.channels.get_mut(&id)?;
        if std::mem::replace(&mut channel.started, true) {
            return None;
        }
        let (to_session, input) = mpsc::channel(MOST_WAITING_INPUT);
        channel.to_session = Some(to_session);
        let running = Arc::new(());
        channel.running = Arc::downgrade(&running);
        let screen = Screen::new(session.handle(), id, self.cut.clone());
        let pty = channel.pty;
        let who = self.login.as_ref().map(|(user, registration)| Who::on(registration, user)).unwrap_or_default();
        Some(Started { screen, input, pty, who, running })
    }
}

impl Client {
    fn log_in(&mut self, user: &str) -> Auth {
        self.login = Some((user.to_owned(), self.shared.register(user, self.peer)));
        Auth::Accept
    }

    /// Names the methods that are left. A list without the one just tried makes clients report "bad authentication type".
    fn refuse() -> Auth {
        Auth::Reject { proceed_with_methods: Some(methods()), partial_success: false }
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if self.shared.may_log_in(user, password) { self.log_in(user) } else { Self::refuse() })
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.shared.knows_key(user, offer.public_key) { Auth::Accept } else { Self::refuse() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.shared.knows_key(user, key.public_key) { self.log_in(user) } else { Self::refuse() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.retain(|_, channel| !channel.is_over());
        if self.channels.len() >= MOST_CHANNELS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels.insert(channel.id(), ChannelInput::default());
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.pty = true;
        }
        session.channel_success(id)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        let Some(Started { screen, input, pty, who, running }) = self.start(id, session) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let shell = run_shell(self.shared.session(who), screen, input, pty);
        tokio::spawn(async move {
            shell.await;
            drop(running);
        });
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(Started { screen, input, pty, who, running }) = self.start(id, session) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let command = String::from_utf8_lossy(command).into_owned();
        let command = run_one(self.shared.session(who), screen, input, pty, command);
        tokio::spawn(async move {
            command.await;
            drop(running);
        });
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(id)
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(to_session) = self.channels.get(&id).and_then(|channel| channel.to_session.as_ref()) else {
            return Ok(());
        };
        match to_session.try_send(Bytes::copy_from_slice(data)) {
            // A session that has ended does not need its input any more.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(channel = %id, "client types faster than its commands run; closing the channel");
                self.channels.remove(&id);
                session.close(id)
            }
        }
    }

    async fn channel_eof(&mut self, id: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        // The session sees the end of its input after what is still queued.
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.to_session = None;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        Ok(())
    }
}
