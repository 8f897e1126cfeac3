//! Names of volumes, snapshots and hosts on the array.
//!
//! The rules are those of the earlier plugin, because volumes and hosts made by it must be found again. The array takes names
//! of up to 31 characters and tells upper from lower case (observed).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::{Deserialize, Serialize};

use super::VolumeId;
use crate::array::names::{HostName, NameError};

/// Longest object name the array takes, in characters.
const MAX_LENGTH: usize = 31;

/// Standard base64 with `+` written as `.` and `/` as `-`, because the array allows neither `+` nor `/`.
const ALPHABET: Alphabet = match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") {
    Ok(alphabet) => alphabet,
    Err(_) => base64::alphabet::STANDARD,
};

const ENCODING: GeneralPurpose = GeneralPurpose::new(&ALPHABET, NO_PAD);

/// Name of a base volume on the array, for instance `dcv-0DM4qZEVSKON-DXN-NwVpw`, or of a snapshot of the earlier plugin, for
/// instance `dcs-L4I73ONuTci9Fd4ceij-MQ`: exports treat both alike. In records it is plain text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArrayVolumeName(String);

impl ArrayVolumeName {
    /// The name this plugin gives to the volume with that id.
    #[must_use]
    pub fn for_volume(id: VolumeId) -> Self {
        Self(format!("dcv-{}", encode(id)))
    }

    /// The name the earlier plugin gave to the snapshot with that id.
    #[must_use]
    pub fn for_snapshot(id: VolumeId) -> Self {
        Self(format!("dcs-{}", encode(id)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The 16 bytes of the UUID as 22 characters.
fn encode(id: VolumeId) -> String {
    ENCODING.encode(id.0.as_bytes())
}

/// A text that cannot be the name of a volume on the array.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("array volume name '{name}' {reason}")]
pub struct ArrayNameError {
    name: String,
    reason: &'static str,
}

impl TryFrom<String> for ArrayVolumeName {
    type Error = ArrayNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let reason = if name.is_empty() {
            "is empty"
        } else if name.len() > MAX_LENGTH {
            "is longer than 31 characters"
        } else if name.starts_with('-') {
            "begins with '-'"
        } else if !name.chars().all(legal) {
            "has a character other than letters, digits, '.', '_' and '-'"
        } else {
            return Ok(Self(name));
        };
        Err(ArrayNameError { name: name.chars().take(64).collect(), reason })
    }
}

impl FromStr for ArrayVolumeName {
    type Err = ArrayNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::try_from(name.to_owned())
    }
}

impl fmt::Display for ArrayVolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ArrayVolumeName> for String {
    fn from(name: ArrayVolumeName) -> Self {
        name.0
    }
}

/// The name under which a node is registered on the array: its host name cut at the first `.`, then at
/// 31 characters.
///
/// Two nodes whose names agree up to there get the same name: look a host up by its initiators first.
///
/// # Errors
/// If nothing is left, or the array would not take what is left.
pub fn array_host_name(hostname: &str) -> Result<HostName, NameError> {
    let first_label = hostname.split('.').next().unwrap_or_default();
    HostName::try_from(first_label.chars().take(MAX_LENGTH).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids and encodings that the earlier plugin produced.
    const VECTORS: [(&str, &str); 5] = [
        ("d03338a9-9115-48a3-8dfc-35cdfcdc15a7", "0DM4qZEVSKON-DXN-NwVpw"),
        ("2f823bdc-e36e-4dc8-bd15-de1c7a28ff31", "L4I73ONuTci9Fd4ceij-MQ"),
        ("ecffc30f-98cb-4cf5-85ee-d7309cc17cd2", "7P-DD5jLTPWF7tcwnMF80g"),
        ("acd437e7-f1bb-4e44-bfee-ff86510b900e", "rNQ35-G7TkS-7v.GUQuQDg"),
        ("eb0d9b69-2a5d-4642-92ed-3ea89d28d90d", "6w2baSpdRkKS7T6onSjZDQ"),
    ];

    #[test]
    fn names_are_those_of_the_earlier_plugin() {
        for (id, encoded) in VECTORS {
            let id: VolumeId = id.parse().unwrap();
            assert_eq!(ArrayVolumeName::for_volume(id).as_str(), format!("dcv-{encoded}"));
            assert_eq!(ArrayVolumeName::for_snapshot(id).as_str(), format!("dcs-{encoded}"));
        }
    }

    #[test]
    fn names_the_array_would_refuse_are_refused() {
        let error = "a b".parse::<ArrayVolumeName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "array volume name 'a b' has a character other than letters, digits, '.', '_' and '-'"
        );
        assert!("".parse::<ArrayVolumeName>().is_err());
        assert!("-a".parse::<ArrayVolumeName>().is_err());
        assert!("a".repeat(32).parse::<ArrayVolumeName>().is_err());
        assert!("a".repeat(31).parse::<ArrayVolumeName>().is_ok());
    }

    #[test]
    fn a_host_is_named_by_the_first_label_of_its_hostname() {
        let name = |hostname| array_host_name(hostname).map(String::from);
        assert_eq!(name("worker1.example.com").as_deref(), Ok("worker1"));
        assert_eq!(name("worker1").as_deref(), Ok("worker1"));
        let long = "w".repeat(40);
        assert_eq!(name(&long).map(|n| n.len()), Ok(31));
        assert!(name(".example.com").is_err());
        assert!(name("").is_err());
    }

    proptest! {
        #[test]
        fn every_id_makes_a_name_the_array_takes(bytes in any::<[u8; 16]>()) {
            let name = ArrayVolumeName::for_volume(VolumeId(uuid::Uuid::from_bytes(bytes)));
            prop_assert_eq!(name.as_str().len(), 26);
            prop_assert_eq!(name.as_str().parse::<ArrayVolumeName>(), Ok(name));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = array_host_name(&text);
            let _ = text.parse::<ArrayVolumeName>();
        }
    }
}
