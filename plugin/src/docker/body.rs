//! Reads a request body within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use thiserror::Error;
use tokio::time::timeout;

/// Largest body accepted, in bytes. A real request has a few hundred.
pub(super) const LARGEST: usize = 1 << 20;
/// How much of an oversized body is read and thrown away, so that its sender gets to read the answer.
const DRAINED: usize = 64 << 20;
/// Longest time a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no body to work with.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(super) enum BodyError {
    /// More than [`LARGEST`].
    #[error("the request body is larger than {LARGEST} bytes")]
    TooLarge,
    /// The sender stopped sending.
    #[error("the request body did not arrive within {} s", PATIENCE.as_secs())]
    TooSlow,
    /// The connection or the chunked encoding broke.
    #[error("the request body could not be read: {0}")]
    Broken(String),
}

/// Reads the whole body.
///
/// # Errors
/// See [`BodyError`]. Nothing of the body is used then.
pub(super) async fn read(body: Body) -> Result<Bytes, BodyError> {
    timeout(PATIENCE, collect(body)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(body: Body) -> Result<Bytes, BodyError> {
    let mut stream = body.into_data_stream();
    let mut collected = BytesMut::new();
    let mut length = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| BodyError::Broken(error.to_string()))?;
        length = length.saturating_add(chunk.len());
        if length > DRAINED {
            return Err(BodyError::TooLarge);
        }
        if length <= LARGEST {
            collected.extend_from_slice(&chunk);
        }
    }
    if length > LARGEST { Err(BodyError::TooLarge) } else { Ok(collected.freeze()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_the_largest_size_is_read_and_one_byte_more_is_not() {
        assert_eq!(read(Body::from(vec![b'x'; LARGEST])).await.unwrap().len(), LARGEST);
        assert_eq!(read(Body::from(vec![b'x'; LARGEST + 1])).await, Err(BodyError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(read(endless).await, Err(BodyError::TooSlow));
    }
}
