//! How a time line looks on a terminal, or in a file.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

/// Columns of text after which a line goes on below.
const WIDTH: usize = 100;
/// Columns before the text of an event: its time and who it is about.
const BEFORE: usize = 22;

/// Writes a time line.
#[derive(Debug)]
pub struct Narrator {
    colours: bool,
    chapter: usize,
    /// Why a line could not be written.
    unwritten: OnceLock<String>,
}

impl Narrator {
    /// To stdout, with colours if that is a terminal.
    #[must_use]
    pub fn to_stdout() -> Self {
        Self {
            colours: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            chapter: 0,
            unwritten: OnceLock::new(),
        }
    }

    /// The title of the whole.
    pub fn title(&self, text: &str) {
        self.line(&format!("\n{}\n", self.styled("1", text)));
    }

    /// A new part of the story.
    pub fn chapter(&mut self, text: &str) {
        self.chapter += 1;
        self.line(&format!("\n{}", self.styled("1;36", &format!("{}. {text}", self.chapter))));
    }

    /// Something that happened: when, to whom, what.
    pub fn event(&self, at: Duration, who: &str, what: &str) {
        let colour = match who {
            "array" => "33",
            "etcd" => "35",
            _ => "32",
        };
        let time = self.styled("2", &format!("{:>8.3} s", at.as_secs_f64()));
        let what = wrapped(what, BEFORE);
        self.line(&format!("{time}  {}  {what}", self.styled(colour, &format!("{who:<8}"))));
    }

    /// A line without a time.
    pub fn plain(&self, text: &str) {
        self.line(&format!("  {}", wrapped(text, 2)));
    }

    /// A good end.
    pub fn good(&self, text: &str) {
        self.line(&format!("\n{}", self.styled("1;32", &wrapped(text, 0))));
    }

    fn styled(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Why the story could not be told, if it could not. A reader who has gone away wanted no more.
    #[must_use]
    pub fn unwritten(&self) -> Option<&str> {
        self.unwritten.get().map(String::as_str)
    }

    /// A closed stdout ends the telling, not the demonstration.
    fn line(&self, text: &str) {
        match writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let _ = self.unwritten.set(error.to_string());
            }
            _ => {}
        }
    }
}

/// The text with line breaks between words; lines after the first are indented. Runs of blanks inside a line stay.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.chars().count() + 1 + word.chars().count() > WIDTH && !line.is_empty() {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() || word.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_go_on_below_and_columns_stay() {
        assert_eq!(wrapped("a  b", 2), "a  b");
        let text = wrapped(&"word ".repeat(40), 4);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 4));
        assert!(text.contains("\n    word"));
    }
}
