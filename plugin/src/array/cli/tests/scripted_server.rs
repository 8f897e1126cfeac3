//! An SSH server that answers by script.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::array::cli::Cli;
use crate::array::settings::{SshLogin, SshSettings, UnknownHostKey};

pub(super) const USER: &str = "3paradm";
pub(super) const PASSWORD: &str = "pass-phrase-never-to-be-seen";

/// Seeds of key pairs; none of them opens anything.
pub(super) const HOST_KEY: u8 = 1;
pub(super) const OTHER_HOST_KEY: u8 = 2;
pub(super) const USER_KEY: u8 = 3;

/// The key pair of a seed.
pub(super) fn key_pair(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

/// Its public half.
pub(super) fn public(seed: u8) -> PublicKey {
    key_pair(seed).public_key().clone()
}

/// What happens to a command.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Output and exit status, then the end.
    Text(&'static str, Option<u32>),
    /// Output, then nothing for ever.
    Hang(&'static str),
    /// Output, then the connection is gone.
    Cut(&'static str),
    /// The command is not started.
    NotStarted,
    /// Output without end.
    Flood,
    /// Output and exit status without ever closing the channel.
    Open(&'static str, u32),
}

type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// What the server has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) commands: Vec<String>,
    pub(super) connections: usize,
    pub(super) logins: usize,
}

pub(super) struct ScriptedServer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    accepting: JoinHandle<()>,
    dir: tempfile::TempDir,
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ScriptedServer {
    /// Serves with [`HOST_KEY`]; the script gets each command and how many came before.
    pub(super) async fn start(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(HOST_KEY, script).await
    }

    pub(super) async fn start_with(
        host_key: u8,
        script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(Config {
            keys: vec![key_pair(host_key)],
            methods: MethodSet::from(&[MethodKind::Password, MethodKind::PublicKey][..]),
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (script, seen_there): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen_there.lock().unwrap().connections += 1;
                let conversation = Conversation { script: Arc::clone(&script), seen: Arc::clone(&seen_there) };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(session) = russh::server::run_stream(config, stream, conversation).await {
                        let _ = session.await;
                    }
                });
            }
        });
        Self { address, seen, accepting, dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    /// Writes the server down as known by the public half of `host_key`.
    pub(super) fn make_known(&self, host_key: u8) {
        let line = format!("[127.0.0.1]:{} {}\n", self.port(), public(host_key).to_openssh().unwrap());
        std::fs::write(self.known_hosts(), line).unwrap();
    }

    pub(super) fn settings(&self) -> SshSettings {
        SshSettings {
            host: "127.0.0.1".into(),
            port: self.port(),
            user: USER.into(),
            login: SshLogin::Password(SecretString::from(PASSWORD).into()),
            connect_timeout: Duration::from_secs(30),
            known_hosts: self.known_hosts(),
            unknown_host_key: UnknownHostKey::Refuse,
            sessions: SshSettings::SESSIONS,
        }
    }

    /// A client that knows the server.
    pub(super) fn client(&self, deadline: Duration) -> Cli {
        self.make_known(HOST_KEY);
        Cli::new(self.settings(), deadline)
    }

    pub(super) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Waits until `count` commands came.
    pub(super) async fn wait_for_commands(&self, count: usize) {
        let all = async {
            while self.seen().commands.len() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    }
}

struct Conversation {
    script: Arc<Script>,
    seen: Arc<Mutex<Seen>>,
}

impl Conversation {
    fn judge(&self, accept: bool) -> Auth {
        if accept {
            self.seen.lock().unwrap().logins += 1;
            Auth::Accept
        } else {
            Auth::reject()
        }
    }
}

impl Handler for Conversation {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(self.judge(user == USER && password == PASSWORD))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: russh::server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(user == USER && key.public_key.key_data() == public(USER_KEY).key_data()))
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, line: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let line = String::from_utf8_lossy(line).into_owned();
        let before = {
            let mut seen = self.seen.lock().unwrap();
            seen.commands.push(line.clone());
            seen.commands.len() - 1
        };
        let reply = (self.script)(&line, before);
        if matches!(reply, Reply::NotStarted) {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        match reply {
            Reply::Text(text, exit) => {
                session.data(id, text.as_bytes().to_vec())?;
                if let Some(exit) = exit {
                    session.exit_status_request(id, exit)?;
                }
                session.eof(id)?;
                session.close(id)
            }
            Reply::Hang(text) => session.data(id, text.as_bytes().to_vec()),
            Reply::Open(text, exit) => {
                session.data(id, text.as_bytes().to_vec())?;
                session.exit_status_request(id, exit)?;
                session.eof(id)
            }
            Reply::Cut(text) => {
                session.data(id, text.as_bytes().to_vec())?;
                session.disconnect(russh::Disconnect::ByApplication, "", "")
            }
            Reply::Flood => {
                for _ in 0..5 {
                    session.data(id, vec![b'x'; 1 << 20])?;
                }
                Ok(())
            }
            Reply::NotStarted => Ok(()),
        }
    }
}
