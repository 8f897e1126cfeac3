//! MODE SENSE and MODE SELECT (SPC-4 s. 6.9 to 6.12): caching, control, informational exceptions.

use super::cdb::{BLOCK, Cdb};
use super::execute::Unit;
use super::{DataIn, DataOut, Outcome, Stop, codes};
use crate::datapath::Sense;

/// What MODE SELECT can change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ModeState {
    /// D_SENSE: sense data in the descriptor format.
    pub(crate) descriptor_sense: bool,
    /// SWP: writes are refused.
    pub(crate) software_write_protect: bool,
    /// WCE turned off. A write is durable once it is answered either way.
    pub(crate) write_through: bool,
}

const CACHING: u8 = 0x08;
const CONTROL: u8 = 0x0A;
const EXCEPTIONS: u8 = 0x1C;
const ALL_PAGES: u8 = 0x3F;

const WRITE_CACHE_ENABLED: u8 = 0x04;
const DESCRIPTOR_SENSE: u8 = 0x04;
const SOFTWARE_WRITE_PROTECT: u8 = 0x08;

/// Which values MODE SENSE asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Current,
    Changeable,
    Default,
}

/// Chooses a bit: as it is, set where it can be changed, or its default.
fn bit(values: Values, bit: u8, current: bool, default: bool) -> u8 {
    let set = match values {
        Values::Current => current,
        Values::Changeable => true,
        Values::Default => default,
    };
    if set { bit } else { 0 }
}

impl ModeState {
    /// A mode page with its header of two bytes.
    fn page(self, page: u8, values: Values) -> Option<Vec<u8>> {
        let mut bytes = match page {
            CACHING => vec![0; 20],
            CONTROL | EXCEPTIONS => vec![0; 12],
            _ => return None,
        };
        (bytes[0], bytes[1]) = (page, (bytes.len() - 2) as u8);
        let fixed = |byte: u8| if values == Values::Changeable { 0 } else { byte };
        match page {
            CACHING => bytes[2] = bit(values, WRITE_CACHE_ENABLED, !self.write_through, true),
            CONTROL => {
                bytes[2] = bit(values, DESCRIPTOR_SENSE, self.descriptor_sense, false);
                // Unrestricted reordering.
                bytes[3] = fixed(0x10);
                bytes[4] = bit(values, SOFTWARE_WRITE_PROTECT, self.software_write_protect, false);
                // TAS: a task that somebody else aborted is answered with TASK ABORTED.
                bytes[5] = fixed(0x40);
                (bytes[8], bytes[9]) = (fixed(0xFF), fixed(0xFF));
            }
            _ => {}
        }
        Some(bytes)
    }

    /// Takes a page of MODE SELECT over.
    fn select(&mut self, page: &[u8]) -> Result<(), Stop> {
        let code = page.first().copied().unwrap_or_default() & 0x3F;
        let invalid = || Stop::from(codes::INVALID_PARAMETER);
        let current = self.page(code, Values::Current).ok_or_else(invalid)?;
        let changeable = self.page(code, Values::Changeable).ok_or_else(invalid)?;
        if page.len() != current.len() {
            return Err(invalid());
        }
        // Whatever cannot be changed has to come back as it is.
        let fixed = |place: usize| (page[place] ^ current[place]) & !changeable[place] == 0;
        if !(2..page.len()).all(fixed) {
            return Err(invalid());
        }
        match code {
            CACHING => self.write_through = page[2] & WRITE_CACHE_ENABLED == 0,
            CONTROL => {
                self.descriptor_sense = page[2] & DESCRIPTOR_SENSE != 0;
                self.software_write_protect = page[4] & SOFTWARE_WRITE_PROTECT != 0;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Unit<'_> {
    /// MODE SENSE (6), (10).
    pub(super) fn mode_sense(&mut self, cdb: Cdb<'_>) -> Outcome {
        let long = cdb.opcode() == 0x5A;
        let values = match cdb.byte(2) >> 6 {
            0 => Values::Current,
            1 => Values::Changeable,
            2 => Values::Default,
            _ => return Err(codes::SAVING_UNSUPPORTED.into()),
        };
        let volume = self.volume()?;
        let mode = volume.unit.mode;
        let pages: Vec<u8> = match (cdb.byte(2) & 0x3F, cdb.byte(3)) {
            (ALL_PAGES, 0x00 | 0xFF) => {
                [CACHING, CONTROL, EXCEPTIONS].into_iter().filter_map(|p| mode.page(p, values)).flatten().collect()
            }
            (page, 0x00) => mode.page(page, values).ok_or(Sense::INVALID_FIELD)?,
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        let blocks = volume.size_bytes() / BLOCK;
        let descriptor = if cdb.byte(1) & 0x08 != 0 {
            Vec::new()
        } else {
            block_descriptor(blocks, long && cdb.byte(1) & 0x10 != 0)
        };
        // Write protected, and DPO and FUA are taken.
        let device = 0x10 | if volume.read_only || mode.software_write_protect { 0x80 } else { 0 };
        let mut bytes = if long {
            let length = (6 + descriptor.len() + pages.len()) as u16;
            let [high, low] = length.to_be_bytes();
            vec![high, low, 0, device, u8::from(descriptor.len() == 16), 0, 0, descriptor.len() as u8]
        } else {
            vec![(3 + descriptor.len() + pages.len()) as u8, 0, device, descriptor.len() as u8]
        };
        bytes.extend_from_slice(&descriptor);
        bytes.extend_from_slice(&pages);
        bytes.truncate(if long { cdb.u16(7).into() } else { cdb.byte(4).into() });
        Ok(DataIn::Bytes(bytes))
    }

    /// MODE SELECT (6), (10).
    pub(super) fn mode_select(&mut self, cdb: Cdb<'_>, data: &DataOut) -> Outcome {
        let long = cdb.opcode() == 0x55;
        // Page format only, and nothing can be saved.
        if cdb.byte(1) & 0x11 != 0x10 {
            return Err(Sense::INVALID_FIELD.into());
        }
        let list = data.to_vec();
        if list.is_empty() {
            return Ok(DataIn::None);
        }
        let too_short = || Stop::from(codes::PARAMETER_LENGTH);
        let header = if long { 8 } else { 4 };
        let descriptor = match (long, list.get(header - 2), list.get(header - 1)) {
            (true, Some(high), Some(low)) => usize::from(u16::from_be_bytes([*high, *low])),
            (false, _, Some(length)) => usize::from(*length),
            _ => return Err(too_short()),
        };
        let mut pages = list.get(header + descriptor..).ok_or_else(too_short)?;
        let mut mode = self.volume()?.unit.mode;
        while let [_, length, ..] = pages {
            let (page, rest) = pages.split_at_checked(2 + usize::from(*length)).ok_or_else(too_short)?;
            mode.select(page)?;
            pages = rest;
        }
        if !pages.is_empty() {
            return Err(too_short());
        }
        let held = &mut self.volume_mut()?.unit.mode;
        if *held != mode {
            *held = mode;
            self.array.tell_users_of(self.id, codes::MODE_CHANGED, Some(self.session), |_| true);
        }
        Ok(DataIn::None)
    }
}

/// The block descriptor, short or with a long address.
fn block_descriptor(blocks: u64, long: bool) -> Vec<u8> {
    if long {
        let mut bytes = blocks.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(BLOCK as u32).to_be_bytes());
        return bytes;
    }
    let mut bytes = u32::try_from(blocks).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    bytes.extend_from_slice(&(BLOCK as u32).to_be_bytes());
    bytes
}
