//! Names of backends, that is, of the sections of `hpe.conf`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Name of a backend: a section of `hpe.conf`, written without the brackets. Upper and lower case differ.
///
/// The name is part of a key in the metadata store (`/backend/<section>`), so it is not empty and has neither `/`, control
/// characters nor blanks around it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendName(String);

impl BackendName {
    /// Section that must be there, backend of volumes created without `backend` option.
    pub const DEFAULT: &'static str = "DEFAULT";
    /// Default backend for block volumes when `[DEFAULT]` is a File Persona section.
    pub const DEFAULT_BLOCK: &'static str = "DEFAULT_BLOCK";
    /// Section reserved for File Persona.
    pub const DEFAULT_FILE: &'static str = "DEFAULT_FILE";

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot name a section of `hpe.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a section name is not empty and has no '/', control characters or blanks around it")]
pub struct BackendNameError;

impl TryFrom<String> for BackendName {
    type Error = BackendNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let sound = !name.is_empty() && name.trim() == name && !name.chars().any(|c| c == '/' || c.is_control());
        if sound { Ok(Self(name)) } else { Err(BackendNameError) }
    }
}

impl FromStr for BackendName {
    type Err = BackendNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::try_from(name.to_owned())
    }
}

impl From<BackendName> for String {
    fn from(name: BackendName) -> Self {
        name.0
    }
}

impl Borrow<str> for BackendName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_usable_as_part_of_a_key() {
        for good in ["DEFAULT", "3par_array1", "array 2", "a.b-c"] {
            assert_eq!(good.parse::<BackendName>().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a/b", "a\nb"] {
            assert_eq!(bad.parse::<BackendName>(), Err(BackendNameError), "{bad:?}");
        }
    }
}
