//! One SSH connection to the array: made, checked, logged in.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::client::{self, AuthResult, KeyboardInteractiveAuthResponse};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelMsg, Preferred, kex, mac};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::host_key::{HostKeyError, KnownHost};
use crate::array::settings::{SshLogin, SshSettings};

/// A connection on which nothing comes is asked for a sign of life so often.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Unanswered signs of life after which it is given up.
const KEEPALIVE_MAX: usize = 3;
/// Rounds of questions answered in a keyboard-interactive login.
const QUESTIONS: usize = 4;

/// Why there is no connection. No command was sent.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// The server is not the array.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// TCP, version or key exchange failed.
    #[error("no SSH connection to {address}: {reason}")]
    Ssh { address: String, reason: String },
    /// The array refuses the account.
    #[error("the array refuses the SSH login of '{user}'; check san_login with san_password or san_private_key")]
    Login { user: String },
    /// The password cannot be had now.
    #[error("{0}")]
    Password(String),
    /// The private key file cannot be used.
    #[error("private key {file} cannot be used: {reason}")]
    PrivateKey { file: String, reason: String },
}

/// What the library's session ends with.
#[derive(Debug, Error)]
pub(super) enum SessionError {
    /// The host key was refused.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// Anything else.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

/// Answers the library's questions about the server.
#[derive(Debug)]
pub(super) struct ServerCheck(KnownHost);

impl client::Handler for ServerCheck {
    type Error = SessionError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, SessionError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            return Err(HostKeyError::Certificate { host: self.0.address() }.into());
        };
        let (known, key) = (self.0.clone(), key.clone());
        match tokio::task::spawn_blocking(move || known.check(&key)).await {
            Ok(judged) => judged.map(|()| true).map_err(Into::into),
            Err(_) => Ok(false),
        }
    }
}

/// A connection with a login.
pub(super) struct Connection {
    handle: client::Handle<ServerCheck>,
    broken: AtomicBool,
}

impl Connection {
    /// Connects and logs in. Safe to repeat: no command is sent.
    pub(super) async fn open(settings: &SshSettings, known: &KnownHost) -> Result<Self, ConnectError> {
        let failed = |reason: String| ConnectError::Ssh { address: known.address(), reason };
        let config = Arc::new(client_config(known));
        let address = (settings.host.as_str(), settings.port);
        let connecting = client::connect(config, address, ServerCheck(known.clone()));
        let mut handle = match tokio::time::timeout(settings.connect_timeout, connecting).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(SessionError::HostKey(error))) => return Err(error.into()),
            Ok(Err(SessionError::Ssh(error))) => return Err(failed(error.to_string())),
            Err(_) => {
                let seconds = settings.connect_timeout.as_secs_f64();
                return Err(failed(format!("it did not come up within {seconds} s (ssh_conn_timeout)")));
            }
        };
        let accepted = match &settings.login {
            SshLogin::Password(password) => {
                let password = password.reveal().await.map_err(ConnectError::Password)?;
                by_password(&mut handle, &settings.user, &password).await
            }
            SshLogin::PrivateKey(file) => {
                let key = load_secret_key(file, None).map_err(|error| ConnectError::PrivateKey {
                    file: file.display().to_string(),
                    reason: error.to_string(),
                })?;
                by_key(&mut handle, &settings.user, key).await
            }
        };
        match accepted {
            Ok(true) => Ok(Self { handle, broken: AtomicBool::new(false) }),
            Ok(false) => Err(ConnectError::Login { user: settings.user.clone() }),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Can take another command, as far as is known here.
    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::SeqCst) && !self.handle.is_closed()
    }

    /// Takes no further command; those under way may end.
    pub(super) fn abandon(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    /// Opens a channel; no command is sent.
    pub(super) async fn channel(&self) -> Result<russh::Channel<client::Msg>, russh::Error> {
        self.handle.channel_open_session().await
    }

    /// Says good-bye.
    pub(super) async fn close(&self) {
        self.abandon();
        // An error means that the connection is gone already.
        let _ = self.handle.disconnect(russh::Disconnect::ByApplication, "", "").await;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("usable", &self.is_usable()).finish_non_exhaustive()
    }
}

fn client_config(known: &KnownHost) -> client::Config {
    let mut preferred = Preferred::DEFAULT;
    preferred.key = known.algorithms(&preferred.key);
    // Arrays with old releases have nothing better; offered last, so never taken where there is.
    preferred.kex = followed_by(&preferred.kex, &[kex::DH_G14_SHA1]);
    preferred.mac = followed_by(&preferred.mac, &[mac::HMAC_SHA1_ETM, mac::HMAC_SHA1]);
    client::Config {
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVE_MAX,
        nodelay: true,
        preferred,
        ..client::Config::default()
    }
}

fn followed_by<T: Clone>(first: &[T], last: &[T]) -> Cow<'static, [T]> {
    Cow::Owned(first.iter().chain(last).cloned().collect())
}

/// Password login, or the same password as answer to the server's question where only that is offered.
async fn by_password(
    handle: &mut client::Handle<ServerCheck>,
    user: &str,
    password: &SecretString,
) -> Result<bool, russh::Error> {
    let remaining = match handle.authenticate_password(user, password.expose_secret()).await? {
        AuthResult::Success => return Ok(true),
        AuthResult::Failure { remaining_methods, .. } => remaining_methods,
    };
    if remaining.contains(&russh::MethodKind::Password) || !remaining.contains(&russh::MethodKind::KeyboardInteractive)
    {
        return Ok(false);
    }
    let mut step = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..QUESTIONS {
        step = match step {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                let answers = prompts.iter().map(|_| password.expose_secret().to_owned()).collect();
                handle.authenticate_keyboard_interactive_respond(answers).await?
            }
        };
    }
    Ok(false)
}

async fn by_key(
    handle: &mut client::Handle<ServerCheck>,
    user: &str,
    key: russh::keys::PrivateKey,
) -> Result<bool, russh::Error> {
    let hash = match handle.best_supported_rsa_hash().await {
        Ok(Some(hash)) => hash,
        // Servers that do not say are old; they know SHA-1 only (RFC 8332 s. 3.3).
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    Ok(handle.authenticate_publickey(user, key).await?.success())
}

/// What a channel still has to say; `None` when channel or connection ended.
pub(super) async fn next(channel: &mut russh::Channel<client::Msg>) -> Option<ChannelMsg> {
    channel.wait().await
}
