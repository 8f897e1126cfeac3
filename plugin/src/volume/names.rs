//! The names a volume goes by: its Docker name, its id, and what the array calls it.
//!
//! Three kinds of text that are all "the volume's name" to somebody are easily confused, so each has a type of its own. The
//! names on the array live in [`array`] and are re-exported here.

mod array;

pub use array::{ArrayNameError, ArrayVolumeName, array_host_name};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identity of a volume: a random UUID, given at creation and never changed.
///
/// It is the key of the volume's record and the source of its name on the array. Volumes may also be addressed by it instead of
/// by their Docker name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VolumeId(pub Uuid);

impl VolumeId {
    /// A new random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for VolumeId {
    /// Lower-case hyphenated form, as used in record keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for VolumeId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

/// Name of a volume as Docker and Kubernetes know it.
///
/// Two rules apply. A *new* volume's name ([`TryFrom<String>`], [`FromStr`]) starts with a letter or digit, has at least two
/// characters, and only letters, digits, `_` and `-`. The name of an *existing* volume ([`VolumeName::of_existing`], and
/// reading a record) may be anything that is safe as a record key, because early releases of the earlier plugin did not check
/// names: their volumes must stay reachable.
///
/// Either way a value is 1 to [`VolumeName::MAX_LENGTH`] bytes, without `/`, blanks around it or control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "ExistingName", into = "String")]
pub struct VolumeName(String);

impl VolumeName {
    /// Longest name accepted, in bytes. The name is part of the comment written on the array's volume, which takes 511
    /// characters (WSAPI developer's guide, volume `comment`).
    pub const MAX_LENGTH: usize = 255;

    /// The name of a volume that is said to exist already, for Get, Remove, Mount, Unmount and Path.
    ///
    /// # Errors
    /// [`VolumeNameError::Unaddressable`] if no volume can have that name, so the caller can answer "no such volume".
    pub fn of_existing(name: impl Into<String>) -> Result<Self, VolumeNameError> {
        let name = name.into();
        let addressable = (1..=Self::MAX_LENGTH).contains(&name.len())
            && name.trim() == name
            && !name.chars().any(|c| c == '/' || c.is_control());
        if addressable { Ok(Self(name)) } else { Err(VolumeNameError::Unaddressable { name: shortened(&name) }) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `name` satisfies the rule for new volumes, `^[A-Za-z0-9]+[A-Za-z0-9_-]+$`.
fn is_valid_for_new(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// At most 64 characters of a refused name, so that an error line stays a line.
fn shortened(name: &str) -> String {
    if name.chars().count() <= 64 { name.to_owned() } else { name.chars().take(61).chain("...".chars()).collect() }
}

impl TryFrom<String> for VolumeName {
    type Error = VolumeNameError;

    /// Applies the rule for new volumes.
    fn try_from(name: String) -> Result<Self, Self::Error> {
        if name.len() > Self::MAX_LENGTH {
            return Err(VolumeNameError::TooLong { name: shortened(&name), length: name.len() });
        }
        if is_valid_for_new(&name) { Ok(Self(name)) } else { Err(VolumeNameError::Invalid { name: shortened(&name) }) }
    }
}

impl FromStr for VolumeName {
    type Err = VolumeNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::try_from(name.to_owned())
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for VolumeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<VolumeName> for String {
    fn from(name: VolumeName) -> Self {
        name.0
    }
}

/// Carries a name out of a record, so that reading applies the rule for existing volumes.
#[derive(Deserialize)]
#[serde(transparent)]
struct ExistingName(String);

impl TryFrom<ExistingName> for VolumeName {
    type Error = VolumeNameError;

    fn try_from(name: ExistingName) -> Result<Self, Self::Error> {
        Self::of_existing(name.0)
    }
}

/// A text that cannot be the name of a volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeNameError {
    /// Refused for a new volume. The text is the earlier plugin's, which scripts may match, followed by the rule.
    #[error(
        "Invalid input received: Invalid volume name: {name} is passed. Use at least two characters: letters, digits, '_' and \
         '-', beginning with a letter or digit."
    )]
    Invalid {
        /// The refused name, shortened.
        name: String,
    },
    /// Longer than [`VolumeName::MAX_LENGTH`].
    #[error(
        "Invalid input received: Invalid volume name: {name} is passed. It has {length} bytes; at most {max} are allowed.",
        max = VolumeName::MAX_LENGTH
    )]
    TooLong {
        /// The refused name, shortened.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// No volume can have this name.
    #[error("invalid volume or snapshot name {name}")]
    Unaddressable {
        /// The refused name, shortened.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_for_new_volumes_follow_the_rule_of_the_earlier_plugin() {
        for good in ["ab", "0a", "a-", "a_b-C9", "pvc-8a2818b7-11e8-4bed-a8f9-b099979be4f9"] {
            assert_eq!(good.parse::<VolumeName>().unwrap().as_str(), good);
        }
        for bad in ["", "a", "-a", "_a", "a.b", "a b", "a/b", "test@vol@001", "ab\n", "äb"] {
            assert!(bad.parse::<VolumeName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refused_name_is_named_with_the_rule() {
        assert_eq!(
            "test@vol@001".parse::<VolumeName>().unwrap_err().to_string(),
            "Invalid input received: Invalid volume name: test@vol@001 is passed. Use at least two characters: letters, digits, \
             '_' and '-', beginning with a letter or digit."
        );
        let long = "a".repeat(256).parse::<VolumeName>().unwrap_err().to_string();
        assert!(long.contains("256 bytes") && long.len() < 250, "{long}");
    }

    #[test]
    fn odd_names_of_existing_volumes_stay_reachable() {
        assert_eq!(VolumeName::of_existing("db.data").unwrap().as_str(), "db.data");
        for bad in ["", " a", "a/b", "a\nb", "a\0"] {
            assert!(VolumeName::of_existing(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_in_a_record_is_plain_text() {
        let name: VolumeName = serde_json::from_str("\"db.data\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"db.data\"");
        assert!(serde_json::from_str::<VolumeName>("\"a/b\"").is_err());
    }

    #[test]
    fn ids_print_as_lower_case_hyphenated() {
        let id: VolumeId = "D03338A9-9115-48A3-8DFC-35CDFCDC15A7".parse().unwrap();
        assert_eq!(id.to_string(), "d03338a9-9115-48a3-8dfc-35cdfcdc15a7");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"d03338a9-9115-48a3-8dfc-35cdfcdc15a7\"");
        assert!("not an id".parse::<VolumeId>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_new_name_is_an_existing_name(text in any::<String>()) {
            if let Ok(name) = text.parse::<VolumeName>() {
                prop_assert_eq!(VolumeName::of_existing(text), Ok(name));
            }
        }
    }
}
