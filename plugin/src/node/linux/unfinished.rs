//! Steps that have begun and not ended, by what they work on.
//!
//! Nothing can end a thread that hangs in the kernel, and a step whose deadline has passed may still take effect: a mount that
//! comes to life after the volume was given up, an unmount that takes away a mount made after it. So a step that adds
//! something waits for the earlier ones on the same volume or directory, and a volume is not clean while one of them runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::step::Step;
use crate::array::Wwn;
use crate::node::NodeError;

/// How long a step waits for an earlier one before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a step works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Object {
    /// Devices of a volume.
    Volume(Wwn),
    /// A mount point.
    Directory(PathBuf),
    /// The shutdown of the filesystem at a mount point.
    ShuttingDown(PathBuf),
}

impl From<&Wwn> for Object {
    fn from(wwn: &Wwn) -> Self {
        Self::Volume(wwn.clone())
    }
}

impl From<&Path> for Object {
    fn from(directory: &Path) -> Self {
        Self::Directory(directory.to_owned())
    }
}

/// The steps of this node that have not ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfinished(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    steps: Mutex<Vec<Arc<Begun>>>,
    ended: Notify,
}

#[derive(Debug)]
struct Begun {
    step: Step,
    on: Vec<Object>,
    since: Instant,
}

/// A step that has begun; ended when this is dropped, by the thread that carries it out.
#[derive(Debug)]
pub(super) struct Beginning {
    shared: Arc<Shared>,
    begun: Arc<Begun>,
}

impl Drop for Beginning {
    fn drop(&mut self) {
        self.shared.steps().retain(|step| !Arc::ptr_eq(step, &self.begun));
        self.shared.ended.notify_waiters();
    }
}

impl Shared {
    fn steps(&self) -> MutexGuard<'_, Vec<Arc<Begun>>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first_on(&self, on: &[Object]) -> Option<Arc<Begun>> {
        self.steps().iter().find(|begun| begun.on.iter().any(|object| on.contains(object))).cloned()
    }
}

impl Unfinished {
    /// Notes the beginning of a step.
    pub(super) fn begin(&self, step: &Step, on: Vec<Object>) -> Beginning {
        let begun = Arc::new(Begun { step: step.clone(), on, since: Instant::now() });
        self.0.steps().push(Arc::clone(&begun));
        Beginning { shared: Arc::clone(&self.0), begun }
    }

    /// Waits for earlier steps on any of these to end. True if there was one.
    ///
    /// # Errors
    /// [`NodeError::StillRunning`] naming the one that does not.
    pub(super) async fn wait_for_earlier(&self, step: &Step, on: &[Object]) -> Result<bool, NodeError> {
        if self.0.first_on(on).is_none() {
            return Ok(false);
        }
        let all_ended = async {
            loop {
                let ended = self.0.ended.notified();
                if self.0.first_on(on).is_none() {
                    return;
                }
                ended.await;
            }
        };
        // What ended at the last moment has ended.
        match timeout(PATIENCE, all_ended).await.err().and_then(|_| self.0.first_on(on)) {
            None => Ok(true),
            Some(earlier) => Err(step.still_running(&earlier.step, earlier.since.elapsed())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIR: &str = "/opt/hpe/data/x";

    fn directory() -> Object {
        Path::new(DIR).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_waits_for_an_earlier_one_on_the_same_object_and_is_refused_if_it_hangs() {
        let unfinished = Unfinished::default();
        let volume = Object::from(&"60002ac0000000000000000100012345".parse::<Wwn>().unwrap());
        let mounting = unfinished.begin(&Step::new("mounting", DIR), vec![volume.clone(), directory()]);
        let next = Step::new("attaching", "volume");
        assert_eq!(unfinished.wait_for_earlier(&next, &[Path::new("/other").into()]).await, Ok(false));
        let refused = unfinished.wait_for_earlier(&next, std::slice::from_ref(&volume)).await.unwrap_err();
        assert!(matches!(&refused, NodeError::StillRunning { seconds: 5, .. }), "{refused:?}");
        assert!(refused.to_string().contains("mounting of /opt/hpe/data/x"), "{refused}");
        let ends = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            drop(mounting);
        };
        let both = [volume, directory()];
        let (waited, ()) = tokio::join!(unfinished.wait_for_earlier(&next, &both), ends);
        assert_eq!(waited, Ok(true));
    }
}
