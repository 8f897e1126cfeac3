//! Changing iSCSI ports: addresses, VLANs, resets.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;
use super::identity::PortPos;
use super::port::{LinkState, Port, PortProtocol};

/// Largest VLAN tag (IEEE 802.1Q).
const VLAN_TAG_MAX: i64 = 4094;
/// First target portal group tag of VLANs (observed).
const VLAN_TPGT_FIRST: u16 = 1024;

/// Settings of an iSCSI port beside its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IscsiSettings {
    /// Net mask.
    pub netmask: String,
    /// Gateway.
    pub gateway: String,
    /// Bytes per frame.
    pub mtu: u32,
    /// Address of the name server.
    pub isns_addr: String,
    /// Port of the name server.
    pub isns_port: u16,
}

impl Default for IscsiSettings {
    fn default() -> Self {
        Self {
            netmask: "255.0.0.0".to_owned(),
            gateway: "0.0.0.0".to_owned(),
            mtu: 1500,
            isns_addr: "0.0.0.0".to_owned(),
            isns_port: 3205,
        }
    }
}

/// A VLAN of an iSCSI port, as the WSAPI shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IscsiVlan {
    /// Tag.
    pub vlan_tag: u16,
    /// Address.
    #[serde(rename = "IPAddr")]
    pub ip_addr: String,
    /// Net mask.
    pub netmask: String,
    /// Gateway.
    pub gateway: String,
    /// Bytes per frame.
    pub mtu: u32,
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
}

/// Body of `PUT /ports/<n:s:p>` and of requests on VLANs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangeIscsiPort {
    /// Address; required for a new VLAN.
    pub ip_addr: Option<String>,
    /// Net mask; required for a new VLAN.
    pub netmask: Option<String>,
    /// Tag; required for a new VLAN.
    pub vlan_tag: Option<i64>,
    /// Gateway.
    pub gateway: Option<String>,
    /// Bytes per frame.
    pub mtu: Option<i64>,
    /// Send-targets group tag.
    pub stgt: Option<i64>,
    /// Address of the name server.
    #[serde(rename = "iSNSAddr")]
    pub isns_addr: Option<String>,
    /// Port of the name server.
    #[serde(rename = "iSNSPort")]
    pub isns_port: Option<i64>,
}

/// An address of a request.
fn read_address(text: Option<&str>, member: &str) -> Result<Option<String>, ArrayError> {
    let read = |text: &str| text.parse::<IpAddr>().map(|ip| ip.to_string());
    text.map(read).transpose().map_err(|_| ArrayError::invalid_input().with_ref(member))
}

/// A small number of a request.
fn read_number(
    value: Option<i64>,
    range: std::ops::RangeInclusive<i64>,
    member: &str,
) -> Result<Option<u16>, ArrayError> {
    match value {
        None => Ok(None),
        Some(n) if n < *range.start() => Err(ArrayError::below_range().with_ref(member)),
        Some(n) if n > *range.end() => Err(ArrayError::exceeds_range().with_ref(member)),
        Some(n) => Ok(u16::try_from(n).ok()),
    }
}

/// A request with its texts and numbers read.
struct Read {
    ip_addr: Option<String>,
    netmask: Option<String>,
    gateway: Option<String>,
    isns_addr: Option<String>,
    mtu: Option<u16>,
    stgt: Option<u16>,
    isns_port: Option<u16>,
}

impl ChangeIscsiPort {
    fn read(&self) -> Result<Read, ArrayError> {
        Ok(Read {
            ip_addr: read_address(self.ip_addr.as_deref(), "ipAddr")?,
            netmask: read_address(self.netmask.as_deref(), "netmask")?,
            gateway: read_address(self.gateway.as_deref(), "gateway")?,
            isns_addr: read_address(self.isns_addr.as_deref(), "iSNSAddr")?,
            mtu: read_number(self.mtu, 1500..=9000, "mtu")?,
            stgt: read_number(self.stgt, 1..=65_535, "stgt")?,
            isns_port: read_number(self.isns_port, 1..=65_535, "iSNSPort")?,
        })
    }
}

