//! Remote copy. It is not configured on this array, and these commands say so in the way of an array where it is not.

use super::{Answer, Command, Invocation, Outcome};

/// What every command on targets, links and groups says.
const NOT_CONFIGURED: &str = "Remote Copy is not configured on this system.";

/// A command that needs remote copy.
const fn needs(name: &'static str, summary: &'static str, options: &'static str, operands: &'static str) -> Command {
    Command::new(name, summary, options, operands, refuse)
}

pub(super) const COMMANDS: &[Command] = &[
    needs("admitrcopylink", "add links to a target", "-f", "<target> <n:s:p>:<ip>..."),
    needs(
        "admitrcopytarget",
        "add a target to a group",
        "",
        "<target> sync|periodic|async <group> [<vv>:<remote_vv>]...",
    ),
    needs(
        "admitrcopyvv",
        "add a volume to a group",
        "-pat -createvv -nowwn -nosync -f",
        "<VV_name>[:<snapshot>] <group> <target>:<remote_vv>...",
    ),
    needs(
        "creatercopygroup",
        "make a group",
        "-domain=<domain> -usr_cpg=<CPG> -snp_cpg=<CPG> -f",
        "<group> <target>:<mode>...",
    ),
    needs("creatercopytarget", "make a target", "-disabled -f", "<target> IP|FC [<n:s:p>:<ip>]..."),
    needs("dismissrcopylink", "remove links of a target", "-f", "<target> <n:s:p>:<ip>..."),
    needs("dismissrcopytarget", "remove a target from a group", "-f", "<target> <group>"),
    needs("dismissrcopyvv", "remove a volume from a group", "-f -pat -keepsnap -removevv", "<VV_name> <group>"),
    needs("removercopygroup", "remove groups", "-f -pat -keepsnap -removevv", "<group>..."),
    needs("removercopytarget", "remove a target", "-f -cleargroups", "<target>"),
    needs(
        "setrcopygroup",
        "change a group, or its direction",
        "-f -t=<target> -natural -current -nostart -nosync -discard -nopromote -nosnap -stopgroups -local -waittask -pat -usr_cpg=<CPG> \
         -snp_cpg=<CPG>",
        "dr_operation|pol|period|mode|... <arguments>",
    ),
    needs(
        "setrcopytarget",
        "change a target",
        "-f -d -no_fail_wwn_assignment",
        "disable|enable|name|pol|witness <arguments>",
    ),
    Command::new(
        "showrcopy",
        "show remote copy",
        "-d -qw -domain=<domain>",
        "[links|groups|targets] [<name>|<pattern>]...",
        show,
    ),
    Command::new("startrcopy", "start remote copy", "", "", start),
    needs("startrcopygroup", "start groups", "-f -nosync -wait -pat -t=<target>", "<group>..."),
    Command::new("stoprcopy", "stop remote copy", "-f -stopgroups -clear", "", refuse),
    needs("stoprcopygroup", "stop groups", "-f -nosnap -pat -t=<target>", "<group>..."),
    needs("syncrcopy", "synchronise groups", "-f -w -n -ovrd -pat -t=<target>", "<group>..."),
];

/// Says that there is no remote copy.
fn refuse(_invocation: &Invocation<'_>) -> Answer {
    Err(Outcome::refused(NOT_CONFIGURED))
}

/// Runs `showrcopy`.
fn show(invocation: &Invocation<'_>) -> Answer {
    if let Some(what) = invocation.operands().first()
        && !matches!(what.as_str(), "links" | "groups" | "targets")
    {
        return Err(Outcome::refused(format!("Invalid subcommand: {what}")));
    }
    Ok(Outcome::Done(format!("{NOT_CONFIGURED}\n")))
}

/// Runs `startrcopy`: silent, as where it runs already.
fn start(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    Ok(Outcome::Done(String::new()))
}
