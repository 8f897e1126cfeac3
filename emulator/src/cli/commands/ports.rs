//! Target ports: `showport`, `showportdev`, `showtarget`.

use super::{Answer, Command, Invocation, Outcome, or_dashes};
use crate::{
    array::{PortPos, PortRow},
    cli::{
        pattern::{is_pattern, wanted, wanted_by},
        table::{Column, Table, Total},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "showport",
        "list ports",
        "-i -c -d -par -rc -rcip -rcfc -peer -fcoe -cna -nvme -iscsi -iscsiname -iscsivlans -sfp -ddm -state -ids -fs -failed -nodes=<node>[,...] \
         -slots=<slot>[,...] -ports=<port>[,...]",
        "[<n:s:p>|<pattern>]...",
        show,
    ),
    Command::new(
        "showportdev",
        "list what is logged in on a port",
        "-login -nodes=<node>[,...] -slots=<slot>[,...] -ports=<port>[,...]",
        "all|ns|loop|fabric|lldp|dcbx [<n:s:p>|<pattern>]...",
        show_devices,
    ),
    Command::new("showtarget", "list unconfigured targets", "-lun=<wwn> -d -force -rescan", "", show_targets),
];

/// What a listing without rows says (observed).
const EMPTY: &str = "no ports listed";

/// The ports that operands and `-nodes`, `-slots`, `-ports` choose.
fn ports_wanted(invocation: &Invocation<'_>, operands: &[String]) -> Result<Vec<PortRow>, Outcome> {
    let mut rows = invocation.read(|array| array.port_rows());
    for operand in operands.iter().filter(|operand| !is_pattern(operand)) {
        let known = operand.parse::<PortPos>().is_ok_and(|position| rows.iter().any(|row| row.port_pos == position));
        if !known {
            return Err(Outcome::refused(format!("Invalid port: {operand}")));
        }
    }
    rows.retain(|row| {
        let PortPos { node, slot, card_port } = row.port_pos;
        wanted_by(operands, &row.port_pos.to_string())
            && wanted(invocation.value("-nodes"), &node.to_string())
            && wanted(invocation.value("-slots"), &slot.to_string())
            && wanted(invocation.value("-ports"), &card_port.to_string())
    });
    Ok(rows)
}

/// Runs `showport`.
fn show(invocation: &Invocation<'_>) -> Answer {
    let mut ports = ports_wanted(invocation, invocation.operands())?;
    if invocation.has("-failed") {
        ports.retain(|port| u8::from(port.link_state) != 4);
    }
    // No port of this array speaks these protocols.
    let absent = ["-rc", "-rcip", "-rcfc", "-peer", "-fcoe", "-cna", "-nvme", "-fs"];
    if absent.iter().any(|option| invocation.has(option)) {
        return Ok(Outcome::Done(format!("{EMPTY}\n")));
    }
    let table = if invocation.has("-iscsivlans") {
        vlans(&ports)
    } else if invocation.has("-iscsi") {
        iscsi(&ports)
    } else if invocation.has("-iscsiname") {
        iscsi_names(&ports)
    } else if invocation.has("-state") {
        states(&ports)
    } else if invocation.has("-i") {
        inventory(&ports)
    } else if invocation.has("-c") {
        devices(&ports)
    } else if invocation.has("-par") {
        parameters(&ports)
    } else if invocation.has("-sfp") {
        transceivers(&ports)
    } else if invocation.has("-ids") {
        identifiers(&ports)
    } else {
        all(&ports)
    };
    invocation.print(&table, EMPTY)
}

/// The word for a link state of the WSAPI.
fn state(port: &PortRow) -> String {
    match u8::from(port.link_state) {
        1 => "config_wait",
        2 => "alpa_wait",
        3 => "login_wait",
        4 => "ready",
        5 => "loss_sync",
        6 => "error",
        _ => "offline",
    }
    .to_owned()
}

fn is_iscsi(port: &PortRow) -> bool {
    port.iscsi_port_info.is_some()
}

