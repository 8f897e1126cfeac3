//! A watch on etcd that notices its own death.
//!
//! A watch stream whose member has frozen stays silent for ever (observed), so a silent one asks for its progress, and one
//! whose question is not answered is given up. Needs etcd 3.4, which answers progress requests.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Event, EventType, WatchOptions, WatchResponse, WatchStream};
use tokio::time::{Instant, sleep_until, timeout};

use super::members::Members;
use super::translate::{Fault, entry, key_text};
use crate::store::{Revision, StoreError, Watch, WatchEvent};

/// Silence after which the stream is asked for its progress. Answers also keep etcd from taking the connection's pings for
/// abuse: it closes a connection after three pings in a row less than 5 s apart (`--grpc-keepalive-min-time`).
const SILENCE: Duration = Duration::from_secs(2);
/// How long an answer may take before the watch is given up.
const ANSWER: Duration = Duration::from_secs(4);

/// A running watch. Waiting for the next change may be given up and taken up again without losing any.
pub(super) struct EtcdWatch {
    operation: String,
    stream: WatchStream,
    arrived: VecDeque<WatchEvent>,
    heard: Instant,
    asked: Option<Instant>,
    failed: Option<StoreError>,
}

impl EtcdWatch {
    /// Starts a watch and waits until etcd has confirmed it.
    pub(super) async fn open(members: &Members, prefix: &str, after: Revision) -> Result<Self, StoreError> {
        let operation = format!("a watch of {prefix}");
        let options = WatchOptions::new().with_prefix().with_start_revision(after.0.saturating_add(1)).with_fragment();
        let opened = members
            .ask(|mut member| {
                let options = options.clone();
                async move {
                    let mut stream = member.watches().watch(prefix, Some(options)).await?;
                    let first = stream.message().await?;
                    Ok((stream, first))
                }
            })
            .await;
        let (stream, first) = opened.map_err(|fault| fault.into_error(&operation))?;
        let mut watch =
            Self { operation, stream, arrived: VecDeque::new(), heard: Instant::now(), asked: None, failed: None };
        watch.take(first)?;
        Ok(watch)
    }

    /// Takes one message of the stream; `None` is its end.
    fn take(&mut self, message: Option<WatchResponse>) -> Result<(), StoreError> {
        let Some(message) = message else { return Err(self.ended("the stream ended")) };
        self.heard = Instant::now();
        self.asked = None;
        if message.compact_revision() > 0 {
            let reason = format!("changes before revision {} are compacted; list again", message.compact_revision());
            return Err(StoreError::Refused { operation: self.operation.clone(), reason });
        }
        if message.canceled() {
            return Err(self.ended(&format!("etcd ended it: {}", message.cancel_reason())));
        }
        self.arrived.extend(message.events().iter().filter_map(change));
        Ok(())
    }

    /// Waits until changes have arrived, the stream has been quiet for a while, or it has failed.
    async fn listen(&mut self) -> Result<(), StoreError> {
        let patience = self.asked.map_or(self.heard + SILENCE, |asked| asked + ANSWER);
        tokio::select! {
            biased;
            message = self.stream.message() => {
                let message = message.map_err(|error| self.ended(&Fault::from(error).reason()))?;
                self.take(message)
            }
            () = sleep_until(patience) => match self.asked {
                None => self.ask_for_progress().await,
                Some(_) => Err(self.ended(&format!("no sign of life for {} s", ANSWER.as_secs()))),
            },
        }
    }

    async fn ask_for_progress(&mut self) -> Result<(), StoreError> {
        self.asked = Some(Instant::now());
        match timeout(ANSWER, self.stream.request_progress()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.ended(&Fault::from(error).reason())),
            Err(_) => Err(self.ended("a progress request could not be sent")),
        }
    }

    fn ended(&self, reason: &str) -> StoreError {
        StoreError::Unavailable { operation: self.operation.clone(), reason: reason.to_owned() }
    }
}

#[async_trait]
impl Watch for EtcdWatch {
    async fn next(&mut self) -> Result<WatchEvent, StoreError> {
        loop {
            if let Some(event) = self.arrived.pop_front() {
                return Ok(event);
            }
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if let Err(error) = self.listen().await {
                self.failed = Some(error);
            }
        }
    }
}

fn change(event: &Event) -> Option<WatchEvent> {
    let found = event.kv()?;
    Some(match event.event_type() {
        EventType::Put => WatchEvent::Put(entry(found)),
        EventType::Delete => WatchEvent::Deleted { key: key_text(found), at: Revision(found.mod_revision()) },
    })
}
