//! `showhost`: hosts and their paths.

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::{Array, HostRow, Persona, PortPos, SetKind},
    cli::{
        pattern::{is_pattern, wanted, wanted_by},
        table::{Column, Table},
    },
};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "showhost",
    "list hosts and their paths",
    "-d -verbose -chap -desc -agent -pathsum -persona -listpersona -noname -lesb -domain=<domain|pattern>[,...]",
    "[<host>|<pattern>|set:<hostset>]...",
    show,
)];

/// Refuses a host or `set:` host set that does not exist.
pub(super) fn check_exists(array: &Array, name: &str) -> Result<(), Outcome> {
    match name.strip_prefix("set:") {
        Some(set) if array.set_row(SetKind::Host, set).is_err() => {
            Err(Outcome::refused(format!("host set {set} does not exist")))
        }
        None if array.host(name).is_err() => Err(Outcome::refused(format!("host {name} does not exist"))),
        _ => Ok(()),
    }
}

/// The hosts that operands name: names, patterns, `set:` and a host set; all without operands.
///
/// # Errors
/// A refusal for a name without a host or host set.
pub(super) fn hosts_wanted(invocation: &Invocation<'_>, operands: &[String]) -> Result<Vec<HostRow>, Outcome> {
    let mut patterns = Vec::new();
    for operand in operands {
        if !is_pattern(operand) {
            invocation.read(|array| check_exists(array, operand))?;
        }
        match operand.strip_prefix("set:") {
            Some(set) => patterns.extend(super::sets::members(invocation, SetKind::Host, set)?),
            None => patterns.push(operand.clone()),
        }
    }
    let mut rows = invocation.read(|array| array.host_rows());
    rows.retain(|row| (operands.is_empty() || !patterns.is_empty()) && wanted_by(&patterns, row.name.as_str()));
    Ok(rows)
}

/// Runs `showhost`.
fn show(invocation: &Invocation<'_>) -> Answer {
    if invocation.has("-listpersona") {
        return personas(invocation);
    }
    let mut hosts = hosts_wanted(invocation, invocation.operands())?;
    hosts.retain(|host| {
        let domain = host.domain.as_ref().map(ToString::to_string).unwrap_or_default();
        wanted(invocation.value("-domain"), &domain)
    });
    let table = if invocation.has("-noname") {
        // Every initiator that is logged in belongs to a host or has no row on this array.
        return Ok(Outcome::Done("no hosts listed\n".to_owned()));
    } else if invocation.has("-chap") {
        chap(&hosts)
    } else if invocation.has("-desc") {
        return descriptors(&hosts);
    } else if invocation.has("-agent") {
        agents(&hosts)
    } else if invocation.has("-pathsum") {
        path_summary(&hosts)
    } else if invocation.has("-persona") {
        capabilities(&hosts)
    } else if invocation.has("-lesb") {
        link_errors(&hosts)
    } else {
        paths(&hosts, invocation.has("-d") || invocation.has("-verbose"))
    };
    invocation.print(&table, "no hosts listed")
}

/// An initiator, the port it is logged in on, its address.
type PathCells = (String, String, String);

fn path_cells(host: &HostRow) -> Vec<PathCells> {
    let port = |position: Option<PortPos>| position.map_or_else(|| "---".to_owned(), |position| position.to_string());
    let fc = host.fc_paths.iter().map(|path| (path.wwn.to_string(), port(path.port_pos), "n/a".to_owned()));
    let iscsi = host.iscsi_paths.iter().map(|path| {
        let address = if path.port_pos.is_some() { path.ip_addr.clone() } else { "n/a".to_owned() };
        (path.name.to_string(), port(path.port_pos), address)
    });
    fc.chain(iscsi).collect()
}

/// The standard form names a host in the first row of its paths only; `-d` in every row, with the address (observed).
fn paths(hosts: &[HostRow], detailed: bool) -> Table {
    let mut columns = vec![
        Column::right("Id"),
        Column::left("Name"),
        Column::left("Persona"),
        Column::left("-WWN/iSCSI_Name-"),
        Column::left("Port"),
    ];
    columns.extend(detailed.then(|| Column::left("IP_addr")));
    let mut table = Table::new(columns);
    for host in hosts {
        let mut cells = path_cells(host);
        if cells.is_empty() {
            cells.push(("--".to_owned(), "---".to_owned(), "n/a".to_owned()));
        }
        for (index, (initiator, port, address)) in cells.into_iter().enumerate() {
            let mut row = vec![host.id.to_string(), host.name.to_string(), host.persona.name().to_owned()];
            if index > 0 && !detailed {
                row = vec![String::new(); 3];
            }
            row.extend([initiator, port]);
            row.extend(detailed.then_some(address));
            if index == 0 { table.push(row) } else { table.push_continuation(row) }
        }
    }
    table
}

/// Names of CHAP accounts; secrets are never shown.
fn chap(hosts: &[HostRow]) -> Table {
    let columns = ["-Initiator_CHAP_Name-", "-Target_CHAP_Name-"].map(Column::left);
    let mut all = vec![Column::right("Id"), Column::left("Name")];
    all.extend(columns);
    let mut table = Table::new(all);
    for host in hosts {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "--".to_owned());
        table.push(vec![
            host.id.to_string(),
            host.name.to_string(),
            name(&host.initiator_chap_name),
            name(&host.target_chap_name),
        ]);
    }
    table
}