fn all(ports: &[PortRow]) -> Table {
    let columns = vec![
        Column::right("N:S:P"),
        Column::right("Mode"),
        Column::right("State"),
        Column::right("----Node_WWN----"),
        Column::right("-Port_WWN/HW_Addr-"),
        Column::right("Type"),
        Column::right("Protocol"),
        Column::right("Label"),
        Column::right("Partner"),
        Column::right("FailoverState"),
    ];
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports {
        let address = port.port_wwn.as_ref().or(port.hw_addr.as_ref());
        table.push(vec![
            port.port_pos.to_string(),
            "target".to_owned(),
            state(port),
            port.node_wwn.clone().unwrap_or_else(|| "-".to_owned()),
            address.cloned().unwrap_or_else(|| "-".to_owned()),
            if is_iscsi(port) { "iscsi" } else { "host" }.to_owned(),
            if is_iscsi(port) { "iSCSI" } else { "FC" }.to_owned(),
            if port.label.is_empty() { "-".to_owned() } else { port.label.clone() },
            port.partner_pos.to_string(),
            "none".to_owned(),
        ]);
    }
    table
}

fn iscsi(ports: &[PortRow]) -> Table {
    let titles = [
        "N:S:P",
        "State",
        "IPAddr",
        "Netmask/PrefixLen",
        "Gateway",
        "TPGT",
        "MTU",
        "Rate",
        "iSNS_Addr",
        "iSNS_Port",
        "STGT",
        "VLAN",
    ];
    let mut table = Table::new(titles.map(Column::right).to_vec()).with_total(Total::Line);
    for (port, info) in ports.iter().filter_map(|port| Some((port, port.iscsi_port_info.as_ref()?))) {
        table.push(vec![
            port.port_pos.to_string(),
            state(port),
            info.ip_addr.clone(),
            info.netmask.clone(),
            info.gateway.clone(),
            info.tpgt.to_string(),
            info.mtu.to_string(),
            info.rate.clone(),
            info.isns_addr.clone(),
            info.isns_port.to_string(),
            info.stgt.to_string(),
            if info.vlan == 1 { "Y" } else { "N" }.to_owned(),
        ]);
    }
    table
}

/// VLANs of iSCSI ports (columns observed).
fn vlans(ports: &[PortRow]) -> Table {
    let titles =
        ["N:S:P", "VLAN", "IPAddr", "Netmask/PrefixLen", "Gateway", "MTU", "TPGT", "STGT", "iSNS_Addr", "iSNS_Port"];
    let mut table = Table::new(titles.map(Column::right).to_vec()).with_total(Total::BareCount(0));
    for (port, vlan) in ports.iter().flat_map(|port| port.iscsi_vlans.iter().map(move |vlan| (port, vlan))) {
        table.push(vec![
            port.port_pos.to_string(),
            vlan.vlan_tag.to_string(),
            vlan.ip_addr.clone(),
            vlan.netmask.clone(),
            vlan.gateway.clone(),
            vlan.mtu.to_string(),
            vlan.tpgt.to_string(),
            vlan.stgt.to_string(),
            vlan.isns_addr.clone(),
            vlan.isns_port.to_string(),
        ]);
    }
    table
}

fn iscsi_names(ports: &[PortRow]) -> Table {
    let columns =
        vec![Column::right("N:S:P"), Column::left("IPAddr"), Column::left("---------------iSCSI_Name---------------")];
    let mut table = Table::new(columns).with_total(Total::Line);
    for (port, info) in ports.iter().filter_map(|port| Some((port, port.iscsi_port_info.as_ref()?))) {
        table.push(vec![port.port_pos.to_string(), info.ip_addr.clone(), info.iscsi_name.clone()]);
    }
    table
}

fn states(ports: &[PortRow]) -> Table {
    let columns = vec![Column::right("N:S:P"), Column::left("-State-"), Column::left("-Detailed_State-")];
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports {
        table.push(vec![port.port_pos.to_string(), state(port), "-".to_owned()]);
    }
    table
}

/// Adapters (layout observed; makes and versions are made up).
fn inventory(ports: &[PortRow]) -> Table {
    let mut columns = vec![Column::right("N:S:P")];
    columns.extend(["Brand", "Model", "Rev", "Firmware", "Serial", "HWType"].map(Column::left));
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports {
        let (model, firmware, kind) =
            if is_iscsi(port) { ("QLE8242", "4.15.2", "CNA") } else { ("QLE2672", "8.1.1", "FC") };
        let serial = format!("RFE{}{}", port.port_pos.node, port.port_pos.slot);
        let cells = [&port.port_pos.to_string(), "QLOGIC", model, "02", firmware, &serial, kind];
        table.push(cells.map(str::to_owned).to_vec());
    }
    table
}

