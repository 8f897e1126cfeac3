//! Clients for the tests: REST with the array's own certificate as the only trusted one, SSH with its host key.

#![allow(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod initiator;

use std::{sync::Arc, time::Duration};

use hpe3par_emulator::{
    Emulator,
    array::{CreateHost, CreateVlun, CreateVolume},
    server::{RunningEmulator, TlsMode},
};
use reqwest::{Client, Method, Response, Url};
use russh::{
    ChannelMsg,
    client::{self, Handle},
    keys::{PublicKeyOrCertificate, ssh_key},
};
use serde_json::{Value, json};

/// Longest time that anything in these tests may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// An array on free ports, with HTTPS.
pub(crate) async fn start() -> RunningEmulator {
    Emulator::builder().seed(1).start().await.unwrap()
}

/// An array on free ports, with plain HTTP.
pub(crate) async fn start_plain() -> RunningEmulator {
    Emulator::builder().seed(1).tls(TlsMode::Off).start().await.unwrap()
}

/// Makes the volume `v1`, the host `h1` and exports the one to the other as LUN 7.
pub(crate) fn export(array: &Emulator) {
    array.with(|array, now| {
        array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024)).unwrap();
        array.create_host(now, &CreateHost::iscsi("h1", &["iqn.1994-05.com.example:h1"])).unwrap();
        array.create_vlun(now, &CreateVlun::host_sees("v1", 7, "h1")).unwrap();
    });
}

/// How many exports there are.
pub(crate) fn exports(array: &Emulator) -> usize {
    array.with(|array, _| array.vlun_template_count())
}

/// A REST client that trusts the array's authority and nothing else.
pub(crate) fn https_client(running: &RunningEmulator) -> Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().timeout(DEADLINE);
    let builder = match running.ca_pem() {
        Some(pem) => builder.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]),
        None => builder,
    };
    builder.build().unwrap()
}

/// A REST client that is logged in.
pub(crate) struct Rest {
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Rest {
    pub(crate) async fn log_in(running: &RunningEmulator) -> Self {
        let (client, url) = (https_client(running), running.wsapi_url().to_owned());
        let answer = client
            .post(format!("{url}/credentials"))
            .body(json!({"user": "3paradm", "password": "3pardata"}).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 201);
        let body: Value = answer.json().await.unwrap();
        let key = body["key"].as_str().unwrap().to_owned();
        Self { client, url, key }
    }

    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let url = Url::parse(&format!("{}{path}", self.url)).unwrap();
        let request = self.client.request(method, url).header("X-HP3PAR-WSAPI-SessionKey", &self.key);
        match body {
            Some(body) => request.body(body.to_string()).send().await,
            None => request.send().await,
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        self.try_send(method, path, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::GET, path, None).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }
}

/// Accepts exactly one host key.
pub(crate) struct OneHostKey(Arc<ssh_key::PublicKey>);

impl client::Handler for OneHostKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(matches!(key, PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.0.key_data()))
    }
}

/// What a channel printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) text: String,
    pub(crate) status: Option<u32>,
}

/// Opens an SSH connection, not logged in yet.
pub(crate) async fn ssh_connect(running: &RunningEmulator) -> Result<Handle<OneHostKey>, russh::Error> {
    let key = Arc::new(ssh_key::PublicKey::from_openssh(running.ssh_host_key()).unwrap());
    client::connect(Arc::new(client::Config::default()), running.ssh_addr(), OneHostKey(key)).await
}

/// Opens an SSH connection and logs in.
pub(crate) async fn ssh(running: &RunningEmulator) -> Handle<OneHostKey> {
    let mut connection = ssh_connect(running).await.unwrap();
    assert!(connection.authenticate_password("3paradm", "3pardata").await.unwrap().success());
    connection
}

/// Runs one command; `input` is what is typed to its questions.
pub(crate) async fn exec(connection: &Handle<OneHostKey>, command: &str, input: &str) -> Printed {
    let channel = connection.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    if !input.is_empty() {
        channel.data_bytes(input.as_bytes().to_vec()).await.unwrap();
    }
    read_all(channel).await
}

/// Runs an interactive shell the way paramiko clients do: everything is typed at once.
pub(crate) async fn shell(connection: &Handle<OneHostKey>, typed: &str) -> Printed {
    let channel = connection.channel_open_session().await.unwrap();
    channel.request_pty(false, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    channel.data_bytes(typed.as_bytes().to_vec()).await.unwrap();
    read_all(channel).await
}

/// Reads a channel to its end.
pub(crate) async fn read_all(mut channel: russh::Channel<client::Msg>) -> Printed {
    let reading = async {
        let (mut bytes, mut status) = (Vec::new(), None);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => bytes.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        Printed { text: String::from_utf8(bytes).unwrap(), status }
    };
    tokio::time::timeout(DEADLINE, reading).await.unwrap()
}
