//! The commands of a volume, and REPORT SUPPORTED OPERATION CODES (SPC-4 s. 6.35).

use super::cdb::Cdb;
use super::{DataIn, Outcome};
use crate::datapath::Sense;

pub(super) const TEST_UNIT_READY: u8 = 0x00;
pub(super) const REQUEST_SENSE: u8 = 0x03;
pub(super) const INQUIRY: u8 = 0x12;
pub(super) const RESERVE_6: u8 = 0x16;
pub(super) const RELEASE_6: u8 = 0x17;
pub(super) const REPORT_LUNS: u8 = 0xA0;

/// What a persistent reservation says about a command (SPC-4 table 66, SBC-3 table 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Never in conflict.
    Always,
    /// In conflict where access is exclusive.
    Read,
    /// In conflict where writing is exclusive, too.
    Write,
}

/// A command.
struct Command {
    action: Option<u8>,
    access: Access,
    /// Bits in use, byte by byte; the first byte is the operation code.
    usage: &'static [u8],
}

/// An entry of the table.
const fn command(access: Access, usage: &'static [u8]) -> Command {
    Command { action: None, access, usage }
}

/// The same with a service action.
const fn action(action: u8, access: Access, usage: &'static [u8]) -> Command {
    Command { action: Some(action), access, usage }
}

use Access::{Always, Read, Write};

const F: u8 = 0xFF;

