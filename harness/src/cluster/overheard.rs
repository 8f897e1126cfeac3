//! The calls of the plugins' sockets as their callers saw them, kept for the time line of a run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::docker_client::{CallError, Dialect, RawAnswer, refusal_in};
use super::witness::Witness;
use crate::report::{AnswerKind, Call, CallAnswer};

/// Calls so far, in the order they began.
#[derive(Debug, Default)]
pub struct Calls(Mutex<Vec<Call>>);

impl Calls {
    /// All calls so far.
    #[must_use]
    pub fn all(&self) -> Vec<Call> {
        self.lock().clone()
    }

    fn begin(&self, call: Call) -> usize {
        let mut calls = self.lock();
        calls.push(call);
        calls.len() - 1
    }

    fn end(&self, number: usize, answer: CallAnswer) {
        if let Some(call) = self.lock().get_mut(number) {
            call.answer = Some(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to the callers of one node's plugin.
#[derive(Debug, Clone)]
pub struct Listener {
    witness: Arc<Witness>,
    node: String,
}

impl Listener {
    /// Tells this witness of every call of that node's plugin.
    #[must_use]
    pub fn new(witness: Arc<Witness>, node: &str) -> Self {
        Self { witness, node: node.to_owned() }
    }

    /// A call begins; gives its number.
    #[must_use]
    pub fn begins(&self, dialect: Dialect, endpoint: &str, body: &[u8]) -> usize {
        let caller = match dialect {
            Dialect::Dockerd => "dockerd",
            Dialect::Dory => "dory",
        };
        self.witness.calls().begin(Call {
            at: self.witness.now(),
            node: self.node.clone(),
            caller: caller.to_owned(),
            endpoint: endpoint.to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            answer: None,
        })
    }

    /// The call with this number ended.
    pub fn ends(&self, number: usize, answer: &Result<RawAnswer, CallError>) {
        self.witness.calls().end(number, answer_of(self.witness.now(), answer));
    }
}

fn answer_of(at: Duration, answer: &Result<RawAnswer, CallError>) -> CallAnswer {
    let (kind, text) = match answer {
        Err(error) => (AnswerKind::Silent, error.to_string()),
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.body).trim_end().to_owned();
            match refusal_in(&answer.body) {
                Some(reason) => (AnswerKind::Refused, reason),
                None if answer.status == 200 => (AnswerKind::Done, body),
                None => (AnswerKind::Refused, format!("status {}: {body}", answer.status)),
            }
        }
    };
    CallAnswer { at, kind, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(status: u16, body: &'static str) -> AnswerKind {
        answer_of(Duration::ZERO, &Ok(RawAnswer { status, body: body.into() })).kind
    }

    #[test]
    fn an_answer_is_done_refused_or_silent() {
        assert_eq!(kind_of(200, r#"{"Mountpoint":"/m","Err":""}"#), AnswerKind::Done);
        assert_eq!(kind_of(200, r#"{"Err":"no such volume"}"#), AnswerKind::Refused);
        assert_eq!(kind_of(404, "page not found"), AnswerKind::Refused);
        let silence = answer_of(Duration::ZERO, &Err(CallError::GaveUp(Duration::from_secs(1))));
        assert_eq!(silence.kind, AnswerKind::Silent);
    }
}
