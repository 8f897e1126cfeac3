//! A command line session: its settings, its open question, and what the fault plan does to its commands.

use std::time::Duration;

use super::{
    commands::{self, Outcome},
    table::Style,
    words::split,
};
use crate::{
    Emulator,
    array::{Channel, CommandOutcome, RemovalAnomaly},
    faults::{Call, FaultKind, Moment, Verdict},
};

/// The choice printed after a question.
const CHOICE: &str = "select q=quit y=yes n=no: ";

/// How a reply gets to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// As it is.
    Whole,
    /// Only the first bytes, then the connection ends.
    Truncated(usize),
    /// Not at all: the connection is reset.
    Dropped,
    /// Not at all: the connection stays open and silent.
    Never,
}

/// What a line leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Output with LF line ends.
    pub(crate) text: String,
    /// Exit status, for single commands: 0, or 1 after a refusal.
    pub(crate) status: u32,
    /// The session is over.
    pub(crate) ends_session: bool,
    /// What to print in place of the next prompt.
    pub(crate) next_prompt: Option<String>,
    /// How it gets to the client.
    pub(crate) delivery: Delivery,
}

impl Reply {
    fn new(text: impl Into<String>, status: u32) -> Self {
        Self { text: text.into(), status, ends_session: false, next_prompt: None, delivery: Delivery::Whole }
    }

    fn silent(delivery: Delivery) -> Self {
        Self { delivery, ..Self::new("", 1) }
    }
}

/// A question that waits for its answer.
struct Question {
    confirmed: Vec<String>,
}

/// One session.
pub(crate) struct CliSession {
    emulator: Emulator,
    style: Style,
    question: Option<Question>,
}

