//! `showvv`: volumes.

use super::{Invocation, Outcome, is_pattern, wanted};
use crate::{
    array::VolumeRow,
    cli::{
        options::{Known, Options},
        table::{Column, Table},
    },
};

const KNOWN: Known =
    Known { flags: &["-notree", "-listcols", "-p"], valued: &["-showcols", "-cpg", "-prov", "-domain"] };

/// A column: its name and how its cell is made.
struct Field {
    name: &'static str,
    right: bool,
    cell: fn(&VolumeRow) -> String,
}

/// Columns for `-showcols`, by the names of the command line reference.
const FIELDS: [Field; 18] = [
    Field { name: "Id", right: true, cell: |row| row.id.to_string() },
    Field { name: "Name", right: false, cell: |row| row.name.to_string() },
    Field { name: "Prov", right: false, cell: provisioning },
    Field { name: "Type", right: false, cell: copy_type },
    Field { name: "CopyOf", right: false, cell: copy_of },
    Field { name: "BsId", right: true, cell: |row| row.base_id.to_string() },
    Field { name: "Rd", right: false, cell: |row| if row.read_only { "RO" } else { "RW" }.to_owned() },
    Field { name: "State", right: false, cell: |_| "normal".to_owned() },
    Field { name: "Detailed_State", right: false, cell: |_| "normal".to_owned() },
    Field { name: "Adm_Rsvd_MB", right: true, cell: |row| row.admin_space.reserved_mib.to_string() },
    Field { name: "Snp_Rsvd_MB", right: true, cell: |row| row.snapshot_space.reserved_mib.to_string() },
    Field { name: "Usr_Rsvd_MB", right: true, cell: |row| row.user_space.reserved_mib.to_string() },
    Field { name: "Usr_Used_MB", right: true, cell: |row| row.user_space.used_mib.to_string() },
    Field { name: "VSize_MB", right: true, cell: |row| row.size_mib.to_string() },
    Field { name: "VV_WWN", right: false, cell: |row| row.wwn.to_string() },
    Field { name: "UsrCPG", right: false, cell: |row| name_or_dashes(row.user_cpg.as_ref()) },
    Field { name: "SnpCPG", right: false, cell: |row| name_or_dashes(row.snap_cpg.as_ref()) },
    Field { name: "Comment", right: false, cell: |row| row.comment.clone().unwrap_or_else(|| "-".to_owned()) },
];

fn provisioning(row: &VolumeRow) -> String {
    let word = row.provisioning_type.cli_word();
    // Full provisioning shows as cpvv when there is snapshot space (observed).
    if word == "full" && row.snap_cpg.is_some() { "cpvv".to_owned() } else { word.to_owned() }
}

fn copy_type(row: &VolumeRow) -> String {
    match row.copy_type {
        1 => "base",
        2 => "pcopy",
        _ => "vcopy",
    }
    .to_owned()
}

fn copy_of(row: &VolumeRow) -> String {
    row.copy_of.as_ref().map_or_else(|| "---".to_owned(), ToString::to_string)
}

fn name_or_dashes<T: ToString>(name: Option<&T>) -> String {
    name.map_or_else(|| "--".to_owned(), ToString::to_string)
}

/// Runs `showvv`.
pub(super) fn show(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(KNOWN)?;
    if options.has("-listcols") {
        let names: String = FIELDS.iter().map(|field| format!("{}\n", field.name)).collect();
        return Ok(Outcome::Done(names));
    }
    let rows = invocation.read(|array| array.volume_rows());
    for name in options.operands.iter().filter(|name| !is_pattern(name)) {
        if !rows.iter().any(|row| row.name.as_str() == name) {
            return Err(Outcome::refused(format!("Invalid vv name: {name}")));
        }
    }
    let patterns = (!options.operands.is_empty()).then(|| options.operands.join(","));
    let rows: Vec<_> = rows.iter().filter(|row| is_wanted(row, patterns.as_deref(), &options)).collect();
    if rows.is_empty() {
        return Ok(Outcome::Done("no vv listed\n".to_owned()));
    }
    let style = options.style(invocation.style);
    let table = match options.value("-showcols") {
        Some(names) => chosen(&rows, names)?,
        None => standard(&rows),
    };
    Ok(Outcome::Done(table.render(style)))
}

fn is_wanted(row: &VolumeRow, patterns: Option<&str>, options: &Options) -> bool {
    let cpg = row.user_cpg.as_ref().map(ToString::to_string).unwrap_or_default();
    let domain = row.domain.as_ref().map(ToString::to_string).unwrap_or_default();
    wanted(patterns, row.name.as_str())
        && wanted(options.value("-cpg"), &cpg)
        && wanted(options.value("-prov"), &provisioning(row))
        && wanted(options.value("-domain"), &domain)
}

/// The columns asked for, with their full names.
fn chosen(rows: &[&VolumeRow], names: &str) -> Result<Table, Outcome> {
    let mut fields = Vec::new();
    for name in names.split(',') {
        let field = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(name.trim()));
        fields.push(field.ok_or_else(|| Outcome::refused(format!("Invalid column name: {name}")))?);
    }
    let column = |field: &&Field| if field.right { Column::right(field.name) } else { Column::left(field.name) };
    let mut table = Table::new(fields.iter().map(column).collect());
    for row in rows {
        table.push(fields.iter().map(|field| (field.cell)(row)).collect());
    }
    Ok(table)
}

/// The standard layout, with a line of group names (observed).
fn standard(rows: &[&VolumeRow]) -> Table {
    let mut table = Table::new(vec![
        Column::right("Id"),
        Column::left("Name"),
        Column::left("Prov"),
        Column::left("Type"),
        Column::left("CopyOf"),
        Column::right("BsId"),
        Column::left("Rd"),
        Column::left("-Detailed_State-"),
        Column::right("Adm"),
        Column::right("Snp"),
        Column::right("Usr"),
        Column::right("VSize"),
    ])
    .with_groups(&[
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (3, "--Rsvd(MB)---"),
        (1, "-(MB)-"),
    ]);
    for row in rows {
        table.push(vec![
            row.id.to_string(),
            row.name.to_string(),
            provisioning(row),
            copy_type(row),
            copy_of(row),
            row.base_id.to_string(),
            if row.read_only { "RO" } else { "RW" }.to_owned(),
            "normal".to_owned(),
            row.admin_space.reserved_mib.to_string(),
            row.snapshot_space.reserved_mib.to_string(),
            row.user_space.reserved_mib.to_string(),
            row.size_mib.to_string(),
        ]);
    }
    table
}
