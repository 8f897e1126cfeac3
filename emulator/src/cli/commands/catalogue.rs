//! The table of all commands.

use super::{
    Command, Run, cpgs, disks, domains, events, file_persona, hardware, health, help, host_change, host_show, network,
    ports, qos, remote_copy_change, remote_copy_show, schedules, sets, space, statistics, system, tasks, users,
    vlun_change, vlun_show, volume_change, volume_copies, volume_remove, volume_show, volume_tasks,
};

/// The families of commands with their titles, in the order of `help`.
pub(crate) const FAMILIES: [(&str, &[&[Command]]); 12] = [
    (
        "Virtual volumes",
        &[
            volume_show::COMMANDS,
            volume_change::COMMANDS,
            volume_remove::COMMANDS,
            volume_copies::COMMANDS,
            volume_tasks::COMMANDS,
        ],
    ),
    ("VLUNs", &[vlun_show::COMMANDS, vlun_change::COMMANDS]),
    ("Hosts", &[host_show::COMMANDS, host_change::COMMANDS]),
    ("Sets and domains", &[sets::COMMANDS, domains::COMMANDS]),
    ("Provisioning and space", &[cpgs::COMMANDS, space::COMMANDS]),
    (
        "System and hardware",
        &[system::COMMANDS, hardware::COMMANDS, disks::COMMANDS, ports::COMMANDS, network::COMMANDS],
    ),
    ("Quality of service", &[qos::COMMANDS]),
    ("Remote copy", &[remote_copy_show::COMMANDS, remote_copy_change::COMMANDS]),
    ("File Persona", &[file_persona::COMMANDS]),
    ("Tasks and schedules", &[tasks::COMMANDS, schedules::COMMANDS]),
    ("Events and statistics", &[events::COMMANDS, health::COMMANDS, statistics::COMMANDS]),
    ("Users and this session", &[users::COMMANDS, help::COMMANDS, SESSION]),
];

/// Commands that the session runs itself.
const SESSION: &[Command] = &[
    session("exit", "leave the command line", ""),
    session("history", "show the commands of this session", ""),
    session("quit", "leave the command line", ""),
    session("setclienv", "set csvtable or nohdtot for this session", "<parameter> 0|1"),
    session("showclienv", "show the settings of this session", ""),
];

const fn session(name: &'static str, summary: &'static str, operands: &'static str) -> Command {
    Command { name, summary, options: "", operands, run: Run::Session }
}

/// All commands.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().flat_map(|(_, tables)| tables.iter()).flat_map(|table| table.iter())
}

/// The command with this name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    all().find(|command| command.name == name)
}

/// The words of a command for logs and history. What may be a secret is masked: CHAP secrets, SSH keys, and the arguments of
/// words that are no command, because a mistyped command may carry one.
pub(crate) fn without_secrets(words: &[String]) -> Vec<String> {
    const MASK: &str = "********";
    let Some((name, arguments)) = words.split_first() else { return Vec::new() };
    let mut shown = vec![name.clone()];
    if find(name).is_none() {
        shown.extend((!arguments.is_empty()).then(|| MASK.to_owned()));
        return shown;
    }
    if name == "sethost" && arguments.iter().any(|word| is_chap(word)) {
        // Options may stand anywhere, a secret may look like one, and it may stand in the place of the host.
        let known = ["-f", "-hex", "-chapname"];
        let plain = |word: &String| is_chap(word) || known.contains(&word.as_str());
        shown.extend(arguments.iter().map(|word| if plain(word) { word.clone() } else { MASK.to_owned() }));
        return shown;
    }
    if name == "setsshkey" {
        // The operand should be a public key, but may be the private one.
        shown.extend(arguments.iter().map(|word| if word == "-add" { word.clone() } else { MASK.to_owned() }));
        return shown;
    }
    shown.extend_from_slice(arguments);
    shown
}

fn is_chap(word: &str) -> bool {
    matches!(word, "initchap" | "targetchap")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn shown(line: &str) -> String {
        without_secrets(&crate::cli::words::split(line).unwrap()).join(" ")
    }

    #[test]
    fn every_command_is_there_once() {
        let names: BTreeSet<_> = all().map(|command| command.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|command| !command.summary.is_empty()));
    }

    #[test]
    fn secrets_are_masked() {
        assert_eq!(shown("sethost initchap -f secretsecret h1"), "sethost initchap -f ******** ********");
        assert_eq!(
            shown("sethost initchap -chapname user -secretsecret h1"),
            "sethost initchap -chapname ******** ******** ********"
        );
        assert_eq!(shown("sethost targetchap secretsecret"), "sethost targetchap ********");
        assert_eq!(shown("setsshkey -add -----BEGIN"), "setsshkey -add ********");
        assert_eq!(shown("sethots initchap secretsecret h1"), "sethots ********");
        assert_eq!(shown("sethost -name h2 h1"), "sethost -name h2 h1");
    }
}
