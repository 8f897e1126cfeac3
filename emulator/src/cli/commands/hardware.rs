//! Nodes, cages and logical disks.
//!
//! The emulated array has two nodes, two cages and 48 disks of one size, which is what its raw capacity is made of. Layouts of
//! `shownode` and `showcage` are captures; model names, serial numbers and temperatures are made up.

use super::{
    Answer, Command, Invocation, Outcome,
    disks::{self, DISKS, DISKS_PER_CAGE},
};
use crate::{
    array::Timestamp,
    cli::{
        pattern::wanted_by,
        table::{Column, Table, Total},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("showbattery", "list batteries", "-d -log -i -state -svc", "[<node>]...", show_batteries),
    Command::new(
        "showcage",
        "list drive cages",
        "-d -i -sfp -ddm -state -e -c -svc",
        "[<cage>|<pattern>]...",
        show_cages,
    ),
    Command::new("showeeprom", "show the log of the nodes' memory", "-dead", "[<node>]...", show_eeprom),
    Command::new("showinventory", "list all hardware", "-svc", "", show_inventory),
    Command::new(
        "showld",
        "list logical disks",
        "-d -state -cpg=<CPG|pattern>[,...] -vv=<VV>",
        "[<ld>|<pattern>]...",
        show_logical_disks,
    ),
    Command::new(
        "shownode",
        "list nodes",
        "-d -i -ps -state -uptime -verbose -drive -fan -mem -cpu -pci -mcu -svc",
        "[<node>]...",
        show_nodes,
    ),
    Command::new("shownodeenv", "show the environment of nodes", "-n=<node>[,...]", "", show_environment),
];

fn serial(invocation: &Invocation<'_>) -> String {
    invocation.read(|array| array.config().serial.clone())
}

/// The numbers of the nodes that operands name.
fn nodes(invocation: &Invocation<'_>) -> Result<Vec<u8>, Outcome> {
    for operand in invocation.operands() {
        if !matches!(operand.as_str(), "0" | "1") {
            return Err(Outcome::refused(format!("Node {operand} is not available")));
        }
    }
    Ok([0_u8, 1].into_iter().filter(|node| wanted_by(invocation.operands(), &node.to_string())).collect())
}

/// Runs `shownode`.
fn show_nodes(invocation: &Invocation<'_>) -> Answer {
    let nodes = nodes(invocation)?;
    let serial = serial(invocation);
    if invocation.has("-state") {
        let columns = vec![Column::right("Node"), Column::left("-State-"), Column::left("-Detailed_State-")];
        let mut table = Table::new(columns).with_total(Total::None);
        nodes.iter().for_each(|node| table.push(vec![node.to_string(), "OK".to_owned(), "OK".to_owned()]));
        return invocation.print(&table, "No nodes listed");
    }
    if invocation.has("-ps") {
        return power_supplies(invocation, &nodes);
    }
    if invocation.has("-uptime") {
        let since = invocation.read(|array| array.started_at().with_zone_name());
        let mut table = Table::new(vec![Column::right("Node"), Column::left("-------Up_Since--------")]);
        table = table.with_total(Total::None);
        nodes.iter().for_each(|node| table.push(vec![node.to_string(), since.clone()]));
        return invocation.print(&table, "No nodes listed");
    }
    let mut table = Table::new(vec![
        Column::right("Node"),
        Column::left("--Name---"),
        Column::left("-State-"),
        Column::left("Master"),
        Column::left("InCluster"),
        Column::left("-Service_LED-"),
        Column::left("LED"),
        Column::right("Mem(MB)"),
        Column::right("Mem(MB)"),
        Column::right("Available(%)"),
    ])
    .with_groups(&[
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, "Control"),
        (1, "Data"),
        (1, "Cache"),
    ])
    .with_total(Total::None);
    for node in &nodes {
        let master = if *node == 0 { "Yes" } else { "No" };
        let cells = [
            &node.to_string(),
            &format!("{serial}-{node}"),
            "OK",
            master,
            "Yes",
            "Off",
            "GreenBlnk",
            "16384",
            "16384",
            "100",
        ];
        table.push(cells.map(str::to_owned).to_vec());
    }
    let mut text = table.render(invocation.options.style(invocation.style));
    if invocation.has("-d") || invocation.has("-cpu") || invocation.has("-verbose") {
        text.push('\n');
        text.push_str(&processors(invocation, &nodes));
    }
    Ok(Outcome::Done(text))
}

