//! The adapter as a whole: what it does without an array, and that it says no secrets.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::Hpe3par;
use crate::array::settings::{
    ArraySettings, Protocol, SettingsError, SshLogin, SshSettings, Trust, UnknownHostKey, WsapiSettings,
};
use crate::array::{Array, ArrayError, Channel, Export, ExportTarget, Lun};

const SECRETS: [&str; 2] = ["wsapi-secret-never-seen", "ssh-secret-never-seen"];

/// Settings for addresses at which nobody listens.
fn settings() -> ArraySettings {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ArraySettings {
        array_id: "3par_lab".into(),
        wsapi: WsapiSettings {
            api_url: format!("https://127.0.0.1:{}/api/v1", free()),
            user: "3paradm".into(),
            password: SecretString::from(SECRETS[0]).into(),
            trust: Trust::Anything,
        },
        ssh: SshSettings {
            host: "127.0.0.1".into(),
            port: free(),
            user: "3paradm".into(),
            login: SshLogin::Password(SecretString::from(SECRETS[1]).into()),
            known_hosts: "/nonexistent/known_hosts".into(),
            unknown_host_key: UnknownHostKey::Refuse,
            connect_timeout: Duration::from_secs(30),
            sessions: SshSettings::SESSIONS,
        },
        timeout: Duration::from_secs(30),
        protocol: Protocol::Iscsi,
        iscsi_ips: Vec::new(),
    }
}

#[tokio::test]
async fn with_the_array_away_the_adapter_starts_and_every_call_says_it_was_not_sent() {
    let array: Arc<dyn Array> = Arc::new(Hpe3par::connect(settings()).unwrap());
    assert_eq!((array.id(), array.deadline()), ("3par_lab", Duration::from_secs(30)));
    let volume = "dcv-x".parse().unwrap();
    let export = Export {
        volume: "dcv-x".parse().unwrap(),
        lun: Lun::try_from(7).unwrap(),
        to: ExportTarget::Host("worker1".parse().unwrap()),
    };
    let mut errors = vec![
        array.volume(&volume).await.unwrap_err(),
        array.export(&export).await.unwrap_err(),
        array.target_ports().await.unwrap_err(),
    ];
    for channel in [Channel::Wsapi, Channel::Cli] {
        errors.push(array.exports_of(&volume, channel).await.unwrap_err());
        errors.push(array.unexport(&export, channel).await.unwrap_err());
    }
    for error in errors {
        assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
        assert!(SECRETS.iter().all(|secret| !format!("{error} {error:?}").contains(secret)));
    }
}

#[tokio::test]
async fn settings_and_adapter_print_no_secret() {
    let said = format!("{:?} {:?}", settings(), Hpe3par::connect(settings()).unwrap());
    assert!(SECRETS.iter().all(|secret| !said.contains(secret)), "{said}");
}

#[tokio::test]
async fn shutting_down_without_sessions_ends_at_once() {
    let array = Hpe3par::connect(settings()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), array.shut_down(Duration::from_secs(60))).await.unwrap();
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    let mut wrong = settings();
    wrong.wsapi.api_url = "10.0.0.1:8080".into();
    assert!(matches!(Hpe3par::connect(wrong), Err(SettingsError::Url { .. })));
}
