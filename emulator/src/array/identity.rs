//! Numbers and addresses that name things on the fabric: port positions, WWNs, IQNs, LUNs, VLUN generations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::ArrayError;

/// Position of a port: node, slot and port on the card, written `n:s:p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortPos {
    /// Controller node, 0 to 7.
    pub node: u8,
    /// Slot of the card, 0 to 9.
    pub slot: u8,
    /// Port on the card, 1 to 4.
    pub card_port: u8,
}

impl PortPos {
    /// A position inside the bounds of the WSAPI (1.3.1 guide p. 101).
    ///
    /// # Errors
    /// Code 55 when a part is out of its bounds.
    pub fn new(node: u8, slot: u8, card_port: u8) -> Result<Self, ArrayError> {
        if node > 7 || slot > 9 || !(1..=4).contains(&card_port) {
            return Err(ArrayError::bad_port_specification().with_ref("portPos"));
        }
        Ok(Self { node, slot, card_port })
    }

    /// A position known to be in bounds.
    pub(crate) const fn fixed(node: u8, slot: u8, card_port: u8) -> Self {
        Self { node, slot, card_port }
    }
}

impl fmt::Display for PortPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.node, self.slot, self.card_port)
    }
}

impl FromStr for PortPos {
    type Err = ArrayError;

    fn from_str(text: &str) -> Result<Self, ArrayError> {
        let bad = || ArrayError::bad_port_specification().with_ref("portPos");
        let part = |p: &str| {
            let digits = !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
            if digits { p.parse::<u8>().map_err(|_| bad()) } else { Err(bad()) }
        };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [n, s, p] => Self::new(part(n)?, part(s)?, part(p)?),
            _ => Err(bad()),
        }
    }
}

/// Logical unit number of a VLUN, 0 to 16383.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lun(u16);

impl Lun {
    /// Largest LUN of the command line and the WSAPI.
    pub const MAX: u16 = 16_383;
    /// LUN of the enclosure services device that personas with the capability SESLun see.
    pub const SES: Self = Self(254);

    /// A LUN inside the range.
    ///
    /// # Errors
    /// Code 28 above 16383 and code 115 below zero.
    pub fn new(number: i64) -> Result<Self, ArrayError> {
        if number < 0 {
            return Err(ArrayError::below_range().with_ref("lun"));
        }
        u16::try_from(number)
            .ok()
            .filter(|n| *n <= Self::MAX)
            .map(Self)
            .ok_or_else(|| ArrayError::too_large().with_ref("lun"))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// A number known to be in range.
    pub(crate) const fn fixed(number: u16) -> Self {
        Self(number)
    }
}

impl fmt::Display for Lun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of one VLUN template in the life of the array: counts up, never used twice.
///
/// A real array does not show it; checkers use it to tell two exports with the same volume, LUN and host apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VlunGeneration(pub u64);

impl fmt::Display for VlunGeneration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// World wide name of a volume: NAA 6, 32 upper-case hex digits, first bytes `60002AC`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wwn(String);

impl Wwn {
    /// The name of the volume `id` on the system `system_id`; `reuse` counts how often the id was used before.
    ///
    /// Form observed on real arrays: `60002AC` `0` `00000000`, the count in 8 bits, the id in 24 bits, the system in 32 bits.
    #[must_use]
    pub fn of_volume(id: u32, reuse: u8, system_id: u32) -> Self {
        Self(format!("60002AC000000000{reuse:02X}{:06X}{system_id:08X}", id & 0x00FF_FFFF))
    }

    /// A name given by text: 32 hex digits, colons allowed.
    ///
    /// # Errors
    /// Code 39 when it is anything else.
    pub fn new(text: &str) -> Result<Self, ArrayError> {
        hex_digits(text, 32).map(Self).ok_or_else(|| ArrayError::wrong_type().with_ref("WWN"))
    }

    /// The 32 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 16 bytes of the NAA 6 designator in VPD page 0x83.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(self.0.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0]) << 4 | digit(pair[1]);
        }
        bytes
    }
}

/// World wide port name of a Fibre Channel port: 16 upper-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FcWwn(String);

impl FcWwn {
    /// 16 hex digits; colons are allowed on input.
    ///
    /// # Errors
    /// Code 39 when it is anything else.
    pub fn new(text: &str) -> Result<Self, ArrayError> {
        hex_digits(text, 16).map(Self).ok_or_else(|| ArrayError::wrong_type().with_ref("FCWWNs"))
    }

    /// The 16 hex digits, upper case, without colons.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// iSCSI name of an initiator or target: 1 to 223 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Iqn(String);

impl Iqn {
    /// Longest iSCSI name (RFC 7143 s. 4.2.7.1).
    pub const MAX: usize = 223;