fn power_supplies(invocation: &Invocation<'_>, nodes: &[u8]) -> Answer {
    let titles = ["-Assy_Part-", "-Assy_Serial-", "ACState", "DCState", "PSState"].map(Column::left);
    let mut columns = vec![Column::right("Node"), Column::right("PS")];
    columns.extend(titles);
    let mut table = Table::new(columns).with_total(Total::None);
    for supply in 0..2_u8 {
        let of: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        let cells =
            [&of.join(","), &supply.to_string(), "726237-001", &format!("5DNSFA243360{supply}"), "OK", "OK", "OK"];
        table.push(cells.map(str::to_owned).to_vec());
    }
    invocation.print(&table, "No nodes listed")
}

fn processors(invocation: &Invocation<'_>, nodes: &[u8]) -> String {
    let mut table = Table::new(vec![
        Column::right("Node"),
        Column::right("CPU"),
        Column::left("-Manufacturer-"),
        Column::left("-Serial-"),
        Column::right("CPUSpeed(MHz)"),
        Column::right("BusSpeed(MHz)"),
    ])
    .with_total(Total::None);
    for node in nodes {
        for cpu in 0..8_u8 {
            let cells = [&node.to_string(), &cpu.to_string(), "GenuineIntel", "--", "1800", "99.00"];
            table.push(cells.map(str::to_owned).to_vec());
        }
    }
    format!("{:-^60}\n{}", "CPUs", table.render(invocation.options.style(invocation.style)))
}

/// Runs `shownodeenv`.
fn show_environment(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let mut text = String::new();
    for node in 0..2_u8 {
        let mut table = Table::new(vec![
            Column::left("Measurement"),
            Column::right("Reading"),
            Column::right("Lo_Limit"),
            Column::right("Hi_Limit"),
            Column::left("Unit"),
            Column::left("State"),
        ])
        .with_total(Total::None);
        for (name, reading, low, high, unit) in
            [("Inlet", "24", "0", "46", "C"), ("CPU", "48", "0", "87", "C"), ("12V", "12.1", "10.8", "13.2", "V")]
        {
            table.push([name, reading, low, high, unit, "OK"].map(str::to_owned).to_vec());
        }
        text.push_str(&format!("Node {node}\n{}\n", table.render(invocation.options.style(invocation.style))));
    }
    Ok(Outcome::Done(text))
}

/// Runs `showbattery`.
fn show_batteries(invocation: &Invocation<'_>) -> Answer {
    let mut columns = vec![Column::right("Node"), Column::right("PS"), Column::right("Bat")];
    columns.extend(["Serial", "-State-", "ChrgLvl(%)", "-ExpDate-", "Expired", "Testing"].map(Column::left));
    let mut table = Table::new(columns).with_total(Total::None);
    for node in nodes(invocation)? {
        let cells =
            [&node.to_string(), &node.to_string(), "0", &format!("6CQHA243300{node}"), "OK", "100", "n/a", "No", "No"];
        table.push(cells.map(str::to_owned).to_vec());
    }
    invocation.print(&table, "No batteries listed")
}

