//! An array that answers by script: every answer, and every way of not answering, can be had at will.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::array::settings::{Trust, WsapiSettings};
use crate::array::wsapi::Wsapi;

pub(super) const PASSWORD: &str = "pass-phrase-never-to-be-seen";
/// Every session key begins with this.
pub(super) const KEY: &str = "key-never-to-be-seen-";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) key: Option<String>,
    pub(super) body: String,
}

impl Seen {
    /// `METHOD /path`, without `/api/v1`.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path.trim_start_matches("/api/v1"))
    }
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Status, `Location`, body.
    Answer(u16, Option<String>, String),
    /// These bytes, then the end of the connection.
    Bytes(String),
    /// Nothing, for ever.
    Hang,
    /// The connection is cut.
    Cut,
}

impl Reply {
    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::Answer(status, None, body.to_owned())
    }

    pub(super) fn error(status: u16, code: u32) -> Self {
        Self::json(status, &format!(r#"{{"code":{code},"desc":"text of the array"}}"#))
    }
}

type Script = Box<dyn Fn(&Seen, usize) -> Option<Reply> + Send + Sync>;

pub(super) struct ScriptedArray {
    address: SocketAddr,
    tls: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl ScriptedArray {
    /// Serves plain HTTP. The script gets each request and how many of the same method and path came before; what it leaves
    /// open is answered as by an array that is well.
    pub(super) async fn start(script: impl Fn(&Seen, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::serve(None, Box::new(script)).await
    }

    /// Serves HTTPS.
    pub(super) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::serve(Some(acceptor), Box::new(|_, _| None)).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let array = Self { address: listener.local_addr().unwrap(), tls: acceptor.is_some(), seen: Arc::default() };
        let (seen, script) = (Arc::clone(&array.seen), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, script, acceptor) = (Arc::clone(&seen), Arc::clone(&script), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(stream, &seen, &script).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, &seen, &script).await;
                            }
                        }
                    }
                });
            }
        });
        array
    }

    pub(super) fn settings(&self, trust: Trust) -> WsapiSettings {
        let scheme = if self.tls { "https" } else { "http" };
        settings(&format!("{scheme}://{}/api/v1", self.address), trust)
    }

    pub(super) fn client(&self, deadline: Duration) -> Wsapi {
        Wsapi::new(&self.settings(Trust::Anything), deadline).unwrap()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests began with `line`, such as `DELETE /vluns`.
    pub(super) fn count(&self, line: &str) -> usize {
        self.seen().iter().filter(|seen| seen.line().starts_with(line)).count()
    }

    /// Waits until `count` requests of that kind came.
    pub(super) async fn wait_for(&self, line: &str, count: usize) {
        let all = async {
            while self.count(line) < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    }
}

pub(super) fn settings(api_url: &str, trust: Trust) -> WsapiSettings {
    WsapiSettings {
        api_url: api_url.into(),
        user: "3paradm".into(),
        password: SecretString::from(PASSWORD).into(),
        trust,
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, seen: &Mutex<Vec<Seen>>, script: &Script) {
    let Some(request) = read_request(&mut stream).await else { return };
    let (before, logins) = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|s| s.line() == request.line()).count();
        let logins = seen.iter().filter(|s| s.line() == "POST /credentials").count();
        seen.push(request.clone());
        (before, logins)
    };
    let answer = match script(&request, before).unwrap_or_else(|| healthy(&request, logins)) {
        Reply::Hang => {
            std::future::pending::<()>().await;
            return;
        }
        Reply::Cut => return,
        Reply::Bytes(bytes) => bytes,
        Reply::Answer(status, location, body) => {
            let location = location.map_or(String::new(), |l| format!("Location: {l}\r\n"));
            let length = body.len();
            format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{location}Content-Length: {length}\r\n\r\n{body}")
        }
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn healthy(request: &Seen, logins: usize) -> Reply {
    match request.line().as_str() {
        "POST /credentials" => Reply::json(201, &format!(r#"{{"key":"{KEY}{logins}"}}"#)),
        "GET /api" => Reply::json(200, r#"{"major":1,"minor":6,"revision":3,"build":30301460}"#),
        line if line.starts_with("GET") => Reply::json(200, r#"{"total":0,"members":[]}"#),
        line if line.starts_with("POST") => Reply::json(201, ""),
        _ => Reply::json(200, ""),
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut first = text.lines().next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let length: usize = header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head + 4..].to_vec()).ok()?;
    Some(Seen { method, path, key: header("x-hp3par-wsapi-sessionkey"), body })
}
