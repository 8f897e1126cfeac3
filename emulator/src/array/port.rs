//! Target ports: two nodes with two Fibre Channel and two iSCSI ports each, all ready.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::config::ArrayConfig;
use super::identity::PortPos;
use super::port_change::{IscsiSettings, IscsiVlan};

/// State of the link of a port; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8")]
pub enum LinkState {
    /// Link up, logins are taken (4).
    Ready,
    /// No light (5).
    LossSync,
    /// Taken offline (10).
    Offline,
}

impl From<LinkState> for u8 {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Ready => 4,
            LinkState::LossSync => 5,
            LinkState::Offline => 10,
        }
    }
}

/// What a port speaks, with the addresses of that protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortProtocol {
    /// Fibre Channel.
    Fc {
        /// World wide node name.
        node_wwn: String,
        /// World wide port name.
        port_wwn: String,
    },
    /// iSCSI.
    Iscsi {
        /// Name of the target behind this port; each port is a target of its own.
        target: String,
        /// Where the port listens.
        portal: SocketAddr,
        /// Hardware address.
        hw_addr: String,
        /// Target portal group tag: node · 100 + slot · 10 + port.
        tpgt: u16,
    },
}

/// A target port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Where it sits.
    pub pos: PortPos,
    /// What it speaks.
    pub protocol: PortProtocol,
    /// State of its link.
    pub link: LinkState,
    /// The port that takes over when this one fails.
    pub partner: PortPos,
    /// Settings of an iSCSI port.
    pub settings: IscsiSettings,
    /// VLANs of an iSCSI port by their tags.
    pub vlans: BTreeMap<u16, IscsiVlan>,
}

impl Port {
    /// Whether it speaks iSCSI.
    #[must_use]
    pub fn is_iscsi(&self) -> bool {
        matches!(self.protocol, PortProtocol::Iscsi { .. })
    }

    /// iSCSI name of its target and its portal, if it speaks iSCSI.
    #[must_use]
    pub fn iscsi(&self) -> Option<(&str, SocketAddr)> {
        match &self.protocol {
            PortProtocol::Iscsi { target, portal, .. } => Some((target, *portal)),
            PortProtocol::Fc { .. } => None,
        }
    }
}

/// The ports of a new array, in the order of their positions.
pub(crate) fn ports_of(config: &ArrayConfig) -> Vec<Port> {
    let mut ports = Vec::with_capacity(8);
    for node in 0..2u8 {
        for card_port in 1..=2u8 {
            ports.push(fc_port(config.system_id, PortPos::fixed(node, 1, card_port)));
        }
        for card_port in 1..=2u8 {
            let portal = config.portal(node * 2 + card_port - 1);
            ports.push(iscsi_port(config.system_id, PortPos::fixed(node, 2, card_port), portal));
        }
    }
    ports
}

/// The same slot and port on the other node of the pair.
fn partner_of(pos: PortPos) -> PortPos {
    PortPos { node: pos.node ^ 1, ..pos }
}

/// A Fibre Channel port with the WWNs that real arrays build from position and system id.
fn fc_port(system_id: u32, pos: PortPos) -> Port {
    let vendor = format!("0002AC{:06X}", system_id & 0x00FF_FFFF);
    let PortPos { node, slot, card_port } = pos;
    let protocol =
        PortProtocol::Fc { node_wwn: format!("2FF7{vendor}"), port_wwn: format!("2{node}{slot}{card_port}{vendor}") };
    new_port(pos, protocol)
}

/// A port that is ready, with the usual settings.
fn new_port(pos: PortPos, protocol: PortProtocol) -> Port {
    let (settings, vlans) = (IscsiSettings::default(), BTreeMap::new());
    Port { pos, protocol, link: LinkState::Ready, partner: partner_of(pos), settings, vlans }
}

/// An iSCSI port with the target name that real arrays build from position and system id.
fn iscsi_port(system_id: u32, pos: PortPos, portal: SocketAddr) -> Port {
    let PortPos { node, slot, card_port } = pos;
    let protocol = PortProtocol::Iscsi {
        target: format!("iqn.2000-05.com.3pardata:2{node}{slot}{card_port}0002ac{:06x}", system_id & 0x00FF_FFFF),
        portal,
        hw_addr: format!("0002AC{:02X}{node:02X}{card_port:02X}", system_id & 0xFF),
        tpgt: u16::from(node) * 100 + u16::from(slot) * 10 + u16::from(card_port),
    };
    new_port(pos, protocol)
}

/// `iSCSIPortInfo` of a port row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IscsiPortInfo {
    /// Address of the portal.
    #[serde(rename = "IPAddr")]
    pub ip_addr: String,
    /// Net mask.
    pub netmask: String,
    /// Gateway.
    pub gateway: String,
    /// Name of the target.
    #[serde(rename = "iSCSIName")]
    pub iscsi_name: String,
    /// Bytes per frame.
    pub mtu: u32,
    /// Speed of the link.
    pub rate: String,
    /// Send-targets group tag.
    pub stgt: u16,
    /// Target portal group tag.
    pub tpgt: u16,
    /// Address of the name server.
    #[serde(rename = "iSNSAddr")]
    pub isns_addr: String,
    /// Port of the name server.
    #[serde(rename = "iSNSPort")]
    pub isns_port: u16,
    /// 1 when VLANs are in use.
    pub vlan: u8,
}

