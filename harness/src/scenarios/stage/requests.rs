//! Requests to plugins: create, mount, unmount, remove; waited for, begun, or repeated until they succeed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Container, Outcome, Stage};
use crate::cluster::docker_client::{CallError, Dialect};
use crate::scenarios::holder::Holder;

/// How long anything may take that a scenario does not limit itself.
const ANY: Duration = Duration::from_secs(60);
/// Pause of an orchestrator between repeats.
const REPEAT: Duration = Duration::from_millis(200);

/// What a request that is under way asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Mount.
    Mount,
    /// Unmount.
    Unmount,
}

/// A request that is under way.
#[derive(Debug)]
pub struct Running {
    /// What it asks.
    pub request: Request,
    /// For whom.
    pub holder: Holder,
    /// Where.
    pub worker: String,
    /// Which volume.
    pub volume: String,
    answer: JoinHandle<Outcome>,
}

impl Running {
    /// The answer has come.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answer.is_finished()
    }
}

/// How a mount is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Once, with dockerd's limit.
    Once,
    /// Once, with a limit of the caller's own.
    Limited(Duration),
    /// Again and again, as an orchestrator does, for at most a minute.
    UntilItSucceeds,
}

impl Stage {
    /// Makes a volume on the first worker that runs.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(&mut self, volume: &str, options: &[(&str, &str)]) -> Result<()> {
        let lab = self.lab()?;
        let worker = lab.workers().find(|worker| worker.is_running()).context("no plugin runs")?;
        let mut all = vec![("size".to_owned(), "1".to_owned())];
        all.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        worker.client(Dialect::Dockerd)?.create(volume, &all).await.with_context(|| format!("creating {volume}"))
    }

    /// Makes a volume on a worker and keeps the answer.
    ///
    /// # Errors
    /// When there is no such worker.
    pub async fn ask_create_as(&mut self, dialect: Dialect, worker: &str, volume: &str) -> Result<()> {
        let client = self.lab()?.worker(worker)?.client(dialect)?;
        let begun = Instant::now();
        let options =
            [("size", "1"), ("mountConflictDelay", "5")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let answer = client.create(volume, &options).await.map(|()| None);
        self.keep(Outcome { what: format!("create of {volume} on {worker}"), answer, took: begun.elapsed() });
        Ok(())
    }

    /// Makes a volume on all workers at once and keeps all answers.
    ///
    /// # Errors
    /// When a client cannot be built.
    pub async fn create_everywhere(&mut self, volume: &str) -> Result<()> {
        let begun = Instant::now();
        let mut calls = Vec::new();
        for worker in self.lab()?.workers() {
            let (client, name) = (worker.client(Dialect::Dockerd)?, worker.name().to_owned());
            calls.push(async move { (name, client.create(volume, &[("size".into(), "1".into())]).await) });
        }
        for (worker, answer) in join_all(calls).await {
            let answer = answer.map(|()| None);
            self.keep(Outcome { what: format!("create of {volume} on {worker}"), answer, took: begun.elapsed() });
        }
        Ok(())
    }

    /// Removes a volume and keeps the answer.
    ///
    /// # Errors
    /// When there is no such worker.
    pub async fn ask_remove(&mut self, worker: &str, volume: &str) -> Result<()> {
        let client = self.lab()?.worker(worker)?.client(Dialect::Dockerd)?;
        let begun = Instant::now();
        let answer = client.remove(volume).await.map(|()| None);
        self.keep(Outcome { what: format!("removal of {volume} on {worker}"), answer, took: begun.elapsed() });
        Ok(())
    }

    /// Mounts a volume for a holder, keeps the answer and, on success, starts the container.
    ///
    /// # Errors
    /// When there is no such worker, or the plugin said success and nothing is mounted.
    pub async fn mount(&mut self, holder: &Holder, worker: &str, volume: &str, patience: Patience) -> Result<()> {
        let outcome =
            self.mount_call(holder, worker, volume, patience)?.await.context("the caller of a mount panicked")?;
        self.mounted(holder, worker, volume, outcome).await
    }

    /// Mounts a volume for a holder, which must succeed.
    ///
    /// # Errors
    /// When it does not.
    pub async fn have_mounted(&mut self, holder: &Holder, worker: &str, volume: &str) -> Result<()> {
        self.mount(holder, worker, volume, Patience::Once).await?;
        let outcome = self.last()?;
        outcome.answer.as_ref().map(drop).map_err(|error| anyhow!("{}: {error}", outcome.what))
    }

    /// Asks for a mount and does not wait for the answer.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn begin_mount(&mut self, holder: &Holder, worker: &str, volume: &str) -> Result<()> {
        let answer = self.mount_call(holder, worker, volume, Patience::Once)?;
        self.begin(Request::Mount, holder, worker, volume, answer);
        Ok(())
    }

    /// Waits for a mount that was begun.
    ///
    /// # Errors
    /// When none was begun, or it is not answered in time.
    pub async fn await_mount(&mut self, holder: &Holder, within: Duration) -> Result<()> {
        let (running, outcome) = self.await_running(Request::Mount, holder, within).await?;
        self.mounted(holder, &running.worker, &running.volume, outcome).await
    }

    /// Stops a holder as dockerd or kubelet does: its namespace goes, then the unmount is sent. Keeps the answer.
    ///
    /// # Errors
    /// When there is no such worker.
    pub async fn stop(&mut self, holder: &Holder, worker: &str) -> Result<()> {
        let call = self.stop_call(holder, worker).await?;
        let outcome = call.await.context("the caller of an unmount panicked")?;
        self.keep(outcome);
        Ok(())
    }

    /// Begins to stop a holder and does not wait for the answer.
    ///
    /// # Errors
    /// When there is no such worker.
    pub async fn begin_stop(&mut self, holder: &Holder, worker: &str) -> Result<()> {
        let volume = self.volume_of(holder);
        let call = self.stop_call(holder, worker).await?;
        self.begin(Request::Unmount, holder, worker, &volume, call);
        Ok(())
    }

    /// Waits for the answer of a stop that was begun.
    ///
    /// # Errors
    /// When none was begun, or it is not answered in time.
    pub async fn await_stop(&mut self, holder: &Holder, within: Duration) -> Result<()> {
        let (_, outcome) = self.await_running(Request::Unmount, holder, within).await?;
        self.keep(outcome);
        Ok(())
    }

    /// `docker cp`: a mount and an unmount with the container's own id, which must both succeed.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn docker_cp(&mut self, holder: &Holder, worker: &str, request: Request) -> Result<()> {
        let volume = self.volume_of(holder);
        let client = self.lab()?.worker(worker)?.client(holder.dialect())?;
        match request {
            Request::Mount => client.mount(&volume, &holder.mount_id()).await.map(drop)?,
            Request::Unmount => client.unmount(&volume, &holder.mount_id()).await?,
        }
        Ok(())
    }

    /// Sends these bytes to an endpoint and keeps what comes back.
    ///
    /// # Errors
    /// When there is no such worker or the connection breaks.
    pub async fn send_raw(&mut self, worker: &str, endpoint: &str, body: Bytes) -> Result<()> {
        let client = self.lab()?.worker(worker)?.client(Dialect::Dockerd)?;
        self.raw = Some(client.raw(endpoint, body).await?);
        Ok(())
    }

    /// Waits until everything that was begun is answered, at most a minute. Answers are dropped.
    pub(super) async fn settle(&mut self) {
        for running in std::mem::take(&mut self.running) {
            let _ = timeout(ANY, running.answer).await;
        }
    }

    pub(super) fn running_mounts(&mut self) -> &mut Vec<Running> {
        &mut self.running
    }

    /// The volume a holder has, or had, or the usual one of the scenarios.
    fn volume_of(&self, holder: &Holder) -> String {
        let begun = self.running.iter().find(|running| running.holder == *holder).map(|running| running.volume.clone());
        let had = self.notes.get(&format!("volume of {holder}")).cloned();
        self.containers
            .get(holder)
            .map(|container| container.volume.clone())
            .or(begun)
            .or(had)
            .unwrap_or_else(|| "db".to_owned())
    }

    fn begin(&mut self, request: Request, holder: &Holder, worker: &str, volume: &str, answer: JoinHandle<Outcome>) {
        let (holder, worker, volume) = (holder.clone(), worker.to_owned(), volume.to_owned());
        self.running.push(Running { request, holder, worker, volume, answer });
    }

    async fn await_running(
        &mut self,
        request: Request,
        holder: &Holder,
        within: Duration,
    ) -> Result<(Running, Outcome)> {
        let place = self.running.iter().position(|running| running.request == request && running.holder == *holder);
        let mut running = self.running.remove(place.with_context(|| format!("no {request:?} of {holder} was begun"))?);
        match timeout(within, &mut running.answer).await {
            Ok(outcome) => Ok((running, outcome.context("the caller panicked")?)),
            Err(_) => bail!("the {request:?} of {holder} on {} was not answered within {within:?}", running.worker),
        }
    }

    fn mount_call(
        &self,
        holder: &Holder,
        worker: &str,
        volume: &str,
        patience: Patience,
    ) -> Result<JoinHandle<Outcome>> {
        let mut client = self.lab()?.worker(worker)?.client(holder.dialect())?;
        if let Patience::Limited(limit) = patience {
            client = client.with_patience(limit);
        }
        let (id, volume) = (holder.mount_id(), volume.to_owned());
        let what = format!("mount of {volume} for {holder} on {worker}");
        let (witness, wwn, node) = (self.lab()?.witness().clone(), self.lab()?.known_wwn(&volume), worker.to_owned());
        Ok(tokio::spawn(async move {
            let begun = Instant::now();
            let answer = loop {
                let request = wwn.as_ref().map(|wwn| (wwn, witness.mount_asked(&node, wwn)));
                let answer = client.mount(&volume, &id).await;
                if let Some((wwn, request)) = request {
                    witness.mount_answered(&node, wwn, request, answer.clone().map_err(|error| error.to_string()));
                }
                match answer {
                    Err(_) if patience == Patience::UntilItSucceeds && begun.elapsed() < ANY => {
                        tokio::time::sleep(REPEAT).await;
                    }
                    answer => break answer,
                }
            };
            Outcome { what, answer: answer.map(Some), took: begun.elapsed() }
        }))
    }

    async fn mounted(&mut self, holder: &Holder, worker: &str, volume: &str, outcome: Outcome) -> Result<()> {
        let mountpoint = match &outcome.answer {
            Ok(Some(mountpoint)) => Some(mountpoint.clone()),
            _ => None,
        };
        self.keep(outcome);
        if let Some(mountpoint) = mountpoint {
            self.run_container(holder, worker, volume, mountpoint).await?;
        }
        Ok(())
    }

    /// A container ends without anybody telling the plugin: it died of an I/O error, or dockerd is gone.
    ///
    /// # Errors
    /// When it has nothing mounted.
    pub async fn die(&mut self, holder: &Holder) -> Result<()> {
        let container = self.container(holder)?.clone();
        self.lab()?.worker(&container.worker)?.node().stop_container(container.namespace).await;
        Ok(())
    }

    async fn run_container(&mut self, holder: &Holder, worker: &str, volume: &str, mountpoint: PathBuf) -> Result<()> {
        let node = self.lab()?.worker(worker)?.node().clone();
        let running = node.containers_on(&self.wwn(volume).await?);
        let runs = |container: &Container| container.worker == worker && running.contains(&container.namespace);
        if self.containers.get(holder).is_some_and(runs) {
            // A repeated request for a container that runs already.
            return Ok(());
        }
        let namespace = node
            .run_container(&mountpoint)
            .await
            .with_context(|| format!("starting {holder}: the plugin said success"))?;
        self.notes.insert(format!("volume of {holder}"), volume.to_owned());
        let container = Container { worker: worker.to_owned(), volume: volume.to_owned(), mountpoint, namespace };
        self.containers.insert(holder.clone(), container);
        Ok(())
    }

    async fn stop_call(&mut self, holder: &Holder, worker: &str) -> Result<JoinHandle<Outcome>> {
        let volume = self.volume_of(holder);
        let client = self.lab()?.worker(worker)?.client(holder.dialect())?;
        let node = self.lab()?.worker(worker)?.node().clone();
        let (id, what) = (holder.mount_id(), format!("unmount of {volume} for {holder} on {worker}"));
        let namespace = match self.containers.get(holder) {
            Some(container) if container.worker == worker => {
                self.containers.remove(holder).map(|container| container.namespace)
            }
            _ => None,
        };
        Ok(tokio::spawn(async move {
            let begun = Instant::now();
            if let Some(namespace) = namespace {
                // dockerd kills the container's processes first; a hanging one does not keep it from sending the unmount.
                let _ = timeout(Duration::from_secs(1), node.stop_container(namespace)).await;
            }
            let answer: Result<(), CallError> = client.unmount(&volume, &id).await;
            Outcome { what, answer: answer.map(|()| None), took: begun.elapsed() }
        }))
    }
}
