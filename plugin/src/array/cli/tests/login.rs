//! Who is taken for the array, and how the plugin proves itself.

use std::time::Duration;

use secrecy::SecretString;

use super::scripted_server::{HOST_KEY, OTHER_HOST_KEY, PASSWORD, Reply, ScriptedServer, USER_KEY, key_pair, public};
use crate::array::ArrayError;
use crate::array::cli::Cli;
use crate::array::settings::{SshLogin, SshSettings, UnknownHostKey};

const LONG: Duration = Duration::from_secs(30);

async fn server() -> ScriptedServer {
    ScriptedServer::start(|_, _| Reply::Text("no vluns listed\n", Some(0))).await
}

async fn ask(settings: SshSettings) -> Result<(), ArrayError> {
    Cli::new(settings, LONG).exports_of(&"v".parse().unwrap()).await.map(|rows| assert!(rows.is_empty()))
}

fn write_key(file: &std::path::Path, seed: u8) {
    std::fs::write(file, key_pair(seed).to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap()).unwrap();
}

#[tokio::test]
async fn a_known_host_key_is_accepted() {
    let server = server().await;
    server.make_known(HOST_KEY);
    assert_eq!(ask(server.settings()).await, Ok(()));
}

#[tokio::test]
async fn a_changed_host_key_is_refused_in_any_case_and_both_are_named() {
    for policy in [UnknownHostKey::Refuse, UnknownHostKey::LearnOnFirstUse] {
        let server = server().await;
        server.make_known(OTHER_HOST_KEY);
        let settings = SshSettings { unknown_host_key: policy, ..server.settings() };
        let error = ask(settings).await.unwrap_err();
        assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
        for key in [HOST_KEY, OTHER_HOST_KEY] {
            let fingerprint = public(key).fingerprint(russh::keys::HashAlg::Sha256).to_string();
            assert!(error.to_string().contains(&fingerprint), "{error}");
        }
        assert_eq!(server.seen().logins, 0);
    }
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_or_learnt() {
    let server = server().await;
    let error = ask(server.settings()).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
    assert_eq!(server.seen().logins, 0);
    assert!(!server.known_hosts().exists());
    let learning = SshSettings { unknown_host_key: UnknownHostKey::LearnOnFirstUse, ..server.settings() };
    assert_eq!(ask(learning).await, Ok(()));
    // Written down, it now holds for the strict policy as well.
    assert_eq!(ask(server.settings()).await, Ok(()));
}

#[tokio::test]
async fn a_private_key_logs_in() {
    let server = server().await;
    server.make_known(HOST_KEY);
    let file = server.known_hosts().with_file_name("id");
    write_key(&file, USER_KEY);
    assert_eq!(ask(SshSettings { login: SshLogin::PrivateKey(file.clone()), ..server.settings() }).await, Ok(()));
    write_key(&file, OTHER_HOST_KEY);
    let error = ask(SshSettings { login: SshLogin::PrivateKey(file.clone()), ..server.settings() }).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = ask(SshSettings { login: SshLogin::PrivateKey(file), ..server.settings() }).await.unwrap_err();
    assert!(error.to_string().contains("private key"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let server = server().await;
    server.make_known(HOST_KEY);
    let wrong = "another-secret-password";
    let settings = SshSettings { login: SshLogin::Password(SecretString::from(wrong).into()), ..server.settings() };
    let client = Cli::new(settings.clone(), LONG);
    let error = client.exports_of(&"v".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
    let said = format!("{error} {error:?} {settings:?} {client:?} {:?}", server.settings());
    assert!(!said.contains(wrong) && !said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let server = server().await;
    server.make_known(HOST_KEY);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = SshSettings { port: free.local_addr().unwrap().port(), ..server.settings() };
    drop(free);
    assert!(matches!(ask(settings).await, Err(ArrayError::Unreachable { .. })));
}

#[tokio::test]
async fn a_connection_that_does_not_come_up_is_given_up_before_the_call() {
    let server = server().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let settings = SshSettings { port, connect_timeout: Duration::from_millis(100), ..server.settings() };
    let error = ask(settings).await.unwrap_err();
    assert!(
        matches!(error, ArrayError::Unreachable { .. }) && error.to_string().contains("ssh_conn_timeout"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_never_speaks_is_unreachable() {
    let server = server().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = SshSettings { port: silent.local_addr().unwrap().port(), ..server.settings() };
    let client = Cli::new(settings, Duration::from_millis(300));
    let error = client.exports_of(&"v".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
}
