//! The command line of the array over SSH.
//!
//! Interactive sessions have the echo, the prompt and the line ends that vendor clients count on; single commands
//! (`ssh user@array showvlun`) print the same text with plain line ends and end with a status.

mod commands;
mod host_key;
mod options;
mod session;
mod shell;
mod table;
mod terminal;
mod transport;
mod words;

pub use self::host_key::HostKeyError;
use self::session::CliSession;
pub(crate) use self::{
    host_key::{host_key, public_line},
    transport::{protocol, serve},
};
use crate::Emulator;

/// What all sessions share.
pub(crate) struct Shared {
    emulator: Emulator,
}

impl Shared {
    /// The command line of an array.
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator }
    }

    fn may_log_in(&self, user: &str, password: &str) -> bool {
        self.emulator.with(|array, _| array.authenticate(user, password)).is_ok()
    }

    fn session(&self) -> CliSession {
        CliSession::new(self.emulator.clone())
    }
}
