//! `showrcopy`: targets, links and groups. The layout is a capture.

use serde_json::Value;

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::{RcopyGroup, Timestamp},
    cli::{
        pattern::wanted_by,
        table::{Column, Table, Total},
    },
};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "showrcopy",
    "show remote copy",
    "-d -qw -domain=<domain>",
    "[links|groups|targets] [<name>|<pattern>]...",
    show,
)];

/// What is said where no target is.
pub(super) const NOT_CONFIGURED: &str = "Remote Copy is not configured on this system.";

/// Runs `showrcopy`.
fn show(invocation: &Invocation<'_>) -> Answer {
    if invocation.read(|array| array.rcopy_targets().next().is_none()) {
        return Ok(Outcome::Done(format!("{NOT_CONFIGURED}\n")));
    }
    let (part, names) = match invocation.operands() {
        [] => ("", &[][..]),
        [part, names @ ..] => (part.as_str(), names),
    };
    let mut text = "\nRemote Copy System Information\nStatus: Started, Normal\n".to_owned();
    match part {
        "" => {
            text.push_str(&targets(invocation, names));
            text.push_str(&links(invocation, names));
            text.push_str(&groups(invocation, names)?);
        }
        "targets" => text.push_str(&targets(invocation, names)),
        "links" => return Ok(Outcome::Done(link_table(invocation, names))),
        "groups" => text.push_str(&groups(invocation, names)?),
        _ => return Err(Outcome::refused(format!("Invalid subcommand: {part}"))),
    }
    Ok(Outcome::Done(text))
}

fn render(invocation: &Invocation<'_>, table: Table) -> String {
    table.with_total(Total::None).render(invocation.options.style(invocation.style))
}

fn targets(invocation: &Invocation<'_>, names: &[String]) -> String {
    let mut columns = vec![Column::left("Name"), Column::right("ID")];
    columns.extend(["Type", "Status", "Options", "Policy"].map(Column::left));
    let mut table = Table::new(columns);
    let rows: Vec<_> = invocation.read(|array| array.rcopy_targets().cloned().collect());
    for target in rows.iter().filter(|target| wanted_by(names, &target.name)) {
        let policy = if target.mirror_config { "mirror_config" } else { "no_mirror_config" };
        let cells = [&target.name, &target.id.to_string(), "IP", "ready", "-", policy];
        table.push(cells.map(str::to_owned).to_vec());
    }
    format!("\nTarget Information\n\n{}", render(invocation, table))
}

fn links(invocation: &Invocation<'_>, names: &[String]) -> String {
    format!("\nLink Information\n\n{}", link_table(invocation, names))
}

fn link_table(invocation: &Invocation<'_>, names: &[String]) -> String {
    let mut table = Table::new(["Target", "Node", "Address", "Status", "Options"].map(Column::left).to_vec());
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = invocation.read(|array| array.rcopy_link_rows());
    for row in rows.iter().filter(|row| wanted_by(names, row["target"].as_str().unwrap_or_default())) {
        // A link is named after its target and the port it starts at.
        let name = text(&row["name"]);
        let port = name.rsplit('_').next().unwrap_or("-").to_owned();
        table.push(vec![text(&row["target"]), port, text(&row["address"]), "Up".to_owned(), "-".to_owned()]);
    }
    for port in ["0:9:1", "1:9:1"] {
        table.push(["receive", port, "receive", "Up", "-"].map(str::to_owned).to_vec());
    }
    render(invocation, table)
}

fn groups(invocation: &Invocation<'_>, names: &[String]) -> Result<String, Outcome> {
    let groups: Vec<RcopyGroup> = invocation.read(|array| array.rcopy_groups().cloned().collect());
    let known = |name: &String| groups.iter().any(|group| group.name == *name);
    if let Some(name) = names.iter().find(|name| !crate::cli::pattern::is_pattern(name) && !known(name)) {
        return Err(Outcome::refused(format!("Error: group {name} does not exist")));
    }
    let mut text = "\nGroup Information\n".to_owned();
    for group in groups.iter().filter(|group| wanted_by(names, &group.name)) {
        for index in 0..group.targets.len() {
            text.push('\n');
            text.push_str(&group_block(invocation, group, index));
        }
    }
    Ok(text)
}

/// A group with one of its targets, and its volumes below, in one step.
fn group_block(invocation: &Invocation<'_>, group: &RcopyGroup, index: usize) -> String {
    let Some(part) = group.targets.get(index) else { return String::new() };
    let started = invocation.read(|array| array.started_at().0);
    let time = |at: std::time::Duration| Timestamp(started.saturating_add(at.as_secs())).with_zone_name();
    let mut options: Vec<String> = Vec::new();
    options.extend(part.last_sync.filter(|_| part.sync_period.is_some()).map(|at| format!("Last-Sync {}", time(at))));
    options.extend(part.sync_period.map(|period| format!("Period {}s", period.as_secs())));
    let policies = part.policies;
    for (is_set, word) in [
        (policies.auto_recover, "auto_recover"),
        (policies.over_period_alert, "over_per_alert"),
        (policies.auto_failover, "auto_failover"),
        (policies.path_management, "path_management"),
        (policies.multi_target_peer_persistence, "mt_pp"),
    ] {
        options.extend(is_set.then(|| word.to_owned()));
    }
    let mut table = Table::new(["Name", "Target", "Status", "Role", "Mode", "Options"].map(Column::left).to_vec());
    let options = if options.is_empty() { "-".to_owned() } else { options.join(",") };
    let cells =
        [&group.name, &part.target, part.state.cli_word(), group.role.cli_word(), part.mode.cli_word(), &options];
    table.push(
        cells
            .map(|cell| if cell.contains(',') && is_csv(invocation) { format!("\"{cell}\"") } else { cell.to_owned() })
            .to_vec(),
    );
    let mut text = render(invocation, table);

    let mut columns =
        vec![Column::left(" LocalVV"), Column::right("ID"), Column::left("RemoteVV"), Column::right("ID")];
    columns.extend(["SyncStatus", "LastSyncTime"].map(Column::left));
    let mut volumes = Table::new(columns);
    for (id, mirrors) in &group.volumes {
        let Some(mirror) = mirrors.get(&part.target) else { continue };
        let name = invocation
            .read(|array| array.volumes().find(|volume| volume.id == *id).map(|volume| volume.name.to_string()));
        volumes.push(vec![
            format!(" {}", name.unwrap_or_default()),
            id.to_string(),
            mirror.volume.clone(),
            mirror.id.to_string(),
            mirror.status.cli_word().to_owned(),
            mirror.last_sync.map_or_else(|| "NA".to_owned(), time),
        ]);
    }
    for line in render(invocation, volumes).lines() {
        // The lines of volumes stand in one step; as values they begin with an empty one.
        text.push_str(&if is_csv(invocation) { format!(" ,{}\n", line.trim_start()) } else { format!(" {line}\n") });
    }
    text
}

fn is_csv(invocation: &Invocation<'_>) -> bool {
    invocation.options.style(invocation.style).csv
}
