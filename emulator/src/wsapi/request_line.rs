//! Mending request lines that the HTTP parser would refuse.
//!
//! Clients write filters such as `GET /api/v1/vluns?query="volumeName EQ x" HTTP/1.1` with raw quotes and sometimes
//! raw blanks, which an array accepts and a strict parser answers with 400. This stream percent-encodes such bytes
//! in the request line and passes everything else through unchanged.
//!
//! A request line is looked for at the start of the connection and after something was written, because HTTP/1.1
//! clients of an array wait for the answer before they send the next request. Bytes that do not start with a method
//! and a path are left alone, so a body that arrives after an interim answer is safe.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest request line that is mended; longer ones are passed on for the parser to refuse.
const LONGEST_REQUEST_LINE: usize = 16 * 1024;

const METHODS: [&[u8]; 7] = [b"GET /", b"POST /", b"PUT /", b"DELETE /", b"HEAD /", b"PATCH /", b"OPTIONS /"];

/// A stream whose incoming request lines are mended.
pub(crate) struct MendedStream<S> {
    inner: S,
    /// Bytes read and not yet handed on.
    pending: Vec<u8>,
    /// How much of `pending` was handed on already.
    handed_on: usize,
    expecting_head: bool,
}

impl<S> MendedStream<S> {
    /// Wraps a fresh connection.
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, pending: Vec::new(), handed_on: 0, expecting_head: true }
    }

    /// Hands bytes from `pending` on; whether there were any.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let waiting = &self.pending[self.handed_on..];
        if waiting.is_empty() {
            return false;
        }
        let count = waiting.len().min(buffer.remaining());
        buffer.put_slice(&waiting[..count]);
        self.handed_on += count;
        if self.handed_on == self.pending.len() {
            self.pending.clear();
            self.handed_on = 0;
        }
        true
    }
}

impl<S: AsyncRead + Unpin> MendedStream<S> {
    /// Reads until the request line is complete (or cannot be one) and mends it.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !is_decided(&self.pending) {
            let mut chunk = [0_u8; 2048];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                break;
            }
            self.pending.extend_from_slice(chunk.filled());
        }
        self.expecting_head = false;
        if let Some(mended) = mend(&self.pending) {
            self.pending = mended;
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether enough was read to know the request line, or to know that there is none.
fn is_decided(bytes: &[u8]) -> bool {
    let may_be_request = METHODS.iter().any(|method| {
        let common = method.len().min(bytes.len());
        method[..common] == bytes[..common]
    });
    !may_be_request || bytes.contains(&b'\n') || bytes.len() > LONGEST_REQUEST_LINE
}

/// The bytes with a mended request line; `None` when nothing has to be mended.
fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    let line_end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[..line_end];
    if !METHODS.iter().any(|method| line.starts_with(method)) {
        return None;
    }
    let target_start = line.iter().position(|byte| *byte == b' ')? + 1;
    let target_end = line.windows(6).rposition(|window| window == b" HTTP/")?;
    let target = line.get(target_start..target_end)?;
    if !target.iter().any(|byte| needs_encoding(*byte)) {
        return None;
    }
    let mut mended = Vec::with_capacity(bytes.len() + 32);
    mended.extend_from_slice(&line[..target_start]);
    for &byte in target {
        if needs_encoding(byte) {
            mended.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            mended.push(byte);
        }
    }
    mended.extend_from_slice(&bytes[target_end..]);
    Some(mended)
}

/// Bytes clients send raw and the parser refuses in a query or a path.
fn needs_encoding(byte: u8) -> bool {
    matches!(byte, b'"' | b' ' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}' | b'|' | b'\\')
}

impl<S: AsyncRead + Unpin> AsyncRead for MendedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.expecting_head {
            ready!(self.poll_head(context))?;
        }
        if self.hand_on(buffer) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MendedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        // Leftovers mean that the client sent its next request early; they were passed on as they are.
        self.expecting_head = self.pending.is_empty();
        Pin::new(&mut self.inner).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn mended(request: &str) -> String {
        String::from_utf8(mend(request.as_bytes()).unwrap_or_else(|| request.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn raw_quotes_and_blanks_are_encoded_in_the_target_only() {
        assert_eq!(
            mended("GET /api/v1/vluns?query=\"volumeName EQ x\" HTTP/1.1\r\nA: \"b\"\r\n\r\n"),
            "GET /api/v1/vluns?query=%22volumeName%20EQ%20x%22 HTTP/1.1\r\nA: \"b\"\r\n\r\n"
        );
    }

    #[test]
    fn proper_requests_and_bodies_stay_as_they_are() {
        for text in ["GET /api/v1/vluns HTTP/1.1\r\n\r\n", "{\"user\":\"a b\"}\n", "GET \"x\"\n", ""] {
            assert_eq!(mended(text), text);
        }
    }

    #[tokio::test]
    async fn each_request_of_a_kept_connection_is_mended_however_it_is_cut() {
        let (mut client, server) = tokio::io::duplex(4096);
        let mut server = MendedStream::new(server);
        for _ in 0..3 {
            for piece in ["GET /a?q=\"", "b c\" HTT", "P/1.1\r\n", "\r\n{\"GET /\":\" \"}"] {
                client.write_all(piece.as_bytes()).await.unwrap();
            }
            let expected = b"GET /a?q=%22b%20c%22 HTTP/1.1\r\n\r\n{\"GET /\":\" \"}";
            let mut got = vec![0; expected.len()];
            server.read_exact(&mut got).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected));
            server.write_all(b"answer").await.unwrap();
            client.read_exact(&mut [0; 6]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_end_of_the_stream_is_passed_on() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET /x").await.unwrap();
        drop(client);
        let mut all = Vec::new();
        MendedStream::new(server).read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"GET /x");
    }
}
