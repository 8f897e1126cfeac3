//! Who is logged in: the sessions of all connections, reinstatement, and the end of connections whose session the array ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Emulator;
use crate::array::{Initiator, PortPos};
use crate::datapath::{Isid, LoginError, SessionId};
use crate::server::Cut;

/// A listening address and the ports behind it.
#[derive(Debug)]
pub(crate) struct Portal {
    /// The ports.
    pub(crate) ports: Vec<PortPos>,
}

/// An initiator port and the target port it is logged in on: what one session is named by (RFC 7143 s. 4.4.3.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    initiator: Initiator,
    isid: Isid,
    port: PortPos,
}

/// A session with its connection.
struct Live {
    id: SessionId,
    tsih: u16,
    cut: Cut,
}

/// The targets of an array.
pub(crate) struct Target {
    emulator: Emulator,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    live: BTreeMap<Name, Live>,
    last_tsih: u16,
}

/// Why a session cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("there is no session with this TSIH")]
    NoSuchSession,
    #[error("the session has its one connection already")]
    TooManyConnections,
    #[error(transparent)]
    Array(#[from] LoginError),
}

/// A session that was opened.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) id: SessionId,
    pub(super) tsih: u16,
    name: Name,
}

impl Target {
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator, sessions: Mutex::default() }
    }

    pub(super) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a session of the target.
    pub(super) fn next_tsih(&self) -> u16 {
        let mut sessions = self.lock();
        sessions.last_tsih = sessions.last_tsih.checked_add(1).unwrap_or(1);
        sessions.last_tsih
    }

    /// Opens a session. One of the same name is ended first: it is reinstated (RFC 7143 s. 6.3.5).
    pub(super) fn open(
        &self,
        initiator: &Initiator,
        isid: Isid,
        port: PortPos,
        tsih: u16,
        cut: Cut,
    ) -> Result<Opened, Refused> {
        let name = Name { initiator: initiator.clone(), isid, port };
        let new_tsih = self.next_tsih();
        let mut sessions = self.lock();
        let former = sessions.live.get(&name);
        if tsih != 0 {
            return Err(match former.filter(|live| live.tsih == tsih) {
                Some(_) => Refused::TooManyConnections,
                None => Refused::NoSuchSession,
            });
        }
        if let Some(former) = former {
            former.cut.sever();
            let id = former.id;
            self.emulator.with(|array, now| array.logout(now, id));
        }
        let id = self.emulator.with(|array, now| array.login_with_isid(now, initiator, isid, port))?;
        sessions.live.insert(name.clone(), Live { id, tsih: new_tsih, cut });
        Ok(Opened { id, tsih: new_tsih, name })
    }

    /// Ends a session with its connection.
    pub(super) fn close(&self, opened: &Opened) {
        let mut sessions = self.lock();
        if sessions.live.get(&opened.name).is_some_and(|live| live.id == opened.id) {
            sessions.live.remove(&opened.name);
        }
        drop(sessions);
        self.emulator.with(|array, now| array.logout(now, opened.id));
    }

    /// Drops the connections of all sessions on a port but one, which is closed when its answer is written (TARGET COLD RESET).
    pub(super) fn sever_port(&self, port: PortPos, but: SessionId) {
        let sessions = self.lock();
        let others = sessions.live.iter().filter(|(name, live)| name.port == port && live.id != but);
        others.for_each(|(_, live)| live.cut.sever());
    }

    /// Drops connections whose session the array has ended: the link of its port went down, its host was cut off, or the array was
    /// put back to an earlier state. Never returns.
    pub(crate) async fn follow_array(self: Arc<Self>) {
        let mut events = self.emulator.subscribe();
        while events.changed().await.is_ok() {
            let sessions = self.lock();
            self.emulator.with(|array, _| {
                sessions.live.values().filter(|live| array.nexus(live.id).is_none()).for_each(|live| live.cut.sever());
            });
        }
    }
}
