//! The operations whose calls are cut: how a run gets to their beginning, and what is asked then.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::sleep;

use super::site::{OTHER, OWNER, RIVAL, SUBJECT, Site};
use crate::simulation::NodeNumber;

/// Pause in which an application writes a few records.
const A_FEW_RECORDS: Duration = Duration::from_millis(1_500);

/// An operation of the volume plugin in a certain situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Mount of a volume that never had a filesystem.
    FirstMount,
    /// Mount of a volume that nobody has.
    Mount,
    /// Mount of a volume that this node has mounted already.
    SecondMount,
    /// Mount of a volume that another node has and does not let go of.
    TakeoverByForce,
    /// Mount of a volume that another node lets go of during the delay.
    TakeoverReleased,
    /// Mount of a volume whose owner has lost power.
    TakeoverFromDead,
    /// Unmount of the last reference.
    Unmount,
    /// Unmount of one of two references.
    UnmountOneOfTwo,
    /// Unmount on a node that lost the volume while its plugin stood still.
    UnmountFenced,
    /// Start of the plugin on a node that has the volume mounted.
    Restart,
    /// Create.
    Create,
    /// Remove.
    Remove,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::FirstMount,
        Self::Mount,
        Self::SecondMount,
        Self::TakeoverByForce,
        Self::TakeoverReleased,
        Self::TakeoverFromDead,
        Self::Unmount,
        Self::UnmountOneOfTwo,
        Self::UnmountFenced,
        Self::Restart,
        Self::Create,
        Self::Remove,
    ];

    /// Name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstMount => "first-mount",
            Self::Mount => "mount",
            Self::SecondMount => "second-mount",
            Self::TakeoverByForce => "takeover-by-force",
            Self::TakeoverReleased => "takeover-released",
            Self::TakeoverFromDead => "takeover-from-dead",
            Self::Unmount => "unmount",
            Self::UnmountOneOfTwo => "unmount-one-of-two",
            Self::UnmountFenced => "unmount-fenced",
            Self::Restart => "restart",
            Self::Create => "create",
            Self::Remove => "remove",
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn is(self) -> &'static str {
        match self {
            Self::FirstMount => "Mount of a volume that never had a filesystem",
            Self::Mount => "Mount of a volume that nobody has",
            Self::SecondMount => "Mount of a volume that this node has mounted already",
            Self::TakeoverByForce => "Mount of a volume that another node has and does not let go of",
            Self::TakeoverReleased => "Mount of a volume that another node lets go of during the delay",
            Self::TakeoverFromDead => "Mount of a volume whose owner has lost power",
            Self::Unmount => "Unmount of the last reference",
            Self::UnmountOneOfTwo => "Unmount of one of two references",
            Self::UnmountFenced => "Unmount on a node that lost the volume while its plugin stood still",
            Self::Restart => "start of the plugin on a node that has the volume mounted",
            Self::Create => "Create",
            Self::Remove => "Remove",
        }
    }

    /// The nodes whose calls are cut: the one that is asked, and in a takeover the one that loses the volume.
    #[must_use]
    pub fn cut_nodes(self) -> &'static [NodeNumber] {
        match self {
            Self::TakeoverByForce | Self::TakeoverReleased => &[SUBJECT, OWNER],
            _ => &[SUBJECT],
        }
    }

    /// It is about a volume that is made and removed, not one that is there from the start.
    #[must_use]
    pub(super) fn makes_or_removes(self) -> bool {
        matches!(self, Self::Create | Self::Remove)
    }

    /// Brings the site to the beginning of the operation.
    pub(super) async fn prepare(self, site: &Site) -> Result<(), String> {
        match self {
            Self::FirstMount | Self::Create => Ok(()),
            Self::Mount => {
                site.must_run(OWNER, 1).await?;
                site.must_stop(OWNER, 1).await
            }
            Self::SecondMount | Self::Unmount | Self::Restart => site.must_run(SUBJECT, 1).await,
            Self::UnmountOneOfTwo => {
                site.must_run(SUBJECT, 1).await?;
                site.must_run(SUBJECT, 2).await
            }
            Self::TakeoverByForce | Self::TakeoverReleased => site.must_run(OWNER, 1).await,
            Self::TakeoverFromDead => {
                site.must_run(OWNER, 1).await?;
                site.world.workers[OWNER].power_off();
                Ok(())
            }
            Self::UnmountFenced => {
                site.must_run(SUBJECT, 1).await?;
                site.world.workers[SUBJECT].pause_plugin();
                site.must_run(OWNER, 2).await?;
                sleep(A_FEW_RECORDS).await;
                Ok(())
            }
            Self::Remove => site.world.workers[SUBJECT].create(site.name(), site.patience()).await,
        }?;
        sleep(A_FEW_RECORDS).await;
        Ok(())
    }

    /// Asks for the operation. Its calls are cut from the beginning of this on. `Err`: what the caller heard instead of success.
    pub(super) async fn carry_out(self, site: &Site) -> Result<(), String> {
        let subject = &site.world.workers[SUBJECT];
        match self {
            Self::FirstMount | Self::Mount | Self::TakeoverByForce | Self::TakeoverFromDead => {
                site.run(SUBJECT, 3).await
            }
            Self::SecondMount => site.run(SUBJECT, 3).await,
            Self::TakeoverReleased => {
                let letting_go = async {
                    sleep(site.delay() / 2).await;
                    // It may lose the volume before; then this is the Unmount of one that was fenced.
                    let _ = site.stop(OWNER, 1).await;
                };
                tokio::join!(site.run(SUBJECT, 3), letting_go).0
            }
            Self::Unmount | Self::UnmountOneOfTwo => site.stop(SUBJECT, 1).await,
            Self::UnmountFenced => {
                site.end_container(SUBJECT, 1).await;
                subject.resume_plugin();
                site.unmount(SUBJECT, 1).await
            }
            Self::Restart => {
                subject.kill_plugin();
                subject.start_plugin();
                site.until_serving(SUBJECT).await
            }
            Self::Create => subject.create(site.name(), site.patience()).await,
            Self::Remove => subject.remove(site.name(), site.patience()).await,
        }
    }

    /// What another node asks for while the node that is cut stands still.
    pub(super) async fn rival(self, site: &Site) {
        match self {
            Self::Create => {
                // The answer may be any: what counts is what is true in the end.
                let _ = site.world.workers[RIVAL].create(site.name(), site.patience()).await;
            }
            Self::Remove => {
                if site.run(RIVAL, 4).await.is_ok() {
                    sleep(A_FEW_RECORDS).await;
                    let _ = site.stop(RIVAL, 4).await;
                }
            }
            _ => {
                let _ = site.run(OTHER, 5).await;
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == text)
            .ok_or_else(|| format!("'{text}' is no operation; known are {}", known()))
    }
}
