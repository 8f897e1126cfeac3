//! A plugin as a process would run it: on a thread of its own that can be frozen, killed or told to stop.
//!
//! The thread drives a current-thread runtime, so blocking it stops everything of the plugin while the rest of the
//! world goes on (SIGSTOP), and dropping the runtime ends everything where it stands (SIGKILL). Only destructors run.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::log_buffer::LogBuffer;
use super::panics;
use super::wait::wait_for_condition;

/// How a plugin that ended by itself ended.
pub type Ending = Result<(), String>;

/// A running plugin.
#[derive(Debug)]
pub struct PluginProcess {
    stop: CancellationToken,
    kill: CancellationToken,
    freezer: Freezer,
    thread: Option<JoinHandle<Option<Ending>>>,
}

/// Blocks the thread it is polled on while frozen.
#[derive(Debug, Clone)]
struct Freezer {
    frozen: Arc<(Mutex<bool>, Condvar)>,
    requests: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl PluginProcess {
    /// Starts `program` on a thread of its own. It gets a token that asks it to stop in good order (SIGTERM).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<P, F>(name: &str, log: &LogBuffer, program: P) -> Result<Self>
    where
        P: FnOnce(CancellationToken) -> F + Send + 'static,
        F: Future<Output = Ending>,
    {
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let (requests, asked) = mpsc::unbounded_channel();
        let freezer = Freezer { frozen: Arc::default(), requests };
        let (subscriber, their_stop, their_kill, frozen) =
            (log.subscriber(), stop.clone(), kill.clone(), freezer.frozen.clone());
        let their_log = log.clone();
        let run = move || {
            let _heard = panics::written_to(their_log);
            tracing::dispatcher::with_default(&subscriber, || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => return Some(Err(format!("no runtime: {error}"))),
                };
                let ending = runtime.block_on(async {
                    tokio::spawn(freeze_when_asked(asked, frozen));
                    tokio::select! {
                        biased;
                        () = their_kill.cancelled() => None,
                        ending = program(their_stop) => Some(ending),
                    }
                });
                runtime.shutdown_background();
                ending
            })
        };
        let thread = std::thread::Builder::new()
            .name(format!("plugin-{name}"))
            .spawn(run)
            .context("starting a thread for a plugin")?;
        Ok(Self { stop, kill, freezer, thread: Some(thread) })
    }

    /// Stops everything of the plugin where it stands; answers once it stands still.
    pub async fn freeze(&self) {
        *self.freezer.lock() = true;
        let (standing, stands) = oneshot::channel();
        if self.freezer.requests.send(standing).is_ok() {
            let _ = stands.await;
        }
    }

    /// Lets a frozen plugin go on.
    pub fn thaw(&self) {
        *self.freezer.lock() = false;
        self.freezer.frozen.1.notify_all();
    }

    /// Ends it at once, without a chance to do anything.
    pub async fn kill(mut self) {
        self.end_now();
        if let Some(thread) = self.thread.take() {
            // Joining blocks, and the thread may be in the middle of a step.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Asks it to stop in good order.
    pub fn terminate(&self) {
        self.stop.cancel();
    }

    /// Waits until it has ended by itself; says how. `None` when it did not end in time.
    pub async fn ending(&mut self, within: Duration) -> Option<Ending> {
        let thread = self.thread.as_ref();
        let ended = || async { if thread.is_none_or(JoinHandle::is_finished) { Ok(()) } else { Err("running") } };
        wait_for_condition("the plugin to end", within, ended).await.ok()?;
        match self.thread.take()?.join() {
            Ok(ending) => ending,
            Err(_) => Some(Err("it panicked".to_owned())),
        }
    }

    /// It has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn end_now(&self) {
        self.kill.cancel();
        self.thaw();
    }
}

impl Drop for PluginProcess {
    /// Waits for the thread: what it does last must not land in a directory that is being removed.
    fn drop(&mut self) {
        self.end_now();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Freezer {
    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.frozen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn freeze_when_asked(
    mut asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    frozen: Arc<(Mutex<bool>, Condvar)>,
) {
    while let Some(standing) = asked.recv().await {
        let guard = frozen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = standing.send(());
        drop(frozen.1.wait_while(guard, |frozen| *frozen).unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn counting() -> (PluginProcess, Arc<AtomicU64>) {
        let counter = Arc::new(AtomicU64::new(0));
        let theirs = counter.clone();
        let process = PluginProcess::start("test", &LogBuffer::default(), move |stop| async move {
            tracing::info!("counting");
            while !stop.is_cancelled() {
                theirs.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        });
        (process.unwrap(), counter)
    }

    async fn grows(counter: &AtomicU64) -> bool {
        let before = counter.load(Ordering::SeqCst);
        let grown = || async { if counter.load(Ordering::SeqCst) > before { Ok(()) } else { Err("stands") } };
        wait_for_condition("the counter to grow", Duration::from_millis(500), grown).await.is_ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_frozen_plugin_does_nothing_and_a_thawed_one_goes_on() {
        let (process, counter) = counting();
        assert!(grows(&counter).await);
        process.freeze().await;
        assert!(!grows(&counter).await);
        process.thaw();
        assert!(grows(&counter).await);
        process.kill().await;
        assert!(!grows(&counter).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_frozen_plugin_can_be_killed() {
        let (process, counter) = counting();
        process.freeze().await;
        process.kill().await;
        assert!(!grows(&counter).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_plugin_told_to_stop_ends_by_itself() {
        let (mut process, _) = counting();
        assert_eq!(process.ending(Duration::from_millis(20)).await, None);
        process.terminate();
        assert_eq!(process.ending(SOON).await, Some(Ok(())));
        assert!(!process.is_running());
    }
}
