//! How a step of the node port runs: in the kernel, so that it goes on when its caller dies or gives up.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hpe3par_docker_plugin::node::{Device, NodeError};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::hook::{Injection, Moment};
use super::machine::{Machine, SimulatedNode};

pub(super) fn failed(step: &'static str, object: &str, reason: &dyn fmt::Display) -> NodeError {
    NodeError::Failed { step, object: object.to_owned(), reason: reason.to_string() }
}

impl SimulatedNode {
    /// Runs a step in the kernel, with the hook before and after it and a deadline for its caller.
    pub(super) async fn step<T, F>(&self, step: &'static str, object: &str, work: F) -> Result<T, NodeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, NodeError>> + Send + 'static,
    {
        let late = self.inject(step, object, Moment::Before).await?;
        if !self.is_powered() {
            return Err(failed(step, object, &"the machine has no power"));
        }
        let (done, heard) = oneshot::channel();
        let latency = self.machine.step_latency() + late;
        self.machine.run(Box::pin(async move {
            sleep(latency).await;
            // A caller that gave up does not hear the result.
            let _ = done.send(work.await);
        }));
        let deadline = self.deadline_of(step);
        let result = match timeout(deadline, heard).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) => return Err(failed(step, object, &"the machine lost power")),
            Err(_) => return Err(NodeError::TimedOut { step, object: object.to_owned(), seconds: deadline.as_secs() }),
        };
        self.inject(step, object, Moment::After).await?;
        Ok(result)
    }

    /// Longest time a step takes for its caller.
    #[must_use]
    pub fn deadline_of(&self, step: &str) -> Duration {
        let deadline = self.machine.options.step_deadline;
        if step == "attach" { deadline * 2 } else { deadline }
    }

    /// What the hook makes of a moment; tells how much longer the kernel takes.
    pub(super) async fn inject(&self, step: &'static str, object: &str, moment: Moment) -> Result<Duration, NodeError> {
        match self.machine.hook().at(step, object, moment) {
            Injection::None => Ok(Duration::ZERO),
            Injection::Delay(delay) => {
                sleep(delay).await;
                Ok(Duration::ZERO)
            }
            Injection::Fail(reason) => Err(failed(step, object, &reason)),
            Injection::Hang => std::future::pending().await,
            Injection::Late(by) => Ok(by),
            Injection::AnswerLost => {
                let deadline = self.deadline_of(step);
                sleep(deadline).await;
                Err(NodeError::TimedOut { step, object: object.to_owned(), seconds: deadline.as_secs() })
            }
            Injection::Yield => {
                yield_now().await;
                Ok(Duration::ZERO)
            }
        }
    }

    /// A step on a device handle: fails when the handle speaks of a map that is no more.
    pub(super) async fn on_device<T, F>(
        &self,
        step: &'static str,
        device: &Device,
        work: impl FnOnce(Arc<Machine>, Device) -> F + Send + 'static,
    ) -> Result<T, NodeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, String>> + Send,
    {
        let (machine, device) = (self.machine.clone(), device.clone());
        let object = device.path.display().to_string();
        let name = object.clone();
        self.step(step, &object, async move {
            if machine.state().kernel.map_of(&device).is_none() {
                return Err(failed(step, &name, &"No such device"));
            }
            work(machine, device).await.map_err(|reason| failed(step, &name, &reason))
        })
        .await
    }

    /// A step on a directory of the host.
    pub(super) async fn on_dir<T, F>(
        &self,
        step: &'static str,
        dir: &Path,
        work: impl FnOnce(Arc<Machine>, std::path::PathBuf) -> F + Send + 'static,
    ) -> Result<T, NodeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, String>> + Send,
    {
        let (machine, dir) = (self.machine.clone(), dir.to_owned());
        let object = dir.display().to_string();
        let name = object.clone();
        self.step(step, &object, async move { work(machine, dir).await.map_err(|reason| failed(step, &name, &reason)) })
            .await
    }
}
