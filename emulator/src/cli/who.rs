//! Who is connected to the command line.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One SSH connection that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connected {
    /// Number, counting up.
    pub(crate) id: u64,
    /// Account.
    pub(crate) user: String,
    /// Address of the client.
    pub(crate) peer: SocketAddr,
    /// Time since the start of the array at which it logged in.
    pub(crate) since: Duration,
}

#[derive(Debug, Default)]
struct Table {
    made: u64,
    open: BTreeMap<u64, Connected>,
}

/// All connections that are logged in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Table>>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a login; the connection is listed until what this returns is dropped.
    pub(crate) fn open(&self, user: &str, peer: SocketAddr, since: Duration) -> Arc<Registration> {
        let mut table = self.lock();
        table.made += 1;
        let id = table.made;
        table.open.insert(id, Connected { id, user: user.to_owned(), peer, since });
        Arc::new(Registration { connections: self.clone(), id })
    }

    /// Those that are connected now, in the order of their logins.
    pub(crate) fn list(&self) -> Vec<Connected> {
        self.lock().open.values().cloned().collect()
    }
}

/// A connection in the list.
#[derive(Debug)]
pub(crate) struct Registration {
    connections: Connections,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.lock().open.remove(&self.id);
    }
}

/// The session in which a command runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    /// Account.
    pub(crate) user: String,
    /// Number of its connection, 0 for none.
    pub(crate) connection: u64,
    /// Everybody who is connected.
    pub(crate) connections: Connections,
}

impl Who {
    /// A session on a connection.
    pub(crate) fn on(registration: &Registration, user: &str) -> Self {
        Self { user: user.to_owned(), connection: registration.id, connections: registration.connections.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_listed_while_it_lasts() {
        let connections = Connections::default();
        let peer: SocketAddr = "127.0.0.1:5022".parse().unwrap();
        let first = connections.open("a", peer, Duration::ZERO);
        let second = connections.open("b", peer, Duration::ZERO);
        assert_eq!(Who::on(&second, "b").connection, 2);
        drop(first);
        let users: Vec<_> = connections.list().into_iter().map(|one| one.user).collect();
        assert_eq!(users, ["b"]);
    }
}
