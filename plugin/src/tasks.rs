//! Where background work is started, so that a simulation can own (freeze, kill) a node's tasks.

use futures::future::BoxFuture;

/// Starts a future in the background. Production uses the runtime; the simulation uses a gate per node.
pub trait Tasks: Send + Sync {
    /// Starts `task`; it runs until it ends or the process (in a simulation: the node's plugin) dies.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Tasks on the current tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioTasks;

impl Tasks for TokioTasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}
