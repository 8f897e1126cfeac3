//! The answers of the REST interface: empty bodies with `Location`, single objects, whole collections in chunks,
//! refusals.

use std::convert::Infallible;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::array::ArrayError;

/// Members per chunk of a whole collection.
const CHUNK: usize = 50;

/// What is encoded in the last segment of a `Location`; commas and colons of VLUN names stay readable.
const IN_LOCATION: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'?').add(b'%').add(b'/').add(b'\\');

/// What a handler returns.
pub(crate) type Answer = Result<Response, Refusal>;

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(pub(crate) ArrayError);

impl From<ArrayError> for Refusal {
    fn from(error: ArrayError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body =
            serde_json::to_value(&self.0).unwrap_or_else(|_| json!({"code": 1, "desc": "internal server error"}));
        let mut answer = with_status(status, object(&body));
        // The log of commands wants the refusal itself.
        answer.extensions_mut().insert(self.0);
        answer
    }
}

/// 201 with the URI of what was created and no body.
pub(crate) fn created(collection: &str, name: &str) -> Response {
    with_status(StatusCode::CREATED, located(collection, name))
}

/// 200 with the URI of what was modified and no body.
pub(crate) fn located(collection: &str, name: &str) -> Response {
    let mut answer = empty();
    let uri = format!("/api/v1/{collection}/{}", utf8_percent_encode(name, IN_LOCATION));
    if let Ok(uri) = HeaderValue::from_str(&uri) {
        answer.headers_mut().insert(header::LOCATION, uri);
    }
    answer
}

/// 200 without body.
pub(crate) fn empty() -> Response {
    finish(Response::new(Body::empty()))
}

/// 200 with one object.
pub(crate) fn object(value: &Value) -> Response {
    finish(Response::new(Body::from(value.to_string())))
}

/// 200 with `{"total":N,"members":[…]}` in one piece, as for filtered and small collections.
pub(crate) fn collection(members: &[Value]) -> Response {
    object(&json!({"total": members.len(), "members": members}))
}

/// 200 with a whole collection in chunked transfer encoding (1.3.1 guide pp. 71 and 109).
pub(crate) fn chunked_collection(members: &[Value]) -> Response {
    let mut pieces = vec![format!("{{\"total\":{},\"members\":[", members.len())];
    for (index, chunk) in members.chunks(CHUNK).enumerate() {
        let texts: Vec<_> = chunk.iter().map(Value::to_string).collect();
        let separator = if index == 0 { "" } else { "," };
        pieces.push(format!("{separator}{}", texts.join(",")));
    }
    pieces.push("]}".to_owned());
    let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    finish(Response::new(Body::from_stream(futures::stream::iter(pieces))))
}

/// A row as JSON.
///
/// # Errors
/// INT_SERV_ERR when the row cannot be written, which no row of the array does.
pub(crate) fn row_as_json<T: Serialize>(row: &T) -> Result<Value, ArrayError> {
    serde_json::to_value(row).map_err(|error| {
        tracing::error!(%error, "a row could not be written as JSON");
        ArrayError::internal()
    })
}

/// Rows as JSON.
///
/// # Errors
/// As [`row_as_json`].
pub(crate) fn rows_as_json<T: Serialize>(rows: &[T]) -> Result<Vec<Value>, ArrayError> {
    rows.iter().map(row_as_json).collect()
}

/// The same answer with another status.
pub(crate) fn with_status(status: StatusCode, mut answer: Response) -> Response {
    *answer.status_mut() = status;
    answer
}

/// Adds the headers that every answer of an array carries (observed).
fn finish(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("hp3par-wsapi"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(answer: Response) -> Value {
        serde_json::from_slice(&axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn chunked_collections_are_valid_json_of_any_length() {
        for count in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let members: Vec<_> = (0..count).map(|n| json!({"id": n})).collect();
            let body = body(chunked_collection(&members)).await;
            assert_eq!(body["total"], count);
            assert_eq!(body["members"].as_array().unwrap(), &members);
        }
    }

    #[tokio::test]
    async fn a_refusal_carries_status_code_and_member() {
        let answer = Refusal(ArrayError::exceeds_length().with_ref("name")).into_response();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()["server"], "hp3par-wsapi");
        assert_eq!(
            body(answer).await,
            json!({"code": 57, "desc": "invalid input: string length exceeds limit", "ref": "name"})
        );
    }

    #[test]
    fn locations_keep_the_commas_of_a_vlun() {
        let answer = created("vluns", "vv1,7,,0:2:1");
        assert_eq!(answer.headers()["location"], "/api/v1/vluns/vv1,7,,0:2:1");
        assert_eq!(answer.status(), 201);
        assert_eq!(created("vluns", "set:a b,1").headers()["location"], "/api/v1/vluns/set:a%20b,1");
    }
}
