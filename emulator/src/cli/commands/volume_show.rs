//! `showvv` and `showvvcpg`: volumes.

use super::{
    Answer, Command, Invocation, Outcome, or_dashes,
    volume_columns::{
        ALERTS, COPY_PROGRESS, CPGS, DETAILS, FIELDS, GEOMETRY, HISTORY, POLICIES, RAW_SPACE, REMOTE_COPY, SPACE,
        STANDARD, STATE, Shown, provisioning,
    },
};
use crate::{
    array::{SetKind, VolumeRow},
    cli::{
        columns::{Layout, listing, names},
        pattern::{is_pattern, wanted, wanted_by},
        table::{Column, Table},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "showvv",
        "list volumes",
        "-d -s -space -r -pol -cpgalloc -state -hist -g -alert -cpprog -rcopy -notree -expired -retained -failed -p \
         -cpg=<CPG|pattern>[,...] -usrcpg=<CPG|pattern>[,...] -snpcpg=<CPG|pattern>[,...] -prov=<prov>[,...] \
         -type=<type>[,...] -copyof=<VV_name|pattern>[,...] -rw -ro -pattern=<pattern> -domain=<domain|pattern>[,...] \
         -listcols -showcols=<column>[,...] -sortcol=<column>[,inc|dec]",
        "[<VV_name>|<pattern>|set:<vvset>]...",
        show,
    ),
    Command::new(
        "showvvcpg",
        "list the space that volumes take from CPGs",
        "-domain=<domain|pattern>[,...]",
        "[<VV_name>|<pattern>]...",
        show_cpgs,
    ),
];

/// The forms of the listing, by the option that asks for each.
const FORMS: [(&str, &Layout); 13] = [
    ("-d", &DETAILS),
    ("-s", &SPACE),
    ("-space", &SPACE),
    ("-r", &RAW_SPACE),
    ("-pol", &POLICIES),
    ("-cpgalloc", &CPGS),
    ("-state", &STATE),
    ("-hist", &HISTORY),
    ("-g", &GEOMETRY),
    ("-alert", &ALERTS),
    ("-cpprog", &COPY_PROGRESS),
    ("-rcopy", &REMOTE_COPY),
    ("", &STANDARD),
];

/// Runs `showvv`.
fn show(invocation: &Invocation<'_>) -> Answer {
    if invocation.has("-listcols") {
        return Ok(Outcome::Done(names(&FIELDS)));
    }
    let volumes = volumes_wanted(invocation, invocation.operands())?;
    let volumes: Vec<_> = volumes.into_iter().filter(|row| is_wanted(row, invocation)).collect();
    let plain =
        invocation.has("-notree") || invocation.has("-sortcol") || invocation.options.style(invocation.style).csv;
    let shown = if plain { flat(volumes) } else { tree(volumes) };
    let layout =
        FORMS.iter().find(|(option, _)| option.is_empty() || invocation.has(option)).map_or(&STANDARD, |form| form.1);
    let table = listing(&invocation.options, &FIELDS, layout, &shown).map_err(Outcome::refused)?;
    invocation.print(&table, "no vv listed")
}

/// The volumes that operands name: names, patterns, `set:` and a volume set; all without operands.
///
/// # Errors
/// A refusal for a name without a volume.
pub(super) fn volumes_wanted(invocation: &Invocation<'_>, operands: &[String]) -> Result<Vec<VolumeRow>, Outcome> {
    let mut patterns = Vec::new();
    for operand in operands {
        match operand.strip_prefix("set:") {
            Some(set) => patterns.extend(super::sets::members(invocation, SetKind::Volume, set)?),
            None => patterns.push(operand.clone()),
        }
    }
    let mut rows = invocation.read(|array| array.volume_rows());
    for name in patterns.iter().filter(|name| !is_pattern(name)) {
        if !rows.iter().any(|row| row.name.as_str() == name) {
            return Err(Outcome::refused(format!("Invalid vv name: {name}")));
        }
    }
    rows.retain(|row| (operands.is_empty() || !patterns.is_empty()) && wanted_by(&patterns, row.name.as_str()));
    Ok(rows)
}

