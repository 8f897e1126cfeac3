//! What can go wrong at one call.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::simulation::Port;

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The plugin dies before the call is made, and is started again.
    CrashBefore,
    /// The plugin dies at the moment the call takes effect, and is started again.
    CrashAfter,
    /// The call takes effect; its answer never comes.
    AnswerLost,
    /// The call takes effect late, but its caller still waits.
    Delay,
    /// Whom it asks is busy: nothing happens, and it says so.
    Busy,
    /// Whom it asks refuses it: nothing happens, and it says so.
    Error,
    /// The call hangs until its caller has given up, and takes effect after that.
    Hang,
    /// The plugin's process stands still before the call is made, for longer than any lease.
    PauseBefore,
    /// The plugin's process stands still from the moment the call takes effect, for longer than any lease.
    PauseAfter,
}

impl Fault {
    /// All faults, in the order of a table's columns.
    pub const ALL: [Self; 9] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::AnswerLost,
        Self::Delay,
        Self::Busy,
        Self::Error,
        Self::Hang,
        Self::PauseBefore,
        Self::PauseAfter,
    ];

    /// Name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CrashBefore => "crash-before",
            Self::CrashAfter => "crash-after",
            Self::AnswerLost => "answer-lost",
            Self::Delay => "delay",
            Self::Busy => "busy",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::PauseBefore => "pause-before",
            Self::PauseAfter => "pause-after",
        }
    }

    /// What it does, as a sentence.
    #[must_use]
    pub fn does(self) -> &'static str {
        match self {
            Self::CrashBefore => "the plugin dies before the call is made",
            Self::CrashAfter => "the plugin dies at the moment the call takes effect",
            Self::AnswerLost => "the call takes effect, its answer never comes",
            Self::Delay => "the call takes effect late, its caller still waits",
            Self::Busy => "nothing happens: busy, says whom it asks",
            Self::Error => "nothing happens: refused, says whom it asks",
            Self::Hang => "the call hangs past its deadline and takes effect after it",
            Self::PauseBefore => {
                "the process stands still before the call, longer than any lease, while another node mounts"
            }
            Self::PauseAfter => {
                "the process stands still after the effect, longer than any lease, while another node mounts"
            }
        }
    }

    /// Another node asks for the volume while it lasts: standing still matters only to those who go on meanwhile.
    #[must_use]
    pub fn is_pause(self) -> bool {
        matches!(self, Self::PauseBefore | Self::PauseAfter)
    }

    /// Whether this can happen to a call of this kind.
    #[must_use]
    pub fn applies_to(self, port: Port, what: &str) -> bool {
        match port {
            Port::Store | Port::Wsapi | Port::Ssh => true,
            // A change is heard or not: there is no effect to tell apart from its answer, and no caller who gives up.
            Port::Watch => !matches!(self, Self::CrashAfter | Self::Error | Self::Hang | Self::PauseAfter),
            // Steps of a kernel say why they fail; that somebody is busy is one of the reasons.
            Port::Node if LOOKS.contains(&what) => matches!(self, Self::CrashBefore | Self::Error | Self::PauseBefore),
            Port::Node | Port::Journal => self != Self::Busy,
        }
    }

    /// For how long a node stands still.
    pub(super) const PAUSE: Duration = Duration::from_secs(26);
    /// After how long a dead plugin is started again.
    pub(super) const RESTART: Duration = Duration::from_secs(2);
}

/// Looks of the node port that are no steps in the kernel: they end at once.
const LOOKS: [&str; 2] = ["is_mounted_elsewhere", "finds_luns_by_itself"];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == text)
            .ok_or_else(|| format!("'{text}' is no fault; known are {}", known()))
    }
}
