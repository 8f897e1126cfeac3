//! One step on the node: its name and object for the errors, its deadline, and a thread where it may block.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::unfinished::{Object, Unfinished};
use crate::node::NodeError;

/// What is being done to what.
#[derive(Debug, Clone)]
pub(super) struct Step {
    name: &'static str,
    object: String,
    /// Nobody waits any more for the run this is given to.
    given_up: Arc<AtomicBool>,
}

impl Step {
    pub(super) fn new(name: &'static str, object: impl Display) -> Self {
        Self { name, object: object.to_string(), given_up: Arc::default() }
    }

    /// The step failed; the reason becomes one bounded line.
    pub(super) fn failed(&self, reason: impl Display) -> NodeError {
        let reason = reason.to_string();
        let words: Vec<&str> = reason.split_whitespace().collect();
        let reason: String = words.join(" ").chars().take(500).collect();
        NodeError::Failed { step: self.name, object: self.object.clone(), reason }
    }

    /// The step did not end in time.
    pub(super) fn timed_out(&self, deadline: Duration) -> NodeError {
        NodeError::TimedOut { step: self.name, object: self.object.clone(), seconds: deadline.as_secs() }
    }

    /// The step was not begun because an earlier one has not ended.
    pub(super) fn still_running(&self, earlier: &Self, since: Duration) -> NodeError {
        let earlier = format!("{} of {}", earlier.name, earlier.object);
        NodeError::StillRunning { step: self.name, object: self.object.clone(), earlier, seconds: since.as_secs() }
    }

    /// Somebody uses the object.
    pub(super) fn busy(&self) -> NodeError {
        NodeError::Busy { object: self.object.clone() }
    }

    /// This host cannot do it.
    pub(super) fn unsupported(&self, reason: impl Display) -> NodeError {
        NodeError::Unsupported { step: self.name, reason: format!("{}: {reason}", self.object) }
    }

    /// To be asked right before anything is changed: a thread that hung for a while must not go on with what was given up.
    ///
    /// # Errors
    /// The deadline has passed; nobody hears of it.
    pub(super) fn still_wanted(&self) -> Result<(), NodeError> {
        if self.given_up.load(Ordering::SeqCst) { Err(self.failed("its deadline has passed")) } else { Ok(()) }
    }

    /// Runs `work`, which only looks, on a thread of its own. After `deadline` the answer is an error; a thread that hangs in
    /// the kernel is left behind, because nothing can end it.
    pub(super) async fn blocking<T: Send + 'static>(
        self,
        deadline: Duration,
        work: impl FnOnce(&Self) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        // A step may be run several times.
        let step = Self { given_up: Arc::default(), ..self.clone() };
        let given_up = GivenUpWhenDropped(Arc::clone(&step.given_up));
        let thread = tokio::task::spawn_blocking(move || {
            // It may have waited for a thread until now.
            step.still_wanted()?;
            work(&step)
        });
        let outcome = timeout(deadline, thread).await;
        drop(given_up);
        match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panicked)) => Err(self.failed(panicked)),
            Err(_) => Err(self.timed_out(deadline)),
        }
    }

    /// Runs `work`, which changes something on these objects, as [`Self::blocking`] does. Until its thread has ended, however
    /// late, it counts among the unfinished steps.
    pub(super) async fn changing<T: Send + 'static>(
        self,
        unfinished: &Unfinished,
        on: Vec<Object>,
        deadline: Duration,
        work: impl FnOnce(&Self) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        let beginning = unfinished.begin(&self, on);
        self.blocking(deadline, move |step| {
            let outcome = work(step);
            drop(beginning);
            outcome
        })
        .await
    }
}

/// Ends the wish for a step with the future that waits for it.
struct GivenUpWhenDropped(Arc<AtomicBool>);

impl Drop for GivenUpWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn a_step_that_hangs_ends_at_its_deadline_and_is_known_until_it_really_ends() {
        let (sender, receiver) = channel::<()>();
        let (told, heard) = tokio::sync::oneshot::channel();
        let (unfinished, on) = (Unfinished::default(), vec![Object::from(Path::new("/mnt"))]);
        let hung = Step::new("mounting", "/mnt")
            .changing(&unfinished, on.clone(), Duration::from_millis(20), move |step| {
                let _ = receiver.recv();
                let _ = told.send(step.still_wanted());
                Ok(())
            })
            .await;
        assert!(matches!(hung, Err(NodeError::TimedOut { step: "mounting", .. })));
        let next = Step::new("mounting", "/mnt");
        assert!(matches!(unfinished.wait_for_earlier(&next, &on).await, Err(NodeError::StillRunning { .. })));
        drop(sender);
        assert!(heard.await.unwrap().is_err(), "what was given up is not carried out late");
        unfinished.wait_for_earlier(&next, &on).await.unwrap();
    }

    #[test]
    fn a_step_that_got_no_thread_in_time_is_never_carried_out() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        let (sender, receiver) = channel::<()>();
        let (ran, seen) = channel::<()>();
        runtime.block_on(async {
            let occupied = tokio::task::spawn_blocking(move || receiver.recv());
            let unfinished = Unfinished::default();
            let on = vec![Object::from(Path::new("/mnt"))];
            let queued = Step::new("mounting", "/mnt")
                .changing(&unfinished, on.clone(), Duration::from_millis(20), move |_| {
                    ran.send(()).unwrap();
                    Ok(())
                })
                .await;
            assert!(matches!(queued, Err(NodeError::TimedOut { .. })));
            drop(sender);
            occupied.await.unwrap().unwrap_err();
            unfinished.wait_for_earlier(&Step::new("mounting", "/mnt"), &on).await.unwrap();
        });
        assert!(seen.recv().is_err(), "it was never run");
    }
}