impl Array {
    /// The iSCSI port at a position, to change.
    fn iscsi_port_mut(&mut self, pos: PortPos) -> Result<&mut Port, ArrayError> {
        let port = self.ports.iter_mut().find(|port| port.pos == pos).ok_or_else(ArrayError::non_existent_port)?;
        if port.is_iscsi() { Ok(port) } else { Err(ArrayError::bad_port_type()) }
    }

    /// Changes the settings of an iSCSI port. A changed address is advertised; what really listens stays where it is.
    ///
    /// # Errors
    /// 20 unknown port, 21 no iSCSI port, 78 nothing to do, 12 bad addresses, 43 and 115 numbers out of range.
    pub fn modify_iscsi_port(&mut self, now: Duration, pos: PortPos, body: &ChangeIscsiPort) -> Result<(), ArrayError> {
        self.advance(now);
        let read = body.read()?;
        let port = self.iscsi_port_mut(pos)?;
        if *body == ChangeIscsiPort::default() {
            return Err(ArrayError::one_required());
        }
        if let (Some(ip), PortProtocol::Iscsi { portal, .. }) = (&read.ip_addr, &mut port.protocol)
            && let Ok(ip) = ip.parse()
        {
            portal.set_ip(ip);
        }
        let settings = &mut port.settings;
        settings.netmask = read.netmask.unwrap_or_else(|| std::mem::take(&mut settings.netmask));
        settings.gateway = read.gateway.unwrap_or_else(|| std::mem::take(&mut settings.gateway));
        settings.isns_addr = read.isns_addr.unwrap_or_else(|| std::mem::take(&mut settings.isns_addr));
        settings.mtu = read.mtu.map_or(settings.mtu, u32::from);
        settings.isns_port = read.isns_port.unwrap_or(settings.isns_port);
        self.note(EventKind::PortModified { port: pos });
        Ok(())
    }

    /// Adds a VLAN to an iSCSI port.
    ///
    /// # Errors
    /// 20 unknown port, 21 no iSCSI port, 40 without address, net mask or tag, 12 bad addresses, 43 and 115 numbers out of range, 44
    /// when the tag is taken.
    pub fn create_vlan(&mut self, now: Duration, pos: PortPos, body: &ChangeIscsiPort) -> Result<u16, ArrayError> {
        self.advance(now);
        let read = body.read()?;
        let missing = |member: &str| ArrayError::missing_required().with_ref(member);
        let tag = read_number(body.vlan_tag, 1..=VLAN_TAG_MAX, "vlanTag")?.ok_or_else(|| missing("vlanTag"))?;
        let (ip_addr, netmask) =
            (read.ip_addr.ok_or_else(|| missing("ipAddr"))?, read.netmask.ok_or_else(|| missing("netmask"))?);
        let port = self.iscsi_port_mut(pos)?;
        if port.vlans.contains_key(&tag) {
            return Err(ArrayError::parameter_conflict().with_ref("vlanTag"));
        }
        let taken = |tpgt: &u16| port.vlans.values().any(|vlan| vlan.tpgt == *tpgt);
        let tpgt = (VLAN_TPGT_FIRST..).find(|tpgt| !taken(tpgt)).unwrap_or(VLAN_TPGT_FIRST);
        let vlan = IscsiVlan {
            vlan_tag: tag,
            ip_addr,
            netmask,
            gateway: read.gateway.unwrap_or_else(|| "0.0.0.0".to_owned()),
            mtu: read.mtu.map_or(port.settings.mtu, u32::from),
            stgt: read.stgt.unwrap_or(tpgt),
            tpgt,
            isns_addr: read.isns_addr.unwrap_or_else(|| "0.0.0.0".to_owned()),
            isns_port: read.isns_port.unwrap_or(3205),
        };
        port.vlans.insert(tag, vlan);
        self.note(EventKind::PortModified { port: pos });
        Ok(tag)
    }