impl CliSession {
    /// A session with the default settings.
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator, style: Style::default(), question: None }
    }

    /// What stands before the cursor: `<name> cli% `, or the choice of a question.
    pub(crate) fn prompt(&self) -> String {
        if self.is_asking() {
            return CHOICE.to_owned();
        }
        let name = self.emulator.with(|array, _| array.config().name.clone());
        format!("{name} cli% ")
    }

    /// Whether a question waits for its answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// Control-C: forgets the question.
    pub(crate) fn interrupt(&mut self) {
        self.question = None;
    }

    /// Takes a line: a command, or the answer to the open question.
    pub(crate) async fn take_line(&mut self, line: &str) -> Reply {
        if let Some(question) = self.question.take() {
            let is_yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
            return if is_yes { self.judged(question.confirmed).await } else { Reply::new("", 0) };
        }
        match split(line) {
            Ok(words) => self.judged(words).await,
            Err(error) => Reply::new(format!("{error}\n"), 1),
        }
    }

    /// Runs a command as the fault plan wants it. What belongs to the session is out of the plan's reach.
    async fn judged(&mut self, words: Vec<String>) -> Reply {
        match words.first().map(String::as_str) {
            None => return Reply::new("", 0),
            Some("exit" | "quit") => return Reply { ends_session: true, ..Reply::new("", 0) },
            Some("setclienv") => return self.set_environment(&words[1..]),
            Some(_) => {}
        }
        let call = Call::cli(&words.join(" "));
        match self.emulator.judge(&call) {
            Verdict::Pass => self.run(&words, RemovalAnomaly::None),
            Verdict::Fault { rule, when, fault } => {
                tracing::debug!(%rule, call = call.operation, ?fault, ?when, "fault");
                self.note(&words, CommandOutcome::Faulted { fault: format!("{fault}, {when}") });
                self.strike(words, when, fault).await
            }
        }
    }

    /// Does to a command what a fault wants.
    async fn strike(&mut self, words: Vec<String>, when: Moment, fault: FaultKind) -> Reply {
        let has_effect = !words.first().is_some_and(|command| command.starts_with("show"));
        match fault {
            FaultKind::Error { code, desc, .. } => {
                self.run_if(when, &words);
                let text = if desc.is_empty() { format!("Error: code {code}") } else { desc };
                Reply::new(text + "\n", 1)
            }
            FaultKind::HttpStatus { .. } => {
                self.run_if(when, &words);
                Reply::new("", 1)
            }
            FaultKind::Delay { delay_ms } => {
                let delay = Duration::from_millis(delay_ms);
                if when == Moment::Before {
                    tokio::time::sleep(delay).await;
                    return self.run(&words, RemovalAnomaly::None);
                }
                let reply = self.run(&words, RemovalAnomaly::None);
                tokio::time::sleep(delay).await;
                reply
            }
            FaultKind::Hang => {
                self.run_if(when, &words);
                Reply::silent(Delivery::Never)
            }
            FaultKind::Reset => {
                self.run_if(when, &words);
                Reply::silent(Delivery::Dropped)
            }
            // Output to cut short exists only when the command runs.
            FaultKind::Truncate { .. } if when == Moment::Before && has_effect => Reply::silent(Delivery::Dropped),
            FaultKind::Truncate { bytes } => {
                let reply = self.run(&words, RemovalAnomaly::None);
                Reply { delivery: Delivery::Truncated(bytes), ..reply }
            }
            FaultKind::ApplyLater { delay_ms } => {
                self.run_later(words, Duration::from_millis(delay_ms));
                Reply::silent(Delivery::Never)
            }
            ref removal @ (FaultKind::SlowRemoval { .. } | FaultKind::PartialRemoval | FaultKind::LyingRemoval) => {
                self.run(&words, removal.removal_anomaly().unwrap_or_default())
            }
            FaultKind::WrongPrompt { prompt } => {
                let reply = self.run(&words, RemovalAnomaly::None);
                Reply { next_prompt: Some(prompt), ..reply }
            }
        }
    }

    fn run_if(&mut self, when: Moment, words: &[String]) {
        if when == Moment::After {
            self.run(words, RemovalAnomaly::None);
        }
    }

    /// Runs a command after a delay, whatever becomes of this session.
    fn run_later(&self, words: Vec<String>, delay: Duration) {
        let mut later = Self { emulator: self.emulator.clone(), style: self.style, question: None };
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            later.run(&words, RemovalAnomaly::None);
        });
    }

    /// Runs a command and writes it into the log.
    fn run(&mut self, words: &[String], anomaly: RemovalAnomaly) -> Reply {
        let (reply, outcome) = match commands::run(&self.emulator, self.style, words, anomaly) {
            Outcome::Done(text) => (Reply::new(text, 0), CommandOutcome::Done),
            Outcome::Refused(text) => {
                let desc = text.trim_end().to_owned();
                (Reply::new(text, 1), CommandOutcome::Refused { code: 0, desc })
            }
            Outcome::Ask { question, confirmed } => {
                self.question = Some(Question { confirmed });
                return Reply::new(question + "\n", 1);
            }
        };
        self.note(words, outcome);
        reply
    }

    fn note(&self, words: &[String], outcome: CommandOutcome) {
        self.emulator.with(|array, now| array.note_command(now, Channel::Cli, words.join(" "), outcome));
    }

    /// `setclienv csvtable|nohdtot 0|1`; other settings of the real command line are taken without effect.
    fn set_environment(&mut self, words: &[String]) -> Reply {
        let [setting, value] = words else {
            return Reply::new("Usage: setclienv <setting> <value>\n", 1);
        };
        let on = match value.as_str() {
            "0" => false,
            "1" => true,
            _ if matches!(setting.as_str(), "csvtable" | "nohdtot") => {
                return Reply::new(format!("Invalid value for {setting}: {value}\n"), 1);
            }
            _ => return Reply::new("", 0),
        };
        match setting.as_str() {
            "csvtable" => self.style.csv = on,
            "nohdtot" => self.style.no_header_and_total = on,
            _ => {}
        }
        Reply::new("", 0)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
