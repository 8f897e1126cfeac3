//! Domains: `showdomain`, `showdomainset`.

use super::{Answer, Command, Invocation, Outcome};
use crate::cli::{
    pattern::wanted_by,
    table::{Column, Table},
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("showdomain", "list domains", "-d", "[<domain>|<pattern>]...", show),
    Command::new("showdomainset", "list domain sets", "-d -domain", "[<set>|<pattern>]...", show_sets),
];

/// Runs `showdomain`.
fn show(invocation: &Invocation<'_>) -> Answer {
    let created = invocation.read(|array| array.started_at().with_zone_name());
    let mut columns = vec![Column::right("ID"), Column::left("-Domain-"), Column::left("-----CreationTime-----")];
    columns.extend(invocation.has("-d").then(|| Column::left("Comments")));
    let mut table = Table::new(columns);
    let domains = invocation.read(|array| array.domains().to_vec());
    for (id, domain) in (1..).zip(&domains) {
        if wanted_by(invocation.operands(), domain.as_str()) {
            let id: u32 = id;
            let mut row = vec![id.to_string(), domain.to_string(), created.clone()];
            row.extend(invocation.has("-d").then(|| "--".to_owned()));
            table.push(row);
        }
    }
    invocation.print(&table, "No domains listed")
}

/// Runs `showdomainset`: there are none.
fn show_sets(_invocation: &Invocation<'_>) -> Answer {
    Ok(Outcome::Done("No domain set listed\n".to_owned()))
}