    /// An iSCSI name; upper-case letters are folded, as names compare without case (RFC 7143 s. 4.2.7.2).
    ///
    /// # Errors
    /// Code 45 when empty, 57 when longer than 223, 69 for a blank, control or other illegal character.
    pub fn new(text: &str) -> Result<Self, ArrayError> {
        let refuse = |e: ArrayError| Err(e.with_ref("iSCSINames"));
        if text.is_empty() {
            return refuse(ArrayError::empty_string());
        }
        if text.len() > Self::MAX {
            return refuse(ArrayError::exceeds_length());
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_' | '/');
        if !text.chars().all(legal) {
            return refuse(ArrayError::illegal_character());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// NVMe qualified name of a host: `nqn.` and at most 219 further characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nqn(String);

impl Nqn {
    /// Longest name (NVMe base specification, 4.5: 223 bytes).
    pub const MAX: usize = 223;

    /// A name.
    ///
    /// # Errors
    /// Code 45 when empty, 57 when longer than 223, 69 when it does not begin with `nqn.` or holds a blank or control character.
    pub fn new(text: &str) -> Result<Self, ArrayError> {
        let refuse = |e: ArrayError| Err(e.with_ref("NQN"));
        if text.is_empty() {
            return refuse(ArrayError::empty_string());
        }
        if text.len() > Self::MAX {
            return refuse(ArrayError::exceeds_length());
        }
        if !text.starts_with("nqn.") || !text.chars().all(|c| c.is_ascii_graphic()) {
            return refuse(ArrayError::illegal_character());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Upper-case hex digits of `text` without colons, if there are exactly `count`.
fn hex_digits(text: &str, count: usize) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let fits = digits.len() == count && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| digits.to_ascii_uppercase())
}

/// Gives a text type its printing and conversions.
macro_rules! text_form {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = ArrayError;
            fn try_from(text: String) -> Result<Self, ArrayError> {
                Self::new(&text)
            }
        }
        impl FromStr for $name {
            type Err = ArrayError;
            fn from_str(text: &str) -> Result<Self, ArrayError> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}

text_form!(Wwn, FcWwn, Iqn, Nqn);

/// The initiator end of a path: a Fibre Channel port, an iSCSI name, or the name of an NVMe host. Of the last kind the array keeps
/// the name; it has no NVMe data path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Initiator {
    /// Fibre Channel initiator port.
    Fc(FcWwn),
    /// NVMe host.
    Nvme(Nqn),
    /// iSCSI initiator.
    Iscsi(Iqn),
}

impl Initiator {
    /// Reads 16 hex digits as a WWN, what begins with `nqn.` as the name of an NVMe host, and everything else as an iSCSI name.
    ///
    /// # Errors
    /// The refusal of [`Iqn::new`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, ArrayError> {
        if text.starts_with("nqn.") {
            return Nqn::new(text).map(Self::Nvme);
        }
        FcWwn::new(text).map(Self::Fc).or_else(|_| Iqn::new(text).map(Self::Iscsi))
    }
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fc(wwn) => wwn.fmt(f),
            Self::Nvme(nqn) => nqn.fmt(f),
            Self::Iscsi(iqn) => iqn.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wwn_of_real_volumes() {
        assert_eq!(Wwn::of_volume(0x150, 0, 0xB69E).as_str(), "60002AC000000000000001500000B69E");
        assert_eq!(Wwn::of_volume(0xC50, 1, 0x1BAB).as_str(), "60002AC00000000001000C5000001BAB");
        assert_eq!(Wwn::of_volume(0x150, 0, 0xB69E).to_bytes()[..4], [0x60, 0x00, 0x2A, 0xC0]);
    }

    #[test]
    fn bounds_of_a_lun() {
        assert_eq!(Lun::new(16_383).unwrap().get(), 16_383);
        assert_eq!(Lun::new(16_384).unwrap_err().code, 28);
        assert_eq!(Lun::new(-1).unwrap_err().code, 115);
    }

    #[test]
    fn wwns_lose_their_colons() {
        assert_eq!(FcWwn::new("10:00:00:90:fa:13:c1:72").unwrap().as_str(), "10000090FA13C172");
        assert_eq!(FcWwn::new("10").unwrap_err().code, 39);
    }

    #[test]
    fn an_initiator_is_told_by_its_form() {
        assert!(matches!(Initiator::parse("10000090FA13C172").unwrap(), Initiator::Fc(_)));
        assert!(matches!(Initiator::parse("iqn.1994-05.com.redhat:a").unwrap(), Initiator::Iscsi(_)));
    }

    proptest! {
        #[test]
        fn port_positions_survive_text(node in 0u8..8, slot in 0u8..10, port in 1u8..5) {
            let pos = PortPos::new(node, slot, port).unwrap();
            prop_assert_eq!(pos.to_string().parse::<PortPos>().unwrap(), pos);
        }

        #[test]
        fn no_text_breaks_a_parser(text in "\\PC{0,40}") {
            let _ = text.parse::<PortPos>();
            let _ = FcWwn::new(&text);
            let _ = Iqn::new(&text);
            let _ = Wwn::new(&text);
        }
    }
}
