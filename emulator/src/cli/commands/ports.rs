//! `showport`: target ports.

use super::{Invocation, Outcome, dash, wanted};
use crate::{
    array::PortRow,
    cli::{
        options::Known,
        table::{Column, Table, Total},
    },
};

const KNOWN: Known = Known { flags: &["-i", "-iscsi", "-iscsiname", "-iscsivlans", "-state"], valued: &[] };

/// Runs `showport`.
pub(super) fn show(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(KNOWN)?;
    let patterns = (!options.operands.is_empty()).then(|| options.operands.join(","));
    let iscsi_only = options.has("-iscsi") || options.has("-iscsiname");
    let mut ports = invocation.read(|array| array.port_rows());
    ports.retain(|port| {
        wanted(patterns.as_deref(), &port.port_pos.to_string()) && (!iscsi_only || port.iscsi_port_info.is_some())
    });
    // No port of this array has VLANs.
    if ports.is_empty() || options.has("-iscsivlans") {
        return Ok(Outcome::Done("no ports listed\n".to_owned()));
    }
    let table = if options.has("-iscsi") {
        iscsi(&ports)
    } else if options.has("-iscsiname") {
        iscsi_names(&ports)
    } else {
        all(&ports)
    };
    Ok(Outcome::Done(table.render(options.style(invocation.style))))
}

/// The word for a link state of the WSAPI.
fn state(port: &PortRow) -> String {
    match u8::from(port.link_state) {
        4 => "ready",
        5 => "loss_sync",
        _ => "offline",
    }
    .to_owned()
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
        let is_iscsi = port.iscsi_port_info.is_some();
        let address = port.port_wwn.as_ref().or(port.hw_addr.as_ref());
        table.push(vec![
            port.port_pos.to_string(),
            "target".to_owned(),
            state(port),
            port.node_wwn.clone().unwrap_or_else(|| "-".to_owned()),
            address.cloned().unwrap_or_else(|| "-".to_owned()),
            if is_iscsi { "iscsi" } else { "host" }.to_owned(),
            if is_iscsi { "iSCSI" } else { "FC" }.to_owned(),
            if port.label.is_empty() { "-".to_owned() } else { dash(&port.label) },
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

fn iscsi_names(ports: &[PortRow]) -> Table {
    let columns =
        vec![Column::right("N:S:P"), Column::left("IPAddr"), Column::left("---------------iSCSI_Name---------------")];
    let mut table = Table::new(columns).with_total(Total::Line);
    for (port, info) in ports.iter().filter_map(|port| Some((port, port.iscsi_port_info.as_ref()?))) {
        table.push(vec![port.port_pos.to_string(), info.ip_addr.clone(), info.iscsi_name.clone()]);
    }
    table
}
