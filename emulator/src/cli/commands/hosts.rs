//! `showhost` and `showhostset`.

use super::{Invocation, Outcome, is_pattern, wanted};
use crate::{
    array::{Array, HostRow, PortPos, SetKind, SetRow},
    cli::{
        options::Known,
        table::{Column, Table, Total},
    },
};

const SHOW: Known = Known { flags: &["-d", "-verbose"], valued: &["-domain"] };
const SHOW_SETS: Known = Known { flags: &["-d"], valued: &["-host", "-domain"] };

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

/// Runs `showhost`.
pub(super) fn show(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(SHOW)?;
    for name in options.operands.iter().filter(|name| !is_pattern(name)) {
        invocation.read(|array| check_exists(array, name))?;
    }
    let patterns = (!options.operands.is_empty()).then(|| options.operands.join(","));
    let mut hosts = invocation.read(|array| array.host_rows());
    hosts.retain(|host| {
        let domain = host.domain.as_ref().map(ToString::to_string).unwrap_or_default();
        wanted(patterns.as_deref(), host.name.as_str()) && wanted(options.value("-domain"), &domain)
    });
    if hosts.is_empty() {
        return Ok(Outcome::Done("no hosts listed\n".to_owned()));
    }
    let mut table = Table::new(vec![
        Column::right("Id"),
        Column::left("Name"),
        Column::left("Persona"),
        Column::left("-WWN/iSCSI_Name-"),
        Column::left("Port"),
    ]);
    for host in &hosts {
        push_host(&mut table, host);
    }
    Ok(Outcome::Done(table.render(options.style(invocation.style))))
}

/// One row per path; only the first names the host.
fn push_host(table: &mut Table, host: &HostRow) {
    let port = |position: Option<PortPos>| position.map_or_else(|| "---".to_owned(), |position| position.to_string());
    let fc = host.fc_paths.iter().map(|path| (path.wwn.to_string(), port(path.port_pos)));
    let iscsi = host.iscsi_paths.iter().map(|path| (path.name.to_string(), port(path.port_pos)));
    let mut paths = fc.chain(iscsi);
    let (initiator, position) = paths.next().unwrap_or_else(|| ("--".to_owned(), "---".to_owned()));
    let persona = host.persona.name().to_owned();
    table.push(vec![host.id.to_string(), host.name.to_string(), persona, initiator, position]);
    for (initiator, position) in paths {
        table.push_continuation(vec![String::new(), String::new(), String::new(), initiator, position]);
    }
}

/// Runs `showhostset`; `-host` lists the sets that a host is in.
pub(super) fn show_sets(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(SHOW_SETS)?;
    let patterns = (!options.operands.is_empty()).then(|| options.operands.join(","));
    let mut sets = invocation.read(|array| array.set_rows(SetKind::Host));
    sets.retain(|set| {
        let has_host = |patterns: &str| set.setmembers.iter().any(|member| wanted(Some(patterns), member));
        wanted(patterns.as_deref(), set.name.as_str()) && options.value("-host").is_none_or(has_host)
    });
    if sets.is_empty() {
        return Ok(Outcome::Done("No host set listed\n".to_owned()));
    }
    let columns = vec![Column::right("Id"), Column::left("Name"), Column::left("Members")];
    let mut table = Table::new(columns).with_total(Total::Count(0));
    for set in &sets {
        push_set(&mut table, set);
    }
    Ok(Outcome::Done(table.render(options.style(invocation.style))))
}

/// One row per member; only the first names the set.
fn push_set(table: &mut Table, set: &SetRow) {
    let mut members = set.setmembers.iter();
    let first = members.next().cloned().unwrap_or_else(|| "---".to_owned());
    table.push(vec![set.id.to_string(), set.name.to_string(), first]);
    for member in members {
        table.push_continuation(vec![String::new(), String::new(), member.clone()]);
    }
}
