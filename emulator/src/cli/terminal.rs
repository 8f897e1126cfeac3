//! The line discipline of an interactive session: what is echoed, and when a line is complete.
//!
//! Clients such as python-3parclient type three lines ahead before the shell has printed its first prompt and then
//! count lines: the terminal echoes what was typed ahead, and the shell's own line editor echoes it again after
//! each prompt. Both echoes have to be there, in this order. Lines are never wrapped at the terminal's width.

/// Longest line kept, in bytes; what exceeds it is dropped, and the command splitter then refuses the line.
const LONGEST_KEPT: usize = super::words::LONGEST_LINE + 1;

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

/// The keyboard side of one session.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    pty: bool,
    line: Vec<u8>,
    after_carriage_return: bool,
}

impl Terminal {
    /// A terminal; without `pty` nothing is echoed and lines end in LF only.
    pub(crate) fn new(pty: bool) -> Self {
        Self { pty, line: Vec::new(), after_carriage_return: false }
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
        let second_half = byte == b'\n' && self.after_carriage_return;
        self.after_carriage_return = byte == b'\r';
        match byte {
            b'\n' if second_half => Typed::Echo(Vec::new()),
            b'\n' | b'\r' => Typed::Line(self.take_line()),
            0x03 => {
                self.line.clear();
                Typed::Interrupt
            }
            0x04 if self.line.is_empty() => Typed::EndOfInput,
            0x08 | 0x7f => Typed::Echo(self.rub_out()),
            byte if is_shown(byte) => {
                if self.line.len() < LONGEST_KEPT {
                    self.line.push(byte);
                }
                Typed::Echo(if self.pty { vec![byte] } else { Vec::new() })
            }
            _ => Typed::Echo(Vec::new()),
        }
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

    fn rub_out(&mut self) -> Vec<u8> {
        // One character of UTF-8 may be several bytes.
        while let Some(byte) = self.line.pop() {
            if byte & 0xc0 != 0x80 {
                return if self.pty { b"\x08 \x08".to_vec() } else { Vec::new() };
            }
        }
        Vec::new()
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
        let lines = typed.iter().filter_map(|byte| match terminal.type_byte(*byte) {
            Typed::Line(line) => Some(line),
            _ => None,
        });
        lines.collect()
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
            for byte in bytes {
                let _ = terminal.type_byte(byte);
            }
        }
    }
}
