//! `showvlun`: VLUN templates and active VLUNs.

use super::{Invocation, Outcome, dash, is_pattern, wanted};
use crate::{
    array::{VlunFilter, VlunRow},
    cli::{
        options::{Known, Options},
        table::{Column, Table},
    },
};

const KNOWN: Known = Known {
    flags: &["-t", "-a", "-lvw", "-listcols"],
    valued: &["-host", "-v", "-l", "-showcols", "-nodes", "-slots", "-ports", "-domain"],
};

/// What prints for an initiator or port that a template does not have.
const NO_INITIATOR: &str = "----------------";

/// A column: its name for `-showcols`, its title in the standard layout, how its cell is made.
struct Field {
    name: &'static str,
    title: &'static str,
    right: bool,
    cell: fn(&VlunRow) -> String,
}

const FIELDS: [Field; 7] = [
    Field { name: "Lun", title: "Lun", right: true, cell: |row| row.lun.to_string() },
    Field { name: "VVName", title: "VVName", right: false, cell: |row| row.volume_name.to_string() },
    Field { name: "VV_WWN", title: "VV_WWN", right: false, cell: |row| row.volume_wwn.to_string() },
    Field {
        name: "HostName",
        title: "HostName",
        right: false,
        cell: |row| dash(row.hostname.as_deref().unwrap_or_default()),
    },
    Field {
        name: "Host_WWN/iSCSI_Name",
        title: "-Host_WWN/iSCSI_Name-",
        right: false,
        cell: |row| row.remote_name.clone().unwrap_or_else(|| NO_INITIATOR.to_owned()),
    },
    Field {
        name: "Port",
        title: "Port",
        right: true,
        cell: |row| row.port_pos.map_or_else(|| "---".to_owned(), |position| position.to_string()),
    },
    Field { name: "Type", title: "Type", right: true, cell: |row| row.kind.cli_word().to_owned() },
];

/// Runs `showvlun`.
pub(super) fn show(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(KNOWN)?;
    if options.has("-listcols") {
        let names: String = FIELDS.iter().map(|field| format!("{}\n", field.name)).collect();
        return Ok(Outcome::Done(names));
    }
    check_operands(invocation, &options)?;
    let fields = fields(&options)?;
    let rows = invocation.read(|array| array.vlun_rows(&VlunFilter::default()));
    let rows: Vec<_> = rows.into_iter().filter(|row| is_wanted(row, &options)).collect();

    let style = options.style(invocation.style);
    let block = |active: bool| {
        let mut table =
            Table::new(fields.iter().map(|field| column(field, options.value("-showcols").is_some())).collect());
        for row in rows.iter().filter(|row| row.active == active) {
            table.push(fields.iter().map(|field| (field.cell)(row)).collect());
        }
        if table.is_empty() { "no vluns listed\n".to_owned() } else { table.render(style) }
    };
    Ok(Outcome::Done(match (options.has("-a"), options.has("-t")) {
        (true, false) => block(true),
        (false, true) => block(false),
        _ => format!("Active VLUNs\n{}\nVLUN Templates\n{}", block(true), block(false)),
    }))
}

/// Refuses a volume, host or host set that is named exactly and does not exist.
fn check_operands(invocation: &Invocation<'_>, options: &Options) -> Result<(), Outcome> {
    if let Some(volume) = options.value("-v").filter(|name| !is_pattern(name)) {
        let known = invocation.read(|array| array.volume(volume).is_ok());
        if !known {
            return Err(Outcome::refused(format!("Invalid vv name: {volume}")));
        }
    }
    if let Some(host) = options.value("-host").filter(|name| !is_pattern(name)) {
        invocation.read(|array| super::hosts::check_exists(array, host))?;
    }
    Ok(())
}

fn is_wanted(row: &VlunRow, options: &Options) -> bool {
    let host = row.hostname.as_deref().unwrap_or_default();
    let part = |option: &str, part: fn(crate::array::PortPos) -> u8| {
        options
            .value(option)
            .is_none_or(|list| row.port_pos.is_some_and(|position| wanted(Some(list), &part(position).to_string())))
    };
    wanted(options.value("-v"), row.volume_name.as_str())
        && wanted(options.value("-host"), host)
        && wanted(options.value("-l"), &row.lun.to_string())
        && part("-nodes", |position| position.node)
        && part("-slots", |position| position.slot)
        && part("-ports", |position| position.card_port)
}

/// The columns asked for, or those of the standard layout.
fn fields(options: &Options) -> Result<Vec<&'static Field>, Outcome> {
    let Some(names) = options.value("-showcols") else {
        return Ok(FIELDS.iter().filter(|field| field.name != "VV_WWN" || options.has("-lvw")).collect());
    };
    names
        .split(',')
        .map(|name| {
            FIELDS
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name.trim()))
                .ok_or_else(|| Outcome::refused(format!("Invalid column name: {name}")))
        })
        .collect()
}

/// With `-showcols` the header has the plain names.
fn column(field: &Field, plain: bool) -> Column {
    let title = if plain { field.name } else { field.title };
    if field.right { Column::right(title) } else { Column::left(title) }
}
