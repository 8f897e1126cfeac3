//! The names of objects, with the rules of the array (`name31`, `name27` and friends, 1.3.1 guide p. 20).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::ArrayError;

/// Longest name of a volume, host, CPG, domain or object key.
pub const NAME_MAX: usize = 31;
/// Longest name of a volume set or host set (1.3.1 guide p. 89).
pub const SET_NAME_MAX: usize = 27;
/// Longest comment of a volume, set or host.
pub const COMMENT_MAX: usize = 511;

/// Why a text is not a name of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the name is empty")]
    Empty,
    /// The text is longer than the limit given.
    #[error("the name is longer than {0} characters")]
    TooLong(usize),
    /// A character outside `A-Z a-z 0-9 . _ -`, or a leading `-`.
    #[error("the name holds a character other than letters, digits, '.', '_' and '-', or starts with '-'")]
    IllegalCharacter,
}

impl NameError {
    /// The refusal of the array for this fault in the member `member` of a request.
    #[must_use]
    pub fn refusal(self, member: &str) -> ArrayError {
        match self {
            Self::Empty => ArrayError::empty_string(),
            Self::TooLong(_) => ArrayError::exceeds_length(),
            Self::IllegalCharacter => ArrayError::illegal_character(),
        }
        .with_ref(member)
    }
}

/// Checks the length and the characters of a name.
fn check(text: &str, max: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().count() > max {
        return Err(NameError::TooLong(max));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.starts_with('-') || !text.chars().all(legal) {
        return Err(NameError::IllegalCharacter);
    }
    Ok(())
}

/// Writes a name type: a checked string that orders, prints and serialises as its text.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the rules of the array.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, too long or holds an illegal character.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check(&text, $max)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

name_type!(
    /// Name of a virtual volume: `name31`.
    VolumeName,
    NAME_MAX
);
name_type!(
    /// Name of a host: `name31`.
    HostName,
    NAME_MAX
);
name_type!(
    /// Name of a common provisioning group: `name31`.
    CpgName,
    NAME_MAX
);
name_type!(
    /// Name of a domain: `name31`.
    DomainName,
    NAME_MAX
);
name_type!(
    /// Name of a volume set or host set: `name27`.
    SetName,
    SET_NAME_MAX
);
name_type!(
    /// Key of an object key/value pair: at most 31 characters.
    ObjectKey,
    NAME_MAX
);

/// Checks the length of a comment (`print511`).
pub(crate) fn check_comment(text: &str) -> Result<(), ArrayError> {
    if text.chars().count() > COMMENT_MAX {
        return Err(ArrayError::exceeds_length().with_ref("comment"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_are_those_of_the_guide() {
        assert!(VolumeName::new("a".repeat(31)).is_ok());
        assert_eq!(VolumeName::new("a".repeat(32)), Err(NameError::TooLong(31)));
        assert!(SetName::new("a".repeat(27)).is_ok());
        assert_eq!(SetName::new("a".repeat(28)), Err(NameError::TooLong(27)));
        assert_eq!(HostName::new(""), Err(NameError::Empty));
        assert_eq!(HostName::new("-a"), Err(NameError::IllegalCharacter));
        assert_eq!(HostName::new("a b"), Err(NameError::IllegalCharacter));
    }

    #[test]
    fn faults_have_their_codes() {
        assert_eq!(NameError::Empty.refusal("name").code, 45);
        assert_eq!(NameError::TooLong(31).refusal("name").code, 57);
        assert_eq!(NameError::IllegalCharacter.refusal("name").code, 69);
    }

    proptest! {
        #[test]
        fn an_accepted_name_keeps_its_text(text in "\\PC{0,40}") {
            if let Ok(name) = VolumeName::new(text.clone()) {
                prop_assert_eq!(name.as_str(), text.as_str());
                prop_assert!(text.len() <= NAME_MAX && !text.starts_with('-'));
            }
        }
    }
}
