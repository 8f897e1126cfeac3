//! One step on the node: its name and object for the errors, its deadline, and a thread where it may block.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::timeout;

use crate::node::NodeError;

/// What is being done to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    name: &'static str,
    object: String,
}

impl Step {
    pub(super) fn new(name: &'static str, object: impl Display) -> Self {
        Self { name, object: object.to_string() }
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

    /// Somebody uses the object.
    pub(super) fn busy(&self) -> NodeError {
        NodeError::Busy { object: self.object.clone() }
    }

    /// This host cannot do it.
    pub(super) fn unsupported(&self, reason: impl Display) -> NodeError {
        NodeError::Unsupported { step: self.name, reason: format!("{}: {reason}", self.object) }
    }

    /// Runs `work` on a thread of its own. After `deadline` the answer is an error; a thread that hangs in the kernel is
    /// left behind, because nothing can end it.
    pub(super) async fn blocking<T: Send + 'static>(
        self,
        deadline: Duration,
        work: impl FnOnce(&Self) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        let step = self.clone();
        match timeout(deadline, tokio::task::spawn_blocking(move || work(&step))).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panicked)) => Err(self.failed(panicked)),
            Err(_) => Err(self.timed_out(deadline)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_that_hangs_ends_at_its_deadline() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let hung = Step::new("waiting", "nothing")
            .blocking(Duration::from_millis(20), move |step| receiver.recv().map_err(|error| step.failed(error)))
            .await;
        assert!(matches!(hung, Err(NodeError::TimedOut { step: "waiting", .. })));
        drop(sender);
    }
}
