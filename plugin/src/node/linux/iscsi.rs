//! iSCSI through open-iscsi: sessions as sysfs shows them, logins and logouts through `iscsiadm`.
//!
//! A secret never becomes an argument of a command, where every user of the host could read it: it is written into the
//! node record (RFC 7143 s. 12.1 names the keys of CHAP, `iscsi_node_record` of open-iscsi the file). Exit codes are those
//! of open-iscsi 2.1.8, observed: 0, 15 (session exists), 21 (no record), 24 (login refused). Without an iSCSI transport in
//! the kernel the tests stop at what the tools are asked and at what is read from sysfs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::command::Commands;
use super::iscsi_record;
use super::scsi_devices::Nexus;
use super::step::Step;
use super::{Roots, sysfs};
use crate::array::TargetPort;
use crate::node::{Chap, NodeError};

/// Deadline of a login or logout: iscsid itself tries for longer.
const LOGIN: Duration = Duration::from_secs(20);
/// Deadline of all that one login needs. A portal that is dead costs this once, however many attaches want it.
const PORTAL: Duration = Duration::from_secs(20);
/// Deadline of every other command.
const COMMAND: Duration = Duration::from_secs(15);

const SESSION_EXISTS: i32 = 15;
const NO_RECORD: i32 = 21;
const LOGIN_REFUSED: i32 = 24;

/// A target at one of its portals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) portal: SocketAddr,
    pub(super) iqn: String,
}

impl Target {
    /// The iSCSI targets among an array's ports.
    ///
    /// # Errors
    /// A portal is no address, or a name is no iSCSI name.
    pub(super) fn among(ports: &[TargetPort]) -> Result<BTreeSet<Self>, NodeError> {
        let mut targets = BTreeSet::new();
        for port in ports {
            let TargetPort::Iscsi { portal, iqn, .. } = port else { continue };
            let step = Step::new("reading iSCSI target", format_args!("{iqn} at {portal}"));
            let named = ["iqn.", "eui.", "naa."].iter().any(|kind| iqn.starts_with(kind));
            if !named || iqn.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
                return Err(step.failed("that is no iSCSI name"));
            }
            let portal = portal.parse().map_err(|_| step.failed("the portal is not ADDRESS:PORT"))?;
            targets.insert(Self { portal, iqn: iqn.clone() });
        }
        Ok(targets)
    }
}

/// A session of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) target: Target,
    pub(super) logged_in: bool,
    pub(super) nexuses: BTreeSet<Nexus>,
}

/// All sessions.
///
/// # Errors
/// sysfs cannot be read.
pub(super) fn sessions(roots: &Roots) -> Result<Vec<Session>, NodeError> {
    let class = roots.sys.join("class/iscsi_session");
    let step = Step::new("listing iSCSI sessions in", class.display());
    let names = sysfs::names(&class).map_err(|error| step.failed(error))?;
    let mut sessions = Vec::new();
    for name in names {
        sessions.extend(session(roots, &class, &name).map_err(|error| step.failed(error))?);
    }
    Ok(sessions)
}

/// `None` when it vanished, or has no connection yet.
fn session(roots: &Roots, class: &Path, name: &str) -> io::Result<Option<Session>> {
    let Some(id) = name.strip_prefix("session") else { return Ok(None) };
    let connection = roots.sys.join(format!("class/iscsi_connection/connection{id}:0"));
    let (Some(iqn), Some(address), Some(port)) = (
        sysfs::text(&class.join(name).join("targetname"))?,
        sysfs::text(&connection.join("persistent_address"))?,
        sysfs::text(&connection.join("persistent_port"))?,
    ) else {
        return Ok(None);
    };
    let (Ok(address), Ok(port)) = (address.parse(), port.parse()) else { return Ok(None) };
    let device = class.join(name).join("device");
    let nexuses = sysfs::names(&device)?.iter().filter_map(|child| nexus(child)).collect();
    let state = sysfs::text(&class.join(name).join("state"))?;
    Ok(Some(Session {
        target: Target { portal: SocketAddr::new(address, port), iqn },
        logged_in: state.as_deref() == Some("LOGGED_IN"),
        nexuses: with_default(nexuses, &device)?,
    }))
}

