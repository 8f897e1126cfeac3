//! Accounts, connections and SSH keys: `showuser`, `showuserconn`, `showrole`, `setsshkey`.

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::Timestamp,
    cli::{
        pattern::wanted_by,
        table::{Column, Table},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("removesshkey", "remove the SSH keys of this account", "-f", "[<number>]", remove_keys),
    Command::new("setsshkey", "set an SSH key for this account", "-add", "[<key>]", set_key),
    Command::new("showrole", "list roles", "-d", "[<role>|<pattern>]...", show_roles),
    Command::new("showsshkey", "list the SSH keys of this account", "", "", show_keys),
    Command::new("showuser", "list accounts", "-d", "[<user>|<pattern>]...", show),
    Command::new("showuserconn", "list who is connected", "-current -d", "", show_connections),
];

/// Runs `showuser`.
fn show(invocation: &Invocation<'_>) -> Answer {
    let columns = ["Username", "Domain", "Role", "Default"].map(Column::left).to_vec();
    let mut table = Table::new(columns);
    for row in invocation.read(|array| array.user_rows()) {
        let user = row["name"].as_str().unwrap_or_default();
        if wanted_by(invocation.operands(), user) {
            let role = invocation.read(|array| array.role_of(user));
            table.push([user, "all", role.name(), "N"].map(str::to_owned).to_vec());
        }
    }
    invocation.print(&table, "No users listed")
}

/// Runs `showrole`.
fn show_roles(invocation: &Invocation<'_>) -> Answer {
    let mut table = Table::new(["Name", "Comment"].map(Column::left).to_vec());
    for row in invocation.read(|array| array.role_rows()) {
        let cells = ["name", "description"].map(|member| row[member].as_str().unwrap_or_default().to_owned());
        if wanted_by(invocation.operands(), &cells[0]) {
            table.push(cells.to_vec());
        }
    }
    invocation.print(&table, "No roles listed")
}

/// Runs `showuserconn`.
fn show_connections(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let started = invocation.read(|array| array.started_at().0);
    let mut columns = vec![Column::right("Id"), Column::left("Name"), Column::left("-IP_Addr-"), Column::left("Role")];
    columns.extend(["-----Connected_since----", "Current", "Client", "ClientName"].map(Column::left));
    let mut table = Table::new(columns);
    for one in invocation.who.connections.list() {
        let is_current = one.id == invocation.who.connection;
        if invocation.has("-current") && !is_current {
            continue;
        }
        let since = Timestamp(started.saturating_add(one.since.as_secs())).with_zone_name();
        let current = if is_current { "current" } else { "-" };
        let role = invocation.read(|array| array.role_of(&one.user)).name();
        let cells = [&one.id.to_string(), &one.user, &one.peer.ip().to_string(), role, &since, current, "CLI", "ssh"];
        table.push(cells.map(str::to_owned).to_vec());
    }
    invocation.print(&table, "No user connections listed")
}

/// Runs `setsshkey`: with a key as operand at once, else it asks for one.
fn set_key(invocation: &Invocation<'_>) -> Answer {
    let Some(first) = invocation.operands().first() else {
        let prompt = "Please enter the SSH public key below. When finished, press enter twice.\nThe key is usually long. It's \
                      better to copy it from inside an editor\nand paste it here.\n";
        return Ok(Outcome::Collect { prompt: prompt.to_owned(), then: invocation.words.to_vec() });
    };
    // A key that was not quoted comes as several words.
    let line = if invocation.operands().len() == 1 { first.clone() } else { invocation.operands().join(" ") };
    let user = &invocation.who.user;
    let done = invocation.change(|array, now| array.set_ssh_key(now, user, &line, invocation.has("-add")));
    done.map_err(|error| Outcome::refused(format!("Error: {}", error.desc)))?;
    Ok(Outcome::Done("SSH public key successfully set!\n".to_owned()))
}

/// Runs `showsshkey`.
fn show_keys(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let keys = invocation.read(|array| array.ssh_keys(&invocation.who.user));
    if keys.is_empty() {
        return Ok(Outcome::Done(format!("No SSH keys for user {}\n", invocation.who.user)));
    }
    let lines = (1_usize..).zip(&keys).map(|(number, key)| format!("{number} {key}\n"));
    Ok(Outcome::Done(lines.collect()))
}

/// Runs `removesshkey`: one by its number, or all.
fn remove_keys(invocation: &Invocation<'_>) -> Answer {
    let user = &invocation.who.user;
    let number = match invocation.operands() {
        [] => None,
        [number] => Some(number.parse().map_err(|_| Outcome::refused(format!("Invalid key number: {number}")))?),
        [_, surplus, ..] => return Err(invocation.misused(&format!("too many arguments: {surplus}"))),
    };
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to remove SSH keys of user {user}?"));
    }
    let removed = invocation.change(|array, now| array.remove_ssh_keys(now, user, number));
    if removed == 0 {
        return Err(Outcome::refused(format!("Error: user {user} has no such SSH key")));
    }
    Ok(Outcome::Done("SSH public key successfully removed!\n".to_owned()))
}
