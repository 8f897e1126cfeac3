//! Every call a plugin makes to the world outside, at the moment it is made: where a sweep over cut points cuts in.
//!
//! The adapters of the simulation ask [`Calls`] before each call. Nobody listens in an ordinary run, and nothing changes.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::network::{NodeNumber, Service};

/// What a call goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// A request to the metadata store.
    Store,
    /// A change that a watch of the metadata store tells of.
    Watch,
    /// A request to the array's REST interface.
    Wsapi,
    /// A command of the array's command line.
    Ssh,
    /// A step in this node's kernel.
    Node,
    /// This node's own journal.
    Journal,
}

impl Port {
    /// Its name in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Store => "etcd",
            Self::Watch => "watch",
            Self::Wsapi => "WSAPI",
            Self::Ssh => "SSH",
            Self::Node => "node",
            Self::Journal => "journal",
        }
    }
}

impl From<Service> for Port {
    fn from(service: Service) -> Self {
        match service {
            Service::Store => Self::Store,
            Service::Wsapi => Self::Wsapi,
            Service::Cli => Self::Ssh,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// On whose behalf a plugin makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Somebody asked it to.
    Request,
    /// By itself: registration and reconciliation.
    Background,
}

tokio::task_local! {
    /// On whose behalf the running task works.
    pub(super) static ORIGIN: Origin;
}

/// A call that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who makes it.
    pub node: NodeNumber,
    /// Through what.
    pub port: Port,
    /// What it asks for, without names and numbers that differ between volumes.
    pub what: String,
    /// On whose behalf.
    pub origin: Origin,
}

/// Something that is done at the moment a call takes effect.
pub type Act = Box<dyn FnOnce() + Send>;

/// What happens to a call.
pub enum Trouble {
    /// Nothing.
    None,
    /// Its plugin is dead before it was made.
    Dead,
    /// Its plugin stands still before it was made.
    Stopped,
    /// It takes effect, and at that moment this is done.
    AtEffect(Act),
    /// It takes effect; its answer never comes.
    AnswerLost,
    /// It takes effect so much later, whether or not its caller still waits.
    Late(Duration),
    /// It has no effect: whom it asks is busy, and says so.
    Busy,
    /// It has no effect: whom it asks refuses it.
    Refused,
}

/// Listens to every call and decides what happens to it.
pub trait Interceptor: Send + Sync {
    /// It wants to hear of the calls of this node at the moment.
    fn listens_to(&self, node: NodeNumber) -> bool;
    /// A call is about to be made. Must not block.
    fn meet(&self, call: Call) -> Trouble;
}

/// Where the adapters of a world announce their calls.
#[derive(Clone, Default)]
pub struct Calls(Arc<OnceLock<Arc<dyn Interceptor>>>);

impl Calls {
    /// From now on `interceptor` decides. Only the first one counts.
    pub fn intercept(&self, interceptor: Arc<dyn Interceptor>) {
        let _ = self.0.set(interceptor);
    }

    /// Announces a call.
    pub(crate) fn meet(&self, node: NodeNumber, port: Port, what: impl FnOnce() -> String) -> Trouble {
        let Some(interceptor) = self.0.get().filter(|interceptor| interceptor.listens_to(node)) else {
            return Trouble::None;
        };
        let origin = ORIGIN.try_with(|origin| *origin).unwrap_or(Origin::Background);
        interceptor.meet(Call { node, port, what: what(), origin })
    }
}
