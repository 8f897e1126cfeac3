//! One connection, from the first byte of its login to its end: a single task that reads and writes in turn, whichever is possible.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWrite as _;
use tokio_util::io::poll_read_buf;

use super::login::{Established, Login, Purpose, Step};
use super::outbox::{Outbox, PIECES_AT_ONCE};
use super::session::{Broken, Flow, Session};
use super::target::{Portal, Target};
use super::wire::pdu::{LoginRequest, Pdu as _, reject_reason};
use super::wire::{FrameError, Framing};
use crate::server::{Connection, CuttableStream};

/// Longest time that a login may take.
const LOGIN_WITHIN: Duration = Duration::from_secs(15);

/// Longest time that the last answers may take to be written.
const LINGER: Duration = Duration::from_secs(2);

/// Room for input.
const READ_ROOM: usize = 256 << 10;

/// As long as more than this waits to be written, nothing is read: an initiator that does not take its answers is not served on.
const OUT_MAX: usize = 32 << 20;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Broken(#[from] Broken),
    #[error("it was closed by the initiator")]
    Closed,
    #[error("the first PDU of a connection has to be a login request")]
    NoLogin,
    #[error("the login was refused")]
    Refused,
    #[error("the login took longer than {} s", LOGIN_WITHIN.as_secs())]
    LoginTimeOut,
}

/// The stream with what was read and what is to be written.
struct Channel {
    stream: CuttableStream,
    input: BytesMut,
    out: Outbox,
}

impl Channel {
    /// Writes and reads what is possible now; waits until one of both is. Gives whether something was read.
    async fn exchange(&mut self, framing: &Framing) -> Result<bool, Ended> {
        let missing = framing.length_of_next(&self.input)?.map_or(0, |length| length.saturating_sub(self.input.len()));
        let room = self.input.capacity() - self.input.len();
        if room < missing.max(READ_ROOM / 8) {
            self.input.reserve(missing.max(READ_ROOM));
        }
        poll_fn(|context| self.poll_exchange(context)).await
    }

    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Ended>> {
        let mut wrote = false;
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); PIECES_AT_ONCE];
            let count = self.out.slices(&mut slices);
            match Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..count])? {
                Poll::Ready(0) => return Poll::Ready(Err(Ended::Closed)),
                Poll::Ready(written) => {
                    self.out.advance(written);
                    wrote = true;
                }
                Poll::Pending => break,
            }
        }
        if self.out.len() > OUT_MAX {
            return if wrote { Poll::Ready(Ok(false)) } else { Poll::Pending };
        }
        match poll_read_buf(Pin::new(&mut self.stream), context, &mut self.input)? {
            Poll::Ready(0) => Poll::Ready(Err(Ended::Closed)),
            Poll::Ready(_) => Poll::Ready(Ok(true)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes everything that waits.
    async fn flush(&mut self) -> Result<(), Ended> {
        let writing = poll_fn(|context| {
            while !self.out.is_empty() {
                let mut slices = [IoSlice::new(&[]); PIECES_AT_ONCE];
                let count = self.out.slices(&mut slices);
                match Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..count])? {
                    Poll::Ready(0) => return Poll::Ready(Err(Ended::Closed)),
                    Poll::Ready(written) => self.out.advance(written),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        });
        tokio::time::timeout(LINGER, writing).await.unwrap_or(Err(Ended::Closed))
    }
}

/// Serves a connection on a portal.
pub(crate) async fn serve(target: Arc<Target>, portal: Arc<Portal>, connection: Connection) {
    let Connection { stream, peer, cut } = connection;
    let mut channel = Channel { stream, input: BytesMut::with_capacity(READ_ROOM), out: Outbox::default() };
    let mut login = Login::new(Arc::clone(&target), Arc::clone(&portal), cut);
    let logged_in = tokio::time::timeout(LOGIN_WITHIN, log_in(&mut channel, &mut login)).await;
    let established = match logged_in.unwrap_or(Err(Ended::LoginTimeOut)) {
        Ok(established) => established,
        Err(ended) => {
            tracing::debug!(%peer, "iSCSI login ended: {ended}");
            return;
        }
    };
    let initiator = login.initiator();
    drop(login);
    let purpose = established.purpose.clone();
    if let Purpose::Normal(opened, port) = &purpose {
        tracing::info!(%peer, initiator, %port, session = %opened.id, "iSCSI session opened");
    }
    let ended = full_feature(&mut channel, Session::new(Arc::clone(&target), portal, established)).await;
    if let Purpose::Normal(opened, port) = &purpose {
        target.close(opened);
        let why = ended.err().map_or_else(|| "logout".to_owned(), |ended| ended.to_string());
        tracing::info!(%peer, initiator, %port, session = %opened.id, "iSCSI session ended: {why}");
    }
}

async fn log_in(channel: &mut Channel, login: &mut Login) -> Result<Established, Ended> {
    let framing = Framing::default();
    loop {
        while let Some(frame) = framing.take(&mut channel.input)? {
            let request = LoginRequest::decode(&frame.header).ok_or(Ended::NoLogin)?;
            match login.step(&request, &frame.data) {
                Step::Answer(response, text) => channel.out.put(&framing, &response.encode(), &text),
                Step::Finish(response, text, established) => {
                    channel.out.put(&framing, &response.encode(), &text);
                    return Ok(*established);
                }
                Step::Refuse(response) => {
                    channel.out.put(&framing, &response.encode(), &[]);
                    channel.flush().await?;
                    return Err(Ended::Refused);
                }
            }
        }
        channel.exchange(&framing).await?;
    }
}

async fn full_feature(channel: &mut Channel, mut session: Session) -> Result<(), Ended> {
    loop {
        loop {
            let framing = session.framing();
            let frame = match framing.take(&mut channel.input) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    // At error recovery level 0 this ends the session; the initiator is told what it was first.
                    if let FrameError::DataDigest(header) = &error {
                        session.reject(header, reject_reason::DATA_DIGEST, &mut channel.out);
                    }
                    channel.flush().await?;
                    return Err(error.into());
                }
            };
            if session.handle(frame, &mut channel.out)? == Flow::Close {
                return channel.flush().await;
            }
            if channel.out.len() > OUT_MAX {
                break;
            }
        }
        channel.exchange(&session.framing()).await?;
    }
}
