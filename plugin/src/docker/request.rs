//! What dockerd and dory send, read strictly where a slip could act on the wrong volume and leniently elsewhere.
//!
//! Docker sends no `Content-Type`, so only the bytes count. A retry after a broken connection comes with an empty body,
//! which therefore must have no effect. Unknown fields are ignored; a field given twice is refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::volume::names::{VolumeName, VolumeNameError};

/// Longest mount id, in bytes. Docker's have 64, pod UIDs 36.
const LONGEST_ID: usize = 255;

/// Why a request was refused before anything was done.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(super) enum RequestError {
    /// No body.
    #[error("the request has an empty body; nothing was done")]
    Empty,
    /// Not JSON, or JSON of another shape.
    #[error("the request body is not understood: {0}; nothing was done")]
    NotUnderstood(String),
    /// A field is missing.
    #[error("the request has no {0}; nothing was done")]
    Missing(&'static str),
    /// A field is no text.
    #[error("{field} of the request must be text, not {found}; nothing was done")]
    NotText {
        /// Field.
        field: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A mount id that cannot be one.
    #[error("ID of the request must have 1 to {LONGEST_ID} printable characters; nothing was done")]
    OddId,
    /// A name no volume can have.
    #[error(transparent)]
    Name(#[from] VolumeNameError),
}

/// The fields of any request of the protocol.
#[derive(Debug, Default)]
pub(super) struct Request {
    name: Option<Value>,
    id: Option<Value>,
    opts: Option<Opts>,
}

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// [`RequestError::Empty`] and [`RequestError::NotUnderstood`].
    pub(super) fn read(body: &[u8]) -> Result<Self, RequestError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(RequestError::Empty);
        }
        serde_json::from_slice(body).map_err(|error| RequestError::NotUnderstood(error.to_string()))
    }

    /// The name of a volume to be made.
    pub(super) fn new_name(&self) -> Result<VolumeName, RequestError> {
        Ok(VolumeName::try_from(self.name_text()?.to_owned())?)
    }

    /// The name of a volume that should exist.
    pub(super) fn name(&self) -> Result<VolumeName, RequestError> {
        Ok(VolumeName::of_existing(self.name_text()?)?)
    }

    /// The mount id.
    pub(super) fn id(&self) -> Result<String, RequestError> {
        let id = text("ID", self.id.as_ref())?;
        let acceptable =
            (1..=LONGEST_ID).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c.is_whitespace());
        if acceptable { Ok(id.to_owned()) } else { Err(RequestError::OddId) }
    }

    /// The options of a Create.
    pub(super) fn opts(&self) -> Option<&Value> {
        self.opts.as_ref().map(|opts| &opts.0)
    }

    fn name_text(&self) -> Result<&str, RequestError> {
        let name = text("Name", self.name.as_ref())?;
        if name.is_empty() { Err(RequestError::Missing("Name")) } else { Ok(name) }
    }
}

fn text<'a>(field: &'static str, value: Option<&'a Value>) -> Result<&'a str, RequestError> {
    let found = match value {
        Some(Value::String(text)) => return Ok(text),
        None | Some(Value::Null) => return Err(RequestError::Missing(field)),
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    Err(RequestError::NotText { field, found })
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = Request;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
        let mut request = Request::default();
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "Name" => once("Name", &mut request.name, map.next_value()?)?,
                "ID" => once("ID", &mut request.id, map.next_value()?)?,
                "Opts" => once("Opts", &mut request.opts, map.next_value()?)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(request)
    }
}

fn once<T, E: serde::de::Error>(field: &'static str, slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(field)),
    }
}

/// `Opts`: null, or an object in which no option is given twice. Other values are kept for the option parser to refuse.
#[derive(Debug)]
struct Opts(Value);

impl<'de> Deserialize<'de> for Opts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OptsVisitor)
    }
}

struct OptsVisitor;

impl<'de> Visitor<'de> for OptsVisitor {
    type Value = Opts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opts to be an object of option names and values")
    }

    fn visit_unit<E>(self) -> Result<Opts, E> {
        Ok(Opts(Value::Null))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Opts, A::Error> {
        let mut options = Map::new();
        while let Some((option, value)) = map.next_entry::<String, Value>()? {
            if options.contains_key(&option) {
                let shown: String = option.chars().take(64).collect();
                return Err(A::Error::custom(format_args!("option {shown} is given twice")));
            }
            options.insert(option, value);
        }
        Ok(Opts(Value::Object(options)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Request, RequestError> {
        Request::read(text.as_bytes())
    }

    #[test]
    fn what_docker_and_dory_send_is_read() {
        let request = read("{\"Name\":\"db\",\"Opts\":null,\"Extra\":[1]}\n").unwrap();
        assert_eq!(request.new_name().unwrap().as_str(), "db");
        assert_eq!(request.opts(), Some(&Value::Null));
        let request = read(r#"{"Name":"db","Opts":{"size":16,"compression":true}}"#).unwrap();
        assert_eq!(request.opts(), Some(&json!({"size": 16, "compression": true})));
        let request = read(r#"{"Name":"db","ID":"abc"}"#).unwrap();
        assert_eq!(request.id().unwrap(), "abc");
        assert_eq!(request.opts(), None);
    }

    #[test]
    fn slips_are_named() {
        assert_eq!(read(" \n").unwrap_err(), RequestError::Empty);
        assert_eq!(read("{}").unwrap().name().unwrap_err(), RequestError::Missing("Name"));
        assert_eq!(read(r#"{"Name":"a","Name":"b"}"#).unwrap_err().to_string().matches("duplicate").count(), 1);
        assert!(read(r#"{"Opts":{"size":1,"size":2}}"#).unwrap_err().to_string().contains("size is given twice"));
        assert!(read(r#"{"Opts":[]}"#).unwrap_err().to_string().contains("Opts to be an object"));
        let odd = read(r#"{"Name":7,"ID":""}"#).unwrap();
        assert_eq!(odd.name().unwrap_err(), RequestError::NotText { field: "Name", found: "a number" });
        assert_eq!(odd.id().unwrap_err(), RequestError::OddId);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in any::<Vec<u8>>()) {
            let _ = Request::read(&body);
        }

        #[test]
        fn no_text_in_a_field_panics(name in any::<String>(), id in any::<String>()) {
            let request = read(&json!({"Name": name, "ID": id, "Opts": {&name: &id}}).to_string()).unwrap();
            let _ = (request.new_name(), request.name(), request.id());
        }
    }
}
