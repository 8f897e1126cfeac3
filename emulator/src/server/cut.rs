//! A TCP stream that can be severed from outside.
//!
//! Cutting the array's management network, or losing an answer after its effect, must look to the client like a
//! broken connection. Whoever holds the [`Cut`] can break the stream at any moment, also while another task reads
//! or writes it.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The handle that severs one connection. Cloning it gives another handle on the same connection.
#[derive(Debug, Clone)]
pub(crate) struct Cut(CancellationToken);

impl Cut {
    /// A cut that also falls when `parent` (the whole front end) is cancelled.
    pub(crate) fn under(parent: &CancellationToken) -> Self {
        Self(parent.child_token())
    }

    /// Breaks the connection: the peer sees a reset, and pending reads and writes on this side fail.
    pub(crate) fn sever(&self) {
        self.0.cancel();
    }

    /// Waits until somebody severs the connection.
    pub(crate) async fn severed(&self) {
        self.0.cancelled().await;
    }
}

/// A [`TcpStream`] whose reads and writes fail with `ConnectionReset` once its [`Cut`] was severed.
pub(crate) struct CuttableStream {
    inner: TcpStream,
    severed: Pin<Box<WaitForCancellationFutureOwned>>,
    broken: bool,
}

impl CuttableStream {
    /// Wraps an accepted connection. Turns off Nagle's algorithm, because answers are small and awaited.
    pub(crate) fn new(inner: TcpStream, cut: &Cut) -> Self {
        if let Err(error) = inner.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused; the connection works without it");
        }
        Self { inner, severed: Box::pin(cut.0.clone().cancelled_owned()), broken: false }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.broken && self.severed.as_mut().poll(context).is_ready() {
            self.broken = true;
            // Closing with a zero linger time sends RST instead of an orderly FIN.
            if let Err(error) = self.inner.set_zero_linger() {
                tracing::debug!(%error, "zero linger was refused; the peer sees an orderly close");
            }
        }
        if self.broken {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection severed"));
        }
        Ok(())
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Err(error) = self.check(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if let Err(error) = self.check(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.check(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(error) = self.check(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(error) = self.check(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
