//! File Persona. This array has none; clients that look for it get the texts of an array without it.

use super::{Answer, Command, Invocation, Outcome};
use crate::cli::table::{Column, Table};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("getfpg", "list file provisioning groups", "", "[<fpg>]...", groups),
    Command::new("getfs", "show file services", "", "", services),
    Command::new(
        "getfshare",
        "list file shares",
        "-vfs=<vfs> -fstore=<fstore> -fpg=<fpg>",
        "[<type>] [<share>]...",
        groups,
    ),
    Command::new("getfsip", "list addresses of virtual file servers", "-fpg=<fpg>", "<vfs>", servers),
    Command::new("getfsquota", "list file quotas", "-vfs=<vfs> -fstore=<fstore> -fpg=<fpg>", "", groups),
    Command::new("getfstore", "list file stores", "-vfs=<vfs> -fpg=<fpg>", "[<fstore>]...", groups),
    Command::new("getvfs", "list virtual file servers", "-fpg=<fpg> -vfs=<vfs>", "[<vfs>]...", groups),
    Command::new("showfpg", "list file provisioning groups", "-d", "[<fpg>]...", groups),
    Command::new("showfsgroup", "list local groups of file services", "", "[<group>]...", |one| {
        accounts(one, &["GroupName", "GID", "SID"])
    }),
    Command::new("showfsuser", "list local users of file services", "", "[<user>]...", |one| {
        accounts(one, &["Username", "UID", "Primary_Group", "Enabled"])
    }),
];

fn groups(invocation: &Invocation<'_>) -> Answer {
    match invocation.operands() {
        [name] if matches!(invocation.command.name, "getfpg" | "showfpg") => {
            Err(Outcome::refused(format!("File Provisioning Group: {name} not found")))
        }
        _ => Ok(Outcome::Done("No File Provisioning Groups found.\n".to_owned())),
    }
}

fn servers(invocation: &Invocation<'_>) -> Answer {
    let server = invocation.only_operand()?;
    Err(Outcome::refused(format!(
        "Virtual file server {server} was not found in any existing file provisioning group."
    )))
}

fn services(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    Err(Outcome::refused("File Services is not configured on this system."))
}

/// Accounts of the file services: none.
fn accounts(invocation: &Invocation<'_>, titles: &[&str]) -> Answer {
    let table = Table::new(titles.iter().map(|title| Column::left(title)).collect());
    Ok(Outcome::Done(table.render(invocation.options.style(invocation.style))))
}
