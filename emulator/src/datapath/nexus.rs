//! Sessions between an initiator and a port (I_T nexus).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::array::{Array, EventKind, Initiator, LinkState, PortPos};
use crate::scsi::Attentions;

/// Number of a session; never used twice in the life of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// Session id of an iSCSI initiator: with its name it makes the name of the initiator port (RFC 7143 s. 10.1).
pub type Isid = [u8; 6];

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nexus {
    /// Its number.
    pub id: SessionId,
    /// Who logged in.
    pub initiator: Initiator,
    /// Where.
    pub port: PortPos,
    /// When, in time since the start of the array.
    pub since: Duration,
    /// Whether REPORTED LUNS DATA HAS CHANGED waits to be told.
    pub luns_changed: bool,
    /// Session id of an iSCSI initiator.
    pub isid: Option<Isid>,
    /// Unit attentions that wait to be told.
    pub(crate) attentions: Attentions,
}

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The array has no such port.
    #[error("there is no port {0}")]
    NoSuchPort(PortPos),
    /// The link of the port is down.
    #[error("the link of port {0} is not ready")]
    PortNotReady(PortPos),
    /// A Fibre Channel initiator on an iSCSI port or the reverse.
    #[error("port {0} does not speak the protocol of initiator {1}")]
    WrongProtocol(PortPos, Initiator),
}

/// All sessions.
#[derive(Debug, Clone, Default)]
pub(crate) struct NexusTable {
    sessions: BTreeMap<SessionId, Nexus>,
    by_initiator: BTreeMap<Initiator, BTreeSet<SessionId>>,
    made: u64,
}

impl NexusTable {
    /// Goes on numbering where another one stopped, so that a number held by a live connection never means another session.
    pub(crate) fn number_after(&mut self, other: &Self) {
        self.made = self.made.max(other.made);
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Nexus> {
        self.sessions.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Nexus> {
        self.sessions.get_mut(&id)
    }

    fn sessions_of(&self, initiator: &Initiator) -> impl Iterator<Item = SessionId> {
        self.by_initiator.get(initiator).into_iter().flatten().copied()
    }

    /// The ports an initiator is logged in on.
    pub(crate) fn ports_of(&self, initiator: &Initiator) -> BTreeSet<PortPos> {
        self.sessions_of(initiator).filter_map(|id| self.get(id)).map(|n| n.port).collect()
    }

    /// The paths on a port, each once.
    pub(crate) fn paths_on(&self, port: PortPos) -> impl Iterator<Item = (Initiator, PortPos)> {
        let on_port = self.sessions.values().filter(move |n| n.port == port);
        on_port.map(|n| (n.initiator.clone(), n.port)).collect::<BTreeSet<_>>().into_iter()
    }

    /// The sessions on a port.
    pub(crate) fn on_port(&self, port: PortPos) -> Vec<SessionId> {
        self.sessions.values().filter(|n| n.port == port).map(|n| n.id).collect()
    }

    /// Lets the sessions of an initiator know that their LUNs changed.
    pub(crate) fn raise_unit_attention(&mut self, initiator: &Initiator) {
        let ids: Vec<SessionId> = self.sessions_of(initiator).collect();
        for id in ids {
            if let Some(nexus) = self.sessions.get_mut(&id) {
                nexus.luns_changed = true;
            }
        }
    }

    /// Lets the sessions on a port know that their LUNs changed.
    pub(crate) fn raise_unit_attention_on(&mut self, port: PortPos) {
        self.sessions.values_mut().filter(|n| n.port == port).for_each(|n| n.luns_changed = true);
    }
}

impl Array {
    /// Logs an initiator in on a port. An initiator may have several sessions, also on one port. It need not belong to a host: then
    /// it sees what is presented to the port.
    ///
    /// # Errors
    /// [`LoginError`] for a port that is absent, down or of the other protocol.
    pub fn login(&mut self, now: Duration, initiator: &Initiator, port: PortPos) -> Result<SessionId, LoginError> {
        self.advance(now);
        let held = self.port(port).map_err(|_| LoginError::NoSuchPort(port))?;
        if held.link != LinkState::Ready {
            return Err(LoginError::PortNotReady(port));
        }
        if held.is_iscsi() != matches!(initiator, Initiator::Iscsi(_)) {
            return Err(LoginError::WrongProtocol(port, initiator.clone()));
        }
        self.nexuses.made += 1;
        let id = SessionId(self.nexuses.made);
        let (initiator_name, isid, attentions) = (initiator.clone(), None, Attentions::default());
        let nexus = Nexus { id, initiator: initiator_name, port, since: now, luns_changed: false, isid, attentions };
        self.nexuses.sessions.insert(id, nexus);
        self.nexuses.by_initiator.entry(initiator.clone()).or_default().insert(id);
        self.note(EventKind::NexusOpened { session: id, initiator: initiator.clone(), port });
        Ok(id)
    }

    /// Logs an iSCSI initiator in with its session id.
    ///
    /// # Errors
    /// Those of [`Array::login`].
    pub fn login_with_isid(
        &mut self,
        now: Duration,
        initiator: &Initiator,
        isid: Isid,
        port: PortPos,
    ) -> Result<SessionId, LoginError> {
        let id = self.login(now, initiator, port)?;
        if let Some(nexus) = self.nexuses.get_mut(id) {
            nexus.isid = Some(isid);
        }
        Ok(id)
    }

    /// Ends a session and aborts its tasks, also those still on the wire; gives how many. An unknown session is no fault.
    pub fn logout(&mut self, now: Duration, session: SessionId) -> usize {
        self.advance(now);
        let Some(nexus) = self.nexuses.sessions.remove(&session) else { return 0 };
        if let Some(held) = self.nexuses.by_initiator.get_mut(&nexus.initiator) {
            held.remove(&session);
            if held.is_empty() {
                self.nexuses.by_initiator.remove(&nexus.initiator);
            }
        }
        let aborted = self.abort_tasks(|task| task.is_of(session));
        self.release_units_of(session);
        let Nexus { initiator, port, .. } = nexus;
        self.note(EventKind::NexusClosed { session, initiator, port, aborted });
        aborted
    }

    /// Ends every session of an initiator, as the death of its machine does; gives how many.
    pub fn logout_initiator(&mut self, now: Duration, initiator: &Initiator) -> usize {
        let ids: Vec<SessionId> = self.nexuses.sessions_of(initiator).collect();
        for id in &ids {
            self.logout(now, *id);
        }
        ids.len()
    }

    /// A session.
    #[must_use]
    pub fn nexus(&self, session: SessionId) -> Option<&Nexus> {
        self.nexuses.get(session)
    }

    /// All sessions in the order of their logins.
    pub fn nexuses(&self) -> impl Iterator<Item = &Nexus> {
        self.nexuses.sessions.values()
    }
}
