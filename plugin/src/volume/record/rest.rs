//! Fields of a part of a record that this version does not know. They belong to the part they came with: written again with
//! it, gone with it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The fields of a JSON object that are nobody's here. Nearly always none, so it is one word then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rest(Option<Box<Map<String, Value>>>);

impl Rest {
    /// Everything in an object.
    #[must_use]
    pub fn of(fields: Map<String, Value>) -> Self {
        Self((!fields.is_empty()).then(|| Box::new(fields)))
    }

    /// A field, if it is there.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.as_ref()?.get(field)
    }
}

impl Serialize for Rest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().flat_map(|fields| fields.iter()))
    }
}

impl<'de> Deserialize<'de> for Rest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::of)
    }
}

/// Unknown fields of something that is replaced as a whole: they are written only beside the value they were read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside<T>(Option<Box<(T, Rest)>>);

impl<T> Default for Beside<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: PartialEq> Beside<T> {
    pub(super) fn of(value: T, rest: Rest) -> Self {
        Self((rest != Rest::default()).then(|| Box::new((value, rest))))
    }

    /// What belongs to this value.
    pub(super) fn beside(&self, value: &T) -> Rest {
        self.0.as_ref().filter(|kept| kept.0 == *value).map(|kept| kept.1.clone()).unwrap_or_default()
    }
}

/// Takes every secret out: the earlier plugin wrote the CHAP password of the host (`auth_password`) into `connection_info`.
pub(super) fn forget_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|field, _| !is_secret(field));
            fields.values_mut().for_each(forget_secrets);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    ["password", "secret", "passphrase"].iter().any(|word| field.contains(word))
}

/// Reads a value without its secrets.
pub(super) fn value_without_secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    forget_secrets(&mut value);
    Ok(value)
}

/// Reads unknown fields without secrets.
pub(super) fn rest_without_secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rest, D::Error> {
    let mut rest = Rest::deserialize(deserializer)?;
    if let Some(fields) = &mut rest.0 {
        fields.retain(|field, _| !is_secret(field));
        fields.values_mut().for_each(forget_secrets);
    }
    Ok(rest)
}
