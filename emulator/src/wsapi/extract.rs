//! Taking requests apart with refusals in the array's own form.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path},
    http::{Request, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{answer::Refusal, body::Members};
use crate::array::ArrayError;

/// The percent-decoded variable segments of a URI.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            // Bad percent-encoding (1.3.1 guide p. 105).
            Err(_) => Err(ArrayError::invalid_input().with_ref("URI").into()),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Members {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, Refusal> {
        Ok(Members::read(request).await?)
    }
}