fn descriptors(hosts: &[HostRow]) -> Answer {
    if hosts.is_empty() {
        return Ok(Outcome::Done("no hosts listed\n".to_owned()));
    }
    let mut text = String::new();
    for host in hosts {
        let held = host.descriptors.clone().unwrap_or_default();
        text.push_str(&format!("---------- Host {} ----------\n", host.name));
        for (title, value) in [
            ("Name", Some(host.name.to_string())),
            ("Domain", host.domain.as_ref().map(ToString::to_string)),
            ("Id", Some(host.id.to_string())),
            ("Location", held.location),
            ("IP Address", held.ip_addr),
            ("OS", held.os),
            ("Model", held.model),
            ("Contact", held.contact),
            ("Comment", held.comment),
        ] {
            text.push_str(&format!("{title:<10} : {}\n", value.unwrap_or_else(|| "--".to_owned())));
        }
    }
    Ok(Outcome::Done(text))
}

fn agents(hosts: &[HostRow]) -> Table {
    let mut table = Table::new(
        ["Name", "-Reported_Name-", "-Agent_Rev-", "-IP_Addr-", "-OS-", "-OS_Rev-", "-OS_Patch-"]
            .map(Column::left)
            .to_vec(),
    );
    for host in hosts {
        let held = host.descriptors.clone().unwrap_or_default();
        let or_dashes = |text: Option<String>| text.unwrap_or_else(|| "--".to_owned());
        let mut row = vec![host.name.to_string(), "--".to_owned(), "--".to_owned()];
        row.extend([or_dashes(held.ip_addr), or_dashes(held.os), "--".to_owned(), "--".to_owned()]);
        table.push(row);
    }
    table
}

fn path_summary(hosts: &[HostRow]) -> Table {
    let mut table = Table::new(vec![
        Column::right("Id"),
        Column::left("Name"),
        Column::left("Persona"),
        Column::right("Initiators"),
        Column::right("Paths"),
        Column::left("Ports"),
    ]);
    for host in hosts {
        let cells = path_cells(host);
        let mut initiators: Vec<_> = cells.iter().map(|(initiator, ..)| initiator).collect();
        initiators.dedup();
        let ports: Vec<_> =
            cells.iter().filter(|(_, port, _)| port != "---").map(|(_, port, _)| port.as_str()).collect();
        table.push(vec![
            host.id.to_string(),
            host.name.to_string(),
            host.persona.name().to_owned(),
            initiators.len().to_string(),
            ports.len().to_string(),
            if ports.is_empty() { "---".to_owned() } else { ports.join(",") },
        ]);
    }
    table
}

/// What a persona does (1.2 guide p. 55).
fn persona_capabilities(persona: Persona) -> &'static str {
    match persona {
        Persona::Generic => "UARepLun,SESLun",
        Persona::GenericAlua => "UARepLun,RTPG,SESLun",
        Persona::WindowsServer => "UARepLun,RTPG,SESLun,WSC",
        Persona::HpuxLegacy | Persona::Hpux => "VolSetAddr,Lun0SCC",
        Persona::AixLegacy => "NACA",
        Persona::AixAlua => "NACA,RTPG",
        Persona::Egenera => "SoftInq",
        Persona::OntapLegacy => "SoftInq",
        Persona::Vmware => "SubLun,RTPG",
        Persona::OpenVms => "UARepLun,RTPG,SESLun,Lun0SCC",
        Persona::GenericLegacy => "--",
    }
}

fn capabilities(hosts: &[HostRow]) -> Table {
    let mut table = Table::new(vec![
        Column::right("Id"),
        Column::left("Name"),
        Column::right("Persona_Id"),
        Column::left("Persona_Name"),
        Column::left("Persona_Caps"),
    ]);
    for host in hosts {
        table.push(vec![
            host.id.to_string(),
            host.name.to_string(),
            host.persona.cli_number().to_string(),
            host.persona.name().to_owned(),
            persona_capabilities(host.persona).to_owned(),
        ]);
    }
    table
}

fn personas(invocation: &Invocation<'_>) -> Answer {
    let columns = vec![Column::right("Persona_Id"), Column::left("Persona_Name"), Column::left("Persona_Caps")];
    let mut table = Table::new(columns);
    for persona in (0..=u8::MAX).filter_map(Persona::from_cli) {
        table.push(vec![
            persona.cli_number().to_string(),
            persona.name().to_owned(),
            persona_capabilities(persona).to_owned(),
        ]);
    }
    invocation.print(&table, "no personas listed")
}

/// Fibre Channel link errors: this array's links have none.
fn link_errors(hosts: &[HostRow]) -> Table {
    let titles = ["ALPA", "LinkFail", "LossSync", "LossSig", "PrimSeq", "InvWord", "InvCRC"];
    let mut columns = vec![Column::right("Id"), Column::left("Name"), Column::left("-Host_WWN-"), Column::left("Port")];
    columns.extend(titles.map(Column::right));
    let mut table = Table::new(columns);
    for host in hosts {
        for path in &host.fc_paths {
            let Some(port) = path.port_pos else { continue };
            let mut row = vec![host.id.to_string(), host.name.to_string(), path.wwn.to_string(), port.to_string()];
            row.push("0x0".to_owned());
            row.extend(std::iter::repeat_n("0".to_owned(), titles.len() - 1));
            table.push(row);
        }
    }
    table
}
