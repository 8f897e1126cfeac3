//! A rule of the fault plan: which calls it is about, when it strikes, and what it does to them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::glob::glob_matches;
use crate::array::{Channel, RemovalAnomaly};

/// A call, as its front end describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where it came in.
    pub channel: Channel,
    /// `METHOD /path` below `/api/v1` for the WSAPI, the command line for the CLI.
    pub operation: String,
    /// Further text to look for objects in, such as the body. Never logged.
    pub body: String,
}

impl Call {
    /// A call of the WSAPI; `path` is what follows `/api/v1`, percent-decoded.
    #[must_use]
    pub fn wsapi(method: &str, path: &str, body: &str) -> Self {
        Self { channel: Channel::Wsapi, operation: format!("{method} {path}"), body: body.to_owned() }
    }

    /// A command line; runs of blanks count as one.
    #[must_use]
    pub fn cli(line: &str) -> Self {
        let operation = line.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { channel: Channel::Cli, operation, body: String::new() }
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// The command has no effect.
    #[default]
    Before,
    /// The command has its effect; the caller does not get the answer it should.
    After,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before the effect",
            Self::After => "after the effect",
        })
    }
}

/// What is done to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum FaultKind {
    /// Answer with an error of the array.
    #[serde(rename_all = "camelCase")]
    Error {
        /// WSAPI error code.
        code: u32,
        /// HTTP status.
        #[serde(default = "default_status")]
        status: u16,
        /// Text; the command line prints it.
        #[serde(default)]
        desc: String,
    },
    /// Answer with a bare HTTP status; the command line ends with a failure without text.
    #[serde(rename_all = "camelCase")]
    HttpStatus {
        /// The status.
        status: u16,
    },
    /// Answer late. With [`Moment::Before`] the effect is late too, with [`Moment::After`] only the answer.
    #[serde(rename_all = "camelCase")]
    Delay {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// Never answer; the connection stays open.
    Hang,
    /// Drop the connection.
    Reset,
    /// Answer with the first bytes of the answer only, then drop the connection.
    #[serde(rename_all = "camelCase")]
    Truncate {
        /// Bytes of the body or of the output that get through.
        bytes: usize,
    },
    /// Do not answer; have the effect later, whether the caller still waits or not.
    #[serde(rename_all = "camelCase")]
    ApplyLater {
        /// Milliseconds until the effect.
        delay_ms: u64,
    },
    /// For removals of VLUNs: answer with success, have the effect later.
    #[serde(rename_all = "camelCase")]
    SlowRemoval {
        /// Milliseconds until the effect.
        delay_ms: u64,
    },
    /// For removals of VLUNs: answer with success, leave an active VLUN behind.
    PartialRemoval,
    /// For removals of VLUNs: answer with success, do nothing.
    LyingRemoval,
    /// For the interactive command line: print this text in place of the next prompt.
    WrongPrompt {
        /// The text.
        prompt: String,
    },
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { code, status, desc } => write!(f, "error {code} (HTTP {status}) {desc:?}"),
            Self::HttpStatus { status } => write!(f, "bare HTTP status {status}"),
            Self::Delay { delay_ms } => write!(f, "delay of {delay_ms} ms"),
            Self::Hang => f.write_str("no answer"),
            Self::Reset => f.write_str("connection dropped"),
            Self::Truncate { bytes } => write!(f, "answer cut off after {bytes} bytes"),
            Self::ApplyLater { delay_ms } => write!(f, "no answer, effect after {delay_ms} ms"),
            Self::SlowRemoval { delay_ms } => write!(f, "removal answered, effect after {delay_ms} ms"),
            Self::PartialRemoval => f.write_str("removal answered, an active VLUN stays"),
            Self::LyingRemoval => f.write_str("removal answered, nothing done"),
            Self::WrongPrompt { prompt } => write!(f, "prompt {prompt:?}"),
        }
    }
}

/// HTTP status of an injected error that names none.
fn default_status() -> u16 {
    500
}

impl FaultKind {
    /// The delay it carries.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay { delay_ms } | Self::ApplyLater { delay_ms } | Self::SlowRemoval { delay_ms } => {
                Some(Duration::from_millis(*delay_ms))
            }
            _ => None,
        }
    }

    /// The deviation to ask of [`Array::remove_vlun_as`](crate::array::Array::remove_vlun_as), if it is about removals.
    #[must_use]
    pub fn removal_anomaly(&self) -> Option<RemovalAnomaly> {
        match self {
            Self::SlowRemoval { delay_ms } => Some(RemovalAnomaly::Slow(Duration::from_millis(*delay_ms))),
            Self::PartialRemoval => Some(RemovalAnomaly::Partial),
            Self::LyingRemoval => Some(RemovalAnomaly::Lying),
            _ => None,
        }
    }
}

/// Which of the matching calls a rule strikes: after the first `skip`, at most `count`, each with `probability`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trigger {
    /// Matching calls to let pass first.
    pub skip: u64,
    /// Calls to strike; all when absent.
    pub count: Option<u64>,
    /// Chance to strike a call that is due, 0 to 1.
    pub probability: f64,
}

impl Default for Trigger {
    fn default() -> Self {
        Self { skip: 0, count: None, probability: 1.0 }
    }
}

impl Trigger {
    /// Only the `n`-th matching call, counted from 1.
    #[must_use]
    pub fn nth(n: u64) -> Self {
        Self { skip: n.saturating_sub(1), count: Some(1), ..Self::default() }
    }

    /// The first `n` matching calls.
    #[must_use]
    pub fn first(n: u64) -> Self {
        Self { count: Some(n), ..Self::default() }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultRule {
    /// Channel it is about; any when absent.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Operation it is about: a glob over `METHOD /path` for the WSAPI (`DELETE /vluns/*`), the first words of the command for the
    /// CLI (`removevlun`). Empty for any.
    #[serde(default)]
    pub operation: String,
    /// Text that the operation or its body must hold, such as the name of a volume or host. Empty for any.
    #[serde(default)]
    pub object: String,
    /// Which of the matching calls.
    #[serde(default)]
    pub trigger: Trigger,
    /// Before or after the effect.
    #[serde(default)]
    pub when: Moment,
    /// What is done.
    #[serde(flatten)]
    pub fault: FaultKind,
}

impl FaultRule {
    /// A rule for every call of an operation, before the effect.
    #[must_use]
    pub fn new(channel: Option<Channel>, operation: &str, fault: FaultKind) -> Self {
        let (object, trigger, when) = (String::new(), Trigger::default(), Moment::Before);
        Self { channel, operation: operation.to_owned(), object, trigger, when, fault }
    }

    /// The same rule for calls that name an object.
    #[must_use]
    pub fn about(mut self, object: &str) -> Self {
        self.object = object.to_owned();
        self
    }

    /// The same rule for some of the matching calls.
    #[must_use]
    pub fn on(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    /// The same rule after the effect.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.when = Moment::After;
        self
    }

    /// Whether the rule is about a call.
    #[must_use]
    pub fn matches(&self, call: &Call) -> bool {
        let channel = self.channel.is_none_or(|c| c == call.channel);
        let operation = self.operation.is_empty()
            || match call.channel {
                Channel::Cli => starts_with_words(&call.operation, &self.operation),
                _ => glob_matches(&self.operation, &call.operation),
            };
        channel && operation && (call.operation.contains(&self.object) || call.body.contains(&self.object))
    }
}

/// Whether a command line starts with these words.
fn starts_with_words(line: &str, words: &str) -> bool {
    let mut line = line.split_whitespace();
    words.split_whitespace().all(|word| line.next() == Some(word))
}
