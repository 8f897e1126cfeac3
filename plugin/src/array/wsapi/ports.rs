//! Target ports over REST.

use std::net::{IpAddr, SocketAddr};

use super::transport::Request;
use super::{Wsapi, wire};
use crate::array::operation::Operation;
use crate::array::settings::Protocol;
use crate::array::{ArrayError, PortPosition, TargetPort};

/// `mode`: target (observed).
const TARGET: u32 = 2;
/// `linkState`: ready (observed).
const READY: u32 = 4;
/// `type`: host (observed).
const HOST: u32 = 1;
/// `protocol` (observed).
const FC: u32 = 1;
const ISCSI: u32 = 2;
/// TCP port of iSCSI targets (RFC 7143 s. 14).
const ISCSI_PORT: u16 = 3260;

impl Wsapi {
    /// Ready target ports of `protocol`; for iSCSI only those at `allowed` addresses, all if `allowed` is empty.
    pub(in crate::array) async fn target_ports(
        &self,
        protocol: Protocol,
        allowed: &[SocketAddr],
    ) -> Result<Vec<TargetPort>, ArrayError> {
        let operation = Operation::read("ports");
        let answer = self.transport.call(&operation, &Request::get("/ports")).await?;
        let ports: Vec<wire::Port> = wire::list(&operation, &answer)?;
        let ready = ports.iter().filter(|port| port.mode == Some(TARGET) && port.link_state == Some(READY));
        match protocol {
            Protocol::Fc => Ok(ready.filter_map(fc_port).collect()),
            Protocol::Iscsi => {
                let mut targets = Vec::new();
                for port in ready.filter(|port| port.protocol == Some(ISCSI)) {
                    targets.extend(iscsi_ports(port, &self.addresses(port).await?, allowed));
                }
                if targets.is_empty() && !allowed.is_empty() {
                    tracing::warn!(
                        ?allowed,
                        "none of the configured iSCSI addresses is that of a ready target port of the array"
                    );
                }
                Ok(targets)
            }
        }
    }

    /// The port's own address and those on its VLANs.
    async fn addresses(&self, port: &wire::Port) -> Result<Vec<IpAddr>, ArrayError> {
        let info = port.iscsi_info.as_ref();
        let own = info.and_then(|info| info.ip_addr.as_deref()).or(port.ip_addr.as_deref());
        let mut addresses: Vec<IpAddr> = own.and_then(usable).into_iter().collect();
        if info.and_then(|info| info.vlan) == Some(1) {
            let position = port.port_pos;
            let operation = Operation::read(format!("VLANs of port {position}"));
            match self.transport.call(&operation, &Request::get(format!("/ports/{position}/iSCSIVlans/"))).await {
                Ok(answer) => {
                    let vlans: wire::IscsiVlans = wire::object(&operation, &answer)?;
                    addresses.extend(vlans.vlans.iter().filter_map(|vlan| vlan.ip_addr.as_deref()).filter_map(usable));
                }
                Err(ArrayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        addresses.dedup();
        Ok(addresses)
    }
}

/// A port without an address shows 0.0.0.0 (observed).
fn usable(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified())
}

fn fc_port(port: &wire::Port) -> Option<TargetPort> {
    if port.protocol != Some(FC) || port.kind != Some(HOST) {
        return None;
    }
    let wwpn: String =
        port.port_wwn.as_deref()?.chars().filter(|c| *c != ':').map(|c| c.to_ascii_uppercase()).collect();
    let fit = wwpn.len() == 16 && wwpn.bytes().all(|b| b.is_ascii_hexdigit());
    fit.then_some(TargetPort::Fc { position: port.port_pos, wwpn })
}

fn iscsi_ports(port: &wire::Port, addresses: &[IpAddr], allowed: &[SocketAddr]) -> Vec<TargetPort> {
    let info = port.iscsi_info.as_ref();
    let iqn = info.and_then(|info| info.iscsi_name.as_deref()).or(port.iscsi_name.as_deref());
    let Some(iqn) = iqn.filter(|iqn| !iqn.is_empty()) else {
        return Vec::new();
    };
    let target = |position: PortPosition, portal: SocketAddr| TargetPort::Iscsi {
        position,
        portal: portal.to_string(),
        iqn: iqn.to_owned(),
    };
    let mut targets = Vec::new();
    for &ip in addresses {
        if allowed.is_empty() {
            targets.push(target(port.port_pos, SocketAddr::new(ip, ISCSI_PORT)));
        }
        targets.extend(allowed.iter().filter(|a| a.ip() == ip).map(|a| target(port.port_pos, *a)));
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_fc_port_as_captured_from_an_array() {
        let json = r#"{"portPos":{"node":0,"slot":0,"cardPort":2},"mode":2,"linkState":4,"nodeWWN":"2FF70002AC018D7C",
            "portWWN":"20020002AC018D7C","type":1,"protocol":1,"partnerPos":{"node":1,"slot":0,"cardPort":2},
            "failoverState":1,"device":["ESX120","ESX121"]}"#;
        let port: wire::Port = serde_json::from_str(json).unwrap();
        let wwpn = "20020002AC018D7C".to_owned();
        assert_eq!(fc_port(&port), Some(TargetPort::Fc { position: "0:0:2".parse().unwrap(), wwpn }));
    }

    #[test]
    fn iscsi_ports_are_those_configured() {
        let json = r#"{"portPos":{"node":0,"slot":2,"cardPort":1},"mode":2,"linkState":4,"type":8,"protocol":2,
            "iSCSIPortInfo":{"IPAddr":"10.0.0.1","iSCSIName":"iqn.2000-05.com.3pardata:20210002ac01db31","vlan":0}}"#;
        let port: wire::Port = serde_json::from_str(json).unwrap();
        let portals = |allowed: &[&str]| -> Vec<String> {
            let allowed: Vec<SocketAddr> = allowed.iter().map(|a| a.parse().unwrap()).collect();
            iscsi_ports(&port, &["10.0.0.1".parse().unwrap()], &allowed)
                .into_iter()
                .map(|target| match target {
                    TargetPort::Iscsi { portal, .. } => portal,
                    TargetPort::Fc { wwpn, .. } => wwpn,
                })
                .collect()
        };
        assert_eq!(portals(&[]), ["10.0.0.1:3260"]);
        assert_eq!(portals(&["10.0.0.1:3261", "10.0.0.2:3260"]), ["10.0.0.1:3261"]);
        assert!(portals(&["10.0.0.2:3260"]).is_empty());
        assert_eq!(usable("0.0.0.0"), None);
    }
}