/// A row of `GET /ports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortRow {
    /// Position.
    pub port_pos: PortPos,
    /// 2: target.
    pub mode: u8,
    /// State of the link.
    pub link_state: LinkState,
    /// Node WWN (Fibre Channel).
    #[serde(rename = "nodeWWN", skip_serializing_if = "Option::is_none")]
    pub node_wwn: Option<String>,
    /// Port WWN (Fibre Channel).
    #[serde(rename = "portWWN", skip_serializing_if = "Option::is_none")]
    pub port_wwn: Option<String>,
    /// Hardware address (iSCSI).
    #[serde(rename = "HWAddr", skip_serializing_if = "Option::is_none")]
    pub hw_addr: Option<String>,
    /// Address of the portal (iSCSI).
    #[serde(rename = "IPAddr", skip_serializing_if = "Option::is_none")]
    pub ip_addr: Option<String>,
    /// Name of the target (iSCSI).
    #[serde(rename = "iSCSIName", skip_serializing_if = "Option::is_none")]
    pub iscsi_name: Option<String>,
    /// 1 host, 8 iSCSI.
    #[serde(rename = "type")]
    pub kind: u8,
    /// 1 Fibre Channel, 2 iSCSI.
    pub protocol: u8,
    /// Label.
    pub label: String,
    /// Hosts that are logged in.
    pub device: Vec<String>,
    /// Partner port.
    pub partner_pos: PortPos,
    /// 1: none.
    pub failover_state: u8,
    /// Settings of an iSCSI port.
    #[serde(rename = "iSCSIPortInfo", skip_serializing_if = "Option::is_none")]
    pub iscsi_port_info: Option<IscsiPortInfo>,
    /// VLANs of an iSCSI port.
    #[serde(rename = "iSCSIVlans", skip_serializing_if = "Vec::is_empty")]
    pub iscsi_vlans: Vec<IscsiVlan>,
    /// Where an iSCSI port really listens, with its TCP port; the WSAPI shows the address only.
    #[serde(skip)]
    pub portal: Option<SocketAddr>,
}

impl PortRow {
    /// The row of `port` with the hosts `device` logged in on it.
    pub(crate) fn of(port: &Port, device: Vec<String>) -> Self {
        let mut row = Self {
            port_pos: port.pos,
            mode: 2,
            link_state: port.link,
            node_wwn: None,
            port_wwn: None,
            hw_addr: None,
            ip_addr: None,
            iscsi_name: None,
            kind: 1,
            protocol: 1,
            label: String::new(),
            device,
            partner_pos: port.partner,
            failover_state: 1,
            iscsi_port_info: None,
            iscsi_vlans: port.vlans.values().cloned().collect(),
            portal: None,
        };
        match &port.protocol {
            PortProtocol::Fc { node_wwn, port_wwn } => {
                row.node_wwn = Some(node_wwn.clone());
                row.port_wwn = Some(port_wwn.clone());
            }
            PortProtocol::Iscsi { target, portal, hw_addr, tpgt } => {
                let ip = portal.ip().to_string();
                (row.kind, row.protocol, row.portal) = (8, 2, Some(*portal));
                row.hw_addr = Some(hw_addr.clone());
                row.ip_addr = Some(ip.clone());
                row.iscsi_name = Some(target.clone());
                row.iscsi_port_info = Some(IscsiPortInfo {
                    ip_addr: ip,
                    netmask: port.settings.netmask.clone(),
                    gateway: port.settings.gateway.clone(),
                    iscsi_name: target.clone(),
                    mtu: port.settings.mtu,
                    rate: "10Gbps".to_owned(),
                    stgt: *tpgt,
                    tpgt: *tpgt,
                    isns_addr: port.settings.isns_addr.clone(),
                    isns_port: port.settings.isns_port,
                    vlan: u8::from(!port.vlans.is_empty()),
                });
            }
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_carry_the_names_of_real_arrays() {
        let config = ArrayConfig { system_id: 0x01_DB31, ..ArrayConfig::default() };
        let ports = ports_of(&config);
        let names: Vec<String> = ports.iter().map(|p| p.pos.to_string()).collect();
        assert_eq!(names, ["0:1:1", "0:1:2", "0:2:1", "0:2:2", "1:1:1", "1:1:2", "1:2:1", "1:2:2"]);
        assert_eq!(ports[2].iscsi().unwrap().0, "iqn.2000-05.com.3pardata:20210002ac01db31");
        let row = serde_json::to_value(PortRow::of(&ports[1], vec![])).unwrap();
        assert_eq!(row["portWWN"], "20120002AC01DB31");
        assert_eq!(row["nodeWWN"], "2FF70002AC01DB31");
        assert_eq!(row["linkState"], 4);
    }
}
