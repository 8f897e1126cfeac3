//! The `key=value` form of login and text negotiation (RFC 7143 s. 6.1).

use base64::Engine as _;

/// Longest name of a key (RFC 7143 s. 6.1).
pub const KEY_MAX: usize = 63;
/// Longest value taken: a CHAP challenge of 1024 bytes in hexadecimal is the longest that the standard allows.
pub const VALUE_MAX: usize = 2 + 2 * 1024;
/// Most text of one negotiation step, over all its PDUs.
pub const TEXT_MAX: usize = 64 << 10;

/// Why a text is not a list of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    NotText,
    /// A part without `=`.
    #[error("{0:?} is no key=value pair")]
    NoValue(String),
    /// A key that is empty, too long or has characters no key has.
    #[error("{0:?} is no name of a key")]
    BadKey(String),
    /// A value longer than any the standard has.
    #[error("the value of {0} is longer than {VALUE_MAX} characters")]
    ValueTooLong(String),
    /// A key given twice in one step.
    #[error("{0} is given twice")]
    Twice(String),
}

/// Keys and values in the order they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<(String, String)>);

impl Keys {
    /// Reads the text of a negotiation step.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn parse(text: &[u8]) -> Result<Self, TextError> {
        let text = std::str::from_utf8(text).map_err(|_| TextError::NotText)?;
        let mut keys = Self::default();
        for pair in text.split('\0').filter(|pair| !pair.is_empty()) {
            let short = |text: &str| text.chars().take(KEY_MAX).collect::<String>();
            let (key, value) = pair.split_once('=').ok_or_else(|| TextError::NoValue(short(pair)))?;
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '@' | '_' | '#');
            if key.is_empty() || key.len() > KEY_MAX || !key.chars().all(legal) {
                return Err(TextError::BadKey(short(key)));
            }
            if value.len() > VALUE_MAX {
                return Err(TextError::ValueTooLong(key.to_owned()));
            }
            if keys.get(key).is_some() {
                return Err(TextError::Twice(key.to_owned()));
            }
            keys.push(key, value);
        }
        Ok(keys)
    }

    /// Adds a pair.
    pub fn push(&mut self, key: &str, value: impl Into<String>) {
        self.0.push((key.to_owned(), value.into()));
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (key, value) in self.iter() {
            text.extend_from_slice(key.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
            text.push(0);
        }
        text
    }
}

/// A number: decimal, or hexadecimal behind `0x`.
#[must_use]
pub fn number(value: &str) -> Option<u64> {
    match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if value.bytes().all(|b| b.is_ascii_digit()) => value.parse().ok(),
        None => None,
    }
}

/// Bytes: hexadecimal behind `0x`, or base 64 behind `0b`.
#[must_use]
pub fn bytes(value: &str) -> Option<Vec<u8>> {
    let (form, digits) = value.split_at_checked(2)?;
    match form {
        "0b" | "0B" => base64::engine::general_purpose::STANDARD.decode(digits).ok(),
        "0x" | "0X" => from_hex(digits),
        _ => None,
    }
}

/// Bytes of hexadecimal digits; an odd count lacks the zero in front.
#[must_use]
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let values: Vec<u8> = digits.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let (first, pairs) = values.split_at(values.len() % 2);
    Some(first.iter().copied().chain(pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1])).collect())
}

/// Bytes in the hexadecimal form of [`bytes`].
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_of_values() {
        assert_eq!((number("8192"), number("0x10"), number("-1"), number("0x")), (Some(8192), Some(16), None, None));
        assert_eq!((number(""), number("+5")), (None, None));
        assert_eq!(
            (bytes("0x0aB"), bytes("0bQUI="), bytes("12"), bytes("")),
            (Some(vec![0, 0xAB]), Some(b"AB".to_vec()), None, None)
        );
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused_by_name() {
        assert_eq!(Keys::parse(b"A"), Err(TextError::NoValue("A".into())));
        assert_eq!(Keys::parse(b"A B=1\0"), Err(TextError::BadKey("A B".into())));
        assert_eq!(Keys::parse(b"A=1\0A=2\0"), Err(TextError::Twice("A".into())));
        assert_eq!(Keys::parse(b"A=\xFF"), Err(TextError::NotText));
        let long = format!("A={}", "x".repeat(VALUE_MAX + 1));
        assert_eq!(Keys::parse(long.as_bytes()), Err(TextError::ValueTooLong("A".into())));
        assert!(Keys::parse(b"\0\0").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn keys_survive_the_wire(pairs in prop::collection::btree_map("[A-Za-z][A-Za-z0-9.-]{0,20}", "[ -~&&[^\0]]{0,40}", 0..6)) {
            let mut keys = Keys::default();
            for (key, value) in &pairs {
                keys.push(key, value.as_str());
            }
            prop_assert_eq!(Keys::parse(&keys.encode()).unwrap(), keys);
        }

        #[test]
        fn bytes_survive_hexadecimal(held in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(bytes(&to_hex(&held)).unwrap(), held);
        }

        #[test]
        fn no_text_breaks_it(text in prop::collection::vec(any::<u8>(), 0..200), value in "\\PC{0,30}") {
            let _ = Keys::parse(&text);
            let _ = (number(&value), bytes(&value), from_hex(&value));
        }
    }
}
