//! The line discipline of an interactive session: what is echoed, when a line is complete, and the lines before.
//!
//! Clients such as python-3parclient type three lines ahead before the shell has printed its first prompt and then
//! count lines: the terminal echoes what was typed ahead, and the shell's own line editor echoes it again after
//! each prompt. Both echoes have to be there, in this order. Lines are never wrapped at the terminal's width.

/// Longest line kept, in bytes; what exceeds it is dropped, and the command splitter then refuses the line.
const LONGEST_KEPT: usize = super::words::LONGEST_LINE + 1;

/// Most lines remembered for the arrow keys.
const MOST_REMEMBERED: usize = 200;

/// What a typed byte leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// The line goes on; these bytes appear on the screen.
    Echo(Vec<u8>),
    /// The line is complete (Enter); the echo of the line end is included in the terminal's own output rules.
    Line(String),
    /// Control-C: the line is thrown away.
    Interrupt,
    /// Control-D on an empty line.
    EndOfInput,
}

/// Where the bytes of an escape sequence, such as those of an arrow key, have got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Started,
    Parameters,
}

/// The keyboard side of one session.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    pty: bool,
    line: Vec<u8>,
    after_carriage_return: bool,
    escape: Escape,
    /// Lines before, the oldest first.
    remembered: Vec<Vec<u8>>,
    /// Which of them is shown, while the arrow keys are used; their number for the line being typed.
    shown: usize,
}

impl Terminal {
    /// A terminal; without `pty` nothing is echoed and lines end in LF only.
    pub(crate) fn new(pty: bool) -> Self {
        Self {
            pty,
            line: Vec::new(),
            after_carriage_return: false,
            escape: Escape::None,
            remembered: Vec::new(),
            shown: 0,
        }
    }

    /// What the screen shows of bytes typed before the shell reads them.
    pub(crate) fn echo_typed_ahead(&self, typed: &[u8]) -> Vec<u8> {
        if !self.pty {
            return Vec::new();
        }
        let mut echo = Vec::with_capacity(typed.len() + 8);
        let mut after_carriage_return = false;
        for &byte in typed {
            match byte {
                b'\n' if after_carriage_return => {}
                b'\n' | b'\r' => echo.extend(b"\r\n"),
                byte if is_shown(byte) => echo.push(byte),
                _ => {}
            }
            after_carriage_return = byte == b'\r';
        }
        echo
    }

    /// Takes one typed byte.
    pub(crate) fn type_byte(&mut self, byte: u8) -> Typed {
        if let Some(echo) = self.type_escape(byte) {
            return Typed::Echo(echo);
        }
        let second_half = byte == b'\n' && self.after_carriage_return;
        self.after_carriage_return = byte == b'\r';
        match byte {
            b'\n' if second_half => Typed::Echo(Vec::new()),
            b'\n' | b'\r' => Typed::Line(self.take_line()),
            0x03 => {
                self.line.clear();
                self.shown = self.remembered.len();
                Typed::Interrupt
            }
            0x04 if self.line.is_empty() => Typed::EndOfInput,
            0x08 | 0x7f => Typed::Echo(self.rub_out(1)),
            // Control-U takes the whole line, control-W the last word.
            0x15 => Typed::Echo(self.rub_out(usize::MAX)),
            0x17 => Typed::Echo(self.rub_out_word()),
            0x1b => {
                self.escape = Escape::Started;
                Typed::Echo(Vec::new())
            }
            byte if is_shown(byte) => {
                if self.line.len() < LONGEST_KEPT {
                    self.line.push(byte);
                }
                Typed::Echo(if self.pty { vec![byte] } else { Vec::new() })
            }
            _ => Typed::Echo(Vec::new()),
        }
    }

    /// Takes a byte of an escape sequence: up and down bring lines back, everything else is without effect.
    fn type_escape(&mut self, byte: u8) -> Option<Vec<u8>> {
        match (self.escape, byte) {
            (Escape::None, _) => return None,
            (Escape::Started, b'[' | b'O') => self.escape = Escape::Parameters,
            // An escape that starts nothing known: the byte counts as typed.
            (Escape::Started, _) => {
                self.escape = Escape::None;
                return None;
            }
            (Escape::Parameters, 0x40..=0x7e) => {
                self.escape = Escape::None;
                return Some(match byte {
                    b'A' => self.bring_back(self.shown.checked_sub(1)),
                    b'B' => self.bring_back((self.shown < self.remembered.len()).then_some(self.shown + 1)),
                    _ => Vec::new(),
                });
            }
            (Escape::Parameters, 0x20..=0x3f) => {}
            // A control byte ends the sequence and counts.
            (Escape::Parameters, _) => {
                self.escape = Escape::None;
                return None;
            }
        }
        Some(Vec::new())
    }

