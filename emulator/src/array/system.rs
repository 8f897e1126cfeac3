//! The system itself: identity, capacity, WSAPI configuration, ports.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::ArrayError;
use super::event::EventKind;
use super::identity::PortPos;
use super::port::{LinkState, Port, PortRow};
use super::{ApiVersion, Array};

/// Raw capacity, MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// All disks.
    pub total_mib: u64,
    /// Taken by volumes.
    pub allocated_mib: u64,
    /// Not taken.
    pub free_mib: u64,
}

impl Array {
    /// Answer of `GET /api`.
    #[must_use]
    pub fn api_version(&self) -> ApiVersion {
        self.config.personality.api_version()
    }

    /// Answer of `GET /system` (members as captured from a real 3.2.2).
    #[must_use]
    pub fn system_row(&self) -> Value {
        let capacity = self.capacity();
        let licenses = [
            "3PAR OS Suite",
            "Priority Optimization",
            "Remote Copy",
            "System Reporter",
            "Thin Provisioning (102400G)",
            "Virtual Copy",
            "Compression",
            "Domains",
        ];
        let issued = self.timestamp(Duration::ZERO);
        let mut row = json!({
            "id": self.config.system_id, "name": self.config.name, "systemVersion": self.config.personality.os_version(),
            "IPv4Addr": "127.0.0.1", "model": self.config.model, "serialNumber": self.config.serial,
            "totalNodes": 2, "masterNode": 0, "onlineNodes": [0, 1], "clusterNodes": [0, 1], "chunkletSizeMiB": 1024,
            "totalCapacityMiB": capacity.total_mib, "allocatedCapacityMiB": capacity.allocated_mib,
            "freeCapacityMiB": capacity.free_mib, "failedCapacityMiB": 0, "timeZone": "UTC",
            "licenseInfo": {
                "issueTimeSec": issued.0, "issueTime8601": issued.to_string(), "diskCount": 48,
                "licenses": licenses.map(|name| json!({"name": name})),
                "licenseState": {"virtualCopy": true, "remoteCopy": true, "thinProvisioing": true, "domains": true, "qos": true,
                    "systemReporter": true},
            },
            "parameters": {
                "rawSpaceAlertFC": 0, "remoteSyslog": false, "remoteSyslogHost": "0.0.0.0", "sparingAlgorithm": "Default",
                "eventLogsize": 3_145_728, "VVRetentionTimeMax": 1_209_600, "portFailoverEnabled": true,
                "autoExportAfterReboot": true, "allowR5OnNLDrives": false, "allowR0": true, "thermalShutdown": true,
                "failoverMatchedSet": true, "sessionTimeout": self.config.session_idle.as_secs(), "hostDIF": false,
                "disableDedup": false,
            },
        });
        self.parameters.add_to(&mut row["parameters"]);
        row
    }

    /// Answer of `GET /wsapiconfiguration`; the front end knows its own ports.
    #[must_use]
    pub fn wsapi_configuration_row(&self, http_port: u16, https_port: u16) -> Value {
        let ApiVersion { major, minor, revision, .. } = self.api_version();
        json!({
            "httpState": "Enabled", "httpPort": http_port, "httpsState": "Enabled", "httpsPort": https_port,
            "version": format!("{major}.{minor}.{revision}"), "sessionsInUse": self.sessions_in_use(),
            "systemResourceUsage": self.config.session_limit,
        })
    }

    /// Raw capacity of the array.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        let all = self.total_capacity();
        Capacity { total_mib: all.total_mib, allocated_mib: all.allocated_mib(), free_mib: all.free_mib() }
    }

    /// The ports in the order of their positions.
    #[must_use]
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The port at a position.
    ///
    /// # Errors
    /// 20 when there is none.
    pub fn port(&self, pos: PortPos) -> Result<&Port, ArrayError> {
        self.ports.iter().find(|p| p.pos == pos).ok_or_else(ArrayError::non_existent_port)
    }

    /// All ports as the WSAPI shows them.
    #[must_use]
    pub fn port_rows(&self) -> Vec<PortRow> {
        self.ports.iter().map(|p| self.port_row_of(p)).collect()
    }

    /// One port as the WSAPI shows it.
    ///
    /// # Errors
    /// 20 when there is none.
    pub fn port_row(&self, pos: PortPos) -> Result<PortRow, ArrayError> {
        self.port(pos).map(|p| self.port_row_of(p))
    }

    fn port_row_of(&self, port: &Port) -> PortRow {
        let name_of = |initiator: &super::Initiator| self.host_of(initiator).map(|h| h.name.to_string());
        let mut hosts: Vec<String> = self.nexuses.paths_on(port.pos).filter_map(|(i, _)| name_of(&i)).collect();
        hosts.sort();
        hosts.dedup();
        PortRow::of(port, hosts)
    }

    /// Changes the link of a port; when it is not ready any longer, its sessions end.
    ///
    /// # Errors
    /// 20 when there is no such port.
    pub fn set_port_link(&mut self, now: Duration, pos: PortPos, link: LinkState) -> Result<(), ArrayError> {
        self.advance(now);
        let port = self.ports.iter_mut().find(|p| p.pos == pos).ok_or_else(ArrayError::non_existent_port)?;
        port.link = link;
        self.note(EventKind::PortLinkChanged { port: pos, link_state: link.into() });
        if link != LinkState::Ready {
            for session in self.nexuses.on_port(pos) {
                self.logout(now, session);
            }
        }
        Ok(())
    }

    /// Gives an iSCSI port its real portal, once the data path listens there.
    ///
    /// # Errors
    /// 20 when there is no such port, 21 when it does not speak iSCSI.
    pub fn set_iscsi_portal(&mut self, pos: PortPos, address: std::net::SocketAddr) -> Result<(), ArrayError> {
        let port = self.ports.iter_mut().find(|p| p.pos == pos).ok_or_else(ArrayError::non_existent_port)?;
        match &mut port.protocol {
            super::PortProtocol::Iscsi { portal, .. } => *portal = address,
            super::PortProtocol::Fc { .. } => return Err(ArrayError::bad_port_type()),
        }
        Ok(())
    }
}
