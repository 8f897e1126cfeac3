//! REPORT TARGET PORT GROUPS (SPC-4 s. 6.37): one group, every port active and optimised, as an array without Peer Persistence
//! shows its volumes.

use super::cdb::Cdb;
use super::execute::Unit;
use super::{DataIn, Outcome};
use crate::array::{LinkState, Port, PortProtocol};
use crate::datapath::Sense;

/// The group.
pub(super) const GROUP: u16 = 1;

impl Port {
    /// Relative target port identifier: the target portal group tag of an iSCSI port, the same form for the others.
    #[must_use]
    pub fn relative_id(&self) -> u16 {
        match &self.protocol {
            PortProtocol::Iscsi { tpgt, .. } => *tpgt,
            PortProtocol::Fc { .. } => {
                u16::from(self.pos.node) * 100 + u16::from(self.pos.slot) * 10 + u16::from(self.pos.card_port)
            }
        }
    }
}

impl Unit<'_> {
    /// REPORT TARGET PORT GROUPS.
    pub(super) fn report_target_port_groups(&mut self, cdb: Cdb<'_>) -> Outcome {
        if !self.array.tells_port_groups(self.session) {
            return Err(Sense::INVALID_FIELD.into());
        }
        let extended = match cdb.byte(1) >> 5 {
            0 => false,
            1 => true,
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        let ready = |port: &&Port| port.is_iscsi() && port.link == LinkState::Ready;
        let ports: Vec<u16> = self.array.ports().iter().filter(ready).map(Port::relative_id).collect();
        let mut bytes = vec![0; 4];
        if extended {
            // The extended format, and no time for implicit transitions.
            bytes.extend_from_slice(&[0x10, 0, 0, 0]);
        }
        let [high, low] = GROUP.to_be_bytes();
        // Active and optimised; every state but transitioning is one that the array knows.
        bytes.extend_from_slice(&[0x00, 0x0F, high, low, 0, 0x02, 0, ports.len() as u8]);
        for port in ports {
            bytes.extend_from_slice(&[0, 0]);
            bytes.extend_from_slice(&port.to_be_bytes());
        }
        let length = (bytes.len() - 4) as u32;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.truncate(cdb.u32(6) as usize);
        Ok(DataIn::Bytes(bytes))
    }
}