/// `target<host>:<channel>:<target>`, which the kernel makes for the first LUN it finds.
fn nexus(child: &str) -> Option<Nexus> {
    let mut numbers = child.strip_prefix("target")?.split(':').map(str::parse);
    let (host, channel, target) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    numbers.next().is_none().then_some(Nexus { host, channel, target })
}

/// A session that was never scanned has no target yet. Its host has this one target: channel 0, number 0.
fn with_default(mut nexuses: BTreeSet<Nexus>, device: &Path) -> io::Result<BTreeSet<Nexus>> {
    if nexuses.is_empty()
        && let Ok(device) = std::fs::canonicalize(device)
    {
        let mut parts = device.components().filter_map(|part| part.as_os_str().to_str());
        let host = parts.find_map(|part| part.strip_prefix("host")?.parse().ok());
        nexuses.extend(host.map(|host| Nexus { host, channel: 0, target: 0 }));
    }
    Ok(nexuses)
}

/// Logs in and out, so that nobody loses a session that somebody else is about to use.
#[derive(Debug)]
pub(super) struct Logins {
    targets: Mutex<BTreeMap<Target, Arc<Attention>>>,
    /// Of one login.
    deadline: Duration,
}

impl Default for Logins {
    fn default() -> Self {
        Self::with_deadline(PORTAL)
    }
}

/// What this process does with one target.
#[derive(Debug, Default)]
struct Attention {
    /// One command for a target at a time. Keeps how the last login failed.
    command: tokio::sync::Mutex<Option<FailedLogin>>,
    /// Attaches that are under way over it.
    attaching: AtomicUsize,
    /// A logout is being carried out, or about to be: its session is not to be built upon.
    leaving: AtomicBool,
}

/// Why the last login failed, and when it had ended.
#[derive(Debug, Clone)]
struct FailedLogin {
    ended: Instant,
    error: NodeError,
}

/// Marks a target as being left, until dropped.
struct Leaving<'a>(&'a Attention);

impl<'a> Leaving<'a> {
    fn begin(attention: &'a Attention) -> Self {
        attention.leaving.store(true, Ordering::SeqCst);
        Self(attention)
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leaving.store(false, Ordering::SeqCst);
    }
}

/// An attach that is under way: its targets are not logged out.
#[derive(Debug)]
pub(super) struct Underway(Vec<Arc<Attention>>);

