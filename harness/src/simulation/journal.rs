//! The node's journal as its plugin reaches it: durable, and where a call to it can go wrong.

use std::future::pending;

use async_trait::async_trait;
use hpe3par_docker_plugin::store::journal::{Journal, JournalEntry, JournalError};
use hpe3par_docker_plugin::store::journal_memory::MemoryJournal;
use hpe3par_docker_plugin::volume::names::VolumeId;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::calls::{Act, Calls, Port, Trouble};
use super::network::NodeNumber;

/// The journal of one node.
#[derive(Clone)]
pub struct SimulatedJournal {
    node: NodeNumber,
    journal: MemoryJournal,
    calls: Calls,
}

/// What is left to go wrong once a call has taken effect.
enum Then {
    Answer,
    Act(Act),
    Fail,
}

impl SimulatedJournal {
    /// The journal of `node`.
    #[must_use]
    pub fn new(node: NodeNumber, journal: MemoryJournal, calls: Calls) -> Self {
        Self { node, journal, calls }
    }

    async fn before(&self, what: &str) -> Result<Then, JournalError> {
        match self.calls.meet(self.node, Port::Journal, || what.to_owned()) {
            Trouble::None => Ok(Then::Answer),
            Trouble::Dead => pending().await,
            Trouble::Stopped => {
                yield_now().await;
                Ok(Then::Answer)
            }
            Trouble::AtEffect(act) => Ok(Then::Act(act)),
            Trouble::AnswerLost => Ok(Then::Fail),
            Trouble::Late(by) => {
                sleep(by).await;
                Ok(Then::Answer)
            }
            Trouble::Busy | Trouble::Refused => Err(failed("No space left on device")),
        }
    }
}

impl Then {
    async fn after<T>(self, answer: Result<T, JournalError>) -> Result<T, JournalError> {
        match self {
            Self::Answer => answer,
            Self::Act(act) => {
                act();
                yield_now().await;
                answer
            }
            Self::Fail => Err(failed("Input/output error after the file was renamed")),
        }
    }
}

fn failed(reason: &str) -> JournalError {
    JournalError { path: "journal".to_owned(), reason: reason.to_owned() }
}

#[async_trait]
impl Journal for SimulatedJournal {
    async fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        let then = self.before("read entries").await?;
        then.after(self.journal.entries().await).await
    }

    async fn write(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let then = self.before("write entry").await?;
        then.after(self.journal.write(entry).await).await
    }

    async fn forget(&self, id: VolumeId) -> Result<(), JournalError> {
        let then = self.before("forget entry").await?;
        then.after(self.journal.forget(id).await).await
    }
}
