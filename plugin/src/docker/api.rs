//! The HTTP calls of the volume plugin protocol.
//!
//! Whatever comes in, the answer is HTTP 200 with one JSON document: dockerd shows the text of `Err`, and makes `EOF` or an
//! HTML page of everything else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Uri};
use futures::FutureExt as _;
use tokio::time::{Instant, timeout};

use super::body;
use super::driver::{DriverError, VolumeDriver};
use super::operations::{Operation, Operations, panic_text};
use super::reply::Reply;
use super::request::{Request, RequestError};
use crate::ops::health;
use crate::volume::options::{CreateOptions, CreateRequest};

/// How long a request is kept waiting. dockerd's own limits are 120 s for Create and Mount and 60 s for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Mount.
    pub mount: Duration,
    /// Unmount.
    pub unmount: Duration,
    /// Every other call.
    pub other: Duration,
}

impl Default for Deadlines {
    /// 110 s for Mount, 55 s for the others.
    fn default() -> Self {
        Self { mount: Duration::from_secs(110), unmount: Duration::from_secs(55), other: Duration::from_secs(55) }
    }
}

/// What answers the calls.
pub struct Api {
    driver: Arc<dyn VolumeDriver>,
    operations: Operations,
    deadlines: Deadlines,
    started: Instant,
}

impl Api {
    /// Calls go to `driver`; what changes something runs in `operations`.
    #[must_use]
    pub fn new(driver: Arc<dyn VolumeDriver>, operations: Operations, deadlines: Deadlines) -> Self {
        Self { driver, operations, deadlines, started: Instant::now() }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }
}

/// Answers any request; a panic on the way becomes a failure text.
async fn answer(State(api): State<Arc<Api>>, method: Method, uri: Uri, body: Body) -> Reply {
    let since = Instant::now();
    let path = uri.path();
    let reply = AssertUnwindSafe(api.dispatch(&method, path, body)).catch_unwind().await.unwrap_or_else(|panic| {
        let reason = panic_text(panic.as_ref());
        tracing::error!(path, %reason, "request panicked");
        Reply::failed(&format!("the request failed by a defect of the plugin: {reason}"))
    });
    let elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    match reply.error() {
        Some(error) => tracing::warn!(path, elapsed_ms, error, "request failed"),
        None => tracing::debug!(path, elapsed_ms, "request answered"),
    }
    reply
}

impl Api {
    async fn dispatch(&self, method: &Method, path: &str, body: Body) -> Reply {
        // The body is read in any case: a sender that is cut off while it writes never sees the answer.
        let body = body::read(body).await;
        let Some(call) = Call::of(path) else {
            let shown: String = path.chars().take(100).collect();
            return Reply::failed(&format!("{shown} is no call of the volume plugin protocol"));
        };
        if call == Call::Health {
            let (view, running) = (self.driver.node_view(), self.operations.running());
            return Reply::document(health::document(self.started.elapsed(), &view, &running));
        }
        if method != Method::POST {
            return Reply::failed(&format!("{path} is called by POST, not by {method}; nothing was done"));
        }
        let body = match body {
            Ok(body) => body,
            Err(error) => return Reply::failed(&format!("{error}; nothing was done")),
        };
        match self.call(call, &body).await {
            Ok(reply) => reply,
            Err(Refusal(text)) if call == Call::Path => Reply::no_path(&text),
            Err(Refusal(text)) => Reply::failed(&text),
        }
    }

    async fn call(&self, call: Call, body: &[u8]) -> Result<Reply, Refusal> {
        match call {
            Call::Activate => Ok(Reply::activated()),
            Call::Capabilities => Ok(Reply::capabilities()),
            Call::List => self.list().await,
            Call::Create => self.create(&Request::read(body)?).await,
            Call::Remove => self.remove(&Request::read(body)?).await,
            Call::Mount => self.mount(&Request::read(body)?).await,
            Call::Unmount => self.unmount(&Request::read(body)?).await,
            Call::Path => self.path(&Request::read(body)?).await,
            Call::Get => self.get(&Request::read(body)?).await,
            Call::Health => Ok(Reply::done()),
        }
    }