impl Drop for Underway {
    fn drop(&mut self) {
        for target in &self.0 {
            target.attaching.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Logins {
    pub(super) fn with_deadline(deadline: Duration) -> Self {
        Self { targets: Mutex::default(), deadline }
    }

    fn attention(&self, target: &Target) -> Arc<Attention> {
        let mut all = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(target.clone()).or_default())
    }

    /// Keeps these targets from being logged out until the answer is dropped. A logout that has begun goes on; see
    /// [`Self::is_leaving`].
    pub(super) fn underway(&self, targets: &BTreeSet<Target>) -> Underway {
        let count = |target| {
            let attention = self.attention(target);
            attention.attaching.fetch_add(1, Ordering::SeqCst);
            attention
        };
        Underway(targets.iter().map(count).collect())
    }

    /// The session with the target is on its way out. Asked after [`Self::underway`] it misses no logout: either the logout
    /// sees that something is being attached and lets be, or it is seen here.
    pub(super) fn is_leaving(&self, target: &Target) -> bool {
        self.attention(target).leaving.load(Ordering::SeqCst)
    }

    /// Logs in to all targets at once; what failed is told, target by target. None keeps another one waiting.
    pub(super) async fn log_in(
        &self,
        roots: &Roots,
        commands: &Commands,
        targets: &BTreeSet<Target>,
        chap: Option<&Chap>,
    ) -> Vec<NodeError> {
        let logins = targets.iter().map(|target| async move {
            let (attention, asked) = (self.attention(target), Instant::now());
            let mut last = attention.command.lock().await;
            if let Some(failed) = last.as_ref().filter(|failed| failed.ended >= asked) {
                // Another attach has tried while this one waited.
                return Err(failed.error.clone());
            }
            let outcome = timeout(self.deadline, log_in(roots, commands, target, chap)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(login_step(target).timed_out(self.deadline)));
            *last = outcome.as_ref().err().map(|error| FailedLogin { ended: Instant::now(), error: error.clone() });
            outcome
        });
        join_all(logins).await.into_iter().filter_map(Result::err).collect()
    }

    /// Logs out of a target over which nothing is being attached and no disk is left: tasks that are still on their way
    /// end with the session.
    ///
    /// # Errors
    /// What the tool said.
    pub(super) async fn log_out_if_unused(
        &self,
        commands: &Commands,
        target: &Target,
        is_unused: impl FnOnce() -> Result<bool, NodeError>,
    ) -> Result<(), NodeError> {
        let attention = self.attention(target);
        let _one_at_a_time = attention.command.lock().await;
        let _leaving = Leaving::begin(&attention);
        if attention.attaching.load(Ordering::SeqCst) > 0 || !is_unused()? {
            return Ok(());
        }
        let step = Step::new("iSCSI logout", format_args!("{} at {}", target.iqn, target.portal));
        let ended = admin(commands, &step, LOGIN, target, &["--logout"]).await?;
        match ended.code {
            Some(0 | NO_RECORD) => Ok(()),
            _ => Err(step.failed(ended.reason("iscsiadm"))),
        }
    }
}

async fn log_in(roots: &Roots, commands: &Commands, target: &Target, chap: Option<&Chap>) -> Result<(), NodeError> {
    let step = login_step(target);
    if sessions(roots)?.iter().any(|session| session.target == *target) {
        // A session that is reconnecting is left to iscsid. Its record is left alone too: it says how this session was made, and
        // a session that scans by itself makes this node wait for late exports (see `scanning`) until it has logged out.
        return Ok(());
    }
    let known = admin(commands, &step, COMMAND, target, &[]).await?;
    if known.code == Some(NO_RECORD) {
        let made = admin(commands, &step, COMMAND, target, &["--interface", "default", "--op", "new"]).await?;
        if !made.succeeded() {
            return Err(step.failed(made.reason("iscsiadm")));
        }
    } else if !known.succeeded() {
        return Err(step.failed(known.reason("iscsiadm")));
    }
    iscsi_record::prepare(roots, target, chap).map_err(|error| step.failed(error))?;
    let ended = admin(commands, &step, LOGIN, target, &["--login"]).await?;
    match ended.code {
        Some(0 | SESSION_EXISTS) => Ok(()),
        Some(LOGIN_REFUSED) => {
            Err(step.failed("the array refused the login: check the CHAP account of this host on the array"))
        }
        _ => Err(step.failed(ended.reason("iscsiadm"))),
    }
}

fn login_step(target: &Target) -> Step {
    Step::new("iSCSI login", format_args!("{} at {}", target.iqn, target.portal))
}

async fn admin(
    commands: &Commands,
    step: &Step,
    deadline: Duration,
    target: &Target,
    operation: &[&str],
) -> Result<super::command::Ended, NodeError> {
    let portal = target.portal.to_string();
    let address = ["-m", "node", "-T", target.iqn.as_str(), "-p", portal.as_str()];
    let arguments: Vec<&str> = address.into_iter().chain(operation.iter().copied()).collect();
    commands.run(step, deadline, "iscsiadm", &arguments).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::PortPosition;

    fn port(portal: &str, iqn: &str) -> TargetPort {
        let position = "0:2:1".parse::<PortPosition>().unwrap();
        TargetPort::Iscsi { position, portal: portal.into(), iqn: iqn.into() }
    }

    #[test]
    fn targets_are_read_strictly() {
        let good = port("[2001:db8::7]:3260", "iqn.2000-05.com.3pardata:20210002ac012345");
        assert_eq!(Target::among(&[good.clone(), good]).unwrap().len(), 1);
        for (portal, iqn) in [
            ("10.0.0.1", "iqn.x"),
            ("10.0.0.1:3260", "--op"),
            ("10.0.0.1:3260", "iqn.a b"),
            ("10.0.0.1:3260", "iqn.../../x"),
        ] {
            assert!(Target::among(&[port(portal, iqn)]).is_err(), "{portal} {iqn}");
        }
    }

    #[test]
    fn targets_of_a_session_are_read_from_its_children() {
        assert_eq!(nexus("target3:0:1"), Some(Nexus { host: 3, channel: 0, target: 1 }));
        assert_eq!(nexus("connection1:0"), None);
        assert_eq!(nexus("target3:0"), None);
    }
}
