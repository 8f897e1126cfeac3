//! Common provisioning groups: `showcpg`, `createcpg`, `removecpg`.

use serde_json::{Value, json};

use super::{Answer, Command, Invocation, Outcome, quantities::size_mib, refusal::About};
use crate::{
    array::{CreateCpg, ModifyCpg},
    cli::{
        columns::{Field, Layout, left, listing, names, right, sum},
        pattern::{is_pattern, wanted, wanted_by},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "createcpg",
        "make a CPG",
        "-f -templ=<template> -domain=<domain> -sdgs=<size> -sdgl=<size> -sdgw=<size> -aw=<percent> -t=r0|r1|r5|r6 -ssz=<size> \
         -rs=<size> -ss=<KB> -ha=port|cage|mag -ch=first|last -p -devtype=FC|NL|SSD -nd=<node> -cg=<cage> -rpm=<rpm>",
        "<CPG>",
        create,
    ),
    Command::new("removecpg", "remove CPGs", "-f -pat", "<CPG>|<pattern>...", remove),
    Command::new(
        "setcpg",
        "change a CPG",
        "-f -name=<new_name> -sdgs=<size> -sdgl=<size> -sdgw=<size> -t=r0|r1|r5|r6 -ssz=<size> -ha=port|cage|mag -ch=first|last -p \
         -devtype=FC|NL|SSD -rs=<size> -ss=<KB>",
        "<CPG>",
        set,
    ),
    Command::new(
        "showcpg",
        "list CPGs",
        "-d -r -s -alert -alerttime -sag -sdg -hist -domain=<domain|pattern>[,...] -listcols -showcols=<column>[,...] \
         -sortcol=<column>[,inc|dec]",
        "[<CPG>|<pattern>]...",
        show,
    ),
];

/// A figure of a CPG row.
fn figure(row: &Value, path: &[&str]) -> u64 {
    path.iter().fold(row, |value, member| &value[*member]).as_u64().unwrap_or_default()
}

fn volumes(row: &Value) -> u64 {
    ["numFPVVs", "numTPVVs", "numTDVVs"].iter().map(|member| figure(row, &[member])).sum()
}

fn or_dash(row: &Value, path: &[&str]) -> String {
    match figure(row, path) {
        0 => "-".to_owned(),
        number => number.to_string(),
    }
}

fn text(row: &Value, member: &str) -> String {
    row[member].as_str().unwrap_or("-").to_owned()
}

/// The arguments that `createcpg` would make the CPG with again.
fn arguments(row: &Value, growth: &str) -> String {
    let layout = &row[growth]["LDLayout"];
    let kind = match layout["diskPatterns"][0]["diskType"].as_u64() {
        Some(2) => "NL",
        Some(3) => "SSD",
        _ => "FC",
    };
    let level = match layout["RAIDType"].as_u64() {
        Some(1) => "r0",
        Some(2) => "r1",
        Some(3) => "r5",
        _ => "r6",
    };
    let reach = match layout["HA"].as_u64() {
        Some(1) => "port",
        Some(2) => "cage",
        _ => "mag",
    };
    let size = layout["setSize"].as_u64().map(|size| format!(" -ssz {size}")).unwrap_or_default();
    format!("-t {level}{size} -ha {reach} -p -devtype {kind}")
}

const FIELDS: [Field<Value>; 30] = [
    right("Id", |row| figure(row, &["id"]).to_string()),
    left("Name", |row| text(row, "name")),
    left("Domain", |row| text(row, "domain")),
    right("Warn%", |_| "-".to_owned()),
    sum("VVs", |row| volumes(row).to_string()),
    sum("TPVVs", |row| figure(row, &["numTPVVs"]).to_string()),
    sum("TDVVs", |row| figure(row, &["numTDVVs"]).to_string()),
    sum("FPVVs", |row| figure(row, &["numFPVVs"]).to_string()),
    sum("UsageUsr", |row| volumes(row).to_string()),
    sum("UsageSnp", |row| volumes(row).to_string()),
    sum("Base", |row| figure(row, &["UsrUsage", "usedMiB"]).to_string()),
    sum("RBase", |row| figure(row, &["UsrUsage", "rawUsedMiB"]).to_string()),
    sum("SnpUsed", |row| figure(row, &["SDUsage", "usedMiB"]).to_string()),
    sum("SnpRUsed", |row| figure(row, &["SDUsage", "rawUsedMiB"]).to_string()),
    right("Free", |row| figure(row, &["freeSpaceMiB"]).to_string()),
    right("RFree", |row| figure(row, &["rawFreeSpaceMiB"]).to_string()),
    right("Total", |row| figure(row, &["totalSpaceMiB"]).to_string()),
    right("RTotal", |row| figure(row, &["rawTotalSpaceMiB"]).to_string()),
    right("LDUsr", |_| "1".to_owned()),
    right("LDSnp", |_| "1".to_owned()),
    right("AdmWarn", |_| "-".to_owned()),
    right("AdmLimit", |_| "-".to_owned()),
    right("AdmGrow", |row| or_dash(row, &["SAGrowth", "incrementMiB"])),
    left("AdmArgs", |row| arguments(row, "SAGrowth")),
    right("DataWarn", |row| or_dash(row, &["SDGrowth", "warningMiB"])),
    right("DataLimit", |row| or_dash(row, &["SDGrowth", "limitMiB"])),
    right("DataGrow", |row| or_dash(row, &["SDGrowth", "incrementMiB"])),
    left("DataArgs", |row| arguments(row, "SDGrowth")),
    left("State", |row| if figure(row, &["state"]) == 1 { "normal" } else { "degraded" }.to_owned()),
    left("UUID", |row| text(row, "uuid")),
];