    /// Changes a VLAN.
    ///
    /// # Errors
    /// 20 unknown port or VLAN, 21 no iSCSI port, 12 bad addresses, 43 and 115 numbers out of range.
    pub fn modify_vlan(
        &mut self,
        now: Duration,
        pos: PortPos,
        tag: u16,
        body: &ChangeIscsiPort,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        let read = body.read()?;
        let vlan = self.iscsi_port_mut(pos)?.vlans.get_mut(&tag).ok_or_else(ArrayError::non_existent_port)?;
        let set = |held: &mut String, new: Option<String>| {
            if let Some(new) = new {
                *held = new;
            }
        };
        set(&mut vlan.ip_addr, read.ip_addr);
        set(&mut vlan.netmask, read.netmask);
        set(&mut vlan.gateway, read.gateway);
        set(&mut vlan.isns_addr, read.isns_addr);
        vlan.mtu = read.mtu.map_or(vlan.mtu, u32::from);
        vlan.stgt = read.stgt.unwrap_or(vlan.stgt);
        vlan.isns_port = read.isns_port.unwrap_or(vlan.isns_port);
        self.note(EventKind::PortModified { port: pos });
        Ok(())
    }

    /// Takes a VLAN from an iSCSI port.
    ///
    /// # Errors
    /// 20 unknown port or VLAN, 21 no iSCSI port.
    pub fn remove_vlan(&mut self, now: Duration, pos: PortPos, tag: u16) -> Result<(), ArrayError> {
        self.advance(now);
        self.iscsi_port_mut(pos)?.vlans.remove(&tag).ok_or_else(ArrayError::non_existent_port)?;
        self.note(EventKind::PortModified { port: pos });
        Ok(())
    }

    /// Resets a port: its sessions end, and initiators may log in again at once.
    ///
    /// # Errors
    /// 20 unknown port.
    pub fn reset_port(&mut self, now: Duration, pos: PortPos) -> Result<(), ArrayError> {
        let link = self.port(pos)?.link;
        self.set_port_link(now, pos, LinkState::Offline)?;
        self.set_port_link(now, pos, link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayConfig;

    const NOW: Duration = Duration::from_secs(60);

    #[test]
    fn vlans_come_and_go() {
        let (mut array, pos) = (Array::new(ArrayConfig::default()), PortPos::fixed(0, 2, 1));
        let body = ChangeIscsiPort {
            ip_addr: Some("127.0.0.77".into()),
            netmask: Some("255.255.255.0".into()),
            vlan_tag: Some(105),
            ..ChangeIscsiPort::default()
        };
        assert_eq!(array.create_vlan(NOW, pos, &body).unwrap(), 105);
        assert_eq!(array.create_vlan(NOW, pos, &body).unwrap_err().code, 44);
        assert_eq!(array.create_vlan(NOW, PortPos::fixed(0, 1, 1), &body).unwrap_err().code, 21);
        assert_eq!(
            array.create_vlan(NOW, pos, &ChangeIscsiPort { vlan_tag: Some(5000), ..body.clone() }).unwrap_err().code,
            43
        );
        assert_eq!(array.create_vlan(NOW, pos, &ChangeIscsiPort::default()).unwrap_err().code, 40);
        let row = serde_json::to_value(array.port_row(pos).unwrap()).unwrap();
        assert_eq!((&row["iSCSIPortInfo"]["vlan"], &row["iSCSIVlans"][0]["tpgt"]), (&1.into(), &1024.into()));
        array.modify_vlan(NOW, pos, 105, &ChangeIscsiPort { mtu: Some(9000), ..ChangeIscsiPort::default() }).unwrap();
        assert_eq!(array.port_row(pos).unwrap().iscsi_vlans[0].mtu, 9000);
        array.remove_vlan(NOW, pos, 105).unwrap();
        assert_eq!(array.remove_vlan(NOW, pos, 105).unwrap_err().code, 20);
    }

    #[test]
    fn addresses_are_checked_and_advertised() {
        let (mut array, pos) = (Array::new(ArrayConfig::default()), PortPos::fixed(0, 2, 1));
        let change = |ip: &str| ChangeIscsiPort { ip_addr: Some(ip.into()), ..ChangeIscsiPort::default() };
        assert_eq!(array.modify_iscsi_port(NOW, pos, &change("nonsense")).unwrap_err().code, 12);
        assert_eq!(array.modify_iscsi_port(NOW, pos, &ChangeIscsiPort::default()).unwrap_err().code, 78);
        array.modify_iscsi_port(NOW, pos, &change("127.0.0.99")).unwrap();
        let info = array.port_row(pos).unwrap().iscsi_port_info.unwrap();
        assert_eq!((info.ip_addr.as_str(), info.netmask.as_str()), ("127.0.0.99", "255.0.0.0"));
        array.reset_port(NOW, pos).unwrap();
    }
}
