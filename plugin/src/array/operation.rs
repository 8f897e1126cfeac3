//! What a call to the array is about, and how far it got: from these two every error of both channels is made.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::{ArrayError, Channel};

/// Longest text of the array that is passed on in an error, in characters.
const QUOTED: usize = 600;

/// Whether a call can change anything on the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads.
    Read,
    /// It makes, changes or removes something.
    Change,
}

/// One call, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    text: String,
    object: String,
    effect: Effect,
}

impl Operation {
    /// A call that only reads `object`.
    pub(super) fn read(object: impl Into<String>) -> Self {
        let object = object.into();
        Self { text: format!("reading {object}"), object, effect: Effect::Read }
    }

    /// A call that changes `object`; `verb` such as "removing".
    pub(super) fn change(verb: &str, object: impl Into<String>) -> Self {
        let object = object.into();
        Self { text: format!("{verb} {object}"), object, effect: Effect::Change }
    }

    /// The same, said to go over `channel`.
    pub(super) fn over(mut self, channel: Channel) -> Self {
        self.text.push_str(match channel {
            Channel::Wsapi => " over WSAPI",
            Channel::Cli => " over SSH",
        });
        self
    }

    /// Whether the call can change anything.
    pub(super) fn effect(&self) -> Effect {
        self.effect
    }

    /// The request may have been carried out.
    pub(super) fn unknown(&self, reason: impl AsRef<str>) -> ArrayError {
        ArrayError::Unknown { operation: self.text.clone(), reason: quote(reason.as_ref()) }
    }

    /// The request was not sent.
    pub(super) fn unreachable(&self, reason: impl AsRef<str>) -> ArrayError {
        ArrayError::Unreachable { operation: self.text.clone(), reason: quote(reason.as_ref()) }
    }

    /// The array has no capacity for the request now; it was not carried out.
    pub(super) fn busy(&self, reason: impl AsRef<str>) -> ArrayError {
        ArrayError::Busy { operation: self.text.clone(), reason: quote(reason.as_ref()) }
    }

    /// The array said no.
    pub(super) fn refused(&self, code: u32, message: impl AsRef<str>) -> ArrayError {
        ArrayError::Refused { operation: self.text.clone(), code, message: quote(message.as_ref()) }
    }

    /// It cannot work, so nothing was sent.
    pub(super) fn not_tried(&self, reason: impl AsRef<str>) -> ArrayError {
        ArrayError::NotTried { operation: self.text.clone(), reason: quote(reason.as_ref()) }
    }

    /// The object is not there.
    pub(super) fn not_found(&self) -> ArrayError {
        ArrayError::NotFound { operation: self.text.clone(), object: self.object.clone() }
    }

    /// An object of that kind is not there: the one the call is about, or one it needs.
    pub(super) fn not_found_kind(&self, kind: &str) -> ArrayError {
        if self.object.starts_with(kind) {
            return self.not_found();
        }
        ArrayError::NotFound { operation: self.text.clone(), object: format!("{kind} that is needed for it") }
    }

    /// The object, or its number, is there already.
    pub(super) fn exists(&self, message: impl AsRef<str>) -> ArrayError {
        ArrayError::Exists { operation: self.text.clone(), message: quote(message.as_ref()) }
    }
}

/// One line, of bounded length, without control characters.
fn quote(text: &str) -> String {
    let mut line: String = text.trim().chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(QUOTED).is_some() {
        line.push('…');
    }
    line
}

/// How far a call got, kept outside its future so that it is still known when the deadline cuts the future off.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    const CONNECTING: u8 = 1;
    const SENT: u8 = 2;

    /// A session is free; the call is connecting or logging in.
    pub(super) fn connecting(&self) {
        self.0.store(Self::CONNECTING, Ordering::SeqCst);
    }

    /// From here on the array may have read the request.
    pub(super) fn sent(&self) {
        self.0.store(Self::SENT, Ordering::SeqCst);
    }

    /// The error of a call whose deadline passed.
    pub(super) fn expired(&self, operation: &Operation, deadline: Duration) -> ArrayError {
        let seconds = deadline.as_secs_f64();
        match self.0.load(Ordering::SeqCst) {
            Self::SENT => operation.unknown(format!("no answer within {seconds} s")),
            Self::CONNECTING => operation.unreachable(format!("no connection and login within {seconds} s")),
            _ => operation.busy(format!("every session of this plugin was in use for {seconds} s")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_says_how_far_the_call_got() {
        let operation = Operation::change("removing", "VLUN v,1,h");
        let progress = Progress::default();
        let second = Duration::from_secs(1);
        assert!(matches!(progress.expired(&operation, second), ArrayError::Busy { .. }));
        progress.connecting();
        assert!(matches!(progress.expired(&operation, second), ArrayError::Unreachable { .. }));
        progress.sent();
        assert!(progress.expired(&operation, second).is_unknown());
    }

    #[test]
    fn quoted_text_is_one_bounded_line() {
        let error = Operation::read("x").unknown(format!("a\nb{}", "c".repeat(1000)));
        let text = error.to_string();
        assert!(!text.contains('\n') && text.len() < 700, "{text}");
    }
}
