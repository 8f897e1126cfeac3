//! `showvlun`: VLUN templates and active VLUNs.

use super::{Answer, Command, Invocation, Outcome, dash, host_show::check_exists};
use crate::{
    array::{PortPos, VlunFilter, VlunRow},
    cli::{
        columns::{Field, Layout, left, listing, names, right},
        pattern::{is_pattern, wanted},
    },
};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "showvlun",
    "list VLUNs",
    "-t -a -lvw -pathsum -hostsum -host=<host|pattern|set:hostset>[,...] -v=<VV_name|pattern|set:vvset>[,...] -l=<LUN|pattern>[,...] \
     -nodes=<node>[,...] -slots=<slot>[,...] -ports=<port>[,...] -domain=<domain>[,...] -listcols \
     -showcols=<column>[,...] -sortcol=<column>[,inc|dec]",
    "",
    show,
)];

/// What prints for an initiator or port that a template does not have.
const NO_INITIATOR: &str = "----------------";

const FIELDS: [Field<VlunRow>; 10] = [
    right("Lun", |row| row.lun.to_string()),
    left("VVName", |row| row.volume_name.to_string()),
    left("VV_WWN", |row| row.volume_wwn.to_string()),
    left("HostName", |row| dash(row.hostname.as_deref().unwrap_or_default())),
    left("Host_WWN/iSCSI_Name", |row| row.remote_name.clone().unwrap_or_else(|| NO_INITIATOR.to_owned())),
    right("Port", |row| row.port_pos.map_or_else(|| "---".to_owned(), |position| position.to_string())),
    right("Type", |row| row.kind.cli_word().to_owned()),
    left("Status", |row| if row.active { "active" } else { "---" }.to_owned()),
    right("ID", |row| row.generation.0.to_string()),
    left("FailedPathPol", |_| "---".to_owned()),
];

const STANDARD: Layout = Layout {
    groups: &[],
    columns: &[
        ("Lun", "Lun"),
        ("VVName", "VVName"),
        ("HostName", "HostName"),
        ("Host_WWN/iSCSI_Name", "-Host_WWN/iSCSI_Name-"),
        ("Port", "Port"),
        ("Type", "Type"),
    ],
};

/// The layout of `-lvw`, with the world wide name of the volume.
const WITH_WWN: Layout = Layout {
    groups: &[],
    columns: &[
        ("Lun", "Lun"),
        ("VVName", "VVName"),
        ("VV_WWN", "VV_WWN"),
        ("HostName", "HostName"),
        ("Host_WWN/iSCSI_Name", "-Host_WWN/iSCSI_Name-"),
        ("Port", "Port"),
        ("Type", "Type"),
    ],
};

/// Runs `showvlun`.
fn show(invocation: &Invocation<'_>) -> Answer {
    if invocation.has("-listcols") {
        return Ok(Outcome::Done(names(&FIELDS)));
    }
    invocation.no_operands()?;
    check_operands(invocation)?;
    let volumes = volumes_wanted(invocation)?;
    let rows = invocation.read(|array| array.vlun_rows(&VlunFilter::default()));
    let rows: Vec<_> = rows.into_iter().filter(|row| is_wanted(row, volumes.as_deref(), invocation)).collect();
    if invocation.has("-pathsum") || invocation.has("-hostsum") {
        return super::vlun_summary::show(invocation, &rows);
    }
    let layout = if invocation.has("-lvw") { &WITH_WWN } else { &STANDARD };
    let style = invocation.options.style(invocation.style);
    let block = |active: bool| {
        let rows: Vec<_> = rows.iter().filter(|row| row.active == active).cloned().collect();
        let table = listing(&invocation.options, &FIELDS, layout, &rows).map_err(Outcome::refused)?;
        Ok(if table.is_empty() { "no vluns listed\n".to_owned() } else { table.render(style) })
    };
    Ok(Outcome::Done(match (invocation.has("-a"), invocation.has("-t")) {
        (true, false) => block(true)?,
        (false, true) => block(false)?,
        _ => format!("Active VLUNs\n{}\nVLUN Templates\n{}", block(true)?, block(false)?),
    }))
}

/// Refuses a volume, host or host set that is named exactly and does not exist.
fn check_operands(invocation: &Invocation<'_>) -> Result<(), Outcome> {
    if let Some(volume) = invocation.value("-v").filter(|name| !is_pattern(name) && !name.starts_with("set:")) {
        let known = invocation.read(|array| array.volume(volume).is_ok());
        if !known {
            return Err(Outcome::refused(format!("Invalid vv name: {volume}")));
        }
    }
    if let Some(host) = invocation.value("-host").filter(|name| !is_pattern(name)) {
        invocation.read(|array| check_exists(array, host))?;
    }
    Ok(())
}

/// The patterns of `-v`, with every volume set replaced by its members.
fn volumes_wanted(invocation: &Invocation<'_>) -> Result<Option<String>, Outcome> {
    let Some(wish) = invocation.value("-v") else { return Ok(None) };
    let mut patterns = Vec::new();
    for word in wish.split(',') {
        match word.strip_prefix("set:") {
            Some(set) => patterns.extend(super::sets::members(invocation, crate::array::SetKind::Volume, set)?),
            None => patterns.push(word.to_owned()),
        }
    }
    Ok(Some(patterns.join(",")))
}

fn is_wanted(row: &VlunRow, volumes: Option<&str>, invocation: &Invocation<'_>) -> bool {
    let host = row.hostname.as_deref().unwrap_or_default();
    let part = |option: &str, part: fn(PortPos) -> u8| {
        invocation
            .value(option)
            .is_none_or(|list| row.port_pos.is_some_and(|position| wanted(Some(list), &part(position).to_string())))
    };
    let in_domain = || {
        let domain =
            invocation.read(|array| array.volume(row.volume_name.as_str()).ok().and_then(|v| v.domain.clone()));
        wanted(invocation.value("-domain"), &domain.map(|domain| domain.to_string()).unwrap_or_default())
    };
    wanted(volumes, row.volume_name.as_str())
        && wanted(invocation.value("-host"), host)
        && wanted(invocation.value("-l"), &row.lun.to_string())
        && part("-nodes", |position| position.node)
        && part("-slots", |position| position.slot)
        && part("-ports", |position| position.card_port)
        && (invocation.value("-domain").is_none() || in_domain())
}
