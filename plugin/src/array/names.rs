//! Names and numbers of the array's own objects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is no name or number of an array object.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("'{text}' is no {kind}: {rule}")]
pub struct NameError {
    /// The offending text, shortened.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl NameError {
    fn new(text: &str, kind: &'static str, rule: &'static str) -> Self {
        Self { text: text.chars().take(64).collect(), kind, rule }
    }
}

/// The array's `name31`: 1 to 31 of `A-Z a-z 0-9 . _ -`, not beginning with `-` (WSAPI developer's guide 1.3.1, p. 20).
fn check_name31(text: &str, kind: &'static str) -> Result<(), NameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 31 || text.starts_with('-') || !text.chars().all(allowed) {
        return Err(NameError::new(text, kind, "1 to 31 characters of A-Z a-z 0-9 . _ -, not beginning with -"));
    }
    Ok(())
}

macro_rules! name31 {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check_name31(text, $kind)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                check_name31(&text, $kind)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name31! {
    /// Name of a host object on the array.
    HostName, "host name of the array"
}
name31! {
    /// Name of a common provisioning group.
    CpgName, "CPG name"
}

/// LUN number of an export at a host, 0 to 16383 (CLI reference, `createvlun`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Lun(u16);

impl Lun {
    /// Largest number.
    pub const MAX: u32 = 16_383;
    /// Numbers never handed out: 0 (boot and well-known habits), 254 (SES), 256 (protocol endpoint).
    pub const RESERVED: [u16; 3] = [0, 254, 256];

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// The number may be handed out to an export.
    #[must_use]
    pub fn is_free_for_exports(self) -> bool {
        !Self::RESERVED.contains(&self.0)
    }

    /// The next number, wrapping after [`Lun::MAX`].
    #[must_use]
    pub fn next(self) -> Self {
        if u32::from(self.0) >= Self::MAX { Self(0) } else { Self(self.0 + 1) }
    }
}

impl TryFrom<u32> for Lun {
    type Error = NameError;
    fn try_from(number: u32) -> Result<Self, NameError> {
        u16::try_from(number)
            .ok()
            .filter(|n| u32::from(*n) <= Self::MAX)
            .map(Self)
            .ok_or_else(|| NameError::new(&number.to_string(), "LUN number", "0 to 16383"))
    }
}

impl From<Lun> for u32 {
    fn from(lun: Lun) -> u32 {
        lun.number()
    }
}

impl FromStr for Lun {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let number: u32 = text.trim().parse().map_err(|_| NameError::new(text, "LUN number", "0 to 16383"))?;
        Self::try_from(number)
    }
}

impl fmt::Display for Lun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// WWN of a volume: NAA type 6, 32 hex digits, kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wwn(String);

impl Wwn {
    /// 32 hex digits, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the multipath map as Linux makes it: `3` (NAA) and the WWN.
    #[must_use]
    pub fn map_name(&self) -> String {
        format!("3{}", self.0)
    }
}

impl FromStr for Wwn {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = text.trim().to_ascii_lowercase();
        if digits.len() != 32 || !digits.starts_with('6') || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NameError::new(text, "volume WWN", "32 hex digits beginning with 6"));
        }
        Ok(Self(digits))
    }
}

impl TryFrom<String> for Wwn {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Wwn> for String {
    fn from(wwn: Wwn) -> String {
        wwn.0
    }
}

impl fmt::Display for Wwn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Position of a port: node, slot, card port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortPosition {
    /// Controller node, 0 to 7.
    pub node: u8,
    /// Slot.
    pub slot: u8,
    /// Port on the card, from 1.
    #[serde(rename = "cardPort")]
    pub card_port: u8,
}

impl FromStr for PortPosition {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::new(text, "port position", "node:slot:port, such as 0:2:1");
        let mut parts = text.trim().split(':').map(str::parse::<u8>);
        let mut part = || parts.next().and_then(Result::ok).ok_or_else(wrong);
        let position = Self { node: part()?, slot: part()?, card_port: part()? };
        if parts.next().is_some() { Err(wrong()) } else { Ok(position) }
    }
}

impl fmt::Display for PortPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.node, self.slot, self.card_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_arrays_rule() {
        assert!("worker-1.lab_2".parse::<HostName>().is_ok());
        for bad in ["", "-a", "a b", "a/b", &"x".repeat(32)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lun_wraps_and_reserves() {
        assert_eq!(Lun::try_from(16_383).map(Lun::next), Lun::try_from(0));
        assert!(Lun::try_from(16_384).is_err());
        assert!(!"254".parse::<Lun>().is_ok_and(Lun::is_free_for_exports));
    }

    #[test]
    fn wwn_is_lower_case_naa6() {
        let wwn: Result<Wwn, _> = "60002AC000000000000001500000B69E".parse();
        assert_eq!(wwn.map(|w| w.map_name()), Ok("360002ac000000000000001500000b69e".to_owned()));
        assert!("50002AC00001383D".parse::<Wwn>().is_err());
    }

    #[test]
    fn port_positions_round_trip() {
        let port: Result<PortPosition, _> = "1:2:3".parse();
        assert_eq!(port.map(|p| p.to_string()), Ok("1:2:3".to_owned()));
        assert!("1:2".parse::<PortPosition>().is_err() && "1:2:3:4".parse::<PortPosition>().is_err());
    }
}