fn is_wanted(row: &VolumeRow, invocation: &Invocation<'_>) -> bool {
    let fits = |option: &str, text: String| wanted(invocation.value(option), &text);
    let cpg = row.user_cpg.as_ref().map(ToString::to_string).unwrap_or_default();
    let snap_cpg = row.snap_cpg.as_ref().map(ToString::to_string).unwrap_or_default();
    let of_cpg = fits("-cpg", cpg.clone()) || fits("-cpg", snap_cpg.clone());
    let kind = match row.copy_type {
        1 => "base",
        2 => "pcopy",
        _ => "vcopy",
    };
    of_cpg
        && fits("-usrcpg", cpg)
        && fits("-snpcpg", snap_cpg)
        && fits("-prov", provisioning(row))
        && fits("-type", kind.to_owned())
        && fits("-copyof", row.copy_of.as_ref().map(ToString::to_string).unwrap_or_default())
        && fits("-pattern", row.name.to_string())
        && fits("-domain", row.domain.as_ref().map(ToString::to_string).unwrap_or_default())
        && !(invocation.has("-rw") && row.read_only)
        && (!invocation.has("-ro") || row.read_only)
        && !(invocation.has("-retained") && row.retention_time_sec.is_none())
        && !(invocation.has("-failed") && row.state == 1)
        && (!invocation.has("-expired") || has_expired(row, invocation))
}

/// Whether a volume is past its time and may be removed with `-expired`.
pub(super) fn has_expired(row: &VolumeRow, invocation: &Invocation<'_>) -> bool {
    let now = invocation.read(|array| array.started_at().0 + array.now().as_secs());
    row.expiration_time_sec.is_some_and(|expires| expires <= now)
}

fn flat(rows: Vec<VolumeRow>) -> Vec<Shown> {
    rows.into_iter().map(|row| Shown { row, depth: 0 }).collect()
}

/// Each volume followed by its copies, which stand in one step.
fn tree(rows: Vec<VolumeRow>) -> Vec<Shown> {
    let is_root = |row: &VolumeRow| row.parent_id.is_none_or(|parent| !rows.iter().any(|other| other.id == parent));
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    let mut order = Vec::with_capacity(rows.len());
    for (index, _) in rows.iter().enumerate().filter(|(_, row)| is_root(row)) {
        waiting.push((index, 0));
        while let Some((at, depth)) = waiting.pop() {
            order.push((at, depth));
            let children = rows.iter().enumerate().rev().filter(|(_, row)| row.parent_id == Some(rows[at].id));
            waiting.extend(children.map(|(child, _)| (child, depth + 1)));
        }
    }
    let mut rows: Vec<Option<VolumeRow>> = rows.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(at, depth)| Some(Shown { row: rows[at].take()?, depth })).collect()
}

/// Runs `showvvcpg`.
fn show_cpgs(invocation: &Invocation<'_>) -> Answer {
    let volumes = volumes_wanted(invocation, invocation.operands())?;
    let volumes: Vec<_> = volumes.into_iter().filter(|row| is_wanted(row, invocation)).collect();
    let mut table = Table::new(vec![
        Column::left("Name"),
        Column::left("CPG"),
        Column::sum("Adm"),
        Column::sum("Snp"),
        Column::sum("Usr"),
    ]);
    for row in &volumes {
        table.push(vec![
            row.name.to_string(),
            row.user_cpg.as_ref().map_or_else(|| "---".to_owned(), |cpg| or_dashes(Some(cpg))),
            row.admin_space.reserved_mib.to_string(),
            row.snapshot_space.reserved_mib.to_string(),
            row.user_space.reserved_mib.to_string(),
        ]);
    }
    invocation.print(&table, "no vv listed")
}
