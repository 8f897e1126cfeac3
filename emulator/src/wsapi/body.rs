//! Reading request bodies the way the array does: strict about member names and types.

use axum::{body::Body, http::Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::array::ArrayError;

/// Largest request body that is read, in bytes. The largest documented request, a host with 1024 paths of 223
/// characters, stays below it.
pub(crate) const LARGEST_BODY: usize = 512 * 1024;

/// The members of a JSON object in a request, with typed access. Every refusal names the member.
#[derive(Debug, Clone)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// Reads and parses the body of a request.
    ///
    /// # Errors
    /// Those of [`read_bytes`] and [`Members::parse`].
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, ArrayError> {
        Self::parse(&read_bytes(request.into_body()).await?)
    }

    /// Parses a JSON object. A byte order mark is skipped, as PowerShell clients send one.
    ///
    /// # Errors
    /// 400/60 for broken JSON, code 39 for JSON that is no object.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ArrayError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(ArrayError::wrong_type()),
            Err(error) => {
                Err(ArrayError::json_syntax().with_ref(format!("line {} column {}", error.line(), error.column())))
            }
        }
    }

    /// Refuses members that the resource does not know (INV_INPUT).
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, ArrayError> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(foreign) => Err(ArrayError::invalid_input().with_ref(foreign.clone())),
            None => Ok(self),
        }
    }

    /// Reads the whole object as `T`, whose members all have defaults.
    ///
    /// # Errors
    /// Code 39, naming the first member of the wrong type.
    pub(crate) fn decode<T: DeserializeOwned>(self) -> Result<T, ArrayError> {
        let whole = Value::Object(self.0);
        T::deserialize(&whole).map_err(|_| {
            let wrong = ArrayError::wrong_type();
            let Value::Object(members) = &whole else { return wrong };
            let alone =
                |(name, value): (&String, &Value)| Value::Object(Map::from_iter([(name.clone(), value.clone())]));
            match members.iter().find(|member| T::deserialize(&alone(*member)).is_err()) {
                Some((name, _)) => wrong.with_ref(name.clone()),
                None => wrong,
            }
        })
    }

    /// Takes a member out, so that the rest can be read by itself.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Whether the member is there and not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ArrayError> {
        self.typed(name, Value::as_str)
    }

    /// A text that has to be there (code 40).
    pub(crate) fn required_text(&self, name: &str) -> Result<&str, ArrayError> {
        self.text(name)?.ok_or_else(|| ArrayError::missing_required().with_ref(name))
    }

    /// A whole number. Numbers with a zero fraction, as some languages write them, count as whole.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ArrayError> {
        self.typed(name, as_integer)
    }

    /// A whole number that has to be there (code 40).
    pub(crate) fn required_integer(&self, name: &str) -> Result<i64, ArrayError> {
        self.integer(name)?.ok_or_else(|| ArrayError::missing_required().with_ref(name))
    }

    /// A truth value.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ArrayError> {
        self.typed(name, Value::as_bool)
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ArrayError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.typed(name, |value| value.as_array()?.iter().map(text).collect())
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Members>, ArrayError> {
        Ok(self.typed(name, Value::as_object)?.map(|members| Members(members.clone())))
    }

    /// A member of any type.
    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
        self.value(name)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<'a, T>(&'a self, name: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, ArrayError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| ArrayError::wrong_type().with_ref(name)),
        }
    }
}

/// Reads a whole body.
///
/// # Errors
/// INPUT_TOO_LONG (413) above [`LARGEST_BODY`], INPUT_EOF when the body ends early.
pub(crate) async fn read_bytes(body: Body) -> Result<Bytes, ArrayError> {
    axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|error| {
        if is_length_limit(&error) {
            ArrayError::new(4, 413, "request too long")
        } else {
            ArrayError::new(3, 400, "incomplete request")
        }
    })
}

fn as_integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "guarded: whole and far inside the range of i64")]
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.to_string().contains("length limit exceeded") {
            return true;
        }
        source = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members {
        Members::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn broken_json_is_code_60() {
        let error = Members::parse(b"{\"name\":").unwrap_err();
        assert_eq!((error.code, error.status), (60, 400));
        assert_eq!(Members::parse(b"[]").unwrap_err().code, 39);
        assert_eq!(Members::parse(b"").unwrap_err().code, 60);
    }

    #[test]
    fn types_are_strict_and_the_member_is_named() {
        let body = members(r#"{"name":1,"lun":"1","parameters":[],"n":null,"size":2.0}"#);
        assert_eq!(body.text("name").unwrap_err(), ArrayError::wrong_type().with_ref("name"));
        assert_eq!(body.integer("lun").unwrap_err().code, 39);
        assert_eq!(body.object("parameters").unwrap_err().code, 39);
        assert_eq!(body.text("n").unwrap(), None);
        assert_eq!(body.integer("size").unwrap(), Some(2));
    }

    #[test]
    fn missing_and_foreign_members_are_refused_by_name() {
        let body = members(r#"{"name":"a","nmae":"b"}"#);
        assert_eq!(body.required_text("cpg").unwrap_err(), ArrayError::missing_required().with_ref("cpg"));
        assert_eq!(body.only(&["name"]).unwrap_err().reference.as_deref(), Some("nmae"));
    }

    #[test]
    fn decoding_names_the_member_of_the_wrong_type() {
        #[derive(Debug, Default, PartialEq, serde::Deserialize)]
        #[serde(default)]
        struct Port {
            node: u8,
            label: String,
        }
        let port: Port = members(r#"{"node":1}"#).decode().unwrap();
        assert_eq!(port, Port { node: 1, label: String::new() });
        let refused = members(r#"{"label":"a","node":"1"}"#).decode::<Port>().unwrap_err();
        assert_eq!(refused, ArrayError::wrong_type().with_ref("node"));
    }

    #[tokio::test]
    async fn an_endless_body_is_refused() {
        let request = Request::new(Body::from(vec![b' '; LARGEST_BODY + 1]));
        assert_eq!(Members::read(request).await.unwrap_err().status, 413);
    }
}
