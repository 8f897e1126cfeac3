//! The dialogue of a session: prompt, echo, commands, questions, exit; and single commands without a dialogue.

use std::time::Duration;

use bytes::Bytes;
use russh::{ChannelId, Disconnect, server::Handle};
use tokio::sync::mpsc;

use super::{
    session::{CliSession, Delivery, Reply},
    terminal::{Terminal, Typed},
};
use crate::server::Cut;

/// How long the shell takes to print its first prompt when nothing is typed. What is typed before that is "typed
/// ahead"; a client that counts echoes depends on its lines arriving within this time.
const START_UP: Duration = Duration::from_millis(700);

/// How long the line must be quiet after typed-ahead input without an `exit` before the shell takes it.
const QUIET: Duration = Duration::from_millis(60);

/// Output is sent in pieces of this size, so that one long listing does not starve other channels.
const PIECE: usize = 16 * 1024;

/// The client's side of a channel: where output goes.
pub(crate) struct Screen {
    handle: Handle,
    channel: ChannelId,
    cut: Cut,
}

/// The client is gone.
struct Gone;

impl Screen {
    /// The output of a channel.
    pub(crate) fn new(handle: Handle, channel: ChannelId, cut: Cut) -> Self {
        Self { handle, channel, cut }
    }

    async fn show(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        let mut rest: Bytes = bytes.into();
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            self.handle.data(self.channel, piece).await.map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// Ends the channel with an exit status. The client may be gone already.
    async fn end(&self, status: u32) {
        let ended = async {
            self.handle.exit_status_request(self.channel, status).await?;
            self.handle.eof(self.channel).await?;
            self.handle.close(self.channel).await
        };
        if ended.await.is_err() {
            tracing::trace!("the client left before the exit status");
        }
    }

    /// Ends the whole connection after what was shown so far; unlike the cut, this keeps the order.
    async fn disconnect(&self) {
        if self.handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await.is_err() {
            tracing::trace!("the client left before the connection was ended");
        }
    }
}

/// How a delivered reply leaves the dialogue.
enum After {
    Continue,
    Over,
}

/// Runs an interactive shell until `exit`, the end of input or the end of the connection.
pub(crate) async fn run_shell(mut session: CliSession, screen: Screen, mut input: mpsc::Receiver<Bytes>, pty: bool) {
    let mut terminal = Terminal::new(pty);
    if dialogue(&mut session, &screen, &mut input, &mut terminal).await.is_ok() {
        screen.end(0).await;
    }
}

/// The dialogue itself; an error means that there is nobody to say goodbye to.
async fn dialogue(
    session: &mut CliSession,
    screen: &Screen,
    input: &mut mpsc::Receiver<Bytes>,
    terminal: &mut Terminal,
) -> Result<(), Gone> {
    let mut waiting = typed_ahead(screen, input, terminal).await?;
    let mut prompt = session.prompt();
    screen.show(prompt.clone()).await?;
    loop {
        let bytes = match waiting.take() {
            Some(bytes) => Bytes::from(bytes),
            None => match input.recv().await {
                Some(bytes) => bytes,
                None => return Ok(()),
            },
        };
        for byte in bytes {
            match terminal.type_byte(byte) {
                Typed::Echo(echo) => screen.show(echo).await?,
                Typed::EndOfInput => return Ok(()),
                Typed::Interrupt => {
                    session.interrupt();
                    prompt = session.prompt();
                    screen.show(format!("^C{}{prompt}", terminal.line_end())).await?;
                }
                Typed::Line(line) => {
                    screen.show(terminal.enter_echo()).await?;
                    if !session.is_asking() {
                        terminal.remember(&line);
                    }
                    let reply = session.take_line(&line).await;
                    if matches!(deliver(screen, terminal, &reply).await?, After::Over) {
                        return Ok(());
                    }
                    prompt = reply.next_prompt.unwrap_or_else(|| session.prompt());
                    screen.show(prompt.clone()).await?;
                }
            }
        }
    }
}

/// Collects and echoes what the client types before the first prompt.
async fn typed_ahead(
    screen: &Screen,
    input: &mut mpsc::Receiver<Bytes>,
    terminal: &Terminal,
) -> Result<Option<Vec<u8>>, Gone> {
    let mut typed = Vec::new();
    let mut patience = START_UP;
    while !has_exit_line(&typed) {
        match tokio::time::timeout(patience, input.recv()).await {
            Ok(Some(bytes)) => {
                screen.show(terminal.echo_typed_ahead(&bytes)).await?;
                typed.extend_from_slice(&bytes);
                patience = QUIET;
            }
            Ok(None) | Err(_) => break,
        }
    }
    Ok((!typed.is_empty()).then_some(typed))
}

/// Whether a complete line says `exit` or `quit`, so that nothing more is to be expected.
fn has_exit_line(typed: &[u8]) -> bool {
    typed
        .split_inclusive(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(|line| line.strip_suffix(b"\n").or_else(|| line.strip_suffix(b"\r")))
        .any(|line| matches!(line.trim_ascii(), b"exit" | b"quit"))
}

/// Runs one command given with the request; questions are answered from the channel's input.
pub(crate) async fn run_one(
    mut session: CliSession,
    screen: Screen,
    input: mpsc::Receiver<Bytes>,
    pty: bool,
    command: String,
) {
    let mut answers = Answers { input, rest: Bytes::new() };
    let mut terminal = Terminal::new(pty);
    let mut reply = session.take_line(&command).await;
    loop {
        match deliver(&screen, &terminal, &reply).await {
            Err(Gone) => return,
            Ok(After::Over) => break,
            Ok(After::Continue) if !session.is_asking() => break,
            Ok(After::Continue) => {}
        }
        if screen.show(session.prompt()).await.is_err() {
            return;
        }
        let answer = answers.next_line(&mut terminal).await;
        reply = session.take_line(&answer).await;
    }
    screen.end(reply.status).await;
}

/// The channel's input, a line at a time.
struct Answers {
    input: mpsc::Receiver<Bytes>,
    /// What came with the line before.
    rest: Bytes,
}

impl Answers {
    /// The next line of input; what there is of it when the input ends.
    async fn next_line(&mut self, terminal: &mut Terminal) -> String {
        loop {
            while !self.rest.is_empty() {
                let byte = self.rest.split_to(1)[0];
                match terminal.type_byte(byte) {
                    Typed::Line(line) => return line,
                    Typed::EndOfInput | Typed::Interrupt => return String::new(),
                    Typed::Echo(_) => {}
                }
            }
            match self.input.recv().await {
                Some(bytes) => self.rest = bytes,
                None => return terminal.take_line(),
            }
        }
    }
}

/// Shows a reply, or treats the client as the fault plan wants.
async fn deliver(screen: &Screen, terminal: &Terminal, reply: &Reply) -> Result<After, Gone> {
    match reply.delivery {
        Delivery::Whole => {
            screen.show(terminal.screen(&reply.text)).await?;
            Ok(if reply.ends_session { After::Over } else { After::Continue })
        }
        Delivery::Truncated(bytes) => {
            let text = terminal.screen(&reply.text);
            screen.show(Bytes::copy_from_slice(&text.as_bytes()[..bytes.min(text.len())])).await?;
            screen.disconnect().await;
            Err(Gone)
        }
        Delivery::Dropped => {
            screen.cut.sever();
            Err(Gone)
        }
        Delivery::Never => {
            screen.cut.severed().await;
            Err(Gone)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_line_is_found_among_typed_ahead_lines() {
        assert!(has_exit_line(b"setclienv csvtable 1\nshowvlun\nexit\n"));
        assert!(has_exit_line(b" exit \r\n"));
        assert!(!has_exit_line(b"showvlun -v exit\nexit"));
        assert!(!has_exit_line(b""));
    }
}