static COMMANDS: &[Command] = &[
    command(Always, &[0x00, 0, 0, 0, 0, 0x04]),
    command(Always, &[0x03, 0x01, 0, 0, F, 0x04]),
    command(Read, &[0x08, 0x1F, F, F, F, 0x04]),
    command(Write, &[0x0A, 0x1F, F, F, F, 0x04]),
    command(Always, &[0x12, 0x01, F, F, F, 0x04]),
    command(Write, &[0x15, 0x11, 0, 0, F, 0x04]),
    command(Write, &[0x16, 0, 0, 0, 0, 0x04]),
    command(Always, &[0x17, 0, 0, 0, 0, 0x04]),
    command(Read, &[0x1A, 0x08, F, F, F, 0x04]),
    command(Write, &[0x1B, 0x01, 0, 0, 0xF7, 0x04]),
    command(Always, &[0x25, 0, F, F, F, F, 0, 0, 0x01, 0x04]),
    command(Read, &[0x28, 0xFA, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Write, &[0x2A, 0xFA, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Write, &[0x2E, 0xF6, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Read, &[0x2F, 0xF6, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Read, &[0x34, 0x02, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Write, &[0x35, 0x02, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Write, &[0x41, 0xF8, F, F, F, F, 0x1F, F, F, 0x04]),
    command(Write, &[0x42, 0, 0, 0, 0, 0, 0x1F, F, F, 0x04]),
    command(Write, &[0x55, 0x11, 0, 0, 0, 0, 0, F, F, 0x04]),
    command(Read, &[0x5A, 0x18, F, F, 0, 0, 0, F, F, 0x04]),
    action(0x00, Always, &[0x5E, 0x1F, 0, 0, 0, 0, 0, F, F, 0x04]),
    action(0x01, Always, &[0x5E, 0x1F, 0, 0, 0, 0, 0, F, F, 0x04]),
    action(0x02, Always, &[0x5E, 0x1F, 0, 0, 0, 0, 0, F, F, 0x04]),
    action(0x03, Always, &[0x5E, 0x1F, 0, 0, 0, 0, 0, F, F, 0x04]),
    action(0x00, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    action(0x01, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    action(0x02, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    action(0x03, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    action(0x04, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    action(0x05, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    action(0x06, Always, &[0x5F, 0x1F, F, 0, 0, F, F, F, F, 0x04]),
    command(Read, &[0x88, 0xFA, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0x89, 0xFA, F, F, F, F, F, F, F, F, 0, 0, 0, F, 0x1F, 0x04]),
    command(Write, &[0x8A, 0xFA, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0x8B, 0xFA, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0x8E, 0xF6, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Read, &[0x8F, 0xF6, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Read, &[0x90, 0x02, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0x91, 0x02, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0x93, 0xF9, F, F, F, F, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    action(0x10, Always, &[0x9E, 0x1F, F, F, F, F, F, F, F, F, F, F, F, F, 0x01, 0x04]),
    action(0x12, Read, &[0x9E, 0x1F, F, F, F, F, F, F, F, F, F, F, F, F, 0, 0x04]),
    command(Always, &[0xA0, 0, F, 0, 0, 0, F, F, F, F, 0, 0x04]),
    action(0x0A, Always, &[0xA3, 0xFF, 0, 0, 0, 0, F, F, F, F, 0, 0x04]),
    action(0x0C, Always, &[0xA3, 0x1F, 0x87, F, F, F, F, F, F, F, 0, 0x04]),
    command(Read, &[0xA8, 0xFA, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0xAA, 0xFA, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Write, &[0xAE, 0xF6, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
    command(Read, &[0xAF, 0xF6, F, F, F, F, F, F, F, F, 0x1F, 0x04]),
];

impl Command {
    fn opcode(&self) -> u8 {
        self.usage.first().copied().unwrap_or_default()
    }

    /// The usage with the service action in its place.
    fn usage_bytes(&self) -> Vec<u8> {
        let mut usage = self.usage.to_vec();
        if let (Some(action), Some(byte)) = (self.action, usage.get_mut(1)) {
            *byte = *byte & 0xE0 | action;
        }
        usage
    }
}

/// What a reservation says about a command; one that is not known is refused for that reason.
pub(super) fn access(cdb: Cdb<'_>) -> Access {
    let fits = |c: &&Command| c.opcode() == cdb.opcode() && c.action.is_none_or(|a| a == cdb.action());
    COMMANDS.iter().find(fits).map_or(Always, |c| c.access)
}

/// Descriptor of command timeouts: none are stated.
const NO_TIMEOUTS: [u8; 12] = [0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// REPORT SUPPORTED OPERATION CODES.
pub(super) fn report(cdb: Cdb<'_>) -> Outcome {
    let timeouts = cdb.byte(2) & 0x80 != 0;
    let (opcode, wanted) = (cdb.byte(3), cdb.u16(4));
    let of_opcode: Vec<&Command> = COMMANDS.iter().filter(|c| c.opcode() == opcode).collect();
    let has_actions = of_opcode.iter().any(|c| c.action.is_some());
    let with_action = || of_opcode.iter().find(|c| c.action.map(u16::from) == Some(wanted)).copied();
    let mut bytes = match cdb.byte(2) & 7 {
        0 => all(timeouts),
        1 if has_actions => return Err(Sense::INVALID_FIELD.into()),
        1 => one(of_opcode.first().copied(), timeouts),
        2 if !has_actions && !of_opcode.is_empty() => return Err(Sense::INVALID_FIELD.into()),
        2 => one(with_action(), timeouts),
        3 if has_actions => one(with_action(), timeouts),
        3 => one(of_opcode.first().copied().filter(|_| wanted == 0), timeouts),
        _ => return Err(Sense::INVALID_FIELD.into()),
    };
    bytes.truncate(cdb.u32(6) as usize);
    Ok(DataIn::Bytes(bytes))
}

fn all(timeouts: bool) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for command in COMMANDS {
        let flags = u8::from(command.action.is_some()) | if timeouts { 0x02 } else { 0 };
        bytes.extend_from_slice(&[command.opcode(), 0, 0, command.action.unwrap_or_default(), 0, flags]);
        bytes.extend_from_slice(&(command.usage.len() as u16).to_be_bytes());
        if timeouts {
            bytes.extend_from_slice(&NO_TIMEOUTS);
        }
    }
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

fn one(command: Option<&Command>, timeouts: bool) -> Vec<u8> {
    let Some(command) = command else { return vec![0, 0x01, 0, 0] };
    let mut bytes = vec![0, 0x03 | if timeouts { 0x80 } else { 0 }];
    bytes.extend_from_slice(&(command.usage.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&command.usage_bytes());
    if timeouts {
        bytes.extend_from_slice(&NO_TIMEOUTS);
    }
    bytes
}

/// All operation codes of the table.
#[cfg(test)]
pub(super) fn known() -> Vec<u8> {
    COMMANDS.iter().map(Command::opcode).collect()
}