/// The standard form: columns of 3.3.1 by the vendor's PowerShell toolkit.
const STANDARD: Layout = Layout {
    groups: &[
        &[(6, ""), (2, ""), (4, "------(MB)------")],
        &[(3, ""), (3, "----Volumes----"), (2, "-Usage-"), (4, "")],
    ],
    columns: &[
        ("Id", "Id"),
        ("Name", "Name"),
        ("Warn%", "Warn%"),
        ("VVs", "VVs"),
        ("TPVVs", "TPVVs"),
        ("TDVVs", "TDVVs"),
        ("UsageUsr", "Usr"),
        ("UsageSnp", "Snp"),
        ("Base", "Base"),
        ("SnpUsed", "Snp"),
        ("Free", "Free"),
        ("Total", "Total"),
    ],
};

/// A form whose header has the names of the columns alone.
macro_rules! plain {
    ($($name:literal),*) => { Layout { groups: &[], columns: &[$(($name, $name)),*] } };
}

const DETAILS: Layout = plain![
    "Id", "Name", "Warn%", "VVs", "TPVVs", "TDVVs", "UsageUsr", "UsageSnp", "Base", "SnpUsed", "Free", "Total",
    "LDUsr", "LDSnp"
];
const RAW: Layout = plain![
    "Id", "Name", "Warn%", "VVs", "TPVVs", "TDVVs", "UsageUsr", "UsageSnp", "Base", "RBase", "SnpUsed", "SnpRUsed",
    "Free", "RFree", "Total", "RTotal"
];
const ALERTS: Layout = plain!["Id", "Name", "Warn%", "Total", "DataWarn", "DataLimit"];
const ADMIN_GROWTH: Layout = plain!["Id", "Name", "AdmWarn", "AdmLimit", "AdmGrow", "AdmArgs"];
const DATA_GROWTH: Layout = plain!["Id", "Name", "DataWarn", "DataLimit", "DataGrow", "DataArgs"];

/// The CPGs that operands name.
///
/// # Errors
/// A refusal for a name without a CPG.
pub(super) fn cpgs_wanted(invocation: &Invocation<'_>, operands: &[String]) -> Result<Vec<Value>, Outcome> {
    let mut rows = invocation.read(|array| array.cpg_rows());
    let has = |name: &str| rows.iter().any(|row| row["name"] == name);
    if let Some(name) = operands.iter().find(|name| !is_pattern(name) && !has(name)) {
        return Err(Outcome::refused(format!("Invalid CPG name: {name}")));
    }
    rows.retain(|row| wanted_by(operands, row["name"].as_str().unwrap_or_default()));
    Ok(rows)
}

/// Runs `showcpg`.
fn show(invocation: &Invocation<'_>) -> Answer {
    if invocation.has("-listcols") {
        return Ok(Outcome::Done(names(&FIELDS)));
    }
    let mut rows = cpgs_wanted(invocation, invocation.operands())?;
    rows.retain(|row| wanted(invocation.value("-domain"), row["domain"].as_str().unwrap_or_default()));
    let forms = [
        ("-d", &DETAILS),
        ("-r", &RAW),
        ("-alert", &ALERTS),
        ("-alerttime", &ALERTS),
        ("-sag", &ADMIN_GROWTH),
        ("-sdg", &DATA_GROWTH),
    ];
    let layout = forms.iter().find(|(option, _)| invocation.has(option)).map_or(&STANDARD, |(_, layout)| layout);
    let table = listing(&invocation.options, &FIELDS, layout, &rows).map_err(Outcome::refused)?;
    invocation.print(&table, "No CPGs listed")
}

