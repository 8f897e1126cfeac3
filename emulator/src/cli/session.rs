//! A command line session: its settings, its open question, and what the fault plan does to its commands.

use std::time::Duration;

use super::{
    commands::{self, Circumstances, Outcome, without_secrets},
    table::Style,
    who::Who,
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

/// Most lines that a command collects.
const MOST_COLLECTED: usize = 64;

/// Most commands that a session remembers.
const MOST_REMEMBERED: usize = 500;

/// What waits for a line.
enum Question {
    /// Yes or no.
    Confirm {
        /// The command to run when the answer is yes.
        confirmed: Vec<String>,
    },
    /// Lines of text up to an empty one.
    Collect {
        /// The command to run with the text as one more operand.
        then: Vec<String>,
        lines: Vec<String>,
    },
}

/// One session.
pub(crate) struct CliSession {
    emulator: Emulator,
    who: Who,
    style: Style,
    question: Option<Question>,
    history: Vec<String>,
}

impl CliSession {
    /// A session with the default settings.
    pub(crate) fn new(emulator: Emulator, who: Who) -> Self {
        Self { emulator, who, style: Style::default(), question: None, history: Vec::new() }
    }

    /// What stands before the cursor: `<name> cli% `, the choice of a question, nothing while lines are collected.
    pub(crate) fn prompt(&self) -> String {
        match self.question {
            Some(Question::Confirm { .. }) => CHOICE.to_owned(),
            Some(Question::Collect { .. }) => String::new(),
            None => {
                let name = self.emulator.with(|array, _| array.config().name.clone());
                format!("{name} cli% ")
            }
        }
    }

    /// Whether a question waits for its answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// Control-C: forgets the question.
    pub(crate) fn interrupt(&mut self) {
        self.question = None;
    }

    /// Takes a line: a command, or an answer to the open question.
    pub(crate) async fn take_line(&mut self, line: &str) -> Reply {
        match self.question.take() {
            Some(Question::Confirm { confirmed }) => match line.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => self.judged(confirmed).await,
                "" | "n" | "no" | "q" | "quit" => Reply::new("", 0),
                _ => {
                    self.question = Some(Question::Confirm { confirmed });
                    Reply::new(format!("Unrecognized input \"{}\"\n", line.trim()), 1)
                }
            },
            Some(Question::Collect { mut then, mut lines }) => {
                let line = line.trim();
                if !line.is_empty() && lines.len() < MOST_COLLECTED {
                    lines.push(line.to_owned());
                    self.question = Some(Question::Collect { then, lines });
                    return Reply::new("", 1);
                }
                if lines.is_empty() {
                    return Reply::new("", 0);
                }
                // A long line may have been pasted in pieces.
                then.extend(["--".to_owned(), lines.concat()]);
                self.judged(then).await
            }
            None => match split(line) {
                Ok(words) => {
                    self.remember(&words);
                    self.judged(words).await
                }
                Err(error) => Reply::new(format!("{error}\n"), 1),
            },
        }
    }

    /// Keeps a command for `history`, without its secrets.
    fn remember(&mut self, words: &[String]) {
        if words.is_empty() {
            return;
        }
        if self.history.len() >= MOST_REMEMBERED {
            self.history.remove(0);
        }
        self.history.push(without_secrets(words).join(" "));
    }

    /// Runs a command as the fault plan wants it. What belongs to the session is out of the plan's reach.
    async fn judged(&mut self, words: Vec<String>) -> Reply {
        match words.first().map(String::as_str) {
            None => return Reply::new("", 0),
            Some("exit" | "quit") => return Reply { ends_session: true, ..Reply::new("", 0) },
            Some("setclienv") => return self.set_environment(&words[1..]),
            Some("showclienv") => return Reply::new(self.environment(), 0),
            Some("history") => {
                let lines = (1_usize..).zip(&self.history).map(|(number, line)| format!("{number:>5}  {line}\n"));
                return Reply::new(lines.collect::<String>(), 0);
            }
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
        let mut later = Self::new(self.emulator.clone(), self.who.clone());
        later.style = self.style;
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            later.run(&words, RemovalAnomaly::None);
        });
    }

    /// Runs a command and writes it into the log.
    fn run(&mut self, words: &[String], anomaly: RemovalAnomaly) -> Reply {
        let circumstances = Circumstances { style: self.style, anomaly, who: &self.who };
        let (reply, outcome) = match commands::run(&self.emulator, words, &circumstances) {
            Outcome::Done(text) => (Reply::new(text, 0), CommandOutcome::Done),
            Outcome::Refused(text) => {
                let desc = without_words(text.trim_end(), words);
                (Reply::new(text, 1), CommandOutcome::Refused { code: 0, desc })
            }
            Outcome::Ask { question, confirmed } => {
                self.question = Some(Question::Confirm { confirmed });
                return Reply::new(question + "\n", 1);
            }
            Outcome::Collect { prompt, then } => {
                self.question = Some(Question::Collect { then, lines: Vec::new() });
                return Reply::new(prompt, 1);
            }
        };
        self.note(words, outcome);
        reply
    }

    fn note(&self, words: &[String], outcome: CommandOutcome) {
        let shown = without_secrets(words).join(" ");
        self.emulator.with(|array, now| array.note_command(now, Channel::Cli, shown, outcome));
    }

    /// What `showclienv` prints.
    fn environment(&self) -> String {
        let Style { csv, no_header_and_total } = self.style;
        format!("Parameter Value\ncsvtable  {}\nnohdtot   {}\n", u8::from(csv), u8::from(no_header_and_total))
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

/// The text of a refusal for the log: words that are masked there are masked here too.
fn without_words(text: &str, words: &[String]) -> String {
    let shown = without_secrets(words);
    let masked = words.iter().filter(|word| !word.is_empty() && !shown.contains(word));
    masked.fold(text.to_owned(), |text, word| text.replace(word.as_str(), "********"))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
