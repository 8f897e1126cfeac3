//! `LDLayout`: RAID type, set size, availability and the disks that logical disks are made of.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::DiskType;
use crate::array::config::Personality;
use crate::array::error::ArrayError;

/// RAID type; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum RaidType {
    /// Striping (1).
    R0,
    /// Mirroring (2).
    R1,
    /// Single parity (3).
    R5,
    /// Double parity (4).
    R6,
}

impl From<RaidType> for u8 {
    fn from(raid: RaidType) -> Self {
        raid as u8 + 1
    }
}

impl RaidType {
    /// Set sizes that the type allows, the usual one first.
    const fn set_sizes(self) -> &'static [u32] {
        match self {
            Self::R0 => &[1],
            Self::R1 => &[2, 3, 4],
            Self::R5 => &[4, 3, 5, 6, 7, 8, 9],
            Self::R6 => &[8, 6, 10, 12, 16],
        }
    }
}

/// Layout of logical disks. Of `diskPatterns` the disk type of the first one counts; the rest is kept and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct LdLayout {
    /// RAID type.
    pub raid: RaidType,
    /// Chunklets in a RAID set.
    pub set_size: u32,
    /// What may fail: 1 port, 2 cage, 3 magazine.
    pub availability: u8,
    /// Where chunklets are taken from: 1 first, 2 last.
    pub position: Option<u8>,
    patterns: Vec<Map<String, Value>>,
}

/// Members of a disk pattern.
const PATTERN: [&str; 14] = [
    "nodeList",
    "slotList",
    "portList",
    "cageList",
    "magList",
    "posList",
    "diskList",
    "totalChunkletsGreaterThan",
    "totalChunkletsLessThan",
    "freeChunkletsGreaterThan",
    "freeChunkletsLessThan",
    "diskModels",
    "diskType",
    "RPM",
];

/// Members of a layout.
const LAYOUT: [&str; 5] = ["RAIDType", "setSize", "HA", "chunkletPosPref", "diskPatterns"];

impl LdLayout {
    /// RAID 6 in sets of eight on one kind of disk.
    pub(crate) fn raid_6(disk_type: DiskType) -> Self {
        let pattern = Map::from_iter([("diskType".to_owned(), json!(disk_type.number()))]);
        Self { raid: RaidType::R6, set_size: 8, availability: 3, position: None, patterns: vec![pattern] }
    }

    /// Reads the layout of a request.
    ///
    /// # Errors
    /// 39 for members of the wrong type, 12 for unknown ones, 46 for unknown numbers and for a set size that the RAID type does not
    /// have, 93 for RAID 5 on nearline disks; a provisional code (400) for an unknown member of a pattern. From Primera on there is
    /// RAID 6 only.
    pub fn read(layout: &Value, personality: Personality) -> Result<Self, ArrayError> {
        let members = layout.as_object().ok_or_else(|| ArrayError::wrong_type().with_ref("LDLayout"))?;
        if let Some(foreign) = members.keys().find(|name| !LAYOUT.contains(&name.as_str())) {
            return Err(ArrayError::invalid_input().with_ref(foreign.clone()));
        }
        let number = |name: &str| match members.get(name).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| ArrayError::wrong_type().with_ref(name)),
        };
        let raid = match number("RAIDType")? {
            Some(1) => RaidType::R0,
            Some(2) => RaidType::R1,
            Some(3) => RaidType::R5,
            Some(4) | None => RaidType::R6,
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("RAIDType")),
        };
        if personality.is_primera() && raid != RaidType::R6 {
            return Err(ArrayError::bad_enum_value().with_ref("RAIDType"));
        }
        let sizes = raid.set_sizes();
        let set_size = match number("setSize")? {
            None => sizes[0],
            Some(n) => u32::try_from(n)
                .ok()
                .filter(|n| sizes.contains(n))
                .ok_or_else(|| ArrayError::bad_enum_value().with_ref("setSize"))?,
        };
        let availability = small(number("HA")?, 3, "HA")?.unwrap_or(3);
        let position = small(number("chunkletPosPref")?, 2, "chunkletPosPref")?;
        let patterns = read_patterns(members.get("diskPatterns"))?;
        let layout = Self { raid, set_size, availability, position, patterns };
        if raid == RaidType::R5 && layout.disk_type() == DiskType::Nl {
            return Err(ArrayError::raid5_nl_disabled());
        }
        Ok(layout)
    }

    /// The disks that it is made of.
    #[must_use]
    pub fn disk_type(&self) -> DiskType {
        match self.patterns.first().and_then(|pattern| pattern.get("diskType")).and_then(Value::as_u64) {
            Some(2) => DiskType::Nl,
            Some(3) => DiskType::Ssd,
            _ => DiskType::Fc,
        }
    }

    /// Chunklets in a set, and how many of them hold data.
    pub(crate) const fn ratio(&self) -> (u64, u64) {
        let of = self.set_size as u64;
        match self.raid {
            RaidType::R0 => (1, 1),
            RaidType::R1 => (of, 1),
            RaidType::R5 => (of, of - 1),
            RaidType::R6 => (of, of - 2),
        }
    }

    /// The layout as the WSAPI shows it.
    pub(crate) fn to_json(&self) -> Value {
        let mut layout = json!({
            "RAIDType": self.raid, "HA": self.availability, "setSize": self.set_size, "diskPatterns": self.patterns,
        });
        if let Some(position) = self.position {
            layout["chunkletPosPref"] = json!(position);
        }
        layout
    }
}

/// A number from 1 to `most`.
fn small(value: Option<u64>, most: u8, member: &str) -> Result<Option<u8>, ArrayError> {
    let bad = || ArrayError::bad_enum_value().with_ref(member);
    value.map(|n| u8::try_from(n).ok().filter(|n| (1..=most).contains(n)).ok_or_else(bad)).transpose()
}

/// The disk patterns of a request; fast class disks when there are none.
fn read_patterns(value: Option<&Value>) -> Result<Vec<Map<String, Value>>, ArrayError> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(LdLayout::raid_6(DiskType::Fc).patterns);
    };
    let wrong = || ArrayError::wrong_type().with_ref("diskPatterns");
    let mut patterns = Vec::new();
    for pattern in value.as_array().ok_or_else(wrong)? {
        let pattern = pattern.as_object().ok_or_else(wrong)?;
        if let Some(foreign) = pattern.keys().find(|name| !PATTERN.contains(&name.as_str())) {
            return Err(ArrayError::bad_cpg_pattern().with_ref(foreign.clone()));
        }
        match pattern.get("diskType") {
            None => {}
            Some(number) if matches!(number.as_u64(), Some(1..=3)) => {}
            Some(number) if number.is_u64() => return Err(ArrayError::bad_enum_value().with_ref("diskType")),
            Some(_) => return Err(ArrayError::wrong_type().with_ref("diskType")),
        }
        patterns.push(pattern.clone());
    }
    Ok(patterns)
}
