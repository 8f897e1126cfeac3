//! The members of the etcd cluster: one client each, and the choice of the one to ask.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, Error, GetOptions, KvClient, WatchClient};
use tokio::time::{Instant, timeout_at};

use super::settings::{EtcdSettings, EtcdSettingsError};
use super::translate::Fault;
use crate::store::LeaseId;
use crate::store::keys;

/// Largest answer taken: a listing of some ten thousand records. The library's own limit is 4 MiB.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// A member that answered within this time is trusted to take a transaction.
const FRESH: Duration = Duration::from_secs(1);

/// One member of the cluster.
#[derive(Clone)]
pub(super) struct Member {
    /// Its URL.
    pub(super) endpoint: String,
    /// Its client. Connects when first used, and again after every break.
    pub(super) client: Client,
}

impl Member {
    /// The key-value client, able to take long listings.
    pub(super) fn kv(&mut self) -> KvClient {
        self.client.kv_client().max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The watch client, able to take many changes at once.
    pub(super) fn watches(&mut self) -> WatchClient {
        self.client.watch_client().max_decoding_message_size(LARGEST_ANSWER)
    }

    /// Renews a lease; false when it has ended.
    pub(super) async fn keep_alive(&mut self, lease: LeaseId) -> Result<bool, Error> {
        match self.client.lease_keep_alive(lease.0).await {
            Ok(_) => Ok(true),
            // The library turns a time to live of 0 into this error; only etcd's own count decides.
            Err(Error::LeaseKeepAliveError(_)) => Ok(self.client.lease_time_to_live(lease.0, None).await?.ttl() > 0),
            Err(error) => Err(error),
        }
    }
}

/// The members of the cluster, and which of them answered last.
pub(super) struct Members {
    members: Vec<Member>,
    timeout: Duration,
    preferred: Mutex<Preferred>,
}

#[derive(Clone, Copy, Default)]
struct Preferred {
    index: usize,
    answered: Option<Instant>,
}

impl Members {
    pub(super) async fn prepare(settings: &EtcdSettings) -> Result<Self, EtcdSettingsError> {
        let mut members = Vec::new();
        for endpoint in settings.urls()? {
            let options = settings.options(&endpoint).await?;
            let client = Client::connect([&endpoint], Some(options)).await.map_err(|error| {
                EtcdSettingsError::BadEndpoint { endpoint: endpoint.clone(), reason: Fault::from(error).reason() }
            })?;
            members.push(Member { endpoint, client });
        }
        Ok(Self { members, timeout: settings.timeout, preferred: Mutex::default() })
    }

    /// Asks a question that may be repeated: each member in turn, the one that answered last first, each for its share of the
    /// time that is left.
    pub(super) async fn ask<T, Asked>(&self, question: impl Fn(Member) -> Asked + Send) -> Result<T, Fault>
    where
        Asked: Future<Output = Result<T, Error>> + Send,
    {
        self.ask_until(Instant::now() + self.timeout, question).await.map(|(_, answer)| answer)
    }

    async fn ask_until<T, Asked>(
        &self,
        deadline: Instant,
        question: impl Fn(Member) -> Asked + Send,
    ) -> Result<(usize, T), Fault>
    where
        Asked: Future<Output = Result<T, Error>> + Send,
    {
        let first = self.preferred().index;
        let count = self.members.len();
        let mut failures = Vec::new();
        for turn in 0..count {
            let index = (first + turn) % count;
            let Some(member) = self.members.get(index) else { break };
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(count - turn).unwrap_or(u32::MAX);
            match timeout_at(Instant::now() + share, question(member.clone())).await {
                Ok(Ok(answer)) => {
                    self.answered(index);
                    return Ok((index, answer));
                }
                Ok(Err(error)) => match Fault::from(error) {
                    Fault::Unavailable(reason) => failures.push(format!("{}: {reason}", member.endpoint)),
                    refused => {
                        self.answered(index);
                        return Err(refused);
                    }
                },
                Err(_) => failures.push(format!("{}: no answer within {} ms", member.endpoint, share.as_millis())),
            }
        }
        self.rotate_from(first);
        Err(Fault::Unavailable(failures.join("; ")))
    }

    /// Sends something that must not be repeated: to one member, once. With several members it is one that has just answered,
    /// so that a dead or frozen one does not make the outcome unknown without need.
    pub(super) async fn tell_once<T, Told>(&self, message: impl FnOnce(Member) -> Told + Send) -> Result<T, Fault>
    where
        Told: Future<Output = Result<T, Error>> + Send,
    {
        let deadline = Instant::now() + self.timeout;
        let index = self.answering_member(deadline).await?;
        let Some(member) = self.members.get(index) else {
            return Err(Fault::Unavailable("no member is configured".to_owned()));
        };
        let fault = match timeout_at(deadline, message(member.clone())).await {
            Ok(Ok(answer)) => {
                self.answered(index);
                return Ok(answer);
            }
            Ok(Err(error)) => Fault::from(error),
            Err(_) => Fault::Unavailable(format!("no answer within {} ms", self.timeout.as_millis())),
        };
        let Fault::Unavailable(reason) = fault else { return Err(fault) };
        self.rotate_from(index);
        Err(Fault::Unavailable(format!("{}: {reason}; the outcome is unknown", member.endpoint)))
    }

    async fn answering_member(&self, deadline: Instant) -> Result<usize, Fault> {
        let preferred = self.preferred();
        let fresh = preferred.answered.is_some_and(|answered| answered.elapsed() < FRESH);
        if self.members.len() == 1 || fresh {
            return Ok(preferred.index);
        }
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        let look = |mut member: Member| async move {
            member.client.get(keys::SCHEMA, Some(GetOptions::new().with_count_only())).await
        };
        self.ask_until(half, look).await.map(|(index, _)| index)
    }

    fn preferred(&self) -> Preferred {
        *self.preferred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, index: usize) {
        let answered = Some(Instant::now());
        *self.preferred.lock().unwrap_or_else(PoisonError::into_inner) = Preferred { index, answered };
    }

    /// Starts with the next member from now on, unless another call has found a better one meanwhile.
    fn rotate_from(&self, failed: usize) {
        let mut preferred = self.preferred.lock().unwrap_or_else(PoisonError::into_inner);
        if preferred.index == failed {
            *preferred = Preferred { index: (failed + 1) % self.members.len().max(1), answered: None };
        }
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| &member.endpoint)).finish()
    }
}
