//! `showsys`, `showversion`, `showwsapi` and `showcpg`.

use super::{Invocation, Outcome, wanted};
use crate::cli::{
    options::Known,
    table::{Column, Table, Total},
};

const NO_OPTIONS: Known = Known { flags: &["-d"], valued: &[] };

/// Runs `showsys`; `-space` prints the lines that clients read the capacity from.
pub(super) fn show(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(Known { flags: &["-d", "-space"], valued: &[] })?;
    let (config, capacity) = invocation.read(|array| (array.config().clone(), array.capacity()));
    if options.has("-space") {
        return Ok(Outcome::Done(format!(
            "------------- System Capacity (MB) -------------\nTotal Capacity                 : {:>12}\n  Allocated                    : {:>12}\n  Free                         : {:>12}\n  Unavailable                  : {:>12}\n  Failed                       : {:>12}\n",
            capacity.total_mib, capacity.allocated_mib, capacity.free_mib, 0, 0
        )));
    }
    let mut table = Table::new(vec![
        Column::right("ID"),
        Column::right("-Name-"),
        Column::right("-Model-"),
        Column::right("-Serial-"),
        Column::right("Nodes"),
        Column::right("Master"),
        Column::right("ClusterLED"),
        Column::right("TotalCap"),
        Column::right("AllocCap"),
        Column::right("FreeCap"),
        Column::right("FailedCap"),
    ])
    .with_groups(&[
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (4, "----------------(MB)----------------"),
    ])
    .with_total(Total::None);
    table.push(vec![
        format!("{:#X}", config.system_id),
        config.name,
        config.model,
        config.serial,
        "2".to_owned(),
        "0".to_owned(),
        "Off".to_owned(),
        capacity.total_mib.to_string(),
        capacity.allocated_mib.to_string(),
        capacity.free_mib.to_string(),
        "0".to_owned(),
    ]);
    Ok(Outcome::Done(table.render(options.style(invocation.style))))
}

/// Runs `showversion`; `-s` prints the release alone.
pub(super) fn show_version(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(Known { flags: &["-a", "-b", "-s"], valued: &[] })?;
    let release = invocation.read(|array| array.config().personality.os_version());
    if options.has("-s") {
        return Ok(Outcome::Done(format!("{release}\n")));
    }
    let mut text = format!("Release version {release}\nPatches:  None\n\nComponent Name                   Version\n");
    for component in ["CLI Server", "CLI Client", "System Manager", "Kernel", "TPD Kernel Code"] {
        text.push_str(&format!("{component:<32} {release}\n"));
    }
    Ok(Outcome::Done(text))
}

/// Runs `showwsapi`.
pub(super) fn show_wsapi(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(NO_OPTIONS)?;
    let version = invocation.read(|array| array.api_version());
    let titles = ["-Service-", "-State-", "-HTTP_State-", "HTTP_Port", "-HTTPS_State-", "HTTPS_Port", "-Version-"];
    let mut table = Table::new(titles.map(Column::left).to_vec()).with_total(Total::None);
    let version = format!("{}.{}.{}", version.major, version.minor, version.revision);
    table.push(["Enabled", "Active", "Enabled", "8008", "Enabled", "8080", &version].map(str::to_owned).to_vec());
    Ok(Outcome::Done(table.render(options.style(invocation.style))))
}

/// Runs `showcpg`.
pub(super) fn show_cpgs(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(NO_OPTIONS)?;
    let patterns = (!options.operands.is_empty()).then(|| options.operands.join(","));
    let mut table = Table::new(vec![
        Column::right("Id"),
        Column::left("-Name-"),
        Column::right("TPVVs"),
        Column::right("TDVVs"),
        Column::right("FPVVs"),
        Column::right("Used_MB"),
        Column::right("Free_MB"),
    ]);
    for row in invocation.read(|array| array.cpg_rows()) {
        let name = row["name"].as_str().unwrap_or_default();
        if wanted(patterns.as_deref(), name) {
            let number = |member: &str| row[member].to_string();
            table.push(vec![
                number("id"),
                name.to_owned(),
                number("numTPVVs"),
                number("numTDVVs"),
                number("numFPVVs"),
                row["UsrUsage"]["usedMiB"].to_string(),
                number("freeSpaceMiB"),
            ]);
        }
    }
    if table.is_empty() {
        return Ok(Outcome::Done("No CPGs listed\n".to_owned()));
    }
    Ok(Outcome::Done(table.render(options.style(invocation.style))))
}