/// Hosts that are logged in; a port with several has a row for each (layout observed).
fn devices(ports: &[PortRow]) -> Table {
    let mut columns = vec![Column::right("N:S:P"), Column::right("Mode"), Column::right("Device")];
    columns.extend(["Pos", "Config", "Topology", "Rate", "Cls", "Mode_change"].map(Column::right));
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports.iter().filter(|port| !is_iscsi(port)) {
        let none = vec!["-".to_owned()];
        let hosts = if port.device.is_empty() { &none } else { &port.device };
        for (index, host) in hosts.iter().enumerate() {
            let (position, mode) = if index == 0 { (port.port_pos.to_string(), "target") } else { (String::new(), "") };
            let cells = [&position, mode, host, "0", "valid", "fabric", "8Gbps", "3", "allowed"];
            let row = cells.map(str::to_owned).to_vec();
            if index == 0 { table.push(row) } else { table.push_continuation(row) }
        }
    }
    table
}

fn parameters(ports: &[PortRow]) -> Table {
    let titles = ["ConnType", "CfgRate", "MaxRate", "Class2", "UniqNodeWwn", "VCN", "IntCoal", "TMWO", "SmartSAN"]
        .map(Column::left);
    let mut columns = vec![Column::right("N:S:P"), Column::left("Connmode")];
    columns.extend(titles);
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports {
        let settings = if is_iscsi(port) {
            ["iscsi", "point", "10Gbps", "10Gbps", "n/a", "n/a", "n/a", "enabled", "n/a", "n/a"]
        } else {
            ["host", "point", "auto", "16Gbps", "disabled", "disabled", "disabled", "enabled", "disabled", "n/a"]
        };
        let position = port.port_pos.to_string();
        table.push(std::iter::once(position).chain(settings.map(str::to_owned)).collect());
    }
    table
}

fn transceivers(ports: &[PortRow]) -> Table {
    let mut columns = vec![Column::right("N:S:P")];
    columns.extend(
        ["-State-", "-Manufacturer-", "MaxSpeed(Gbps)", "TXDisable", "TXFault", "RXLoss", "DDM"].map(Column::left),
    );
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports {
        let lost = if u8::from(port.link_state) == 5 { "Yes" } else { "No" };
        let speed = if is_iscsi(port) { "10.3" } else { "17.0" };
        let cells = [&port.port_pos.to_string(), "OK", "AVAGO", speed, "No", "No", lost, "Yes"];
        table.push(cells.map(str::to_owned).to_vec());
    }
    table
}

fn identifiers(ports: &[PortRow]) -> Table {
    let columns = vec![Column::right("N:S:P"), Column::left("-Node_WWN-"), Column::left("-Port_WWN/iSCSI_Name-")];
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    for port in ports {
        let name = port.iscsi_name.as_ref().or(port.port_wwn.as_ref());
        table.push(vec![port.port_pos.to_string(), or_dashes(port.node_wwn.as_ref()), or_dashes(name)]);
    }
    table
}

/// Runs `showportdev`.
fn show_devices(invocation: &Invocation<'_>) -> Answer {
    let [what, positions @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    if !matches!(what.as_str(), "all" | "ns" | "loop" | "fabric" | "lldp" | "dcbx") {
        return Err(Outcome::refused(format!("Invalid subcommand: {what}")));
    }
    let ports = ports_wanted(invocation, positions)?;
    if matches!(what.as_str(), "lldp" | "dcbx" | "loop") {
        return Ok(Outcome::Done(format!("{EMPTY}\n")));
    }
    let mut columns = vec![Column::right("N:S:P"), Column::left("PtId"), Column::left("LpID"), Column::left("Hadr")];
    columns.extend(
        ["----Node_WWN----", "----Port_WWN----", "ftrs", "svpm", "bbct", "flen", "-svc-", "-dev_name-"]
            .map(Column::left),
    );
    let mut table = Table::new(columns).with_total(Total::BareCount(0));
    let hosts = invocation.read(|array| array.host_rows());
    for port in &ports {
        for (host, path) in hosts.iter().flat_map(|host| host.fc_paths.iter().map(move |path| (host, path))) {
            if path.port_pos != Some(port.port_pos) {
                continue;
            }
            let wwn = path.wwn.to_string();
            let cells = [
                &port.port_pos.to_string(),
                "0x10000",
                "0x0",
                "0x0",
                &wwn,
                &wwn,
                "0x8800",
                "0x0012",
                "n/a",
                "0x800",
                "scsi",
                host.name.as_str(),
            ];
            table.push(cells.map(str::to_owned).to_vec());
        }
    }
    invocation.print(&table, EMPTY)
}

/// Runs `showtarget`: nothing is connected to this array that it could import from.
fn show_targets(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    Ok(Outcome::Done("No targets listed\n".to_owned()))
}