    async fn create(&self, request: &Request) -> Result<Reply, Refusal> {
        let name = request.new_name()?;
        let wanted = match CreateOptions::parse(request.opts()) {
            Ok(CreateRequest::Volume(wanted)) => wanted,
            Ok(CreateRequest::Help(topic)) => {
                let text = self.within("Help", async { Ok(self.driver.help(topic).await) }).await?;
                return Ok(Reply::help(&text));
            }
            // An existing volume is success whatever the options are, as with the earlier plugin.
            Err(error) => match self.within("Get", self.driver.get(name)).await {
                Ok(Some(_)) => return Ok(Reply::done()),
                Ok(None) | Err(_) => return Err(Refusal(error.to_string())),
            },
        };
        let operation = Operation::Create { name: name.clone(), options: format!("{wanted:?}") };
        let driver = Arc::clone(&self.driver);
        self.operations
            .run(operation, self.deadlines.other, move |_| {
                let (driver, name, wanted) = (Arc::clone(&driver), name.clone(), wanted.clone());
                async move { driver.create(name, wanted).await.map(|()| None) }.boxed()
            })
            .await?;
        Ok(Reply::done())
    }

    async fn remove(&self, request: &Request) -> Result<Reply, Refusal> {
        let name = request.name()?;
        let driver = Arc::clone(&self.driver);
        self.operations
            .run(Operation::Remove { name: name.clone() }, self.deadlines.other, move |_| {
                let (driver, name) = (Arc::clone(&driver), name.clone());
                async move { driver.remove(name).await.map(|()| None) }.boxed()
            })
            .await?;
        Ok(Reply::done())
    }

    async fn mount(&self, request: &Request) -> Result<Reply, Refusal> {
        let (name, id) = (request.name()?, request.id()?);
        let shown = name.clone();
        let driver = Arc::clone(&self.driver);
        let operation = Operation::Mount { name: name.clone(), id: id.clone() };
        let mounted = self
            .operations
            .run(operation, self.deadlines.mount, move |caller| {
                let (driver, name, id) = (Arc::clone(&driver), name.clone(), id.clone());
                async move { driver.mount(name, id, caller).await.map(Some) }.boxed()
            })
            .await?;
        let mounted = mounted.ok_or_else(|| Refusal("the Mount ended without a mount point".to_owned()))?;
        Ok(Reply::mounted(shown.as_str(), &mounted))
    }

    async fn unmount(&self, request: &Request) -> Result<Reply, Refusal> {
        let (name, id) = (request.name()?, request.id()?);
        let driver = Arc::clone(&self.driver);
        let operation = Operation::Unmount { name: name.clone(), id: id.clone() };
        self.operations
            .run(operation, self.deadlines.unmount, move |_| {
                let (driver, name, id) = (Arc::clone(&driver), name.clone(), id.clone());
                async move { driver.unmount(name, id).await.map(|()| None) }.boxed()
            })
            .await?;
        Ok(Reply::done())
    }

    async fn path(&self, request: &Request) -> Result<Reply, Refusal> {
        let path = self.within("Path", self.driver.path(request.name()?)).await?;
        Ok(Reply::path(path.as_deref()))
    }

    async fn get(&self, request: &Request) -> Result<Reply, Refusal> {
        Ok(Reply::volume(self.within("Get", self.driver.get(request.name()?)).await?))
    }

    async fn list(&self) -> Result<Reply, Refusal> {
        Ok(Reply::volumes(&self.within("List", self.driver.list()).await?))
    }

    /// Waits for a call that changes nothing, and may therefore be dropped.
    async fn within<T>(
        &self,
        call: &str,
        work: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, DriverError> {
        let patience = self.deadlines.other;
        timeout(patience, work).await.unwrap_or_else(|_| {
            Err(DriverError(format!("{call} got no answer within {} s; repeat the request", patience.as_secs_f32())))
        })
    }
}

/// The text of a failure on its way into a reply.
struct Refusal(String);

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self(error.to_string())
    }
}

impl From<DriverError> for Refusal {
    fn from(error: DriverError) -> Self {
        Self(error.0)
    }
}

/// The calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Activate,
    Capabilities,
    Create,
    Remove,
    Mount,
    Unmount,
    Path,
    Get,
    List,
    Health,
}

impl Call {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/Plugin.Activate" => Self::Activate,
            "/VolumeDriver.Capabilities" => Self::Capabilities,
            "/VolumeDriver.Create" => Self::Create,
            "/VolumeDriver.Remove" => Self::Remove,
            "/VolumeDriver.Mount" => Self::Mount,
            "/VolumeDriver.Unmount" => Self::Unmount,
            "/VolumeDriver.Path" => Self::Path,
            "/VolumeDriver.Get" => Self::Get,
            "/VolumeDriver.List" => Self::List,
            health::PATH => Self::Health,
            _ => return None,
        })
    }
}
