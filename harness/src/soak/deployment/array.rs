//! The array's process, and what an administrator or a fault does to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hpe3par_emulator::faults::FaultRule;
use serde_json::Value;

use super::addresses::{Part, address_of};
use super::child::{Child, How};
use crate::soak::array_process::{ArrayPlan, ArrayReady};
use crate::soak::clock::SharedClock;

/// How long the control interface may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The running array.
#[derive(Debug)]
pub struct ArrayPart {
    child: Child,
    ready: ArrayReady,
    facts: PathBuf,
    http: reqwest::Client,
}

/// A management interface of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrontEnd {
    /// REST.
    Wsapi,
    /// Command line.
    Ssh,
}

impl FrontEnd {
    fn name(self) -> &'static str {
        match self {
            Self::Wsapi => "wsapi",
            Self::Ssh => "ssh",
        }
    }
}

impl ArrayPart {
    /// Starts it; its files are in `directory`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(directory: &Path, seed: u64, clock: SharedClock) -> Result<Self> {
        let facts = directory.join("array.facts");
        let plan = ArrayPlan { address: address_of(Part::Array), seed, clock, facts: facts.clone() };
        let plan_file = directory.join("array.plan");
        std::fs::write(&plan_file, serde_json::to_string(&plan)?).context("writing the array's plan")?;
        let (child, line) =
            Child::part("the array", "array", &plan_file, &directory.join("array.stderr"), &How::default()).await?;
        let ready = serde_json::from_str(&line).context("reading what the array says")?;
        let http = reqwest::Client::builder().timeout(ANSWER).build().context("building an HTTP client")?;
        Ok(Self { child, ready, facts, http })
    }

    /// Its addresses and identity.
    #[must_use]
    pub fn ready(&self) -> &ArrayReady {
        &self.ready
    }

    /// File with what it told.
    #[must_use]
    pub fn facts(&self) -> &Path {
        &self.facts
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Stops its process where it stands, or lets it go on: management and data path.
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        if frozen { self.child.freeze() } else { self.child.thaw() }
    }

    /// Cuts a management interface off, or opens it again.
    ///
    /// # Errors
    /// When the control interface does not answer.
    pub async fn front_end(&self, front_end: FrontEnd, away: bool) -> Result<()> {
        let action = if away { "pause" } else { "resume" };
        self.post(&format!("front-ends/{}/{action}", front_end.name()), &Value::Null).await.map(drop)
    }

    /// Adds a rule to the fault plan; gives its number.
    ///
    /// # Errors
    /// When the control interface does not answer.
    pub async fn add_fault(&self, rule: &FaultRule) -> Result<u64> {
        let answer = self.post("faults", &serde_json::to_value(rule)?).await?;
        answer.get("id").and_then(Value::as_u64).context("the array gave the fault no number")
    }

    /// Takes a rule away.
    ///
    /// # Errors
    /// When the control interface does not answer.
    pub async fn remove_fault(&self, number: u64) -> Result<()> {
        self.delete(&format!("faults/{number}")).await
    }

    /// Takes all faults away and opens both interfaces.
    ///
    /// # Errors
    /// When the control interface does not answer.
    pub async fn heal(&self) -> Result<()> {
        self.freeze(false)?;
        self.delete("faults").await?;
        self.front_end(FrontEnd::Wsapi, false).await?;
        self.front_end(FrontEnd::Ssh, false).await
    }

    /// Ends all sessions of the REST interface, as a restart of that service does.
    ///
    /// # Errors
    /// When the control interface does not answer.
    pub async fn end_sessions(&self) -> Result<()> {
        self.delete("sessions").await
    }

    /// Hosts, volumes, VLUNs, sessions.
    ///
    /// # Errors
    /// When the control interface does not answer.
    pub async fn state(&self) -> Result<Value> {
        let answer = self.http.get(self.url("state")).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Asks it to end; tells whether it did in time.
    pub async fn shut_down(&mut self, within: Duration) -> bool {
        self.child.terminate().is_ok() && self.child.ended(within).await
    }

    async fn post(&self, what: &str, body: &Value) -> Result<Value> {
        let answer = self.http.post(self.url(what)).body(body.to_string()).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn delete(&self, what: &str) -> Result<()> {
        self.http.delete(self.url(what)).send().await?.error_for_status()?;
        Ok(())
    }

    fn url(&self, what: &str) -> String {
        let control: SocketAddr = self.ready.control;
        format!("http://{control}/{what}")
    }
}
