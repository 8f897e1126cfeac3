//! The command line of the array over SSH.
//!
//! Interactive sessions have the echo, the prompt and the line ends that vendor clients count on; single commands
//! (`ssh user@array showvlun`) print the same text with plain line ends and end with a status.

#[cfg(test)]
mod agreement_tests;
mod columns;
mod commands;
mod host_key;
mod options;
mod pattern;
mod session;
mod shell;
mod table;
mod terminal;
mod transport;
mod who;
mod words;

#[cfg(test)]
pub(crate) use self::commands::names as command_names;
pub use self::host_key::HostKeyError;
use self::{
    commands::{Circumstances, Outcome, run, without_secrets},
    session::CliSession,
    table::Style,
    who::{Connections, Registration, Who},
    words::split,
};
pub(crate) use self::{
    host_key::{host_key, public_line},
    transport::{protocol, serve},
};
use std::{net::SocketAddr, sync::Arc};

use russh::keys::ssh_key::PublicKey;

use crate::{
    Emulator,
    array::{Channel, CommandOutcome, RemovalAnomaly},
};

/// What all sessions share.
pub(crate) struct Shared {
    emulator: Emulator,
    connections: Connections,
}

impl Shared {
    /// The command line of an array.
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator, connections: Connections::default() }
    }

    fn may_log_in(&self, user: &str, password: &str) -> bool {
        self.emulator.with(|array, _| array.authenticate(user, password)).is_ok()
    }

    fn knows_key(&self, user: &str, key: &PublicKey) -> bool {
        self.emulator.with(|array, _| array.has_ssh_key(user, key))
    }

    /// Lists a connection as long as what this returns lives.
    fn register(&self, user: &str, peer: SocketAddr) -> Arc<Registration> {
        self.connections.open(user, peer, self.emulator.now())
    }

    fn session(&self, who: Who) -> CliSession {
        CliSession::new(self.emulator.clone(), who)
    }
}

/// Runs the commands of the schedules whose time has come, as their makers would have.
pub(crate) fn run_due_schedules(emulator: &Emulator) {
    for schedule in emulator.with(|array, now| array.due_schedules(now)) {
        let Ok(words) = split(&schedule.task) else { continue };
        let who = Who { user: schedule.user, ..Who::default() };
        let circumstances = Circumstances { style: Style::default(), anomaly: RemovalAnomaly::None, who: &who };
        let outcome = match run(emulator, &words, &circumstances) {
            Outcome::Done(_) => CommandOutcome::Done,
            Outcome::Refused(desc) => CommandOutcome::Refused { code: 0, desc: desc.trim_end().to_owned() },
            Outcome::Ask { question: desc, .. } | Outcome::Collect { prompt: desc, .. } => {
                CommandOutcome::Refused { code: 0, desc: format!("nobody to ask: {desc}") }
            }
        };
        let line = without_secrets(&words).join(" ");
        emulator.with(|array, now| array.note_command(now, Channel::Cli, line, outcome));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use super::*;
    use crate::array::{ArrayConfig, CreateVolume, Times};

    #[test]
    fn a_schedule_makes_snapshots_when_its_time_comes() {
        let seconds = Arc::new(AtomicU64::new(0));
        let hand = Arc::clone(&seconds);
        let clock = move || Duration::from_secs(hand.load(Ordering::Relaxed));
        let emulator = Emulator::with_clock(ArrayConfig::default(), clock);
        emulator.with(|array, now| {
            let volume = CreateVolume { snap_cpg: Some("FC_r6".to_owned()), ..CreateVolume::thin("v1", "FC_r6", 256) };
            array.create_volume(now, &volume).unwrap();
            let task = "createsv -f -exp 1h snap.@y@@m@@d@@H@@M@@S@ v1";
            array.create_schedule(now, "3paradm", "hourly", task, Times::read("@hourly").unwrap()).unwrap();
        });
        run_due_schedules(&emulator);
        assert_eq!(emulator.with(|array, _| array.volumes().count()), 1);
        seconds.store(3601, Ordering::Relaxed);
        run_due_schedules(&emulator);
        run_due_schedules(&emulator);
        let names: Vec<_> = emulator.with(|array, _| array.volumes().map(|volume| volume.name.to_string()).collect());
        assert_eq!(names, ["v1", "snap.260101010001"]);
    }
}