    /// Puts a line before in the place of the one being typed.
    fn bring_back(&mut self, which: Option<usize>) -> Vec<u8> {
        let Some(which) = which.filter(|_| self.pty) else { return Vec::new() };
        let mut echo = self.rub_out(usize::MAX);
        self.line = self.remembered.get(which).cloned().unwrap_or_default();
        self.shown = which;
        echo.extend_from_slice(&self.line);
        echo
    }

    /// Remembers a line for the arrow keys: a command, not an answer.
    pub(crate) fn remember(&mut self, line: &str) {
        if !line.trim().is_empty() && self.remembered.last().is_none_or(|last| last != line.as_bytes()) {
            if self.remembered.len() >= MOST_REMEMBERED {
                self.remembered.remove(0);
            }
            self.remembered.push(line.as_bytes().to_vec());
        }
        self.shown = self.remembered.len();
    }

    /// Whatever was typed without an Enter, at the end of input.
    pub(crate) fn take_line(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned()
    }

    /// The line end as this terminal shows it.
    pub(crate) fn line_end(&self) -> &'static str {
        if self.pty { "\r\n" } else { "\n" }
    }

    /// The echo of an Enter.
    pub(crate) fn enter_echo(&self) -> &'static str {
        if self.pty { "\r\n" } else { "" }
    }

    /// Command output, written with LF, as this terminal shows it.
    pub(crate) fn screen(&self, text: &str) -> String {
        if self.pty { text.replace('\n', "\r\n") } else { text.to_owned() }
    }

    /// Takes up to `count` characters from the end of the line.
    fn rub_out(&mut self, count: usize) -> Vec<u8> {
        let mut echo = Vec::new();
        for _ in 0..count {
            // One character of UTF-8 may be several bytes.
            let mut taken = false;
            while let Some(byte) = self.line.pop() {
                if byte & 0xc0 != 0x80 {
                    taken = true;
                    break;
                }
            }
            if !taken {
                break;
            }
            if self.pty {
                echo.extend(b"\x08 \x08");
            }
        }
        echo
    }

    /// Takes the last word and the blanks behind it.
    fn rub_out_word(&mut self) -> Vec<u8> {
        let text = String::from_utf8_lossy(&self.line).into_owned();
        let kept = text.trim_end().rfind(char::is_whitespace).map_or(0, |blank| text[..=blank].chars().count());
        self.rub_out(text.chars().count().saturating_sub(kept))
    }
}

fn is_shown(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(terminal: &mut Terminal, typed: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in typed {
            if let Typed::Line(line) = terminal.type_byte(*byte) {
                terminal.remember(&line);
                lines.push(line);
            }
        }
        lines
    }

    #[test]
    fn every_kind_of_line_end_counts_once() {
        assert_eq!(lines(&mut Terminal::new(true), b"a\r\nb\nc\r\rd\n"), ["a", "b", "c", "", "d"]);
    }

    #[test]
    fn typed_ahead_lines_are_echoed_with_carriage_returns() {
        assert_eq!(Terminal::new(true).echo_typed_ahead(b"one\ntwo\r\n"), b"one\r\ntwo\r\n");
        assert_eq!(Terminal::new(false).echo_typed_ahead(b"one\n"), b"");
    }

    #[test]
    fn rubbing_out_takes_whole_characters() {
        let mut terminal = Terminal::new(true);
        assert_eq!(lines(&mut terminal, "a\u{e9}\x7fb\r".as_bytes()), ["ab"]);
        assert_eq!(terminal.type_byte(0x7f), Typed::Echo(Vec::new()));
        assert_eq!(lines(&mut terminal, b"showvv -d v1  \x17v2\r"), ["showvv -d v2"]);
        assert_eq!(lines(&mut terminal, b"nonsense\x15showvv\r"), ["showvv"]);
    }

    #[test]
    fn arrow_keys_bring_lines_back() {
        let mut terminal = Terminal::new(true);
        lines(&mut terminal, b"one\rtwo\r");
        assert_eq!(lines(&mut terminal, b"x\x1b[A\x1b[A\r"), ["one"]);
        assert_eq!(lines(&mut terminal, b"\x1b[A\x1b[A\x1b[B\x1b[B\x1b[Bnew\r"), ["new"]);
        assert_eq!(lines(&mut terminal, b"a\x1b[1;5Cb\x1bOC\x1b[3~c\r"), ["abc"], "other keys are without effect");
        let mut fresh = Terminal::new(true);
        assert_eq!(lines(&mut fresh, b"\x1b[A\x1b[Bz\r"), ["z"]);
    }

    #[test]
    fn control_keys() {
        let mut terminal = Terminal::new(true);
        terminal.type_byte(b'x');
        assert_eq!(terminal.type_byte(0x04), Typed::Echo(Vec::new()));
        assert_eq!(terminal.type_byte(0x03), Typed::Interrupt);
        assert_eq!(terminal.type_byte(0x04), Typed::EndOfInput);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut terminal = Terminal::new(true);
            let _ = lines(&mut terminal, &bytes);
        }
    }
}