/// Runs `showcage`.
fn show_cages(invocation: &Invocation<'_>) -> Answer {
    let mut columns = vec![Column::right("Id"), Column::left("Name")];
    if invocation.has("-state") {
        columns.extend(["-State-", "-Detailed_State-"].map(Column::left));
    } else {
        columns.extend(["LoopA", "Pos.A", "LoopB", "Pos.B"].map(Column::left));
        columns.push(Column::sum("Drives"));
        columns.extend(["Temp", "RevA", "RevB", "Model", "FormFactor"].map(Column::left));
    }
    let mut table = Table::new(columns);
    for cage in 0..DISKS / DISKS_PER_CAGE {
        let (id, name) = (cage.to_string(), format!("cage{cage}"));
        if !wanted_by(invocation.operands(), &name) && !wanted_by(invocation.operands(), &id) {
            continue;
        }
        let drives = DISKS_PER_CAGE.to_string();
        table.push(if invocation.has("-state") {
            vec![id, name, "normal".to_owned(), "normal".to_owned()]
        } else {
            let cells = [&id, &name, "1:0:1", "0", "0:0:1", "0", &drives, "24-31", "320e", "320e", "DCN1", "SFF"];
            cells.map(str::to_owned).to_vec()
        });
    }
    if table.is_empty() {
        return Err(Outcome::refused(format!("Invalid cage name: {}", invocation.operands().join(" "))));
    }
    invocation.print(&table, "No cages listed")
}

/// Runs `showld`: one logical disk of user data and one of snapshot data for each CPG.
fn show_logical_disks(invocation: &Invocation<'_>) -> Answer {
    let state = invocation.has("-state");
    let mut columns = vec![Column::right("Id"), Column::left("Name")];
    if state {
        columns.extend(["-State-", "-Detailed_State-"].map(Column::left));
    } else {
        columns.push(Column::right("RAID"));
        columns.extend(["-Detailed_State-", "Own"].map(Column::left));
        columns.extend(["SizeMB", "UsedMB"].map(Column::sum));
        columns.extend(["Use", "Lgct", "LgId", "WThru", "MapV"].map(Column::left));
    }
    let mut table = Table::new(columns);
    let mut id = 0_u32;
    for row in invocation.read(|array| array.cpg_rows()) {
        let cpg = row["name"].as_str().unwrap_or_default();
        if !crate::cli::pattern::wanted(invocation.value("-cpg"), cpg) {
            continue;
        }
        for (part, usage) in [("usr", "UsrUsage"), ("snp", "SDUsage")] {
            let name = format!("tp-{}-{part}-0.0", row["id"]);
            let used = row[usage]["usedMiB"].as_u64().unwrap_or_default().to_string();
            if wanted_by(invocation.operands(), &name) {
                let cells: Vec<&str> = if state {
                    vec!["normal", "normal"]
                } else {
                    vec!["6", "normal", "0/1", &used, &used, "C,V", "0", "---", "N", "Y"]
                };
                table.push([id.to_string(), name].into_iter().chain(cells.into_iter().map(str::to_owned)).collect());
            }
            id += 1;
        }
    }
    invocation.print(&table, "No LDs listed")
}

/// Runs `showinventory`: the other listings one after the other.
fn show_inventory(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let style = invocation.options.style(invocation.style);
    let mut text = format!("{:-^60}\n", "Node Inventory");
    let Outcome::Done(nodes) = show_nodes(invocation)? else { return Ok(Outcome::Done(text)) };
    text.push_str(&nodes);
    text.push_str(&format!("\n{:-^60}\n", "Drive Cage Inventory"));
    if let Outcome::Done(cages) = show_cages(invocation)? {
        text.push_str(&cages);
    }
    text.push_str(&format!("\n{:-^60}\n", "Disk Inventory"));
    text.push_str(&disks::inventory(invocation).render(style));
    Ok(Outcome::Done(text))
}

/// Runs `showeeprom`.
fn show_eeprom(invocation: &Invocation<'_>) -> Answer {
    let (serial, release, started) = invocation.read(|array| {
        let config = array.config();
        (config.serial.clone(), config.personality.os_version(), Timestamp(config.started_at).with_zone_name())
    });
    let mut text = String::new();
    for node in nodes(invocation)? {
        text.push_str(&format!(
            "Node: {node}\n--------\n      Board revision: 0920-200009.A3\n            Assembly: FLX 2013/03 Serial {serial}-{node}\n       System serial: {serial}\n        BIOS version: 4.8.34\n          OS version: {release}\n        Reset reason: Unknown\n           Last boot: {started}\n\n"
        ));
    }
    Ok(Outcome::Done(text))
}