/// Runs `createcpg`: silent when it worked.
fn create(invocation: &Invocation<'_>) -> Answer {
    let cpg = invocation.only_operand()?;
    let size = |option: &str| invocation.value(option).map(size_mib).transpose().map_err(Outcome::refused);
    let request = CreateCpg {
        name: Some(cpg.to_owned()),
        domain: invocation.options.owned("-domain"),
        template: invocation.options.owned("-templ"),
        growth_increment_mib: size("-sdgs")?,
        growth_limit_mib: size("-sdgl")?,
        used_ld_warning_alert_mib: size("-sdgw")?,
        ld_layout: Some(layout(invocation)?),
    };
    let made = invocation.change(|array, now| array.create_cpg(now, &request));
    made.map_err(|error| About { cpg, ..About::default() }.refused(&error))?;
    Ok(Outcome::Done(String::new()))
}

/// The layout of logical disks that options ask for, as the WSAPI writes it.
fn layout(invocation: &Invocation<'_>) -> Result<Value, Outcome> {
    let choice = |option: &str, words: &[(&str, u64)]| match invocation.value(option) {
        None => Ok(None),
        Some(word) => match words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
            Some((_, number)) => Ok(Some(*number)),
            None => Err(Outcome::refused(format!("Invalid value for {option}: {word}"))),
        },
    };
    let mut layout = json!({});
    if let Some(level) = choice("-t", &[("r0", 1), ("r1", 2), ("r5", 3), ("r6", 4)])? {
        layout["RAIDType"] = json!(level);
    }
    if let Some(size) = invocation.number("-ssz")? {
        layout["setSize"] = json!(size);
    }
    if let Some(reach) = choice("-ha", &[("port", 1), ("cage", 2), ("mag", 3)])? {
        layout["HA"] = json!(reach);
    }
    if let Some(place) = choice("-ch", &[("first", 1), ("last", 2)])? {
        layout["chunkletPosPref"] = json!(place);
    }
    if let Some(kind) = choice("-devtype", &[("FC", 1), ("NL", 2), ("SSD", 3)])? {
        layout["diskPatterns"] = json!([{"diskType": kind}]);
    }
    Ok(layout)
}

/// Runs `setcpg`: a limit or a warning of 0 is taken away.
fn set(invocation: &Invocation<'_>) -> Answer {
    let cpg = invocation.only_operand()?;
    let size = |option: &str| invocation.value(option).map(size_mib).transpose().map_err(Outcome::refused);
    let (limit, warning) = (size("-sdgl")?, size("-sdgw")?);
    let layout = layout(invocation)?;
    let change = ModifyCpg {
        new_name: invocation.options.owned("-name"),
        growth_increment_mib: size("-sdgs")?.filter(|size| *size > 0),
        disable_auto_grow: (size("-sdgs")? == Some(0)).then_some(true),
        growth_limit_mib: limit.filter(|size| *size > 0),
        rm_growth_limit: (limit == Some(0)).then_some(true),
        used_ld_warning_alert_mib: warning.filter(|size| *size > 0),
        rm_warning_alert: (warning == Some(0)).then_some(true),
        ld_layout: layout.as_object().is_some_and(|members| !members.is_empty()).then_some(layout),
    };
    if change == ModifyCpg::default() {
        return Err(invocation.misused("nothing to change"));
    }
    let named = change.new_name.as_deref().unwrap_or(cpg);
    let known = invocation.read(|array| array.cpg(cpg).is_ok());
    let done = invocation.change(|array, now| array.modify_cpg(now, cpg, &change));
    done.map_err(|error| About { cpg: if known { named } else { cpg }, ..About::default() }.refused(&error))?;
    Ok(Outcome::Done(String::new()))
}

/// Runs `removecpg`.
fn remove(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    if let Some(pattern) = invocation.operands().iter().find(|name| is_pattern(name) && !invocation.has("-pat")) {
        return Err(Outcome::refused(format!("Invalid CPG name: {pattern} (patterns need -pat)")));
    }
    let rows = cpgs_wanted(invocation, invocation.operands())?;
    let names: Vec<String> = rows.iter().map(|row| text(row, "name")).collect();
    if names.is_empty() {
        return Err(Outcome::refused("No CPGs listed"));
    }
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to remove CPG {}?", names.join(" ")));
    }
    let mut text = String::new();
    for cpg in &names {
        text.push_str(&format!("Removing CPG {cpg}\n"));
        if let Err(error) = invocation.change(|array, now| array.remove_cpg(now, cpg)) {
            if let Outcome::Refused(why) = (About { cpg, ..About::default() }).refused(&error) {
                text.push_str(&why);
            }
            return Err(Outcome::Refused(text));
        }
    }
    Ok(Outcome::Done(text))
}
