//! The management network: `shownet`.

use super::{Answer, Command, Invocation, Outcome};
use crate::cli::table::{Column, Table, Total};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("shownet", "show the management network", "-d", "", show),
    Command::new("showsnmpmgr", "list SNMP managers", "-p", "", show_snmp),
];

/// Runs `shownet` (layout observed).
fn show(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let address = invocation.read(|array| array.system_row()["IPv4Addr"].as_str().unwrap_or("127.0.0.1").to_owned());
    let mut columns = vec![Column::left("IP Address"), Column::right("Netmask/PrefixLen"), Column::right("Nodes")];
    columns.extend([Column::right("Active"), Column::right("Speed")]);
    columns.extend(["Duplex", "AutoNeg", "Status", "Mode"].map(Column::left));
    let mut table = Table::new(columns).with_total(Total::None);
    let cells = [&address, "255.0.0.0", "01", "0", "1000", "Full", "Yes", "Active", "Static"];
    table.push(cells.map(str::to_owned).to_vec());
    let mut text = table.render(invocation.options.style(invocation.style));
    text.push('\n');
    for name in ["Default IPv4 route", "Default IPv6 route", "NTP server", "DNS server"] {
        text.push_str(&format!("{name:<18} : {:>42}\n", "None"));
    }
    Ok(Outcome::Done(text))
}

/// Runs `showsnmpmgr`: there are none.
fn show_snmp(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    Ok(Outcome::Done("No SNMP managers listed\n".to_owned()))
}
